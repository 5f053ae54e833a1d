"""How many of an attribute's values a title names: whether there is anything left for the picture to decide."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

NONE, ONE, SEVERAL = 0, 1, 2
_WORD = re.compile(r"\w+")


def named(titles: Sequence[str | None], values: Sequence[str]) -> NDArray[np.int64]:
    """(titles,) ``NONE``, ``ONE`` or ``SEVERAL``: how many different ``values`` stand in each title, word for word.

    Where values hold each other, the longest counts: "off white" does not name white. Case and marks do not matter.
    """
    known = {_words(value) for value in values} - {()}
    longest = max(map(len, known), default=0)
    return np.array([min(len(_found(_words(title or ""), known, longest)), SEVERAL) for title in titles], np.int64)


def _found(words: tuple[str, ...], known: set[tuple[str, ...]], longest: int) -> set[tuple[str, ...]]:
    """The values in a title, from left to right."""
    found, at = set(), 0
    while at < len(words):
        here = (words[at : at + length] for length in range(longest, 0, -1))
        value = next((one for one in here if one in known), None)
        if value is not None:
            found.add(value)
        at += len(value or (0,))
    return found


def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(unicodedata.normalize("NFKC", text).lower()))
