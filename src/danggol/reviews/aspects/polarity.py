"""How a term is spoken of: a linear model on the words around it, and on what a scorer says of them where one is given.

Three views of each term: the marks of the words beside it, of its clause and of the sentence; runs of characters of the
clause; and, with a scorer (such as a sentiment model), its scores of the clause, of both sides and of the sentence.
After Kiritchenko et al., "NRC-Canada-2014: Detecting aspects and sentiment in customer reviews", SemEval 2014.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack

from danggol.encoders.ngram_classes import NgramClasses
from danggol.encoders.ngrams import Ngrams, NgramSettings
from danggol.reviews.aspects.clauses import clauses_of
from danggol.reviews.causes.facts import FactSpace

Floats = NDArray[np.float64]
Scorer = Callable[[Sequence[str]], NDArray[Any]]
"""How pleased texts (texts,) are, in [-1, 1]."""
Place = tuple[int, int, int]
"""Number of the text, start and end of a term in it."""
_WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")
_BESIDE = 6
_HERE = "⊙"
_SCORES = ("clause", "left", "right", "sentence")


class PolarityModel:
    """Learns the polarity of terms at known places."""

    def __init__(self, strength: float, scorer_weight: float) -> None:
        self.strength, self.scorer_weight = strength, scorer_weight
        self.words = Ngrams(NgramSettings(kind="words", high=1, spaced=True))
        self.letters = Ngrams(NgramSettings(kind="characters", low=2, high=5))
        self.space = FactSpace({}, {})
        self.linear = NgramClasses(np.zeros((0, 0), np.float32), np.zeros(0, np.float32))

    def fit(
        self, texts: Sequence[str], places: Sequence[Place], code: NDArray[np.int64], scorer: Scorer | None
    ) -> None:
        """Learn from terms at places and the code (terms,) of the polarity of each."""
        marks, clauses = _views(texts, places)
        self.words.fit(marks)
        self.letters.fit(clauses)
        table = None if scorer is None else _scores(texts, places, scorer)
        self.space = FactSpace({}, {}) if table is None else FactSpace.fit(table, 8)
        rows = self._rows(texts, places, scorer)
        self.linear = NgramClasses.fit(rows, np.eye(int(code.max()) + 1)[code], self.strength, 100)

    def log_probabilities(self, texts: Sequence[str], places: Sequence[Place], scorer: Scorer | None) -> Floats:
        """Natural logarithms (terms, polarities)."""
        return self.linear.log_probabilities(self._rows(texts, places, scorer))

    def _rows(self, texts: Sequence[str], places: Sequence[Place], scorer: Scorer | None) -> csr_matrix:
        marks, clauses = _views(texts, places)
        table = _scores(texts, places, scorer) if scorer is not None and self.space.knots else None
        facts = self.space.encode(table, len(places)) * self.scorer_weight
        blocks = [self.words.transform(marks), self.letters.transform(clauses), facts]
        return csr_matrix(hstack(blocks), dtype=np.float32)


def _views(texts: Sequence[str], places: Sequence[Place]) -> tuple[list[str], list[str]]:
    marks, clauses = [], []
    for nth, start, end in places:
        text = texts[nth]
        left, right = _split(text[:start])[-_BESIDE:], _split(text[end:])[:_BESIDE]
        clause = _clause(text, start, end)
        found = [f"l:{word}" for word in left] + [f"r:{word}" for word in right]
        found += [f"l{far}:{word}" for far, word in enumerate(reversed(left[-2:]))]
        found += [f"r{far}:{word}" for far, word in enumerate(right[:2])]
        beside = [*left, _HERE, *right]
        found += [f"{one}+{two}" for one, two in pairwise(beside)]
        found += [f"c:{word}" for word in _split(clause)] + [f"s:{word}" for word in _split(text)]
        found += [f"t:{word}" for word in _split(text[start:end])]
        marks.append(" ".join(found))
        clauses.append(clause)
    return marks, clauses


def _scores(texts: Sequence[str], places: Sequence[Place], scorer: Scorer) -> pl.DataFrame:
    parts: list[str] = []
    for nth, start, end in places:
        text = texts[nth]
        near = (" ".join(_split(text[:start])[-_BESIDE:]), " ".join(_split(text[end:])[:_BESIDE]))
        parts += [_clause(text, start, end), *near, text]
    found = np.asarray(scorer(parts), np.float64).reshape(len(places), len(_SCORES))
    return pl.DataFrame(found, schema=list(_SCORES))


def _clause(text: str, start: int, end: int) -> str:
    """The clauses that the term touches, the term itself as one sign."""
    there = [one for one in clauses_of(text) if one.start < end and one.end > start]
    low, high = (min(there[0].start, start), max(there[-1].end, end)) if there else (start, end)
    return f"{text[low:start]} {_HERE} {text[end:high]}"


def _split(text: str) -> list[str]:
    return _WORD.findall(text.lower())
