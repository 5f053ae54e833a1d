"""Which language a text is in: by its script, and among languages of Latin letters by pieces of common words.

The pieces are runs of one to four characters of the words in ``languages/words.toml``, edges included, scored by naive
Bayes (Cavnar & Trenkle, "N-gram-based text categorization", 1994). Chinese and Japanese share characters: kana, and
characters that only one of the two writes, decide.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections import defaultdict
from collections.abc import Collection, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

WORDS: dict[str, str] = tomllib.loads((Path(__file__).parent / "languages" / "words.toml").read_text("utf8"))
UNKNOWN = "und"
"""ISO 639's word for a text whose language cannot be told."""
_SCRIPTS = {
    "ko": "\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3",
    "ja": "\u3041-\u30ff\uff66-\uff9f",
    "han": "\u3400-\u4dbf\u4e00-\u9fff",
    "latin": "a-zA-Z\u00c0-\u024f\u1e00-\u1eff",
    "ru": "\u0400-\u04ff",
    "el": "\u0370-\u03ff",
    "he": "\u0590-\u05ff",
    "ar": "\u0600-\u06ff",
    "hi": "\u0900-\u097f",
    "th": "\u0e00-\u0e7f",
}
CODES = frozenset({*WORDS, *_SCRIPTS, "zh"} - {"han", "latin"})
"""ISO 639-1 codes of the languages that can be told."""
_RUNS = {name: re.compile(f"[{letters}]+") for name, letters in _SCRIPTS.items()}
_LATIN_WORD = re.compile(f"[{_SCRIPTS['latin']}]+(?:'[{_SCRIPTS['latin']}]+)*")
_WEIGHT = {"ko": 2.0, "ja": 2.0, "han": 2.0}
"""A syllable says about as much as two or three letters."""
_JAPANESE = frozenset("円気対応様込変売価黒図読戻払収発駅広実関覧総軽検満黄")
_CHINESE = frozenset("们这个东买卖质货还没说时给没后来对发实际觉块钱么吗你很太评它她他图书错过颜样点爱欢")
_LETTERS = 600
"""Characters that are looked at."""
_ORDERS, _SMOOTHING, _CERTAIN = 4, 0.3, 4.0
_EXPECTED = 8.0
"""Log odds, before they are divided by what overlaps, that an expected language has over the others."""


class Language(NamedTuple):
    """A language and how sure it is."""

    code: str
    """ISO 639-1; :data:`UNKNOWN` where the text has no letters"""
    share: float
    """of the text's letters that are of its script, times how likely it is among the languages of that script"""


def language(text: str, expected: Collection[str] = ()) -> Language:
    """The main language of a text: the one that most of its letters are of.

    ``expected`` languages are taken where a text of a few Latin letters tells little: "Terrible" is many languages'.
    """
    counts = {
        name: sum(map(len, runs.findall(text[:_LETTERS]))) * _WEIGHT.get(name, 1.0) for name, runs in _RUNS.items()
    }
    total = sum(counts.values())
    if not total:
        return Language(UNKNOWN, 0.0)
    if counts["han"]:
        # characters stand for Japanese beside kana; without kana and Korean, for Chinese
        japanese = _japanese(text, counts)
        counts["ja" if japanese else "zh"] = counts.pop("han") + counts["ja"] * japanese
    best = max(counts, key=lambda name: counts[name])
    share = counts[best] / total
    if best != "latin":
        return Language(best, share)
    code, chance = _latin(text[:_LETTERS], expected)
    return Language(code, share * chance)


def languages(texts: Sequence[str], expected: Collection[str] = ()) -> list[Language]:
    """The main language of each text; see :func:`language`."""
    return [language(text, expected) for text in texts]


def _japanese(text: str, counts: dict[str, float]) -> bool:
    if counts["ja"]:
        return counts["ja"] * 10 > counts["han"]
    letters = set(text[:_LETTERS])
    return len(letters & _JAPANESE) > len(letters & _CHINESE)


def _latin(text: str, expected: Collection[str]) -> tuple[str, float]:
    """The likeliest language of Latin letters, and how likely it is."""
    # a few letters leave the script's range when they are made small (Ⱦ), so words are found first
    words = [word.lower() for word in _LATIN_WORD.findall(text.replace("’", "'"))]
    total = [sum(values) for values in zip(*map(_scored, words), strict=True)]
    total = [value + _EXPECTED * (code in expected) for value, code in zip(total, WORDS, strict=True)]
    best = max(total)
    # pieces overlap, so that their sum is too sure of itself
    chances = [math.exp((value - best) / _CERTAIN) for value in total]
    nth = total.index(best)
    return list(WORDS)[nth], chances[nth] / sum(chances)


@lru_cache(maxsize=50_000)
def _scored(word: str) -> tuple[float, ...]:
    """Log probability of a word's pieces in each language."""
    scores, missing = _profiles()
    return tuple(sum(values) for values in zip(*(scores.get(piece, missing) for piece in _pieces(word)), strict=True))


@cache
def _profiles() -> tuple[dict[str, list[float]], list[float]]:
    """Log probability of each piece in each language, and that of a piece that no language has."""
    counts: list[dict[str, float]] = []
    for words in WORDS.values():
        count: dict[str, float] = defaultdict(float)
        for rank, word in enumerate(words.split()):
            for piece in _pieces(word):
                # Zipf: a word is the rarer the later it stands
                count[piece] += 20 / (20 + rank)
        counts.append(count)
    pieces = set().union(*counts)
    sizes = [math.log(sum(count.values()) + _SMOOTHING * len(pieces)) for count in counts]
    scores = {
        piece: [math.log(count.get(piece, 0.0) + _SMOOTHING) - size for count, size in zip(counts, sizes, strict=True)]
        for piece in pieces
    }
    return scores, [math.log(_SMOOTHING) - size for size in sizes]


def _pieces(word: str) -> list[str]:
    edged = f" {word} "
    found = [edged[start : start + order] for order in range(2, _ORDERS + 1) for start in range(len(edged) - order + 1)]
    if len(edged) <= 8:
        # the whole of a short word says most
        found += [edged] * 2
    return [*found, *word]
