"""What a sentiment model learns from, and what its classes mean.

A target has classes: two (displeased, pleased) or five (stars). A score from -1 to 1 is two classes, of which a text
has a part each. Labels become one row of class weights a text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from danggol.errors import DataError
from danggol.reviews.sentiment.settings import Target

Floats = NDArray[np.float64]
STARS = np.arange(1.0, 6.0)
_RANGE = {"two": (0.0, 1.0), "stars": (1.0, 5.0), "score": (-1.0, 1.0)}


@dataclass(frozen=True)
class Rows:
    """Cleaned texts with what is known of them."""

    texts: Sequence[str]
    shares: Floats
    """(texts, classes) how much of each class a text is; a row sums to one"""
    often: Floats
    """(texts,) how much each text counts"""

    def __len__(self) -> int:
        return len(self.texts)

    def part(self, chosen: NDArray[np.int64]) -> Rows:
        """Some of the rows."""
        return Rows([self.texts[one] for one in chosen], self.shares[chosen], self.often[chosen])


def shares_of(labels: ArrayLike, target: Target) -> Floats:
    """Class weights (texts, classes) of labels (texts,), or of such weights themselves; nan where the label is nan.

    DataError: a label off the target's range, a star that is not whole, or weights of a text that are not parts of one.
    """
    values = np.asarray(labels, np.float64)
    if values.ndim == 2:
        return _checked(values, len(STARS) if target == "stars" else 2)
    low, high = _RANGE[target]
    told = values[~np.isnan(values)]
    wrong = (told < low) | (told > high) | ((told % 1 != 0) if target == "stars" else False)
    if values.ndim != 1 or wrong.any():
        shown = f", got {told[wrong][0]:g}" if values.ndim == 1 else ""
        raise DataError(f"labels of the target {target} are one number a text, {low:g} to {high:g}{shown}")
    if target == "stars":
        found: Floats = (values[:, None] == STARS).astype(np.float64)
    else:
        pleased = (values - low) / (high - low)
        found = np.column_stack([1 - pleased, pleased])
    found[np.isnan(values)] = np.nan
    return found


def labels_of_ratings(ratings: ArrayLike, target: Target) -> Floats:
    """Labels (texts,) from ratings of 1 to 5 stars: 4 and 5 pleased, 1 and 2 not, 3 nan where there are two classes."""
    stars: Floats = np.asarray(ratings, np.float64)
    if target == "stars":
        whole: Floats = np.rint(stars)
        return whole
    if target == "score":
        return (stars - 3) / 2
    return np.asarray(np.where(stars > 3, 1.0, np.where(stars < 3, 0.0, np.nan)))


def kept_apart(texts: Sequence[str], share: float, seed: int) -> NDArray[np.bool_]:
    """Whether each text is kept apart: a share of the distinct texts, so that repeated texts stay on one side."""
    return np.asarray(_drawn(texts, seed) < int(share * 2**32))


def folds_of(texts: Sequence[str], many: int, seed: int) -> NDArray[np.int64]:
    """The fold of each text, 0 to ``many`` - 1; the same for repeated texts."""
    return np.asarray(_drawn(texts, seed) % many)


def _drawn(texts: Sequence[str], seed: int) -> NDArray[np.int64]:
    """A number (texts,) of 32 bits by text and seed."""
    salt = f"{seed} ".encode()
    keys = (hashlib.blake2b(salt + text.encode("utf8", "surrogatepass"), digest_size=4).digest() for text in texts)
    return np.array([int.from_bytes(key) for key in keys], np.int64)


def _checked(shares: Floats, classes: int) -> Floats:
    told = shares[~np.isnan(shares[:, 0])]
    if shares.shape[1] != classes or not ((told >= 0).all() and np.allclose(told.sum(axis=1), 1)):
        raise DataError(f"the class weights of a text are {classes} numbers of 0 or more whose sum is 1")
    return shares


def pleased(logs: Floats) -> Floats:
    """Probability (texts,) of being pleased rather than displeased, from log probabilities (texts, classes)."""
    chance = np.exp(logs)
    if chance.shape[1] == 2:
        return np.asarray(chance[:, 1])
    good, bad = chance[:, 3] + chance[:, 4], chance[:, 0] + chance[:, 1]
    return np.asarray((good + 1e-12) / (good + bad + 2e-12))


def scores(logs: Floats) -> Floats:
    """Scores (texts,) from -1 to 1: the expected one."""
    chance = np.exp(logs)
    found = chance @ (STARS - 3) / 2 if chance.shape[1] > 2 else 2 * chance[:, 1] - 1
    return np.asarray(np.clip(found, -1.0, 1.0))


def median_stars(logs: Floats) -> NDArray[np.int64]:
    """Stars (texts,) in the middle of the distribution: the guess of least mean absolute error."""
    below = np.cumsum(np.exp(logs), axis=1)
    return np.asarray(1 + (below < 0.5 - 1e-12).sum(axis=1))


def columns_of(logs: Floats) -> dict[str, Any]:
    """What is told of each text."""
    found: dict[str, Any] = {"score": scores(logs), "probability": pleased(logs)}
    if logs.shape[1] > 2:
        found["stars"] = median_stars(logs)
    return found
