"""A review as runs of letters and as marks of its words, in plain spelling: what the cause model counts.

Words are cut to their first letters, a stemmer that needs no language; their marks are runs of one to three words and
pairs of words that stand near each other (skip-grams: Guthrie et al., "A closer look at skip-gram modelling", LREC
2006).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from danggol.reviews.spelling import plain

_WORD = re.compile(r"\w+")


def word_marks(text: str, stem: int, reach: int) -> str:
    """The marks of a plain text's words, a space between: ``a``, ``a+b``, ``a+b+c``, and ``a~b`` up to ``reach``."""
    words = [word[:stem] for word in _WORD.findall(text)]
    marks = list(words)
    marks += ["+".join(pair) for pair in pairwise(words)]
    marks += ["+".join(three) for three in zip(words, words[1:], words[2:], strict=False)]
    for apart in range(2, reach + 1):
        marks += ["~".join(pair) for pair in zip(words, words[apart:], strict=False)]
    return " ".join(marks)


def views(texts: Sequence[str | None], stem: int, reach: int) -> tuple[list[str], list[str]]:
    """The plain texts, and the marks of their words."""
    found = [plain(text) for text in texts]
    return found, [word_marks(text, stem, reach) for text in found]
