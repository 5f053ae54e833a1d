"""The words of a clause that name something: what is left without words of feeling, idle words and endings.

Korean is read as nouns and roots where kiwipiepy is installed, else as the first two syllables of each word; Chinese
and Japanese as pairs of characters; other languages as words cut to their first letters. Idle words are those of the
file of aspects, and the commonest words of the languages that :mod:`danggol.reviews.language` knows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from danggol.errors import UsageError
from danggol.reviews.aspects.words import AspectWords, WordFinder, spelt
from danggol.reviews.language import WORDS
from danggol.reviews.sentiment.morphemes import kiwi
from danggol.reviews.spelling import plain

_WORD = re.compile(r"[^\W\d_]+")
_KOREAN, _HAN = re.compile("[\uac00-\ud7a3]+"), re.compile("[\u3400-\u4dbf\u4e00-\u9fff\u30a0-\u30ff]+")
_HIRAGANA = re.compile("[\u3040-\u309f]+")
_NOUNS = ("NNG", "NNP", "XR")
_COMMON = 150
"""Common words of a language that are idle."""
_SYLLABLES = 2


def content_words(texts: Sequence[str], words: AspectWords, stem: int, morphemes: bool) -> list[list[str]]:
    """The content words of each text, in plain spelling; ``morphemes``: Korean by kiwipiepy where it is installed."""
    feeling = _feelings(words)
    idle = {spelt(word).strip() for held in words.feelings.values() for word in held.idle}
    idle |= {plain(word)[:stem] for common in WORDS.values() for word in common.split()[:_COMMON]}
    analyser = _analyser() if morphemes else None
    found = []
    for text in texts:
        flat = spelt(text)
        bare = flat
        for finder in feeling:
            bare = finder.without(bare)
        korean = _nouns(text, analyser) if analyser is not None and _KOREAN.search(flat) else _starts(flat, feeling)
        pairs = [run[at : at + 2] for run in _HAN.findall(bare) for at in range(len(run) - 1)]
        rest = _HIRAGANA.sub(" ", _HAN.sub(" ", _KOREAN.sub(" ", bare)))
        latin = [word[:stem] for word in _WORD.findall(rest) if len(word) > 2]
        found.append([word for word in (*korean, *pairs, *latin) if word not in idle])
    return found


def _starts(flat: str, feeling: Sequence[WordFinder]) -> list[str]:
    """The first syllables of Korean words that hold no feeling."""
    words = [word for word in _KOREAN.findall(flat) if len(word) >= _SYLLABLES]
    return [word[:_SYLLABLES] for word in words if not any(finder.hits(word) for finder in feeling)]


def _nouns(text: str, analyser: Any) -> list[str]:
    return [one.form for one in analyser.tokenize(text) if one.tag in _NOUNS]


def _feelings(words: AspectWords) -> list[WordFinder]:
    found = [
        WordFinder.of(one, code) for code, held in words.feelings.items() for one in (held.pleased, held.displeased)
    ]
    return [finder for finder in found if finder is not None]


def _analyser() -> Any:
    try:
        return kiwi()
    except UsageError:
        return None
