"""What rows of scores, labels, probabilities and weights must look like before a metric is computed from them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from danggol.errors import DataError, UsageError


def binary_labels(labels: ArrayLike) -> NDArray[np.float64]:
    """Labels as 0.0 and 1.0; any other value is a DataError."""
    positive = np.asarray(labels, dtype=np.float64)
    if not ((positive == 0) | (positive == 1)).all():
        raise DataError("labels must be 0 or 1; another value was found")
    return positive


def numbers(scores: ArrayLike) -> NDArray[np.float64]:
    """Scores of any shape as float64; nan is a DataError."""
    values = np.asarray(scores, dtype=np.float64)
    if np.isnan(values).any():
        where = int(np.argmax(np.isnan(values)))
        raise DataError(f"row {where} has no score (nan); give every row a score, or leave it out")
    return values


def scored_rows(scores: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores and 0/1 labels of the same rows, (rows,) each."""
    values, positive = numbers(scores), binary_labels(labels)
    if values.ndim != 1 or values.shape != positive.shape:
        raise UsageError(f"scores {values.shape} and labels {positive.shape} must hold the same rows, in one dimension")
    return values, positive


def chance_rows(probabilities: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Probabilities in [0, 1] and 0/1 labels of the same rows, (rows,) each."""
    chance, positive = scored_rows(probabilities, labels)
    if len(chance) and (chance.min() < 0 or chance.max() > 1):
        raise DataError("probabilities must lie in [0, 1]; use a calibrator on raw scores first")
    return chance, positive


def row_weights(weights: ArrayLike | None, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Row weights of ``shape``, 1 each where none are given; negative or infinite ones are a DataError."""
    if weights is None:
        return np.ones(shape)
    given = np.asarray(weights, dtype=np.float64)
    if given.shape != shape:
        raise UsageError(f"weights {given.shape} and labels {shape} must hold the same rows")
    if not np.isfinite(given).all() or (given < 0).any():
        raise DataError("weights must be finite and not negative")
    return given
