import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from danggol.metrics import expected_calibration_error
from danggol.reviews.sentiment.calibration import ClassCalibration


def made(rows: int, wrong: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores that are twice too large, and labels, some of which are turned."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(0, 3, rows)
    label = (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(float)
    turned = rng.random(rows) < wrong
    label[turned] = 1 - label[turned]
    return np.column_stack([-odds, odds]), np.column_stack([1 - label, label])


def test_probabilities_come_to_mean_what_they_say() -> None:
    scores, shares = made(2000, 0.04)
    found = ClassCalibration.fit(scores, shares, np.ones(2000))
    fresh, truth = made(20_000, 0.04, seed=1)
    before = 1 / (1 + np.exp(fresh[:, 0] - fresh[:, 1]))
    after = np.exp(found.logs(fresh))[:, 1]
    assert expected_calibration_error(after, truth[:, 1]) < 0.02 < expected_calibration_error(before, truth[:, 1])
    assert 0.02 < found.floor < 0.15


def test_few_texts_move_no_threshold() -> None:
    scores, shares = made(12, 0.0)
    found = ClassCalibration.fit(scores, np.tile([0.2, 0.8], (12, 1)), np.ones(12))
    assert abs(found.shifts[1] - found.shifts[0]) < 0.8
    assert ClassCalibration.fit(scores[:0], shares[:0], np.ones(0)).slope == 1


@settings(max_examples=40)
@given(st.integers(2, 5), st.integers(0, 1000))
def test_it_is_a_distribution_and_survives_saving(classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, labels = rng.normal(0, 50, (30, classes)), rng.integers(0, classes, 30)
    found = ClassCalibration.fit(scores, np.eye(classes)[labels], rng.random(30) + 0.1)
    logs = found.logs(scores)
    assert np.allclose(np.exp(logs).sum(axis=1), 1)
    assert np.isfinite(logs).all()
    assert (ClassCalibration.from_json(found.to_json()).logs(scores) == logs).all()
