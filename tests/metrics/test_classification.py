"""Row metrics against scikit-learn, plain loops over pairs, and properties."""

from math import isnan, log

import numpy as np
import pytest
import sklearn.metrics as peer
from hypothesis import given, settings
from hypothesis import strategies as st

from danggol.errors import DataError, UsageError
from danggol.metrics import (
    accuracy,
    auc,
    auc_by_group,
    auc_of_weights,
    average_precision,
    average_precision_of_weights,
    brier,
    f1,
    grouped_auc,
    log_loss,
    macro_f1,
    macro_f1_of_weights,
)


def pairs_auc(scores, labels, weights):
    """Every positive against every negative."""
    won = total = 0.0
    for s, y, w in zip(scores, labels, weights, strict=True):
        for s2, y2, w2 in zip(scores, labels, weights, strict=True):
            if y == 1 and y2 == 0:
                total += w * w2
                won += w * w2 * (1.0 if s > s2 else 0.5 if s == s2 else 0.0)
    return won / total if total else float("nan")


def tied_rows(seed, rows=400, levels=20):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, rows) / levels
    return scores, (rng.random(rows) < scores).astype(int), rng.random(rows)


rows_with_ties = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1), st.integers(0, 3)), min_size=1, max_size=25)


@settings(max_examples=100)
@given(rows=rows_with_ties)
def test_auc_is_the_share_of_pairs_won(rows):
    scores, labels, weights = (list(column) for column in zip(*rows, strict=True))
    assert auc(scores, labels) == pytest.approx(pairs_auc(scores, labels, [1] * len(rows)), nan_ok=True)
    assert auc(scores, labels, weights) == pytest.approx(pairs_auc(scores, labels, weights), nan_ok=True)


@settings(max_examples=60)
@given(rows=rows_with_ties)
def test_auc_and_average_precision_know_only_the_order_of_scores(rows):
    scores, labels, _ = (np.array(column) for column in zip(*rows, strict=True))
    bent = np.exp(scores / 2.0) - 7
    assert auc(bent, labels) == pytest.approx(auc(scores, labels), nan_ok=True)
    assert average_precision(bent, labels) == pytest.approx(average_precision(scores, labels), nan_ok=True)
    assert auc(-scores, labels) == pytest.approx(1 - auc(scores, labels), nan_ok=True)


@settings(max_examples=40)
@given(rows=rows_with_ties)
def test_a_whole_weight_is_that_many_rows(rows):
    scores, labels, weights = (np.array(column) for column in zip(*rows, strict=True))
    many = np.repeat(scores, weights), np.repeat(labels, weights)
    assert auc(scores, labels, weights) == pytest.approx(auc(*many), nan_ok=True)
    assert average_precision(scores, labels, weights) == pytest.approx(average_precision(*many), nan_ok=True)


@pytest.mark.parametrize("seed", range(4))
def test_scores_agree_with_scikit_learn(seed):
    scores, labels, weights = tied_rows(seed)
    assert auc(scores, labels) == pytest.approx(peer.roc_auc_score(labels, scores), rel=1e-12)
    assert auc(scores, labels, weights) == pytest.approx(
        peer.roc_auc_score(labels, scores, sample_weight=weights), rel=1e-12
    )
    assert average_precision(scores, labels) == pytest.approx(peer.average_precision_score(labels, scores), rel=1e-12)
    assert average_precision(scores, labels, weights) == pytest.approx(
        peer.average_precision_score(labels, scores, sample_weight=weights), rel=1e-12
    )
    assert log_loss(scores, labels, weights) == pytest.approx(
        peer.log_loss(labels, scores, sample_weight=weights), rel=1e-9
    )
    assert brier(scores, labels, weights) == pytest.approx(
        peer.brier_score_loss(labels, scores, sample_weight=weights), rel=1e-12
    )


