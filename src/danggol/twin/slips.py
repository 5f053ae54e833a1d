"""Slips of the keyboard, as people of each script make them.

Latin letters are swapped, dropped or doubled; a Hangul syllable gets a wrong final consonant or vowel; a Chinese or
Japanese character is dropped or doubled; a space is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable

Draw = Callable[[], float]
"""Gives the next number in [0, 1)."""

_HANGUL, _VOWELS, _FINALS = 0xAC00, 21, 28
_VOWEL_SLIPS = {0: 4, 4: 0, 1: 5, 5: 1, 8: 13, 13: 8, 10: 15, 11: 15, 15: 11, 18: 20, 20: 18}
_FINAL_SLIPS = {0: 4, 1: 0, 4: 21, 7: 19, 8: 4, 16: 4, 17: 26, 19: 20, 20: 19, 21: 4, 22: 19, 25: 19, 26: 17, 27: 0}


def with_slips(text: str, chance: float, draw: Draw) -> str:
    """``text`` with slips; each character has the ``chance`` (at most 0.5), and 0 leaves the text as it is."""
    if chance <= 0:
        return text
    scale = math.log1p(-chance)
    pieces, begun, at = [], 0, _gap(draw, scale)
    while at < len(text):
        wrong, used = _slip(text, at, draw)
        pieces += [text[begun:at], wrong]
        begun = at + used
        at = begun + _gap(draw, scale)
    slipped = "".join([*pieces, text[begun:]])
    return slipped if slipped.strip() else text


def without_spaces(text: str, chance: float, draw: Draw) -> str:
    """``text`` of which each space is left out with the ``chance``."""
    words = text.split(" ")
    return words[0] + "".join(word if draw() < chance else " " + word for word in words[1:])


def _gap(draw: Draw, scale: float) -> int:
    """How many characters pass before the next slip."""
    return int(math.log1p(-draw()) / scale)


def _slip(text: str, at: int, draw: Draw) -> tuple[str, int]:
    """What is typed in place of the character, and how many characters it stands for."""
    one = text[at]
    if "가" <= one <= "힣":
        return _hangul(one, draw), 1
    if one == " ":
        return "", 1
    if "぀" <= one <= "ヿ" or "一" <= one <= "鿿":
        return ("" if draw() < 0.7 else one * 2), 1
    if not one.isalpha():
        return one, 1
    kind, after = draw(), text[at + 1 : at + 2]
    if kind < 0.4 and after.isalpha():
        return after + one, 2
    return ("" if kind < 0.7 else one * 2), 1


def _hangul(syllable: str, draw: Draw) -> str:
    rest, final = divmod(ord(syllable) - _HANGUL, _FINALS)
    first, vowel = divmod(rest, _VOWELS)
    if draw() < 0.5 and vowel in _VOWEL_SLIPS:
        vowel = _VOWEL_SLIPS[vowel]
    else:
        final = _FINAL_SLIPS.get(final, 0)
    return chr(_HANGUL + (first * _VOWELS + vowel) * _FINALS + final)
