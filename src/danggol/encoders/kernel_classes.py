"""Kernel ridge regression of classes: many attributes at once, in closed form, and more rows without starting anew.

Least squares on the indicators of all classes of all attributes (Rifkin, Yeo & Poggio, "Regularized least-squares
classification", 2003) with a Gaussian kernel. Up to a number of rows, all are compared with all, by one Cholesky
factor in single precision: memory for rows squared, time for rows cubed. Beyond it, all are compared with some
landmarks (Williams & Seeger, "Using the Nyström method to speed up kernel machines", NIPS 2000).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.linalg.blas import strsm
from scipy.linalg.lapack import spotrf

from danggol.errors import DataError, UsageError

Floats = NDArray[np.float64]
Single = NDArray[np.float32]
Codes = NDArray[np.int64]
_CHUNK = 4096
_LEAST = 1e-3
"""The least score that a class is given."""
_ALIKE = "the rows cannot be told apart by a kernel; some numbers may be infinite"
_JITTER, _TRIES = 1e-4, 8
"""What is added to the diagonal, for each row that a landmark stands for, and how often ten times more is tried."""


class BlockScale:
    """Blocks side by side, scaled so that the mean squared distance of two rows is each block's weight."""

    def __init__(self, middle: Single, factor: Single) -> None:
        self.middle, self.factor = middle, factor

    @classmethod
    def fit(cls, blocks: Sequence[NDArray[Any]], weights: Sequence[float]) -> Self:
        """From blocks (rows, numbers) and their weights."""
        middles, factors = [], []
        for block, weight in zip(blocks, weights, strict=True):
            rows = block.astype(np.float32)
            middle = rows.mean(axis=0)
            spread = 2 * float(((rows - middle) ** 2).sum(axis=1).mean())
            middles.append(middle)
            factors.append(np.full(rows.shape[1], np.sqrt(weight / max(spread, 1e-9)), np.float32))
        return cls(np.concatenate(middles), np.concatenate(factors))

    def rows(self, blocks: Sequence[NDArray[Any]]) -> Single:
        """(rows, numbers of all blocks)."""
        return (np.concatenate([block.astype(np.float32) for block in blocks], axis=1) - self.middle) * self.factor


class KernelClasses:
    """Scores of classes that are near their probabilities."""

    def __init__(
        self, landmarks: Single, weights: Single, means: Single, classes: Mapping[str, int], width: float
    ) -> None:
        # in half precision, as they will be saved, so that saved ones say the same
        self.landmarks = landmarks.astype(np.float16).astype(np.float32)
        self.weights, self.means, self.classes, self.width = weights, means, dict(classes), width
        self._learner: _Whole | _Sums | None = None

    @classmethod
    def fit(
        cls, rows: Single, codes: Mapping[str, Codes], classes: Mapping[str, int], landmarks: int, width: float,
        ridge: float, seed: int = 0,
    ) -> Self:  # fmt: skip
        """From rows (rows, numbers) and classes (rows,) by attribute, -1 where not known.

        The kernel is ``exp(-width * squared distance)``; ``ridge`` is how strongly weights are held back. With no more
        rows than ``landmarks`` all are compared with all. DataError: a number is infinite or missing.
        """
        if not np.isfinite(rows).all():
            raise DataError("a kernel cannot compare rows with infinite or missing numbers")
        chosen = np.sort(np.random.default_rng([seed, len(rows)]).permutation(len(rows))[:landmarks])
        target, means = _indicators(codes, classes, len(rows))
        found = cls(rows[chosen], np.zeros((len(chosen), target.shape[1]), np.float32), means, classes, width)
        whole = len(rows) <= landmarks
        found._learner = _Whole(found.landmarks, width, ridge) if whole else _Sums(found.landmarks, width, ridge)
        found.weights = found._learner.add(rows, target)
        return found

    def extend(self, rows: Single, codes: Mapping[str, Codes]) -> None:
        """Learn from more rows besides, once, after :meth:`fit`; then what learning takes is let go."""
        learner, self._learner = self._learner, None
        if learner is None:
            raise UsageError("a kernel learns from more rows once, after fit")
        if len(rows):
            target = _indicators(codes, self.classes, len(rows), self.means)[0]
            self.weights = learner.add(rows, target)
            self.landmarks = learner.landmarks

    def log_probabilities(self, rows: Single) -> dict[str, Floats]:
        """By attribute (rows, classes), natural logarithms of the scores as shares; the largest score stays largest."""
        chunks = range(0, max(len(rows), 1), _CHUNK)
        parts = [_near(rows[at : at + _CHUNK], self.landmarks, self.width) @ self.weights for at in chunks]
        scores = np.concatenate(parts).astype(np.float64) + self.means
        found, start = {}, 0
        for name, count in self.classes.items():
            said = np.maximum(scores[:, start : start + count], _LEAST)
            found[name] = np.log(said / said.sum(axis=1, keepdims=True))
            start += count
        return found

    def to_bytes(self, scale: BlockScale) -> bytes:
        """Weights and the scale of the rows as safetensors; landmarks in half precision."""
        tensors: dict[str, NDArray[Any]] = {
            "landmarks": self.landmarks.astype(np.float16), "weights": self.weights, "means": self.means,
            "width": np.array([self.width], np.float64), "middle": scale.middle, "factor": scale.factor,
        }  # fmt: skip
        return bytes(save(tensors))

    @classmethod
    def from_bytes(cls, content: bytes, classes: Mapping[str, int]) -> tuple[Self, BlockScale]:
        """Read what :meth:`to_bytes` wrote. KeyError, ValueError or SafetensorError: it is damaged."""
        held = load(content)
        model = cls(held["landmarks"], held["weights"], held["means"], classes, float(held["width"][0]))
        if model.weights.shape != (len(model.landmarks), sum(classes.values())):
            raise ValueError("weights of other classes")
        return model, BlockScale(held["middle"], held["factor"])


