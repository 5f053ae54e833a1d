"""A review as runs of letters and as marks of its words, in a spelling that forgives: what the cause model counts.

Accents on Latin letters go, digits are one digit, a letter three times or more is there twice. Words are cut to their
first letters, a stemmer that needs no language; their marks are runs of one to three words and pairs of words that
stand near each other (skip-grams: Guthrie et al., "A closer look at skip-gram modelling", LREC 2006).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import pairwise

_WORD = re.compile(r"\w+")
_DIGIT = re.compile(r"\d")
_RUN = re.compile(r"([^\W\d])\1{2,}")
_LATIN_END = 0x24F


def plain(text: str | None) -> str:
    """A text in lower case without accents, with every digit as 0; empty for a missing one."""
    lower = unicodedata.normalize("NFKC", text or "").lower()
    if not lower.isascii():
        lower = "".join(_without_accent(letter) for letter in lower)
    return _RUN.sub(r"\1\1", _DIGIT.sub("0", lower))


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


def _without_accent(letter: str) -> str:
    if ord(letter) > _LATIN_END or letter.isascii():
        return letter
    return "".join(part for part in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(part))
