"""Kernel ridge regression of classes beside scikit-learn's, and its blocks."""

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge

from danggol.encoders.kernel_classes import BlockScale, KernelClasses
from danggol.errors import DataError, UsageError

CLASSES = {"ring": 2, "side": 3}


def made(count: int, seed: int = 0) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Points of the plane: within a ring or not, and which third of the angle."""
    rows = np.random.default_rng(seed).normal(size=(count, 2)).astype(np.float16).astype(np.float32)
    ring = (np.hypot(*rows.T) < 1.1).astype(np.int64)
    side = ((np.arctan2(rows[:, 1], rows[:, 0]) + np.pi) / (2 * np.pi) * 2.999).astype(np.int64)
    return rows, {"ring": ring, "side": side}


def test_with_all_rows_as_landmarks_it_is_kernel_ridge_regression() -> None:
    rows, codes = made(150)
    model = KernelClasses.fit(rows, codes, CLASSES, landmarks=150, width=1.0, ridge=0.5)
    target = np.eye(2)[codes["ring"]]
    theirs = KernelRidge(alpha=0.5, kernel="rbf", gamma=1.0).fit(rows, target - target.mean(axis=0))
    asked, _ = made(60, seed=1)
    scores = np.maximum(theirs.predict(asked) + target.mean(axis=0), 1e-3)
    said = np.exp(model.log_probabilities(asked)["ring"])
    np.testing.assert_allclose(said, scores / scores.sum(axis=1, keepdims=True), atol=0.02)


@pytest.mark.parametrize("landmarks", [300, 40])
def test_more_rows_are_learnt_without_starting_anew(landmarks: int) -> None:
    rows, codes = made(300)
    codes["side"] = np.where(np.arange(300) % 3, codes["side"], -1)
    parts = [(rows[part], {name: one[part] for name, one in codes.items()}) for part in (slice(240), slice(240, None))]
    model = KernelClasses.fit(*parts[0], CLASSES, landmarks, width=1.0, ridge=0.5)
    asked, _ = made(60, seed=1)
    before = model.log_probabilities(asked)
    model.extend(*parts[1])
    after = model.log_probabilities(asked)
    assert np.abs(np.exp(after["ring"]) - np.exp(before["ring"])).max() > 0.01
    if landmarks == 300:
        target = np.eye(2)[codes["ring"]] - np.bincount(codes["ring"][:240]) / 240
        theirs = KernelRidge(alpha=0.5, kernel="rbf", gamma=1.0).fit(rows, target).predict(asked)
        scores = np.maximum(theirs + np.bincount(codes["ring"][:240]) / 240, 1e-3)
        said = np.exp(after["ring"])
        np.testing.assert_allclose(said, scores / scores.sum(axis=1, keepdims=True), atol=1e-3)
    with pytest.raises(UsageError, match="once"):
        model.extend(*parts[1])


def test_few_landmarks_tell_what_is_not_linear() -> None:
    rows, codes = made(3000)
    codes["side"] = np.where(np.arange(3000) % 3, codes["side"], -1)  # a third is not known
    model = KernelClasses.fit(rows, codes, CLASSES, landmarks=100, width=1.0, ridge=0.1)
    asked, truth = made(500, seed=2)
    for name, said in model.log_probabilities(asked).items():
        assert (said.argmax(axis=1) == truth[name]).mean() > 0.9
        np.testing.assert_allclose(np.exp(said).sum(axis=1), 1)


def test_equal_rows_do_no_harm_and_saved_weights_say_the_same() -> None:
    rows, codes = made(200)
    rows = np.concatenate([rows, rows])
    codes = {name: np.concatenate([one, one]) for name, one in codes.items()}
    model = KernelClasses.fit(rows, codes, CLASSES, landmarks=400, width=0.01, ridge=1e-9)
    scale = BlockScale.fit([rows], [1.0])
    again, scaled = KernelClasses.from_bytes(model.to_bytes(scale), CLASSES)
    asked, _ = made(20, seed=3)
    for name, said in model.log_probabilities(asked).items():
        assert np.isfinite(said).all()
        np.testing.assert_array_equal(again.log_probabilities(asked)[name], said)
    np.testing.assert_array_equal(scaled.rows([asked]), scale.rows([asked]))
    assert model.log_probabilities(asked[:0])["side"].shape == (0, 3)
    with pytest.raises(ValueError, match="other classes"):
        KernelClasses.from_bytes(model.to_bytes(scale), {"ring": 2})


def test_infinite_numbers_are_refused() -> None:
    rows, codes = made(50)
    rows[3] = np.nan
    with pytest.raises((DataError, ValueError)):
        KernelClasses.fit(rows, codes, CLASSES, landmarks=50, width=1.0, ridge=0.1)


def test_a_blocks_weight_is_the_mean_squared_distance_of_its_rows() -> None:
    draw = np.random.default_rng(0)
    blocks = [draw.normal(size=(400, 3)) * 50 + 7, draw.normal(size=(400, 20)).astype(np.float16)]
    scale = BlockScale.fit(blocks, [2.0, 0.5])
    rows = scale.rows(blocks)
    for part, weight in ((rows[:, :3], 2.0), (rows[:, 3:], 0.5)):
        distance = ((part[:, None] - part[None]) ** 2).sum(axis=-1).mean()
        assert abs(distance - weight) < 0.02
