"""Multinomial logistic regression on sparse n-grams, by L-BFGS: which of many classes a text belongs to.

Texts that are there more than once are learnt once, with how often each class came with them. A fitted model is one
weight for each n-gram and class and one bias a class, so what a word says can be read off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from scipy.special import logsumexp

from danggol.errors import DataError

Floats = NDArray[np.float64]
_MEMORY = 6
"""Steps that L-BFGS remembers; each holds two copies of all weights."""


@dataclass(frozen=True)
class NgramClasses:
    """``log odds = rows @ weights + bias``."""

    weights: NDArray[np.float32]
    """(n-grams, classes)"""
    bias: NDArray[np.float32]
    """(classes,)"""

    @classmethod
    def fit(
        cls, rows: csr_matrix, counts: Floats, strength: float, steps: int = 60, start: NgramClasses | None = None
    ) -> Self:
        """Minimise ``strength * sum of log losses + |weights|^2 / 2`` in at most ``steps`` steps, from ``start`` on.

        ``rows`` (texts, n-grams); ``counts`` (texts, classes): how often each text came with each class, so that a row
        of zeros says nothing. DataError: fewer than two classes are there.
        """
        if np.count_nonzero(counts.sum(axis=0)) < 2:
            raise DataError("all texts are of one class; a model needs two or more")
        told = counts.sum(axis=1) > 0
        found, labels = rows[told].astype(np.float32), counts[told].astype(np.float32)
        turned, often = found.T.tocsr(), labels.sum(axis=1)
        width, classes = found.shape[1], labels.shape[1]

        def objective(values: Floats) -> tuple[float, Floats]:
            held = values.reshape(width + 1, classes)
            odds = found @ held[:width].astype(np.float32) + held[width].astype(np.float32)
            whole = logsumexp(odds, axis=1, keepdims=True)
            cost = float((often * whole[:, 0]).sum(dtype=np.float64) - (labels * odds).sum(dtype=np.float64))
            slope = often[:, None] * np.exp(odds - whole) - labels
            gradient = np.empty_like(held)
            gradient[:width] = held[:width] + strength * (turned @ slope)
            gradient[width] = strength * slope.sum(axis=0)
            return strength * cost + float((held[:width] ** 2).sum()) / 2, gradient.ravel()

        first = np.zeros((width + 1, classes))
        first[width] = np.log(labels.sum(axis=0) + 0.5) - np.log(labels.sum() + 0.5 * classes)
        if start is not None and start.weights.shape == (width, classes):
            first = np.vstack([start.weights, start.bias]).astype(np.float64)
        options = {"maxiter": steps, "maxcor": _MEMORY, "ftol": 1e-6, "gtol": 1e-4}
        best = minimize(objective, first.ravel(), jac=True, method="L-BFGS-B", options=options).x
        best = best.reshape(width + 1, classes).astype(np.float32)
        return cls(best[:width], best[width])

    def log_probabilities(self, rows: csr_matrix) -> Floats:
        """Natural logarithms (texts, classes) for any rows with the same columns; those of a row sum to one."""
        odds = np.asarray(rows @ self.weights, np.float64) + self.bias
        return np.asarray(odds - logsumexp(odds, axis=1, keepdims=True))
