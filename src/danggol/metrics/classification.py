"""Metrics of scores and labels over rows: discrimination, log loss and Brier score, accuracy and F1, AUC per customer.

Labels are 0 or 1 (bool, integers or floats) unless said otherwise; weights are non-negative and count a row as that
many rows. With one class only, a metric that compares the classes has no value and is nan.

Sources: Hanley & McNeil, "The meaning and use of the area under a ROC curve", Radiology 143, 1982 (AUC as the
Mann-Whitney statistic); Zhu et al., "Optimized cost per click in Taobao display advertising", KDD 2017 (AUC by
customer); Brier, Mon. Weather Rev. 78, 1950.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from danggol.errors import UsageError
from danggol.metrics.rows import binary_labels, chance_rows, row_weights, scored_rows


def auc(scores: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Area under the ROC curve: the chance that a positive row scores above a negative one, ties counting one half.

    ``(sum over pairs w_i w_j [s_i > s_j] + [s_i = s_j] / 2) / (sum w_i * sum w_j)``, i positive, j negative. nan with
    one class only.
    """
    return float(auc_of_weights(scores, labels)(row_weights(weights, np.shape(labels))[None, :])[0])


def average_precision(scores: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Step-wise area under the precision-recall curve, ``sum (R_t - R_{t-1}) P_t`` over falling distinct scores t.

    Rows with the same score enter together, as in scikit-learn's ``average_precision_score``. nan without a positive
    row; 1 without a negative one.
    """
    return float(average_precision_of_weights(scores, labels)(row_weights(weights, np.shape(labels))[None, :])[0])


def auc_of_weights(scores: ArrayLike, labels: ArrayLike) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """AUC as a function of row weights (draws, rows), sorting once; for ``bootstrap_rows``."""
    order, starts, positive = _tied(scores, labels)

    def areas(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        above, below = _by_tie(weights, order, starts, positive)
        beaten = np.cumsum(below, axis=1) - below / 2
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((above * beaten).sum(axis=1) / (above.sum(axis=1) * below.sum(axis=1)))

    return areas


def average_precision_of_weights(
    scores: ArrayLike, labels: ArrayLike
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Average precision as a function of row weights (draws, rows), sorting once; for ``bootstrap_rows``."""
    order, starts, positive = _tied(scores, labels)

    def areas(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        above, below = (side[:, ::-1] for side in _by_tie(weights, order, starts, positive))
        caught = np.cumsum(above, axis=1)
        shown = caught + np.cumsum(below, axis=1)
        precision = np.divide(caught, shown, out=np.zeros_like(shown), where=shown > 0)
        with np.errstate(invalid="ignore"):
            return np.asarray((above * precision).sum(axis=1) / above.sum(axis=1))

    return areas


def auc_by_group(
    scores: ArrayLike, labels: ArrayLike, groups: ArrayLike
) -> tuple[NDArray[np.generic], NDArray[np.float64]]:
    """AUC within each customer: the sorted distinct ``groups`` and the AUC of each, nan with one class only."""
    values, positive = scored_rows(scores, labels)
    names = np.asarray(groups)
    if names.shape != values.shape:
        raise UsageError(f"groups {names.shape} and scores {values.shape} must hold the same rows")
    if len(values) == 0:
        return names, np.zeros(0)
    distinct, codes = np.unique(names, return_inverse=True)
    order = np.lexsort((values, codes))
    codes, values, positive = codes[order], values[order], positive[order]
    fresh = np.concatenate([[True], (values[1:] != values[:-1]) | (codes[1:] != codes[:-1])])
    starts = np.flatnonzero(fresh)
    above = np.add.reduceat(positive, starts)
    below = np.add.reduceat(1 - positive, starts)
    owner = codes[starts]
    positives = np.bincount(owner, above)
    negatives = np.bincount(owner, below)
    # Negatives of earlier customers stand before this one's in the running sum; take them off again.
    earlier = (np.cumsum(negatives) - negatives)[owner]
    beaten = np.cumsum(below) - below / 2 - earlier
    won, pairs = np.bincount(owner, above * beaten), positives * negatives
    return distinct, np.divide(won, pairs, out=np.full(len(distinct), np.nan), where=pairs > 0)


def grouped_auc(scores: ArrayLike, labels: ArrayLike, groups: ArrayLike) -> float:
    """Mean over customers of the AUC within the customer; those with one class only are left out, nan if all are."""
    each = auc_by_group(scores, labels, groups)[1]
    each = each[~np.isnan(each)]
    return float(each.mean()) if len(each) else float("nan")


def log_loss(probabilities: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Mean of ``-y ln p - (1 - y) ln(1 - p)``, p kept one float64 epsilon away from 0 and 1; nan without rows."""
    chance, positive = chance_rows(probabilities, labels)
    edge = float(np.finfo(np.float64).eps)
    chance = np.clip(chance, edge, 1 - edge)
    return _mean(-np.where(positive == 1, np.log(chance), np.log1p(-chance)), weights)


def brier(probabilities: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Mean of ``(p - y)^2``; nan without rows."""
    chance, positive = chance_rows(probabilities, labels)
    return _mean((chance - positive) ** 2, weights)


def accuracy(predicted: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Share of rows whose predicted class is the label (classes of any one type); nan without rows."""
    ours, true = _classes(predicted, labels)
    return _mean((ours == true).astype(np.float64), weights)


def f1(predicted: ArrayLike, labels: ArrayLike) -> float:
    """``2 TP / (2 TP + FP + FN)`` of class 1, predictions and labels being 0 or 1; 0 where neither holds a 1."""
    ours, true = (binary_labels(side) for side in _classes(predicted, labels))
    both = float((ours * true).sum())
    total = float(ours.sum() + true.sum())
    return 2 * both / total if total else 0.0


def macro_f1(predicted: ArrayLike, labels: ArrayLike) -> float:
    """Unweighted mean of each class's F1, over the classes among the predictions or labels; nan without rows."""
    ours, true = _classes(predicted, labels)
    if len(true) == 0:
        return float("nan")
    classes, codes = np.unique(np.concatenate([ours, true]), return_inverse=True)
    first, second = codes[: len(ours)], codes[len(ours) :]
    both = np.bincount(first[first == second], minlength=len(classes))
    total = np.bincount(codes, minlength=len(classes))
    return float(np.mean(2 * both / total))


def macro_f1_of_weights(
    predicted: ArrayLike, labels: ArrayLike
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """:func:`macro_f1` as a function of row weights (draws, rows), for ``bootstrap_rows``.

    Each draw's mean is over the classes that have any weight in it; nan without weight.
    """
    ours, true = _classes(predicted, labels)
    names = np.unique(np.concatenate([ours, true]))
    first, second = (side[:, None] == names for side in (ours, true))
    both, total = (first & second).astype(np.float64), first.astype(np.float64) + second

    def means(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        hits, sums = weights @ both, weights @ total
        there = sums > 0
        each = np.divide(2 * hits, sums, out=np.zeros_like(hits), where=there)
        with np.errstate(invalid="ignore"):
            return np.asarray(each.sum(axis=1) / there.sum(axis=1))

    return means


def _tied(scores: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Rows in rising score order, where each run of equal scores starts, and the labels in that order."""
    values, positive = scored_rows(scores, labels)
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.concatenate([np.ones(min(len(values), 1), np.bool_), ordered[1:] != ordered[:-1]]))
    return order, starts, positive[order]


def _by_tie(
    weights: NDArray[np.float64], order: NDArray[np.intp], starts: NDArray[np.intp], positive: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weight of the positives and of the negatives (draws, distinct scores), by rising score."""
    if len(order) == 0:
        empty = np.zeros((len(weights), 0))
        return empty, empty
    ordered = weights[:, order]
    total = np.add.reduceat(ordered, starts, axis=1)
    above = np.add.reduceat(ordered * positive, starts, axis=1)
    return above, total - above


def _classes(predicted: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    ours, true = np.asarray(predicted), np.asarray(labels)
    if ours.ndim != 1 or ours.shape != true.shape:
        raise UsageError(f"predicted {ours.shape} and labels {true.shape} must hold the same rows, in one dimension")
    return ours, true


def _mean(values: NDArray[np.float64], weights: ArrayLike | None) -> float:
    each = row_weights(weights, values.shape)
    total = float(each.sum())
    return float(each @ values) / total if total > 0 else float("nan")
