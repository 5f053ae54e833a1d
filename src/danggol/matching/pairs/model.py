"""The probability that two listings are the same product, by gradient boosted trees on what speaks for and against.

It is learnt from two halves of the labelled groups, each matched within itself, so that every pair's neighbours are
those of its own half and what one half taught judges the other. Those honest probabilities serve to tune thresholds,
and to learn the second look: trees that also see what the first look said of the pairs around a pair.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from danggol.errors import DataError
from danggol.matching.pairs.around import around
from danggol.matching.pairs.evidence import Pairs
from danggol.matching.search.index import Floats, Ints
from danggol.matching.settings import MatchingSettings

Labels = NDArray[np.float64]
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@dataclass(frozen=True)
class PairModel:
    """Two looks at a pair, each by the trees of either half."""

    first: tuple[lgb.Booster, ...]
    second: tuple[lgb.Booster, ...]

    @classmethod
    def fit(
        cls, parts: Sequence[Pairs], labels: Sequence[Labels], sizes: Sequence[int], settings: MatchingSettings
    ) -> tuple[Self, list[Floats]]:
        """Learn from two parts, ``sizes`` listings each; also the honest probabilities (pairs,) of each part.

        ``labels`` (pairs,) of 0 and 1, nan where it is not known. DataError: no pair is the same product, or all are.
        """
        values, names = [part.values for part in parts], parts[0].names
        first = _each(values, labels, names, settings)
        said = _crossed(first, values)
        seen = [around(part, one, size) for part, one, size in zip(parts, said, sizes, strict=True)]
        more = [np.column_stack([value, one.values]) for value, one in zip(values, seen, strict=True)]
        second = _each(more, labels, [*names, *seen[0].names], settings)
        return cls(first, second), _crossed(second, more)

    def look(self, values: Floats) -> Floats:
        """What the first look says (pairs,) of pairs described by ``values`` (pairs, features)."""
        return _mean(self.first, values)

    def second_look(self, pairs: Pairs, first: Floats, size: int, which: Ints | None = None) -> Floats:
        """Probability of the same product of the pairs ``which`` (all), given what the ``first`` look said of all."""
        values = pairs.values if which is None else pairs.values[which]
        seen = around(pairs, first, size, which)
        return _mean(self.second, np.column_stack([values, seen.values]))


def _each(
    values: Sequence[Floats], labels: Sequence[Labels], names: Sequence[str], settings: MatchingSettings
) -> tuple[lgb.Booster, ...]:
    """Trees of each part."""
    return tuple(_trained(value, label, names, settings) for value, label in zip(values, labels, strict=True))


def _crossed(models: Sequence[lgb.Booster], values: Sequence[Floats]) -> list[Floats]:
    """Each part's probabilities by the trees of the other."""
    return [_mean([model], value) for model, value in zip(reversed(models), values, strict=True)]


def _mean(models: Sequence[lgb.Booster], values: Floats) -> Floats:
    if not len(values):
        return np.zeros(0, np.float32)
    said: Floats = np.mean([model.predict(values) for model in models], axis=0).astype(np.float32)
    return said


def _trained(values: Floats, label: Labels, names: Sequence[str], settings: MatchingSettings) -> lgb.Booster:
    known = ~np.isnan(label)
    if not known.all():
        values, label = values[known], label[known]
    if not 0 < label.sum() < len(label):
        raise DataError("the labelled groups give no pairs to tell apart; label more, or match without labels")
    return lgb.train(
        _parameters(settings), lgb.Dataset(values, label, feature_name=list(names)), num_boost_round=settings.rounds
    )


def _parameters(settings: MatchingSettings) -> dict[str, Any]:
    return {
        "objective": "binary",
        "learning_rate": settings.learning_rate,
        "num_leaves": settings.leaves,
        "min_data_in_leaf": 50,
        "feature_fraction": 0.6,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "seed": settings.seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }
