"""Logistic regression on hashed n-grams: quick to train, quick to read with, small to keep, and hard to beat.

Counts are ``1 + log(count)`` times the inverse document frequency, every text of length one; columns are scaled by
their naive Bayes ratio first where there are two classes (Wang & Manning, ACL 2012). What is kept is, for each n-gram's
place in the table, its frequency weight and one weight a class, in 16 bits. A place that training did not fill counts
for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save
from scipy.sparse import csr_matrix

from danggol.encoders.hashed_ngrams import Grams, Unit, hashed_ngrams
from danggol.encoders.ngram_classes import NgramClasses
from danggol.encoders.ngram_linear import NgramLinear
from danggol.errors import DataError
from danggol.reviews.rows import Floats, Rows
from danggol.reviews.settings import SentimentSettings

_CHUNK = 4096
_STEPS = 60
_SHORTEST: dict[Unit, int] = {"edges": 2, "jamo": 3}


@dataclass(frozen=True)
class LinearReader:
    """``scores = weighted n-grams @ weights + bias``."""

    families: tuple[Grams, ...]
    bits: int
    places: NDArray[np.int32]
    """(n-grams,) columns of the hashed table that are known, rising"""
    rarity: NDArray[np.float16]
    """(n-grams,) inverse document frequency"""
    weights: NDArray[np.float16]
    """(n-grams, classes)"""
    bias: NDArray[np.float32]
    """(classes,)"""

    @classmethod
    def fit(cls, rows: Rows, settings: SentimentSettings) -> Self:
        """Train on rows. DataError: one class only, or no n-gram is in enough texts."""
        families = families_of(settings)
        counts = hashed_ngrams(rows.texts, families, settings.bits)
        frequency = np.bincount(counts.indices, minlength=counts.shape[1])
        places = np.flatnonzero(frequency >= settings.fewest).astype(np.int32)
        if not len(places):
            raise DataError(f"no n-gram is in {settings.fewest} of the {len(rows)} texts; give more or longer texts")
        rarity = (np.log((1 + len(rows)) / (1 + frequency[places])) + 1).astype(np.float16)
        blank = cls(
            families, settings.bits, places, rarity, np.zeros((len(places), 0), np.float16), np.zeros(0, np.float32)
        )
        weighted = blank._weighted(counts)
        if rows.shares.shape[1] == 2:
            one = NgramLinear.logistic(weighted, rows.shares[:, 1], settings.strength, True, rows.often)
            # half of the log odds on each side, so that two classes are as any number
            weights, bias = np.outer(one.weights, (-0.5, 0.5)), np.array([-0.5, 0.5]) * one.bias
            return blank._with(weights, bias)

        many = NgramClasses.fit(weighted, rows.shares * rows.often[:, None], settings.strength, _STEPS)
        return blank._with(many.weights, many.bias)

    def scores(self, texts: Sequence[str]) -> Floats:
        """Log odds of each class (texts, classes), up to a number that is the same for all classes of a text."""
        parts = [np.zeros((0, len(self.bias)))]
        for start in range(0, len(texts), _CHUNK):
            counts = hashed_ngrams(texts[start : start + _CHUNK], self.families, self.bits)
            rows = self._weighted(counts)
            # a text of which nothing is known says nothing
            told = np.diff(rows.indptr) > 0
            parts.append((rows @ self._wide + self.bias) * told[:, None])
        return np.concatenate(parts)

    def files(self) -> dict[str, str | bytes]:
        """The tables."""
        return {"linear.safetensors": self.to_bytes()}

    @property
    def parameters(self) -> int:
        """Numbers that were learnt."""
        return int(self.weights.size + self.bias.size)

    def to_bytes(self) -> bytes:
        """The tables as safetensors."""
        tables: dict[str, NDArray[Any]] = {
            "places": self.places,
            "rarity": self.rarity,
            "weights": self.weights,
            "bias": self.bias,
        }
        return bytes(save(tables))

    @classmethod
    def from_bytes(cls, content: bytes, settings: SentimentSettings) -> Self:
        """Read what :meth:`to_bytes` wrote; KeyError or a SafetensorError where it is damaged."""
        held = load(content)
        tables = (held[name] for name in ("places", "rarity", "weights", "bias"))
        return cls(families_of(settings), settings.bits, *tables)

    def _with(self, weights: NDArray[Any], bias: NDArray[Any]) -> Self:
        return replace(self, weights=weights.astype(np.float16), bias=bias.astype(np.float32))

    @cached_property
    def _wide(self) -> NDArray[np.float32]:
        return self.weights.astype(np.float32)

    @cached_property
    def _columns(self) -> NDArray[np.int32]:
        """The column of each place of the hashed table, -1 where it is not known."""
        found = np.full(len(self.families) << self.bits, -1, np.int32)
        found[self.places] = np.arange(len(self.places), dtype=np.int32)
        return found

    def _weighted(self, counts: csr_matrix) -> csr_matrix:
        """Known n-grams (texts, n-grams) with their weights, rows of length one."""
        columns = self._columns[counts.indices]
        known = columns >= 0
        before = np.concatenate([[0], np.cumsum(known)])
        starts, columns = before[counts.indptr], columns[known]
        values = (1 + np.log(counts.data[known])) * self.rarity.astype(np.float32)[columns]
        many = np.diff(starts)
        length = np.zeros(len(many))
        filled = many > 0
        length[filled] = np.sqrt(np.add.reduceat(values.astype(np.float64) ** 2, starts[:-1][filled]))
        values /= np.repeat(length, many).astype(np.float32)
        return csr_matrix((values, columns, starts), (len(many), len(self.places)))


def families_of(settings: SentimentSettings) -> tuple[Grams, ...]:
    """The families of n-grams that are counted."""
    longest: dict[Unit, int] = {
        "characters": settings.characters,
        "edges": settings.edges,
        "jamo": settings.jamo,
        "words": settings.words,
    }
    return tuple(
        Grams(unit=unit, low=min(_SHORTEST.get(unit, 1), high), high=high) for unit, high in longest.items() if high
    )
