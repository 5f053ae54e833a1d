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
from danggol.matching.around import around
from danggol.matching.index import Floats
from danggol.matching.pairs import Pairs
from danggol.matching.settings import MatchingSettings

Labels = NDArray[np.float64]
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@dataclass(frozen=True)
class PairModel:
    """Two looks at a pair."""

    first: lgb.Booster
    second: lgb.Booster

    @classmethod
    def fit(
        cls, parts: Sequence[Pairs], labels: Sequence[Labels], sizes: Sequence[int], settings: MatchingSettings
    ) -> tuple[Self, list[Floats]]:
        """Learn from two parts, ``sizes`` listings each; also the honest probabilities (pairs,) of each part.

        ``labels`` (pairs,) of 0 and 1. DataError: no pair is the same product, or all are.
        """
        values, names = [part.values for part in parts], parts[0].names
        said = _crossed(values, labels, names, settings)
        seen = [around(part, one, size) for part, one, size in zip(parts, said, sizes, strict=True)]
        more = [np.column_stack([value, one.values]) for value, one in zip(values, seen, strict=True)]
        wide = [*names, *seen[0].names]
        honest = _crossed(more, labels, wide, settings)
        return cls(_trained(values, labels, names, settings), _trained(more, labels, wide, settings)), honest

    def probability(self, pairs: Pairs, size: int) -> Floats:
        """Probability (pairs,) of the same product; ``size`` listings were matched among themselves."""
        if not len(pairs.left):
            return np.zeros(0, np.float32)
        seen = around(pairs, self.look(pairs), size)
        return np.asarray(self.second.predict(np.column_stack([pairs.values, seen.values])), np.float32)

    def look(self, pairs: Pairs) -> Floats:
        """What the first look says (pairs,)."""
        return np.asarray(self.first.predict(pairs.values), np.float32)


def _crossed(
    values: Sequence[Floats], labels: Sequence[Labels], names: Sequence[str], settings: MatchingSettings
) -> list[Floats]:
    """Each part's probabilities by the trees of the other."""
    models = [_trained([value], [label], names, settings) for value, label in zip(values, labels, strict=True)]
    return [np.asarray(model.predict(value), np.float32) for model, value in zip(reversed(models), values, strict=True)]


def _trained(
    values: Sequence[Floats], labels: Sequence[Labels], names: Sequence[str], settings: MatchingSettings
) -> lgb.Booster:
    label = np.concatenate(labels)
    if not 0 < label.sum() < len(label):
        raise DataError("the labelled groups give no pairs to tell apart; give more groups, or fit without groups")
    data = lgb.Dataset(np.concatenate(values), label, feature_name=list(names))
    return lgb.train(_parameters(settings), data, num_boost_round=settings.rounds)


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
