"""Whether probabilities mean what they say, and calibrators that mend them; both calibrators are saved as plain JSON.

Sources: Naeini, Cooper & Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015
(expected calibration error); Cox, "Two further applications of a model for binary regression", Biometrika 45, 1958
(slope and intercept); Platt, "Probabilistic outputs for support vector machines", 1999; Zadrozny & Elkan, "Transforming
classifier scores into accurate multiclass probability estimates", KDD 2002 (isotonic).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import isotonic_regression, minimize
from scipy.special import expit, logit

from danggol.errors import DataError, UsageError
from danggol.metrics.rows import chance_rows, numbers, row_weights, scored_rows

_EDGE = 1e-12  # how near 0 or 1 a probability may come before its logit is taken


@dataclass(frozen=True, eq=False)
class Reliability:
    """Per bin, by rising probability: mean ``predicted``, share ``observed``, ``rows``, and its ends."""

    predicted: NDArray[np.float64]
    observed: NDArray[np.float64]
    rows: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


class CalibrationLine(NamedTuple):
    """``logit(P(y = 1)) = intercept + slope * logit(p)``; slope 1 and intercept 0 when well calibrated."""

    slope: float
    intercept: float


def reliability(probabilities: ArrayLike, labels: ArrayLike, bins: int = 10) -> Reliability:
    """Reliability table with bins of equal counts, as near as ties allow: equal probabilities share a bin."""
    chance, positive = chance_rows(probabilities, labels)
    if bins < 1:
        raise UsageError(f"bins must be at least 1, got {bins}")
    if len(chance) == 0:
        none = np.zeros(0)
        return Reliability(none, none, np.zeros(0, np.int64), none, none)
    order = np.argsort(chance, kind="stable")
    chance, positive = chance[order], positive[order]
    edges = chance[np.arange(1, bins) * len(chance) // bins]
    codes = np.searchsorted(np.unique(edges), chance, side="right")
    starts = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]]))
    rows = np.diff(np.append(starts, len(chance)))
    mean, share = np.add.reduceat(chance, starts) / rows, np.add.reduceat(positive, starts) / rows
    return Reliability(mean, share, rows, chance[starts], chance[starts + rows - 1])


def expected_calibration_error(probabilities: ArrayLike, labels: ArrayLike, bins: int = 10) -> float:
    """``sum_b rows_b / rows * |observed_b - predicted_b|`` over bins of equal counts, in [0, 1]; nan without rows."""
    table = reliability(probabilities, labels, bins)
    if len(table.rows) == 0:
        return float("nan")
    return float(np.average(np.abs(table.observed - table.predicted), weights=table.rows))


def calibration_line(probabilities: ArrayLike, labels: ArrayLike) -> CalibrationLine:
    """Calibration slope and intercept by maximum likelihood; a slope below 1 tells of too extreme probabilities.

    Both are nan where the likelihood has no maximum: one class only, one probability only, or a threshold that
    separates the classes.
    """
    chance, positive = chance_rows(probabilities, labels)
    on, off = chance[positive == 1], chance[positive == 0]
    if len(on) == 0 or len(off) == 0 or off.max() <= on.min() or on.max() <= off.min():
        return CalibrationLine(float("nan"), float("nan"))
    return _logistic_line(logit(np.clip(chance, _EDGE, 1 - _EDGE)), positive, np.ones(len(chance)))


@dataclass(frozen=True)
class Platt:
    """``P(y = 1) = 1 / (1 + exp(-(slope * score + intercept)))`` with slope >= 0: no two scores change order."""

    slope: float
    intercept: float
    kind: ClassVar[str] = "platt"

    @classmethod
    def fit(cls, scores: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> Self:
        """Fit on scores of any scale (raw margins do best) of rows that the model was not trained on.

        The targets are Platt's, ``(n1 + 1) / (n1 + 2)`` for a 1 and ``1 / (n0 + 2)`` for a 0, so that separable or
        one-class rows end in a finite line. Where the best slope is negative, 0 is the best one allowed.
        """
        values, positive, weight = _training_rows(scores, labels, weights)
        ones = float(weight @ positive)
        zeros = float(weight.sum()) - ones
        targets = np.where(positive == 1, (ones + 1) / (ones + 2), 1 / (zeros + 2))
        line = _logistic_line(values, targets, weight)
        if line.slope <= 0:
            line = CalibrationLine(0.0, float(logit(np.average(targets, weights=weight))))
        return cls(*line)

    def predict(self, scores: ArrayLike) -> NDArray[np.float64]:
        """Probabilities in [0, 1] of the same shape as ``scores``."""
        # An infinite score times a slope of 0 would be nan.
        values = np.clip(numbers(scores), -1e150, 1e150)
        return np.asarray(expit(self.slope * values + self.intercept))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; floats survive a round trip exactly."""
        return {"kind": self.kind, "slope": self.slope, "intercept": self.intercept}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Self:
        """Rebuild from :meth:`to_dict`; anything else is a DataError."""
        slope, intercept = (float(_saved(saved, cls.kind, name, 0)) for name in ("slope", "intercept"))
        if slope < 0:
            raise DataError("a saved platt calibrator must have a slope of 0 or more; fit and save it again")
        return cls(slope, intercept)


