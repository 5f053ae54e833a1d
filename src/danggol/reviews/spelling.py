"""A spelling that forgives, in which words are looked up and counted: what aspects and causes read.

Accents on Latin letters go, digits are one digit, a letter three times or more is there twice.
"""

from __future__ import annotations

import re
import unicodedata

_DIGIT = re.compile(r"\d")
_RUN = re.compile(r"([^\W\d])\1{2,}")
_LATIN_END = 0x24F


def plain(text: str | None) -> str:
    """A text in lower case without accents, with every digit as 0; empty for a missing one."""
    lower = unicodedata.normalize("NFKC", text or "").lower()
    if not lower.isascii():
        lower = "".join(_without_accent(letter) for letter in lower)
    return _RUN.sub(r"\1\1", _DIGIT.sub("0", lower))


def _without_accent(letter: str) -> str:
    if ord(letter) > _LATIN_END or letter.isascii():
        return letter
    return "".join(part for part in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(part))
