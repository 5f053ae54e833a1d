"""How well listings are matched: F1 of each listing's set, and of pairs.

Both are told as predicted pairs (listing, other). A listing always belongs to its own set, on both sides.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from danggol.errors import UsageError


def row_f1(left: ArrayLike, right: ArrayLike, groups: ArrayLike) -> NDArray[np.float64]:
    """F1 (listings,) of the predicted set of each listing against its label group; the mean is Shopee's figure.

    ``left`` and ``right`` (pairs,) are rows of ``groups`` (listings,): ``right`` is predicted for ``left``, in this
    direction only. A pair told twice counts once; the listing itself is always predicted. UsageError: a row that is
    not there.
    """
    who, other, code = _pairs(left, right, groups)
    size = len(code)
    pair = np.unique(who[who != other] * size + other[who != other])
    who, other = pair // max(size, 1), pair % max(size, 1)
    hits = 1.0 + np.bincount(who[code[who] == code[other]], minlength=size)
    told = 1.0 + np.bincount(who, minlength=size)
    true = np.bincount(code)[code] if size else np.zeros(0)
    return np.asarray(2 * hits / (told + true), np.float64)


def pair_f1(left: ArrayLike, right: ArrayLike, groups: ArrayLike) -> float:
    """F1 of the pairs, each counted once whatever its direction, a listing with itself left out; nan without any."""
    who, other, code = _pairs(left, right, groups)
    size = max(len(code), 1)
    low, high = np.minimum(who, other), np.maximum(who, other)
    pair = np.unique((low * size + high)[low != high])
    hits = float((code[pair // size] == code[pair % size]).sum()) if len(pair) else 0.0
    count = np.bincount(code) if len(code) else np.zeros(0)
    true = float((count * (count - 1) / 2).sum())
    return 2 * hits / (len(pair) + true) if len(pair) + true else float("nan")


def _pairs(
    left: ArrayLike, right: ArrayLike, groups: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    who, other = np.asarray(left, np.int64), np.asarray(right, np.int64)
    code = np.unique(np.asarray(groups), return_inverse=True)[1].reshape(-1).astype(np.int64)
    if who.shape != other.shape or who.ndim != 1:
        raise UsageError(f"left {who.shape} and right {other.shape} must hold the same pairs, in one dimension")
    if len(who) and not (min(who.min(), other.min()) >= 0 and max(who.max(), other.max()) < len(code)):
        raise UsageError(f"a pair names a row beyond the {len(code)} listings")
    return who, other, code