@dataclass(frozen=True, eq=False)
class Isotonic:
    """Rising least-squares fit: ``chances`` at rising ``scores``, straight lines between, level outside.

    The ends may be exactly 0 or 1; rows that later contradict them cost much log loss, so prefer :class:`Platt` on few
    rows.
    """

    scores: NDArray[np.float64]
    chances: NDArray[np.float64]
    kind: ClassVar[str] = "isotonic"

    @classmethod
    def fit(cls, scores: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> Self:
        """Pool adjacent violators, on rows that the model was not trained on; equal scores are averaged first."""
        values, positive, weight = _training_rows(scores, labels, weights)
        distinct, codes = np.unique(values, return_inverse=True)
        mass = np.bincount(codes, weight)
        level = np.bincount(codes, weight * positive) / mass
        chances = np.clip(isotonic_regression(level, weights=mass).x, 0.0, 1.0)
        # Only the two ends of a level stretch are needed to draw it.
        change = chances[1:] != chances[:-1]
        keep = np.concatenate([[True], change]) | np.concatenate([change, [True]])
        return cls(distinct[keep], chances[keep])

    def predict(self, scores: ArrayLike) -> NDArray[np.float64]:
        """Probabilities in [0, 1] of the same shape as ``scores``, never falling as the score rises."""
        values = np.clip(numbers(scores), self.scores[0], self.scores[-1])
        right = np.clip(np.searchsorted(self.scores, values, side="right"), 1, max(len(self.scores) - 1, 1))
        left, right = right - 1, np.minimum(right, len(self.scores) - 1)
        low, high, width = self.chances[left], self.chances[right], self.scores[right] - self.scores[left]
        part = np.divide(values - self.scores[left], width, out=np.zeros_like(values), where=width > 0)
        return np.asarray(np.minimum(low + part * (high - low), high))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; floats survive a round trip exactly."""
        return {"kind": self.kind, "scores": self.scores.tolist(), "chances": self.chances.tolist()}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Self:
        """Rebuild from :meth:`to_dict`; anything else is a DataError."""
        scores, chances = (_saved(saved, cls.kind, name, 1) for name in ("scores", "chances"))
        rising = (np.diff(scores) > 0).all() and (np.diff(chances) >= 0).all()
        if len(scores) == 0 or len(scores) != len(chances) or not rising or chances[0] < 0 or chances[-1] > 1:
            raise DataError("a saved isotonic calibrator must rise, within [0, 1]; fit and save it again")
        return cls(scores, chances)


def calibrator_from_dict(saved: Mapping[str, Any]) -> Platt | Isotonic:
    """Rebuild whichever calibrator ``saved`` holds; an unknown kind is a DataError."""
    kind = saved.get("kind")
    if kind == Platt.kind:
        return Platt.from_dict(saved)
    if kind == Isotonic.kind:
        return Isotonic.from_dict(saved)
    raise DataError(f"the saved calibrator has the unknown kind {kind!r}; known kinds are platt and isotonic")


def _logistic_line(
    values: NDArray[np.float64], targets: NDArray[np.float64], weight: NDArray[np.float64]
) -> CalibrationLine:
    """Maximum likelihood of ``logit(P) = intercept + slope * value`` for targets in [0, 1], on scaled values."""
    centre = float(np.average(values, weights=weight))
    spread = float(np.sqrt(np.average((values - centre) ** 2, weights=weight)))
    # a spread of this size is what rounding leaves of equal scores
    if spread <= 1e-12 * float(np.abs(values).max()):
        return CalibrationLine(0.0, float(logit(np.average(targets, weights=weight))))
    design = np.stack([(values - centre) / spread, np.ones(len(values))])
    share = weight / weight.sum()

    def loss(line: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = line @ design
        return float(share @ (np.logaddexp(0.0, z) - targets * z)), design @ (share * (expit(z) - targets))

    def curvature(line: NDArray[np.float64]) -> NDArray[np.float64]:
        p = expit(line @ design)
        return np.asarray((design * (share * p * (1 - p))) @ design.T)

    found = minimize(loss, np.zeros(2), jac=True, hess=curvature, method="trust-exact", options={"gtol": 1e-9}).x
    slope = float(found[0]) / spread
    return CalibrationLine(slope, float(found[1]) - slope * centre)


def _training_rows(
    scores: ArrayLike, labels: ArrayLike, weights: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Finite scores, 0/1 labels and positive weights of the same rows; rows of weight 0 are left out."""
    values, positive = scored_rows(scores, labels)
    weight = row_weights(weights, values.shape)
    if not np.isfinite(values).all():
        raise DataError("a calibrator needs finite scores; leave the rows with infinite ones out")
    there = weight > 0
    if not there.any():
        raise DataError("a calibrator needs at least one row with a weight above 0; none was given")
    return values[there], positive[there], weight[there]


def _saved(saved: Mapping[str, Any], kind: str, name: str, ndim: int) -> NDArray[np.float64]:
    """One finite entry of a saved calibrator."""
    try:
        value = np.asarray(saved[name], dtype=np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"the saved {kind} calibrator has no usable '{name}'; fit and save it again") from error
    if saved.get("kind") != kind or value.ndim != ndim or not np.isfinite(value).all():
        raise DataError(f"the saved {kind} calibrator has no usable '{name}'; fit and save it again")
    return value
