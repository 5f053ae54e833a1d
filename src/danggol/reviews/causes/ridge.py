"""Weighted ridge regression of several targets on sparse rows, by conjugate gradients: least squares at any size.

The dual is solved (Saunders, Gammerman & Vovk, "Ridge regression learning algorithm in dual variables", ICML 1998), one
unknown a row and target, so that the memory does not go with the columns. Targets share each multiplication.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Floats = NDArray[np.float64]
_STEPS, _NEAR = 500, 1e-4


def ridge(rows: csr_matrix, targets: Floats, often: Floats, held_back: float) -> Floats:
    """Weights (columns, targets) that minimise ``sum_i often_i |row_i W - target_i|^2 + held_back |W|^2``.

    ``rows`` (rows, columns), ``targets`` (rows, targets), ``often`` (rows,) of 0 or more. Stops where the residual of
    every target is a ten-thousandth of its length, or after 500 steps.
    """
    root = np.sqrt(often)[:, None]
    turned = rows.T.tocsr()
    right = root * targets
    found = np.zeros_like(right)
    rest, way = right.copy(), right.copy()
    square = (rest**2).sum(axis=0)
    least = _NEAR**2 * np.maximum(square, 1e-30)
    for _ in range(_STEPS):
        if np.all(square <= least):
            break
        moved = root * (rows @ (turned @ (root * way))) + held_back * way
        step = square / np.maximum((way * moved).sum(axis=0), 1e-300)
        found += step * way
        rest -= step * moved
        now = (rest**2).sum(axis=0)
        way = rest + now / np.maximum(square, 1e-300) * way
        square = now
    return np.asarray(turned @ (root * found))
