"""Intervals: they hold the estimate, cover known truths as often as they say, and agree with the formulas."""

from dataclasses import FrozenInstanceError
from math import isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from danggol.errors import DataError, UsageError
from danggol.metrics import (
    Interval,
    auc,
    auc_of_weights,
    average_precision_of_weights,
    bootstrap,
    bootstrap_rows,
    intervals,
    mean_of_weights,
    nadeau_bengio,
    paired_bootstrap,
    wilson,
)
from danggol.metrics.intervals import bootstrap_figures

numbers = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30)


def plain_bootstrap(values, draws, seed):
    """Draw customers again one by one."""
    rng = np.random.default_rng(seed)
    means = [np.nanmean(values[rng.integers(0, len(values), len(values))]) for _ in range(draws)]
    return np.quantile(means, [0.025, 0.975])


def test_an_interval_tells_on_which_side_of_zero_it_lies():
    assert Interval(2.0, 1.0, 3.0).above_zero
    assert not Interval(2.0, 1.0, 3.0).contains_zero
    assert Interval(0.5, 0.0, 1.0).contains_zero
    assert not Interval(0.5, 0.0, 1.0).above_zero
    below = Interval(-2.0, -3.0, -1.0)
    nothing = Interval(np.nan, np.nan, np.nan)
    assert not any([below.above_zero, below.contains_zero, nothing.above_zero, nothing.contains_zero])
    with pytest.raises(FrozenInstanceError):
        below.low = 0.0


def test_the_interval_is_that_of_customers_drawn_one_by_one():
    values = np.random.default_rng(0).exponential(size=300)
    values[::10] = np.nan
    ours = bootstrap(values, draws=4000, seed=1)
    low, high = plain_bootstrap(values[~np.isnan(values)], 4000, 2)
    assert ours.value == pytest.approx(np.nanmean(values))
    width = high - low
    assert ours.low == pytest.approx(low, abs=0.06 * width)
    assert ours.high == pytest.approx(high, abs=0.06 * width)


@settings(max_examples=60)
@given(values=numbers, seed=st.integers(0, 100))
def test_the_interval_holds_the_estimate_and_stays_within_the_values(values, seed):
    found = bootstrap(values, draws=60, seed=seed)
    assert found.low <= found.value <= found.high
    slack = 1e-9 * (1 + np.abs(values).max())
    assert min(values) - slack <= found.low <= found.high <= max(values) + slack


def test_the_interval_covers_the_truth_about_95_times_in_100():
    rng = np.random.default_rng(3)
    found = [bootstrap(rng.normal(2.0, 1.0, 80), draws=400, seed=run) for run in range(500)]
    covered = np.mean([one.low <= 2.0 <= one.high for one in found])
    # The share has a standard error of .01, and the percentile interval of 80 rows covers a little less than .95.
    assert 0.91 <= covered <= 0.98


def test_customers_with_several_rows_are_drawn_whole():
    rng = np.random.default_rng(4)
    customers = np.repeat(np.arange(60), 10)
    covered = {"customers": 0, "rows": 0}
    for run in range(150):
        values = rng.normal(size=60)[customers] + 0.3 * rng.normal(size=600)
        one = bootstrap_rows(mean_of_weights(values), customers, draws=200, seed=run)
        naive = bootstrap(values, draws=200, seed=run)
        covered["customers"] += one.contains_zero
        covered["rows"] += naive.contains_zero
    assert covered["customers"] / 150 > 0.88
    assert covered["rows"] / 150 < 0.65


def test_the_same_seed_gives_the_same_interval_and_another_a_near_one():
    values = np.random.default_rng(5).normal(size=200)
    assert bootstrap(values, seed=1) == bootstrap(values, seed=1)
    assert bootstrap(values, seed=1) != bootstrap(values, seed=2)
    assert bootstrap(values, seed=1, level=0.99).low < bootstrap(values, seed=1, level=0.8).low


def test_several_training_seeds_add_the_spread_between_runs():
    rng = np.random.default_rng(6)
    customers, runs = rng.normal(size=400), rng.normal(scale=0.5, size=8)
    table = customers + runs[:, None]
    several = bootstrap(table, draws=3000)
    assert several.value == pytest.approx(table.mean())
    spread = np.sqrt(customers.var() / 400 + runs.var() / 8)
    assert (several.high - several.low) / (2 * 1.96) == pytest.approx(spread, rel=0.12)
    assert several.high - several.low > 2 * (bootstrap(table.mean(axis=0)).high - bootstrap(table.mean(axis=0)).low)


