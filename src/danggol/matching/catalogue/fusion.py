"""Joining what title and picture say, so that the joined probabilities are right as often as they say.

A logarithmic pool (Genest & Zidek, "Combining probability distributions", Stat. Sci. 1(1), 1986): the log odds of each
class are the weighted sum of what each modality says, with no weight below zero. The weights are fitted on listings
that neither model has learnt from; with a single modality the weight is a temperature (Guo et al., ICML 2017).

Who is to be believed is not the same for all rows: a picture says much of a colour that no title names, and little of
one that is named. So rows may come in groups, each with weights of its own that are held near those of all rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
_FLOOR = -12.0
"""Natural logarithm below which a probability is not believed."""
_HOLD = 30.0
"""How strongly the weights of a group are held near those of all rows, in rows' log losses."""


@dataclass(frozen=True)
class Pool:
    """How the modalities' log-probabilities of one attribute are joined, and when to abstain."""

    weights: dict[str, float]
    """by modality, none below zero"""
    threshold: float = 0.0
    """confidence below which no answer is given; above 1: never answer"""
    groups: list[dict[str, float]] = field(default_factory=list)
    """weights by group of rows; empty: all rows are of one"""

    @classmethod
    def fit(cls, said: Mapping[str, Floats], codes: Codes, wanted: float, groups: Codes | None = None) -> Self:
        """From log-probabilities (rows, classes) by modality and classes (rows,), -1 where not known.

        ``groups`` (rows,): numbers from 0 of the groups that the rows are of.
        """
        known = codes >= 0
        names = list(said)
        if not known.any():
            return cls(dict.fromkeys(names, 1 / len(names)), 1.1)
        parts = np.stack([_floored(said[name][known]) for name in names])
        right = codes[known]
        shared = _weights(parts, right, np.full(len(names), 1 / len(names)), 0.0)
        pool = cls(dict(zip(names, shared.tolist(), strict=True)))
        if groups is not None:
            groups = groups[known]
            members = [groups == one for one in range(int(groups.max()) + 1)]
            own = [_weights(parts[:, rows], right[rows], shared, _HOLD) for rows in members]
            pool = replace(pool, groups=[dict(zip(names, one.tolist(), strict=True)) for one in own])
        chance = np.exp(pool.joined({name: said[name][known] for name in names}, groups))
        answers = chance.argmax(axis=1)
        return replace(pool, threshold=threshold(chance.max(axis=1), answers == right, wanted))

    def joined(self, said: Mapping[str, Floats], groups: Codes | None = None) -> Floats:
        """Joined log-probabilities (rows, classes); rows of a group (rows,) never seen are joined as all rows are."""
        odds = np.asarray(sum(weight * _floored(said[name]) for name, weight in self.weights.items()))
        for number, weights in enumerate(self.groups if groups is not None else []):
            rows = groups == number
            odds[rows] = sum(weight * _floored(said[name][rows]) for name, weight in weights.items())
        return np.asarray(odds - logsumexp(odds, axis=1, keepdims=True))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


def _weights(parts: Floats, right: Codes, first: Floats, hold: float) -> Floats:
    """Weights (modalities,) of the least log loss on parts (modalities, rows, classes), held near the ``first``."""
    rows = np.arange(len(right))

    def loss(weights: Floats) -> tuple[float, Floats]:
        odds = np.einsum("m,mnk->nk", weights, parts)
        whole = logsumexp(odds, axis=1, keepdims=True)
        chance = np.exp(odds - whole)
        chance[rows, right] -= 1
        away = weights - first
        cost = float((whole[:, 0] - odds[rows, right]).sum() + hold * (away @ away) / 2)
        return cost, np.einsum("nk,mnk->m", chance, parts) + hold * away

    found = minimize(loss, first, jac=True, method="L-BFGS-B", bounds=[(0, 5)] * len(first))
    return np.asarray(found.x)


def threshold(confidence: Floats, right: NDArray[np.bool_], wanted: float, fewest: int = 20) -> float:
    """The least confidence that ``fewest`` rows or more reach and at which they are right in ``wanted`` of all cases.

    ``confidence`` and ``right`` (rows,). 1.1 where there is none.
    """
    order = np.argsort(-confidence, kind="stable")
    share = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    ends = np.append(np.diff(confidence[order]) < 0, True)
    good = np.flatnonzero((share >= wanted) & ends & (np.arange(1, len(order) + 1) >= min(fewest, len(order))))
    return float(confidence[order][good[-1]]) if len(good) else 1.1


def _floored(logs: Floats) -> Floats:
    return np.maximum(logs, _FLOOR)
