"""Calibration against plain loops and scikit-learn; calibrators are monotone, bounded, and survive JSON."""

import json
from math import isnan

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from danggol.errors import DataError, UsageError
from danggol.metrics import (
    Isotonic,
    Platt,
    calibration_line,
    calibrator_from_dict,
    expected_calibration_error,
    log_loss,
    reliability,
)

finite = st.floats(-1e6, 1e6)
training = st.lists(st.tuples(finite, st.integers(0, 1)), min_size=1, max_size=40)


def market(seed=0, rows=20_000, slope=2.0, intercept=-1.0):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=rows)
    return scores, (rng.random(rows) < expit(slope * scores + intercept)).astype(int)


def test_bins_hold_equal_counts_and_their_own_means():
    rng = np.random.default_rng(0)
    chance = rng.random(1000)
    labels = (rng.random(1000) < chance).astype(int)
    table = reliability(chance, labels, bins=8)
    order = np.argsort(chance)
    parts = np.array_split(order, 8)
    assert table.rows.tolist() == [125] * 8
    np.testing.assert_allclose(table.predicted, [chance[part].mean() for part in parts])
    np.testing.assert_allclose(table.observed, [labels[part].mean() for part in parts])
    np.testing.assert_array_equal(table.low, [chance[part].min() for part in parts])
    np.testing.assert_array_equal(table.high, [chance[part].max() for part in parts])
    gaps = [abs(chance[part].mean() - labels[part].mean()) for part in parts]
    assert expected_calibration_error(chance, labels, bins=8) == pytest.approx(np.mean(gaps))


@settings(max_examples=80)
@given(rows=st.lists(st.tuples(st.integers(0, 8), st.integers(0, 1)), min_size=1, max_size=60), bins=st.integers(1, 12))
def test_bins_never_split_ties_and_keep_every_row(rows, bins):
    chance, labels = np.array([row[0] for row in rows]) / 8, np.array([row[1] for row in rows])
    table = reliability(chance, labels, bins)
    assert table.rows.sum() == len(rows)
    assert (table.rows > 0).all()
    assert len(table.rows) <= bins
    assert (table.high[:-1] < table.low[1:]).all()
    assert table.predicted @ table.rows == pytest.approx(chance.sum())
    assert table.observed @ table.rows == pytest.approx(labels.sum())
    assert 0 <= expected_calibration_error(chance, labels, bins) <= 1


def test_the_calibration_line_finds_what_bent_the_probabilities():
    scores, labels = market()
    good = calibration_line(expit(2 * scores - 1), labels)
    assert good.slope == pytest.approx(1, abs=0.06)
    assert good.intercept == pytest.approx(0, abs=0.06)
    extreme = calibration_line(expit(2 * (2 * scores - 1)), labels)
    assert extreme.slope == pytest.approx(good.slope / 2, rel=1e-5)
    peer = LogisticRegression(C=np.inf, tol=1e-10).fit(scores[:, None], labels)
    line = calibration_line(expit(scores), labels)
    assert line.slope == pytest.approx(peer.coef_[0, 0], rel=1e-4)
    assert line.intercept == pytest.approx(peer.intercept_[0], rel=1e-4)


@pytest.mark.parametrize(
    ("chance", "labels"),
    [([0.2, 0.7], [1, 1]), ([0.3, 0.3, 0.3], [0, 1, 1]), ([0.1, 0.2, 0.2, 0.9], [0, 0, 1, 1]), ([0.9, 0.1], [0, 1])],
)
def test_the_calibration_line_is_nan_where_no_line_is_best(chance, labels):
    assert all(isnan(part) for part in calibration_line(chance, labels))


@pytest.mark.parametrize("kind", [Platt, Isotonic])
@settings(max_examples=80)
@given(rows=training, asked=st.lists(finite, min_size=1, max_size=40))
def test_calibrators_are_monotone_within_0_and_1_and_survive_json(kind, rows, asked):
    scores, labels = zip(*rows, strict=True)
    calibrator = kind.fit(scores, labels)
    asked = np.sort(asked + list(scores))
    chance = calibrator.predict(asked)
    assert ((chance >= 0) & (chance <= 1)).all()
    assert (np.diff(chance) >= 0).all()
    again = calibrator_from_dict(json.loads(json.dumps(calibrator.to_dict())))
    assert isinstance(again, kind)
    np.testing.assert_array_equal(again.predict(asked), chance)


@settings(max_examples=80)
@given(rows=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 1), st.integers(1, 4)), min_size=1, max_size=40))
def test_isotonic_agrees_with_scikit_learn(rows):
    scores, labels, weights = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    asked = np.linspace(-1, 10, 45)
    peer = IsotonicRegression(out_of_bounds="clip").fit(scores, labels, sample_weight=weights)
    np.testing.assert_allclose(Isotonic.fit(scores, labels, weights).predict(asked), peer.predict(asked), atol=1e-9)


def test_equal_scores_however_small_give_the_mean():
    assert Platt.fit([1.6142168400905207e-139] * 3, [0, 0, 0]).slope == 0