def test_equal_runs_add_nothing():
    values = np.random.default_rng(7).normal(size=300)
    one, three = bootstrap(values, draws=2000), bootstrap(np.stack([values] * 3), draws=2000)
    assert three.value == pytest.approx(one.value)
    assert three.high - three.low == pytest.approx(one.high - one.low, rel=0.08)


def test_missing_cells_are_left_out():
    values = np.array([1.0, np.nan, 3.0, np.nan])
    assert bootstrap(values) == bootstrap([1.0, 3.0])
    table = np.array([[1.0, np.nan, 3.0, np.nan], [2.0, 4.0, np.nan, np.nan]])
    assert bootstrap(table).value == pytest.approx(2.5)
    assert bootstrap(np.vstack([table, np.full((1, 4), np.nan)])) == bootstrap(table)
    for nothing in ([], [np.nan, np.nan], np.full((2, 3), np.nan)):
        assert all(map(isnan, (bootstrap(nothing).value, bootstrap(nothing).low, bootstrap(nothing).high)))


@settings(max_examples=60)
@given(rows=st.lists(st.tuples(st.floats(-100, 100), st.floats(-100, 100)), min_size=1, max_size=30))
def test_the_paired_difference_turns_round_with_its_sides(rows):
    ours, theirs = zip(*rows, strict=True)
    there, back = paired_bootstrap(ours, theirs, draws=80), paired_bootstrap(theirs, ours, draws=80)
    assert (there.value, there.low, there.high) == pytest.approx((-back.value, -back.high, -back.low), abs=1e-9)


def test_pairing_by_customer_narrows_the_interval():
    rng = np.random.default_rng(8)
    theirs = rng.normal(size=500)
    ours = theirs + 0.05 + 0.02 * rng.normal(size=500)
    assert paired_bootstrap(ours, theirs).above_zero
    assert paired_bootstrap(theirs, theirs).contains_zero
    assert not bootstrap(ours).above_zero


def test_several_runs_are_set_against_a_peer_without_randomness():
    rng = np.random.default_rng(9)
    theirs, ours = rng.normal(size=100), rng.normal(size=(3, 100))
    assert paired_bootstrap(ours, theirs) == bootstrap(ours - theirs)
    assert paired_bootstrap(theirs, ours).value == pytest.approx(np.mean(theirs - ours))
    ours[0, 5] = np.nan
    assert paired_bootstrap(ours, theirs).value == pytest.approx(np.nanmean(ours - theirs))
    with pytest.raises(UsageError, match="same customers"):
        paired_bootstrap(ours, ours[:2])
    with pytest.raises(UsageError, match="same customers"):
        paired_bootstrap(theirs, theirs[:50])


def test_row_level_statistics_are_those_of_copied_rows(monkeypatch):
    rng = np.random.default_rng(10)
    scores, groups = rng.normal(size=120), rng.choice(["a", "b", "c", "d", "e", "f"], 120)
    labels = (scores + rng.normal(size=120) > 0).astype(int)
    seen = []

    def watched(weights):
        seen.append(weights)
        return auc_of_weights(scores, labels)(weights)

    monkeypatch.setattr(intervals, "_CELLS", 120 * 7)
    found = bootstrap_rows(watched, groups, draws=50, seed=3)
    assert found.value == pytest.approx(auc(scores, labels))
    assert [len(weights) for weights in seen[:-1]] == [7] * 7 + [1]
    weights = np.concatenate(seen[:-1])
    aucs = []
    for draw in weights:
        per_group = [set(draw[groups == name]) for name in "abcdef"]
        assert all(len(one) == 1 for one in per_group)
        assert sum(one.pop() for one in per_group) == 6
        copied = np.repeat(np.arange(120), draw.astype(int))
        aucs.append(auc(scores[copied], labels[copied]))
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(aucs, [0.025, 0.975])))


def test_a_paired_row_level_difference_shares_its_draws():
    rng = np.random.default_rng(11)
    truth, groups = rng.normal(size=2000), np.arange(2000) // 5
    labels = (truth + rng.normal(size=2000) > 0).astype(int)
    better, worse = truth + 0.2 * rng.normal(size=2000), truth + 1.5 * rng.normal(size=2000)
    for make in (auc_of_weights, average_precision_of_weights):
        ours, theirs = make(better, labels), make(worse, labels)
        assert bootstrap_rows(lambda w, a=ours, b=theirs: a(w) - b(w), groups, draws=200).above_zero
        same = bootstrap_rows(lambda w, a=ours, b=ours: a(w) - b(w), groups, draws=20)
        assert (same.value, same.low, same.high) == (0, 0, 0)


