"""Ranking metrics against plain loops written from the formulas, scikit-learn, and properties that users rely on."""

from math import isnan, log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from danggol.errors import DataError, UsageError
from danggol.metrics import (
    average_precision_at,
    hit_rate_at,
    hits_from_ids,
    ndcg_at,
    precision_at,
    recall_at,
    reciprocal_rank_at,
)

METRICS = [ndcg_at, recall_at, precision_at, hit_rate_at, reciprocal_rank_at, average_precision_at]


def plain(name, hits, relevant, k):
    """One customer's value, by the book."""
    if relevant == 0:
        return float("nan")
    top = list(hits)[:k]
    ideal = sum(1 / log2(r + 1) for r in range(1, min(relevant, k) + 1))
    return {
        "ndcg_at": sum(1 / log2(r + 1) for r, hit in enumerate(top, 1) if hit) / ideal,
        "recall_at": sum(top) / relevant,
        "precision_at": sum(top) / k,
        "hit_rate_at": float(any(top)),
        "reciprocal_rank_at": next((1 / r for r, hit in enumerate(top, 1) if hit), 0.0),
        "average_precision_at": sum(sum(top[:r]) / r for r, hit in enumerate(top, 1) if hit) / min(relevant, k),
    }[name]


@st.composite
def lists(draw):
    rows, width = draw(st.integers(1, 5)), draw(st.integers(0, 8))
    hits = np.array(draw(st.lists(st.booleans(), min_size=rows * width, max_size=rows * width)), bool)
    hits = hits.reshape(rows, width)
    more = np.array(draw(st.lists(st.integers(0, 4), min_size=rows, max_size=rows)))
    return hits, hits.sum(axis=1) + more, draw(st.integers(1, 10))


@pytest.mark.parametrize("metric", METRICS)
@settings(max_examples=80)
@given(case=lists())
def test_each_metric_is_its_formula(metric, case):
    hits, relevant, k = case
    expected = [plain(metric.__name__, row, count, k) for row, count in zip(hits, relevant, strict=True)]
    np.testing.assert_allclose(metric(hits, relevant, k), expected, rtol=1e-12)


@pytest.mark.parametrize("metric", METRICS)
@settings(max_examples=60)
@given(case=lists())
def test_values_lie_between_0_and_1_and_are_nan_only_without_relevant_items(metric, case):
    hits, relevant, k = case
    values = metric(hits, relevant, k)
    np.testing.assert_array_equal(np.isnan(values), relevant == 0)
    assert ((values[relevant > 0] >= 0) & (values[relevant > 0] <= 1)).all()


@given(relevant=st.integers(1, 30), k=st.integers(1, 30))
def test_ndcg_of_an_ideal_list_is_exactly_1(relevant, k):
    hits = np.arange(30)[None, :] < relevant
    assert ndcg_at(hits, np.array([relevant]), k)[0] == pytest.approx(1.0, abs=1e-15)


@pytest.mark.parametrize("metric", METRICS)
@settings(max_examples=60)
@given(case=lists(), data=st.data())
def test_moving_a_hit_earlier_never_lowers_a_metric(metric, case, data):
    hits, relevant, k = case
    if hits.shape[1] < 2:
        return
    late = data.draw(st.integers(1, hits.shape[1] - 1))
    early = data.draw(st.integers(0, late - 1))
    better = hits.copy()
    swap = hits[:, late] & ~hits[:, early]
    better[swap, early], better[swap, late] = True, False
    before, after = metric(hits, relevant, k), metric(better, relevant, k)
    assert (after[relevant > 0] >= before[relevant > 0] - 1e-12).all()


def test_ndcg_agrees_with_scikit_learn():
    rng = np.random.default_rng(1)
    gains = rng.random((200, 30)) < 0.2
    gains[:, 0] |= ~gains.any(axis=1)
    scores = rng.random((200, 30))
    hits = np.take_along_axis(gains, np.argsort(-scores, axis=1), axis=1)
    ours = ndcg_at(hits, gains.sum(axis=1), 10)
    assert np.mean(ours) == pytest.approx(ndcg_score(gains.astype(float), scores, k=10), rel=1e-12)


def test_an_example_by_hand():
    hits, relevant = np.array([[False, True, False, True]]), np.array([3])
    assert recall_at(hits, relevant, 3)[0] == pytest.approx(1 / 3)
    assert precision_at(hits, relevant, 10)[0] == pytest.approx(0.2)
    assert reciprocal_rank_at(hits, relevant, 100)[0] == 0.5
    assert average_precision_at(hits, relevant, 4)[0] == pytest.approx((1 / 2 + 2 / 4) / 3)
    assert ndcg_at(hits, relevant, 2)[0] == pytest.approx((1 / log2(3)) / (1 + 1 / log2(3)))
    assert isnan(hit_rate_at(np.zeros((1, 4), bool), np.array([0]), 4)[0])


@settings(max_examples=100)
@given(
    recommended=st.integers(0, 4).flatmap(
        lambda width: st.lists(st.lists(st.integers(-1, 12), min_size=width, max_size=width), min_size=1, max_size=6)
    ),
    data=st.data(),
)
def test_hits_are_first_recommendations_of_relevant_items(recommended, data):
    sets = [data.draw(st.sets(st.integers(0, 15), max_size=6)) for _ in recommended]
    indptr = np.cumsum([0, *map(len, sets)])
    indices = np.array([item for wanted in sets for item in wanted], dtype=np.int64)
    hits = hits_from_ids(np.array(recommended, dtype=np.int64), indptr, indices)
    expected = [
        [item in wanted and item not in row[:place] for place, item in enumerate(row)]
        for row, wanted in zip(recommended, sets, strict=True)
    ]
    assert hits.tolist() == expected
    assert (hits.sum(axis=1) <= np.diff(indptr)).all()


def test_no_customers_give_no_values():
    hits = hits_from_ids(np.zeros((0, 5), int), np.array([0]), np.array([], int))
    assert hits.shape == (0, 5)
    assert all(metric(hits, np.array([], int), 5).shape == (0,) for metric in METRICS)


def test_wrong_calls_are_one_clear_sentence():
    hits = np.array([[True, True]])
    with pytest.raises(UsageError, match="k must be at least 1"):
        ndcg_at(hits, np.array([2]), 0)
    with pytest.raises(UsageError, match="relevant"):
        ndcg_at(hits, np.array([2, 1]), 2)
    with pytest.raises(DataError, match="row 0 has more hits than relevant items"):
        recall_at(hits, np.array([1]), 2)
    with pytest.raises(UsageError, match="2 dimensions"):
        hits_from_ids(np.array([1, 2]), np.array([0, 1]), np.array([1]))
    with pytest.raises(UsageError, match="indptr"):
        hits_from_ids(np.array([[1, 2]]), np.array([0, 2]), np.array([1]))
    with pytest.raises(DataError, match="distinct"):
        hits_from_ids(np.array([[1, 2]]), np.array([0, 2]), np.array([1, 1]))
    with pytest.raises(DataError, match="negative"):
        hits_from_ids(np.array([[1, 2]]), np.array([0, 1]), np.array([-1]))