@pytest.mark.parametrize("seed", range(3))
def test_classes_agree_with_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    labels, predicted = rng.choice(["shirt", "shoe", "bag"], 200), rng.choice(["shirt", "shoe", "hat"], 200)
    assert accuracy(predicted, labels) == pytest.approx(peer.accuracy_score(labels, predicted))
    assert macro_f1(predicted, labels) == pytest.approx(peer.f1_score(labels, predicted, average="macro"))
    weights = np.array([np.ones(len(labels)), np.arange(len(labels)) % 3])
    rows = [np.repeat(np.arange(len(labels)), draw.astype(int)) for draw in weights]
    found = macro_f1_of_weights(predicted, labels)(weights)
    assert found == pytest.approx(
        [macro_f1(np.take(predicted, one), np.take(labels, one)) for one in rows], nan_ok=True
    )
    ours, true = rng.integers(0, 2, 200), rng.integers(0, 2, 200)
    assert f1(ours, true) == pytest.approx(peer.f1_score(true, ours))


def test_one_class_only_has_no_auc():
    assert isnan(auc([1, 2, 3], [1, 1, 1]))
    assert isnan(auc([1, 2, 3], [0, 0, 0]))
    assert isnan(average_precision([1, 2], [0, 0]))
    assert average_precision([1, 2], [1, 1]) == 1.0
    assert isnan(auc([1, 2, 3], [0, 1, 1], [1, 0, 0]))


def test_no_rows_have_no_value():
    assert all(isnan(metric([], [])) for metric in (auc, average_precision, log_loss, brier, accuracy, macro_f1))
    assert isnan(grouped_auc([], [], []))
    assert f1([], []) == 0.0


def test_weights_of_many_draws_at_once_are_each_draw_alone():
    scores, labels, _ = tied_rows(7)
    draws = np.random.default_rng(7).integers(0, 4, (6, len(scores))).astype(float)
    np.testing.assert_allclose(auc_of_weights(scores, labels)(draws), [auc(scores, labels, w) for w in draws])
    np.testing.assert_allclose(
        average_precision_of_weights(scores, labels)(draws), [average_precision(scores, labels, w) for w in draws]
    )


@settings(max_examples=80)
@given(rows=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1), st.sampled_from("abcd")), min_size=1, max_size=40))
def test_auc_by_group_is_the_auc_of_each_group(rows):
    scores, labels, groups = (np.array(column) for column in zip(*rows, strict=True))
    names, values = auc_by_group(scores, labels, groups)
    assert names.tolist() == sorted(set(groups.tolist()))
    expected = np.array([auc(scores[groups == name], labels[groups == name]) for name in names])
    np.testing.assert_allclose(values, expected)
    if np.isnan(expected).all():
        assert isnan(grouped_auc(scores, labels, groups))
    else:
        assert grouped_auc(scores, labels, groups) == pytest.approx(np.nanmean(expected))


def test_log_loss_of_a_sure_mistake_is_large_but_finite():
    assert log_loss([1.0, 0.5], [0, 1]) == pytest.approx((-log(np.finfo(float).eps) - log(0.5)) / 2, rel=1e-6)


def test_wrong_rows_are_one_clear_sentence():
    with pytest.raises(DataError, match="row 1 has no score"):
        auc([0.1, np.nan], [0, 1])
    with pytest.raises(DataError, match="labels must be 0 or 1"):
        auc([0.1, 0.2], [0, 2])
    with pytest.raises(UsageError, match="same rows"):
        auc([0.1, 0.2], [0])
    with pytest.raises(UsageError, match="weights"):
        auc([0.1, 0.2], [0, 1], [1.0])
    with pytest.raises(DataError, match="not negative"):
        brier([0.1, 0.2], [0, 1], [1.0, -1.0])
    with pytest.raises(DataError, match=r"probabilities must lie in \[0, 1\]"):
        log_loss([0.1, 1.2], [0, 1])
    with pytest.raises(UsageError, match="groups"):
        grouped_auc([0.1, 0.2], [0, 1], [1])
    with pytest.raises(UsageError, match="predicted"):
        accuracy([1], [1, 0])
