"""Probabilities that mean what they say: one slope for all classes and one shift each, fitted on texts kept apart.

With two classes this is Platt's (1999); with more it is the temperature of Guo et al., "On calibration of modern neural
networks", ICML 2017, with a shift for each class.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from danggol.reviews.rows import Floats

_PRIOR = np.array([1.0, 10.0])
"""How strongly the log of the slope, and the shifts, are held to zero, so that few rows move no threshold."""
_LEAST = 1e-2


@dataclass(frozen=True)
class ClassCalibration:
    """``log probability = log softmax(slope * scores + shifts)``."""

    slope: float
    shifts: Floats
    """(classes,)"""

    @classmethod
    def fit(cls, scores: Floats, shares: Floats, often: Floats) -> Self:
        """Fit to scores and class weights (texts, classes) of texts that the scores' model did not learn from."""
        classes = scores.shape[1]
        if not len(scores):
            return cls(1.0, np.zeros(classes))
        weight = often / often.sum()
        start = np.zeros(1 + classes)
        held = np.concatenate([_PRIOR[:1], np.full(classes, _PRIOR[1])]) / len(scores)

        def loss(values: Floats) -> tuple[float, Floats]:
            slope = np.exp(values[0])
            logs = log_softmax(slope * scores + values[1:], axis=1)
            wrong = weight[:, None] * (softmax(logs, axis=1) - shares)
            gradient = np.concatenate([[slope * (wrong * scores).sum()], wrong.sum(axis=0)])
            cost = -float((weight[:, None] * shares * logs).sum())
            return cost + float(held @ values**2) / 2, gradient + held * values

        found = minimize(loss, start, jac=True, method="L-BFGS-B").x
        return cls(max(float(np.exp(found[0])), _LEAST), found[1:])

    def to_json(self) -> str:
        """The slope and the shifts as text; floats survive a round trip exactly."""
        return json.dumps({"slope": self.slope, "shifts": self.shifts.tolist()})

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what :meth:`to_json` wrote; KeyError, TypeError or ValueError where it is damaged."""
        held = json.loads(text)
        return cls(float(held["slope"]), np.array(held["shifts"], np.float64))

    def logs(self, scores: Floats) -> Floats:
        """Log probabilities (texts, classes)."""
        return np.asarray(log_softmax(self.slope * scores + self.shifts, axis=1))