def test_draws_without_a_value_are_left_out():
    found = bootstrap_rows(auc_of_weights([0.1, 0.9, 0.5], [0, 1, 1]), [0, 1, 2], draws=200)
    assert found == Interval(1.0, 1.0, 1.0)
    one_class = bootstrap_rows(auc_of_weights([0.1, 0.9], [1, 1]), [0, 1], draws=20)
    assert isnan(one_class.value)
    assert isnan(one_class.low)
    assert isnan(bootstrap_rows(mean_of_weights([]), []).value)
    assert bootstrap_rows(mean_of_weights([1.0, np.nan, 3.0]), [0, 1, 2], draws=50).value == 2.0


def test_wrong_calls_are_one_clear_sentence():
    for call in (
        lambda: bootstrap([1.0], draws=0),
        lambda: bootstrap([1.0], level=1.0),
        lambda: bootstrap(np.zeros((2, 2, 2))),
        lambda: bootstrap_rows(mean_of_weights([1.0]), [[1]]),
        lambda: nadeau_bengio([0.1], 90, 10),
        lambda: nadeau_bengio([0.1, 0.2], 0, 10),
    ):
        with pytest.raises(UsageError):
            call()
    with pytest.raises(DataError, match="fold"):
        nadeau_bengio([0.1, np.nan], 90, 10)


def test_nadeau_bengio_by_hand():
    folds = np.array([0.02, 0.05, -0.01, 0.03, 0.04])
    found = nadeau_bengio(folds, n_train=800, n_test=200)
    error = np.sqrt((1 / 5 + 200 / 800) * folds.var(ddof=1))
    reach = stats.t.ppf(0.975, 4) * error
    assert (found.value, found.low, found.high) == pytest.approx(
        (folds.mean(), folds.mean() - reach, folds.mean() + reach)
    )
    assert found.p == pytest.approx(2 * stats.t.sf(folds.mean() / error, 4))
    assert found.contains_zero == (found.p > 0.05)


@settings(max_examples=60)
@given(folds=st.lists(st.floats(-1, 1), min_size=2, max_size=20), train=st.integers(1, 1000), test=st.integers(1, 1000))
def test_nadeau_bengio_is_wider_than_the_naive_t_interval(folds, train, test):
    found = nadeau_bengio(folds, train, test)
    naive = stats.t.ppf(0.975, len(folds) - 1) * np.std(folds, ddof=1) / np.sqrt(len(folds))
    assert found.high - found.low >= 2 * naive - 1e-12
    assert 0 <= found.p <= 1
    back = nadeau_bengio([-fold for fold in folds], train, test)
    assert (back.value, back.low, back.high) == pytest.approx((-found.value, -found.high, -found.low))
    assert back.p == pytest.approx(found.p)


def test_folds_without_spread():
    assert nadeau_bengio([0.5, 0.5], 90, 10) == Interval(0.5, 0.5, 0.5, 0.0)
    assert nadeau_bengio([0.0, 0.0], 90, 10).p == 1.0


@pytest.mark.parametrize(("hits", "of"), [(0, 10), (10, 10), (3, 10), (0, 1), (1, 1), (290, 1000)])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_the_interval_of_a_share_is_wilsons(hits, of, level):
    known = stats.binomtest(hits, of).proportion_ci(level, method="wilson")
    found = wilson(hits, of, level)
    assert (found.low, found.high) == pytest.approx((known.low, known.high))
    assert 0 <= found.low <= found.value == hits / of <= found.high <= 1


def test_a_share_of_nothing_is_not_known_and_one_of_too_few_is_refused():
    assert isnan(wilson(0, 0).value) and (wilson(0, 0).low, wilson(0, 0).high) == (0, 1)
    with pytest.raises(UsageError, match="0 to 2 rows, got 3"):
        wilson(3, 2)


def test_several_figures_share_their_draws_and_are_those_of_each_alone():
    rng = np.random.default_rng(0)
    values, groups = rng.normal(size=(60, 3)), np.repeat(np.arange(20), 3)
    alone = [mean_of_weights(column) for column in values.T]
    found = bootstrap_figures(lambda w: np.stack([one(w) for one in alone], axis=1), groups, 3, draws=80, seed=2)
    assert found == [bootstrap_rows(one, groups, draws=80, seed=2) for one in alone]
    assert all(isnan(one.low) for one in bootstrap_figures(lambda w: w, [], 2))