@settings(max_examples=40)
@given(rows=training)
def test_platt_never_fits_worse_than_a_constant(rows):
    scores, labels = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    ones = labels.sum()
    target = np.where(labels == 1, (ones + 1) / (ones + 2), 1 / (len(labels) - ones + 2))

    def loss(chance):
        return -np.mean(target * np.log(chance) + (1 - target) * np.log1p(-chance))

    assert loss(Platt.fit(scores, labels).predict(scores)) <= loss(np.full(len(labels), target.mean())) + 1e-9


@pytest.mark.parametrize("kind", [Platt, Isotonic])
def test_calibrators_mend_probabilities_of_unseen_rows(kind):
    scores, labels = market(1)
    raw = 6 * scores
    bad, later = expit(raw[10_000:]), labels[10_000:]
    mended = kind.fit(raw[:10_000], labels[:10_000]).predict(raw[10_000:])
    assert expected_calibration_error(mended, later) < 0.03
    assert expected_calibration_error(bad, later) > 0.1
    assert log_loss(mended, later) < log_loss(bad, later)


def test_platt_recovers_the_line_and_weights_count_rows():
    scores, labels = market(2)
    line = Platt.fit(scores, labels)
    assert line.slope == pytest.approx(2, abs=0.1)
    assert line.intercept == pytest.approx(-1, abs=0.1)
    weights = np.random.default_rng(3).integers(0, 3, len(scores))
    weighted, repeated = (
        Platt.fit(scores, labels, weights),
        Platt.fit(np.repeat(scores, weights), np.repeat(labels, weights)),
    )
    assert weighted.slope == pytest.approx(repeated.slope, rel=1e-6)
    assert weighted.intercept == pytest.approx(repeated.intercept, rel=1e-6)


def test_scores_that_point_the_wrong_way_become_a_constant():
    scores, labels = market(4, rows=500)
    calibrator = Platt.fit(-scores, labels)
    assert calibrator.slope == 0
    assert calibrator.predict([[-np.inf, 0.0, np.inf]]).tolist()[0] == pytest.approx([labels.mean()] * 3, abs=0.01)


def test_scores_of_any_shape_and_beyond_the_training_range():
    calibrator = Isotonic.fit([0, 1, 2, 3], [0, 0, 1, 1])
    np.testing.assert_array_equal(
        calibrator.predict(np.array([[-np.inf, 1.0], [1.5, np.inf]])), [[0.0, 0.0], [0.5, 1.0]]
    )
    assert Isotonic.fit([5.0], [1]).predict(4.0) == 1.0


@pytest.mark.parametrize("kind", [Platt, Isotonic])
def test_training_rows_that_cannot_be_are_refused(kind):
    with pytest.raises(DataError, match="at least one row"):
        kind.fit([], [])
    with pytest.raises(DataError, match="at least one row"):
        kind.fit([1.0], [1], [0.0])
    with pytest.raises(DataError, match="finite"):
        kind.fit([1.0, np.inf], [0, 1])
    with pytest.raises(DataError, match="no score"):
        kind.fit([1.0, np.nan], [0, 1])
    with pytest.raises(UsageError, match="same rows"):
        kind.fit([1.0, 2.0], [0])
    with pytest.raises(DataError, match="no score"):
        kind.fit([1.0, 2.0], [0, 1]).predict([np.nan])


@pytest.mark.parametrize(
    "saved",
    [
        {},
        {"kind": "spline"},
        {"kind": "platt", "slope": 1.0},
        {"kind": "platt", "slope": -1.0, "intercept": 0.0},
        {"kind": "platt", "slope": "steep", "intercept": 0.0},
        {"kind": "platt", "slope": float("nan"), "intercept": 0.0},
        {"kind": "isotonic", "scores": [], "chances": []},
        {"kind": "isotonic", "scores": [0, 1], "chances": [0.5]},
        {"kind": "isotonic", "scores": [1, 0], "chances": [0.1, 0.2]},
        {"kind": "isotonic", "scores": [0, 1], "chances": [0.3, 0.2]},
        {"kind": "isotonic", "scores": [0, 1], "chances": [0.3, 1.2]},
    ],
)
def test_a_damaged_saved_calibrator_is_refused(saved):
    with pytest.raises(DataError):
        calibrator_from_dict(saved)


def test_empty_and_wrong_calls():
    assert isnan(expected_calibration_error([], []))
    assert len(reliability([], []).rows) == 0
    with pytest.raises(UsageError, match="bins"):
        reliability([0.5], [1], bins=0)
    with pytest.raises(DataError, match="probabilities"):
        reliability([1.5], [1])


@settings(max_examples=40)
@given(rows=training, scale=st.floats(0.01, 100), shift=st.floats(-100, 100))
def test_platt_does_not_care_for_the_unit_of_the_scores(rows, scale, shift):
    scores, labels = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    assume(np.ptp(scores) == 0 or np.ptp(scores) > 1e-3)
    moved = scores * scale + shift
    np.testing.assert_allclose(
        Platt.fit(scores, labels).predict(scores), Platt.fit(moved, labels).predict(moved), atol=1e-4
    )
