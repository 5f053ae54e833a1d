"""Logistic regression on hashed n-grams: quick to train, quick to read with, small to keep, and hard to beat.

Counts are ``1 + log(count)`` times the inverse document frequency, every text of length one; columns are scaled by
their naive Bayes ratio first (Wang & Manning, ACL 2012). Stars are told by four models, one for each "more than so
many" (Frank & Hall, "A simple approach to ordinal classification", ECML 2001). What is kept is, for each n-gram's place
in the table, its frequency weight and its weights, in 16 bits. A place that training did not fill counts for nothing.
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
from scipy.special import expit

from danggol.encoders.hashed_ngrams import Grams, Unit, hashed_ngrams
from danggol.encoders.ngram_linear import NgramLinear
from danggol.errors import DataError
from danggol.reviews.sentiment.rows import Floats, Rows
from danggol.reviews.sentiment.settings import SentimentSettings

_CHUNK = 4096
_SMALL = 1 << 16
_LEAST = 1e-4
"""Least probability of a class."""
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
    """(n-grams, 2), half of the log odds on each side, or with stars (n-grams, 4), the log odds of more than so many"""
    bias: NDArray[np.float32]
    """(2,) or (4,)"""

    @classmethod
    def fit(cls, rows: Rows, settings: SentimentSettings) -> Self:
        """Train on rows. DataError: one class only, or no n-gram is in enough texts."""
        families = families_of(settings)
        counts = hashed_ngrams(rows.texts, families, settings.bits)
        frequency = np.bincount(counts.indices, minlength=counts.shape[1])
        places = _kept(frequency, settings)
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
        above = np.cumsum(rows.shares[:, ::-1], axis=1)[:, ::-1]
        cuts = [_cut(weighted, above[:, nth], rows.often, settings.strength) for nth in range(1, above.shape[1])]
        return blank._with(np.column_stack([one.weights for one in cuts]), np.array([one.bias for one in cuts]))

    def scores(self, texts: Sequence[str]) -> Floats:
        """Log odds of each class (texts, classes), up to a number that is the same for all classes of a text."""
        parts = [np.zeros((0, len(self.bias) + (len(self.bias) > 2)))]
        for start in range(0, len(texts), _CHUNK):
            counts = hashed_ngrams(texts[start : start + _CHUNK], self.families, self.bits)
            rows = self._weighted(counts)
            # a text of which nothing is known says nothing
            told = np.diff(rows.indptr) > 0
            found = np.asarray(rows @ self._wide + self.bias, np.float64)
            parts.append((found if len(self.bias) == 2 else _ordered(found)) * told[:, None])
        return np.concatenate(parts)

    def files(self) -> dict[str, str | bytes]:
        """The tables."""
        return {"linear.safetensors": self.to_bytes()}

    @property
    def parameters(self) -> int:
        """Numbers that were learnt."""
        return int(self.weights.size + self.bias.size)

    def to_bytes(self) -> bytes:
        """The tables as safetensors, six bytes an n-gram where there are two classes: gaps between places, one side."""
        gaps = np.diff(self.places, prepend=0)
        small = not len(gaps) or gaps.max() < _SMALL
        tables: dict[str, NDArray[Any]] = {
            "gaps": gaps.astype(np.uint16 if small else np.int32),
            "rarity": self.rarity,
            "weights": np.ascontiguousarray(self.weights[:, 1:] if len(self.bias) == 2 else self.weights),
            "bias": self.bias,
        }
        return bytes(save(tables))

    @classmethod
    def from_bytes(cls, content: bytes, settings: SentimentSettings) -> Self:
        """Read what :meth:`to_bytes` wrote; KeyError, ValueError or a SafetensorError where it is damaged."""
        held = load(content)
        gaps, rarity, weights, bias = (held[name] for name in ("gaps", "rarity", "weights", "bias"))
        if len(bias) == 2:
            weights = np.column_stack([-weights, weights])
        families, places = families_of(settings), np.cumsum(gaps, dtype=np.int32)
        if places.max(initial=-1) >= len(families) << settings.bits or weights.shape != (len(places), len(bias)):
            raise ValueError("its tables are not those of its settings")
        return cls(families, settings.bits, places, rarity, weights, bias)

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


def _kept(frequency: NDArray[np.int64], settings: SentimentSettings) -> NDArray[np.int32]:
    """The places of n-grams in enough texts, of too many those in most."""
    places = np.flatnonzero(frequency >= settings.fewest)
    if len(places) > settings.limit:
        places = np.sort(places[np.argsort(-frequency[places], kind="stable")[: settings.limit]])
    return places.astype(np.int32)


def _cut(weighted: csr_matrix, above: Floats, often: Floats, strength: float) -> NgramLinear:
    """The log odds of more than so many stars; the same for all texts where all or none have more."""
    more, fewer = float(often @ above), float(often @ (1 - above))
    if min(more, fewer) <= 0:
        return NgramLinear(np.zeros(weighted.shape[1], np.float32), float(np.log((more + 0.5) / (fewer + 0.5))))
    return NgramLinear.logistic(weighted, above, strength, True, often)


def _ordered(above: Floats) -> Floats:
    """Log probabilities (texts, classes) from log odds (texts, classes - 1) of being above each class but the last."""
    more = np.minimum.accumulate(expit(above), axis=1)
    edged = np.column_stack([np.ones(len(more)), more, np.zeros(len(more))])
    return np.asarray(np.log(np.maximum(edged[:, :-1] - edged[:, 1:], _LEAST)))


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
