"""Kernel ridge regression of classes on a part of the rows as landmarks: many attributes at once, in closed form.

A Gaussian kernel to some landmarks (Williams & Seeger, "Using the Nyström method to speed up kernel machines", NIPS
2000), and least squares on the indicators of all classes of all attributes (Rifkin, Yeo & Poggio, "Regularized
least-squares classification", 2003). The time goes with rows times landmarks squared, all of it multiplying matrices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from danggol.errors import DataError

Floats = NDArray[np.float64]
Single = NDArray[np.float32]
Codes = NDArray[np.int64]
_CHUNK = 4096
_LEAST = 1e-3
"""The least score that a class is given."""
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

    @classmethod
    def fit(
        cls, rows: Single, codes: Mapping[str, Codes], classes: Mapping[str, int], landmarks: int, width: float,
        ridge: float, seed: int = 0,
    ) -> Self:  # fmt: skip
        """From rows (rows, numbers) and classes (rows,) by attribute, -1 where not known.

        The kernel is ``exp(-width * squared distance)``; ``ridge`` is how strongly weights are held back.
        """
        chosen = np.sort(np.random.default_rng([seed, len(rows)]).permutation(len(rows))[:landmarks])
        target, means = _indicators(codes, classes, len(rows))
        found = cls(rows[chosen], np.zeros((len(chosen), target.shape[1]), np.float32), means, classes, width)
        inner = np.zeros((len(chosen), len(chosen)))
        outer = np.zeros((len(chosen), target.shape[1]))
        for at in range(0, len(rows), _CHUNK):
            near = found._near(rows[at : at + _CHUNK])
            inner += near.T @ near
            outer += near.T @ target[at : at + _CHUNK]
        inner += ridge * found._near(found.landmarks).astype(np.float64)
        found.weights = np.ascontiguousarray(_solved(inner, outer, _JITTER * len(rows) / len(chosen)), np.float32)
        return found

    def _near(self, rows: Single) -> Single:
        """The kernel (rows, landmarks)."""
        squares = (rows**2).sum(axis=1)[:, None] + (self.landmarks**2).sum(axis=1) - 2 * (rows @ self.landmarks.T)
        return np.asarray(np.exp(-np.float32(self.width) * np.maximum(squares, 0)), np.float32)

    def log_probabilities(self, rows: Single) -> dict[str, Floats]:
        """By attribute (rows, classes), natural logarithms of the scores as shares; the largest score stays largest."""
        parts = [self._near(rows[at : at + _CHUNK]) @ self.weights for at in range(0, max(len(rows), 1), _CHUNK)]
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


def _solved(inner: Floats, outer: Floats, jitter: float) -> Floats:
    """``inner^-1 outer``; to a diagonal that rounding has left too small, as much is added as it takes."""
    for _ in range(_TRIES):
        try:
            factor = cho_factor(inner + jitter * np.eye(len(inner)), overwrite_a=True)
            return np.asarray(cho_solve(factor, outer))
        except LinAlgError:
            jitter *= 10
    raise DataError("the rows cannot be told apart by a kernel; some numbers may be infinite")


def _indicators(codes: Mapping[str, Codes], classes: Mapping[str, int], count: int) -> tuple[Single, Single]:
    """Indicators of the classes (rows, all classes) minus their means, zero where not known; and the means."""
    parts, means = [], []
    for name, width in classes.items():
        known = codes[name] >= 0
        part = np.zeros((count, width), np.float32)
        part[known, codes[name][known]] = 1
        mean = part.sum(axis=0) / max(int(known.sum()), 1)
        part[known] -= mean
        parts.append(part)
        means.append(mean)
    return np.concatenate(parts, axis=1), np.concatenate(means)