class _Sums:
    """Some landmarks: what each pair of them, and each with the classes, comes to over all rows."""

    def __init__(self, landmarks: Single, width: float, ridge: float) -> None:
        self.landmarks, self.width, self.count = landmarks, width, 0
        self.inner = ridge * _near(landmarks, landmarks, width).astype(np.float64)
        self.outer: Floats | None = None

    def add(self, rows: Single, target: Single) -> Single:
        """The weights (landmarks, classes) after these rows (rows, numbers), (rows, classes) as well."""
        outer = np.zeros((len(self.landmarks), target.shape[1])) if self.outer is None else self.outer
        for at in range(0, len(rows), _CHUNK):
            near = _near(rows[at : at + _CHUNK], self.landmarks, self.width)
            self.inner += near.T @ near
            outer += near.T @ target[at : at + _CHUNK]
        self.outer, self.count = outer, self.count + len(rows)
        return np.ascontiguousarray(_solved(self.inner, outer, _JITTER * self.count / len(outer)), np.float32)


class _Whole:
    """All rows are landmarks: the lower Cholesky factor of their kernel, and once that of more rows below it.

    With the factor in blocks, ``[[first, 0], [across, last]]``, the first rows' part is not computed again.
    """

    def __init__(self, landmarks: Single, width: float, ridge: float) -> None:
        self.landmarks, self.width, self.ridge = landmarks, width, max(ridge, _JITTER)
        self.first: Single | None = None
        self.half: Single | None = None

    def add(self, rows: Single, target: Single) -> Single:
        """The weights (landmarks, classes) after these rows (rows, numbers), (rows, classes) as well."""
        if self.first is None or self.half is None:
            self.first = self._factor(self.landmarks, None)
            self.half = _lower(self.first, target)
            return np.ascontiguousarray(_lower(self.first, self.half, turned=True))
        fresh = rows.astype(np.float16).astype(np.float32)
        across = _lower(self.first, _near(fresh, self.landmarks, self.width).T)
        last = self._factor(fresh, across)
        weights = _lower(last, _lower(last, target - across.T @ self.half), turned=True)
        before = _lower(self.first, self.half - across @ weights, turned=True)
        self.landmarks = np.concatenate([self.landmarks, fresh])
        return np.ascontiguousarray(np.concatenate([before, weights]))

    def _factor(self, rows: Single, across: Single | None) -> Single:
        """Of the kernel of rows, less what is told by those before; to the diagonal as much is added as it takes."""
        for _ in range(_TRIES):
            kernel = np.empty((len(rows), len(rows)), np.float32, order="F")
            for at in range(0, len(rows), _CHUNK):
                part = slice(at, at + _CHUNK)
                kernel[at:, part] = _near(rows[at:], rows[part], self.width)
                if across is not None:
                    kernel[at:, part] -= across[:, at:].T @ across[:, part]
            kernel[np.diag_indices(len(rows))] += self.ridge
            factor, failed = spotrf(kernel, lower=1, overwrite_a=1, clean=0)
            if not failed:
                return np.asarray(factor)
            self.ridge *= 10
        raise DataError(_ALIKE)


def _near(rows: Single, others: Single, width: float) -> Single:
    """The kernel (rows, others)."""
    near = rows @ others.T
    near *= -2
    near += (rows**2).sum(axis=1)[:, None]
    near += (others**2).sum(axis=1)
    np.maximum(near, 0, out=near)
    near *= -np.float32(width)
    return np.asarray(np.exp(near, out=near))


def _lower(factor: Single, values: Single, *, turned: bool = False) -> Single:
    """``factor^-1 values`` of a lower triangle, or of its transpose."""
    return np.asarray(
        strsm(1.0, factor, np.array(values, np.float32, order="F"), lower=1, trans_a=turned, overwrite_b=1)
    )


def _solved(inner: Floats, outer: Floats, jitter: float) -> Floats:
    """``inner^-1 outer``; to a diagonal that rounding has left too small, as much is added as it takes."""
    for _ in range(_TRIES):
        try:
            factor = cho_factor(inner + jitter * np.eye(len(inner)), overwrite_a=True)
            return np.asarray(cho_solve(factor, outer))
        except LinAlgError:
            jitter *= 10
    raise DataError(_ALIKE)


def _indicators(
    codes: Mapping[str, Codes], classes: Mapping[str, int], count: int, means: Single | None = None
) -> tuple[Single, Single]:
    """Indicators of the classes (rows, all classes) minus their means, zero where not known; and the means.

    ``means``: take these, and not those of the rows.
    """
    parts, own, start = [], [], 0
    for name, width in classes.items():
        known = codes[name] >= 0
        part = np.zeros((count, width), np.float32)
        part[known, codes[name][known]] = 1
        mean = part.sum(axis=0) / max(int(known.sum()), 1) if means is None else means[start : start + width]
        part[known] -= mean
        parts.append(part)
        own.append(mean)
        start += width
    return np.concatenate(parts, axis=1), np.concatenate(own)
