"""Probabilities that mean what they say: a slope for all classes, a shift each, and a floor that no class goes below.

With two classes and no floor this is Platt's (1999); with more it is the temperature of Guo et al., "On calibration of
modern neural networks", ICML 2017, with a shift for each class. The floor stands for stars that say the opposite of the
text, of which no text is free.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, softmax

from danggol.reviews.sentiment.rows import Floats

_HELD = (1.0, 10.0, 1.0)
"""How strongly slope, shifts and floor are held to where they start: as by so many texts, so that few move little."""
_START, _MOST = -4.0, 0.2
_LEAST = 1e-2


@dataclass(frozen=True)
class ClassCalibration:
    """``probability = (1 - floor) * softmax(slope * scores + shifts) + floor / classes``."""

    slope: float
    shifts: Floats
    """(classes,)"""
    floor: float = 0.0

    @classmethod
    def fit(cls, scores: Floats, shares: Floats, often: Floats) -> Self:
        """Fit to scores and class weights (texts, classes) of texts that the scores' model did not learn from."""
        classes = scores.shape[1]
        if not len(scores):
            return cls(1.0, np.zeros(classes))
        weight = often / often.sum()
        start = np.concatenate([[0.0], np.zeros(classes), [_START]])
        held = np.concatenate([_HELD[:1], np.full(classes, _HELD[1]), _HELD[2:]]) / len(scores)

        def loss(values: Floats) -> float:
            logs = cls._of(values).logs(scores)
            return float(held @ (values - start) ** 2) / 2 - float((weight[:, None] * shares * logs).sum())

        return cls._of(np.asarray(minimize(loss, start, method="L-BFGS-B").x))

    @classmethod
    def _of(cls, values: Floats) -> Self:
        slope = max(float(np.exp(np.clip(values[0], -20, 20))), _LEAST)
        return cls(slope, values[1:-1], _MOST * float(expit(values[-1])))

    def to_json(self) -> str:
        """The numbers as text; floats survive a round trip exactly."""
        return json.dumps({"slope": self.slope, "shifts": self.shifts.tolist(), "floor": self.floor})

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what :meth:`to_json` wrote; KeyError, TypeError or ValueError where it is damaged."""
        held = json.loads(text)
        found = cls(float(held["slope"]), np.array(held["shifts"], np.float64), float(held["floor"]))
        if not np.isfinite([found.slope, *found.shifts, found.floor]).all():
            raise ValueError("the calibration is not of finite numbers")
        return found

    def logs(self, scores: Floats) -> Floats:
        """Log probabilities (texts, classes)."""
        values = self.slope * scores + self.shifts
        if not self.floor:
            return np.asarray(log_softmax(values, axis=1))
        return np.asarray(np.log((1 - self.floor) * softmax(values, axis=1) + self.floor / scores.shape[1]))
