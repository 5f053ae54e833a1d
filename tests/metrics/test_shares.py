"""Shapley shares: their axioms as properties, a hand-worked game, and intervals on a metric."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from danggol.errors import UsageError
from danggol.metrics import auc_of_weights, bootstrap_rows, modality_shares, shapley, subsets

PARTS = ("text", "image", "offer")


@given(st.lists(st.floats(-1, 1), min_size=8, max_size=8))
def test_shares_add_up_and_equal_the_mean_over_orders(values: list[float]) -> None:
    worth = dict(zip(subsets(PARTS), values, strict=True))
    shares = shapley(worth)
    assert sum(shares.values()) == pytest.approx(worth[frozenset(PARTS)] - worth[frozenset()], abs=1e-9)
    for part in PARTS:
        gains = []
        for order in permutations(PARTS):
            before = frozenset(order[: order.index(part)])
            gains.append(worth[before | {part}] - worth[before])
        assert shares[part] == pytest.approx(np.mean(gains), abs=1e-9)


def test_a_part_that_never_matters_has_no_share_and_equals_share_alike() -> None:
    worth = {one: float(bool(one & {"text", "image"})) for one in subsets(PARTS)}
    assert shapley(worth) == pytest.approx({"text": 0.5, "image": 0.5, "offer": 0.0})


def test_intervals_hold_what_is_known_of_a_made_market() -> None:
    rng = np.random.default_rng(3)
    effect = {"text": 1.2, "image": 0.6, "offer": 0.0}
    signal = {part: rng.normal(size=4000) for part in PARTS}
    odds = sum(effect[part] * signal[part] for part in PARTS) - 1.0
    bought = rng.random(4000) < 1 / (1 + np.exp(-odds))
    scores = {one: sum((effect[part] * signal[part] for part in one), np.zeros(4000)) for one in subsets(PARTS)}
    worth = {one: auc_of_weights(score, bought) for one, score in scores.items()}
    found = modality_shares(worth, np.arange(4000) // 4, draws=100)
    assert found.share["text"].low > found.share["image"].high > 0
    assert found.share["offer"].value == pytest.approx(0, abs=1e-12)
    assert found.joined.value == pytest.approx(sum(one.value for one in found.share.values()), abs=1e-9)
    assert found.without["text"].value < found.alone["text"].value


def test_a_subset_that_is_missing_is_named() -> None:
    worth = {one: 0.0 for one in subsets(PARTS) if one != {"text", "offer"}}
    with pytest.raises(UsageError, match="7 subsets of 3 parts are given; Shapley shares need all 8"):
        shapley(worth)


def test_each_subset_is_told_once_a_chunk_of_draws_and_the_figures_stay() -> None:
    rng = np.random.default_rng(3)
    signal = {part: rng.normal(size=400) for part in PARTS}
    bought = rng.random(400) < 1 / (1 + np.exp(1 - 1.2 * signal["text"] - 0.6 * signal["image"]))
    scores = {one: sum((signal[part] for part in one), np.zeros(400)) for one in subsets(PARTS)}
    plain = {one: auc_of_weights(score, bought) for one, score in scores.items()}
    calls: list[int] = []

    def watched(weights: np.ndarray) -> np.ndarray:
        calls.append(len(weights))
        return plain[frozenset()](weights)

    found = modality_shares(plain | {frozenset(): watched}, np.arange(400) // 4, draws=50)
    assert calls == [50, 1]
    groups, everything = np.arange(400) // 4, frozenset(PARTS)
    gain = bootstrap_rows(lambda w: plain[everything](w) - plain[everything - {"text"}](w), groups, draws=50)
    both = ((found.without["text"], gain), (found.joined, bootstrap_rows(
        lambda w: plain[everything](w) - plain[frozenset()](w), groups, draws=50
    )))  # fmt: skip
    for one, other in both:
        assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high), abs=1e-12)
