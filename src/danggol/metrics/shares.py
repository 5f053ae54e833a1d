"""What each part of a model's input is worth: Shapley shares of a metric over all subsets of the parts.

The worth of a subset is the metric of the predictions made from its parts alone. A part's share is its mean gain over
all orders in which the parts can be added; the shares add up to the metric of all parts less that of none. Exact: with
n parts 2^n predictions are needed.

Sources: Shapley, "A value for n-person games", 1953; Lundberg & Lee, "A unified approach to interpreting model
predictions", NeurIPS 2017 (shares of predictions); Covert, Lundberg & Lee, "Understanding global feature contributions
with additive importance measures", NeurIPS 2020 (shares of a metric, as here).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from math import factorial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from danggol.errors import UsageError
from danggol.metrics.intervals import Interval, Statistic, bootstrap_figures

Part = frozenset[str]


@dataclass(frozen=True)
class Shares:
    """Figures of each part, with 95% intervals over groups (customers) drawn again."""

    share: dict[str, Interval]
    """Shapley: the mean gain over all orders"""
    alone: dict[str, Interval]
    """the metric of the part alone, less that of no part"""
    without: dict[str, Interval]
    """what the metric loses when the part alone is taken from all"""
    joined: Interval
    """the metric of all parts, less that of no part"""


def subsets(parts: tuple[str, ...]) -> Iterator[Part]:
    """All subsets of the parts, the empty one first."""
    for size in range(len(parts) + 1):
        yield from (frozenset(chosen) for chosen in combinations(parts, size))


def shapley(worth: Mapping[Part, float]) -> dict[str, float]:
    """Shapley value of each part from the worth of every subset. UsageError: a subset is not there."""
    parts = _parts(worth)
    return {part: float(sum(weight * worth[one] for one, weight in _weights(parts, part).items())) for part in parts}


def modality_shares(
    worth: Mapping[Part, Statistic], groups: ArrayLike, draws: int = 200, seed: int = 0, level: float = 0.95
) -> Shares:
    """Shapley shares with intervals, every subset under the same draws.

    ``worth`` gives each subset's metric as a function of row weights (see ``auc_of_weights``, ``mean_of_weights``);
    ``groups`` (rows,) names each row's customer. A subset without value (the empty one, where nothing was predicted)
    can be ``lambda weights: np.full(len(weights), 0.5)``.
    """
    parts = _parts(worth)
    order = list(subsets(parts))
    place = {one: nth for nth, one in enumerate(order)}
    wanted = [_weights(parts, part) for part in parts]
    wanted += [{frozenset({part}): 1.0, frozenset(): -1.0} for part in parts]
    everything = frozenset(parts)
    wanted += [{everything: 1.0, everything - {part}: -1.0} for part in parts]
    wanted += [{everything: 1.0, frozenset(): -1.0}]
    mixed = np.zeros((len(wanted), len(order)))
    for row, weights in enumerate(wanted):
        for one, weight in weights.items():
            mixed[row, place[one]] += weight

    def told(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        values = np.stack([worth[one](weights) for one in order], axis=1)
        return np.stack([values @ row for row in mixed], axis=1)

    found = bootstrap_figures(told, groups, len(mixed), draws, seed, level)
    size = len(parts)
    return Shares(
        share=dict(zip(parts, found[:size], strict=True)),
        alone=dict(zip(parts, found[size : 2 * size], strict=True)),
        without=dict(zip(parts, found[2 * size : 3 * size], strict=True)),
        joined=found[-1],
    )


def _parts(worth: Mapping[Part, object]) -> tuple[str, ...]:
    parts = tuple(dict.fromkeys(part for one in sorted(worth, key=len) for part in sorted(one)))
    if len(worth) != 2 ** len(parts):
        raise UsageError(
            f"{len(worth)} subsets of {len(parts)} parts are given; Shapley shares need all {2 ** len(parts)}"
        )
    return parts


def _weights(parts: tuple[str, ...], part: str) -> dict[Part, float]:
    """How often each subset's worth counts in the share of a part."""
    others = tuple(one for one in parts if one != part)
    size = len(parts)
    weights: dict[Part, float] = {}
    for one in subsets(others):
        weight = factorial(len(one)) * factorial(size - len(one) - 1) / factorial(size)
        weights[one | {part}] = weight
        weights[one] = -weight
    return weights
