"""Linear models on sparse n-grams: logistic regression of an outcome, ridge regression of a number, by L-BFGS.

With ``bayes`` the columns are first scaled by their naive Bayes log-count ratio, so that n-grams that lean to one side
count for more from the start (NB-SVM: Wang & Manning, "Baselines and bigrams", ACL 2012). A fitted model is one weight
a column and a bias, so what a word says can be read off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from scipy.special import expit

from danggol.errors import DataError

Floats = NDArray[np.float64]
Loss = Callable[[Floats], tuple[float, Floats]]
"""From what a model says (texts,) to the sum of the losses and its slope (texts,)."""
_SMOOTHING = 1.0
_STOP = {"maxiter": 300, "ftol": 1e-7, "gtol": 1e-4}


@dataclass(frozen=True)
class NgramLinear:
    """``values = rows @ weights + bias``: log odds of an outcome, or a number."""

    weights: NDArray[np.float32]
    """(n-grams,)"""
    bias: float

    @classmethod
    def logistic(
        cls,
        rows: csr_matrix,
        label: Floats,
        strength: float,
        bayes: bool = False,
        often: Floats | None = None,
        offset: Floats | None = None,
    ) -> Self:
        """Minimise ``strength * sum of log losses + |weights|^2 / 2``.

        ``rows`` (texts, n-grams), ``label`` (texts,) from 0 to 1. ``often`` (texts,): how much each text counts;
        ``offset`` (texts,): log odds that are known before, to which the model adds. DataError: one class only.
        """
        many = np.ones(len(label)) if often is None else often
        positive = float(many @ label)
        if not 0 < positive < many.sum():
            raise DataError("all texts have the same outcome; a model needs both")
        scale = _ratio(rows, label, many) if bayes else None
        start = 0.0 if offset is not None else float(np.log(positive / (many.sum() - positive)))
        before = np.zeros(len(label)) if offset is None else offset

        def loss(values: Floats) -> tuple[float, Floats]:
            odds = values + before
            return float(many @ (np.logaddexp(0, odds) - label * odds)), many * (expit(odds) - label)

        return cls._fitted(rows, loss, scale, strength, start)

    @classmethod
    def ridge(cls, rows: csr_matrix, target: Floats, strength: float) -> Self:
        """Minimise ``strength * sum of squared errors / 2 + |weights|^2 / 2`` for numbers (texts,)."""

        def loss(values: Floats) -> tuple[float, Floats]:
            error = values - target
            return float(error @ error / 2), error

        return cls._fitted(rows, loss, None, strength, float(target.mean()))

    @classmethod
    def _fitted(cls, rows: csr_matrix, loss: Loss, scale: Floats | None, strength: float, start: float) -> Self:
        width = rows.shape[1]
        data = np.asarray(rows.data, np.float64) * (1.0 if scale is None else scale[rows.indices])
        scaled = csr_matrix((data, rows.indices, rows.indptr), rows.shape)
        turned = scaled.T.tocsr()

        def objective(values: Floats) -> tuple[float, Floats]:
            cost, slope = loss(scaled @ values[:width] + values[width])
            gradient = np.append(values[:width] + strength * (turned @ slope), strength * slope.sum())
            return strength * cost + float(values[:width] @ values[:width]) / 2, gradient

        first = np.append(np.zeros(width), start)
        found = minimize(objective, first, jac=True, method="L-BFGS-B", options=_STOP).x
        weights = found[:width] if scale is None else found[:width] * scale
        return cls(weights.astype(np.float32), float(found[width]))

    def values(self, rows: csr_matrix) -> Floats:
        """(texts,) of any rows with the same columns."""
        found: Floats = np.asarray(rows @ self.weights, np.float64) + self.bias
        return found


def _ratio(rows: csr_matrix, label: Floats, many: Floats) -> Floats:
    """Naive Bayes log-count ratio of each column, from whether it is there."""
    there = csr_matrix((np.ones(len(rows.data)), rows.indices, rows.indptr), rows.shape)
    for_, against = there.T @ (many * label) + _SMOOTHING, there.T @ (many * (1 - label)) + _SMOOTHING
    return np.asarray(np.log((for_ / for_.sum()) / (against / against.sum())))
