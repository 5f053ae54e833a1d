"""Joining probabilities, and when to abstain."""

import numpy as np

from danggol.matching.catalogue.fusion import Pool, threshold


def made(count: int = 4000) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Two views with independent noise, the second overconfident threefold, and a third that knows nothing."""
    draw = np.random.default_rng(0)
    truth = draw.integers(0, 3, count)
    views = {}
    for name, sharp in (("title", 1.0), ("picture", 3.0)):
        odds = 2.0 * np.eye(3)[truth] + draw.normal(size=(count, 3)) * np.sqrt(2.0)
        views[name] = sharp * odds - np.log(np.exp(sharp * odds).sum(axis=1, keepdims=True))
    odds = draw.normal(size=(count, 3))
    views["noise"] = odds - np.log(np.exp(odds).sum(axis=1, keepdims=True))
    return views, truth


def test_weights_undo_overconfidence_and_leave_out_what_knows_nothing() -> None:
    views, truth = made()
    pool = Pool.fit(views, truth, 0.9)
    assert abs(pool.weights["title"] - 1) < 0.1
    assert abs(pool.weights["picture"] - 1 / 3) < 0.05
    assert pool.weights["noise"] < 0.08
    joined = np.exp(pool.joined(views))
    np.testing.assert_allclose(joined.sum(axis=1), 1)
    right = joined.argmax(axis=1) == truth
    assert right.mean() > max((views[name].argmax(axis=1) == truth).mean() for name in views) + 0.03
    assert abs(joined.max(axis=1).mean() - right.mean()) < 0.02
    answered = joined.max(axis=1) >= pool.threshold
    assert 0.88 < right[answered].mean() < 0.93
    assert 0.3 < answered.mean() < 0.95


def test_rows_without_a_class_say_nothing_and_none_at_all_means_no_answer() -> None:
    views, truth = made(500)
    half = truth.copy()
    half[250:] = -1
    first = Pool.fit({name: one[:250] for name, one in views.items()}, truth[:250], 0.9)
    assert Pool.fit(views, half, 0.9) == first
    assert Pool.fit(views, np.full(500, -1), 0.9).threshold > 1


def test_the_threshold_is_the_lowest_that_reaches_the_accuracy() -> None:
    confidence = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    right = np.array([True, True, False, True, False])
    assert threshold(confidence, right, 0.75, fewest=1) == 0.6
    assert threshold(confidence, right, 1.0, fewest=1) == 0.8
    assert threshold(confidence, ~right, 0.9, fewest=1) > 1
    # rows of equal confidence stand and fall together
    assert threshold(np.full(4, 0.5), np.array([True, True, False, False]), 0.9, fewest=1) > 1


def test_groups_of_rows_believe_the_modalities_differently() -> None:
    views, truth = made()
    views = {name: views[name] for name in ("title", "picture")}
    silent = np.arange(len(truth)) % 4 == 0
    views["title"][silent] = np.random.default_rng(1).permutation(views["title"][silent])
    groups = silent.astype(np.int64)
    fit, asked = slice(0, 2000), slice(2000, None)
    said = {name: one[fit] for name, one in views.items()}
    pool = Pool.fit(said, truth[fit], 0.9, groups[fit])
    assert pool.groups[1]["title"] < 0.2
    assert pool.groups[0]["title"] > 0.8
    shown, classes = {name: one[asked] for name, one in views.items()}, truth[asked]
    apart = (pool.joined(shown, groups[asked]).argmax(axis=1) == classes).mean()
    alike = (pool.joined(shown).argmax(axis=1) == classes).mean()
    assert apart > alike + 0.01
    # a group of few rows is joined much as all are, and one never seen just so
    few = np.where(np.arange(2000) < 2, 2, 0)
    held = Pool.fit(said, truth[fit], 0.9, few)
    assert all(abs(held.groups[2][name] - held.weights[name]) < 0.25 for name in views)
    assert held.groups[1] == held.weights
    never = pool.joined(shown, np.full(len(classes), 7))
    np.testing.assert_array_equal(never, pool.joined(shown))
