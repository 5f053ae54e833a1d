"""Kernel ridge regression of the next purchases on the past ones: customers with like histories buy alike."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import scipy.linalg as sl
import scipy.sparse as sp
from numpy.typing import NDArray

from danggol.purchase.baselines import Rows, Scores
from danggol.purchase.history import History, Matrix

_VIEWS: tuple[tuple[float | None, float], ...] = ((None, 0.6), (90.0, 0.3), (20.0, 0.1))
"""Half-lives in days (None: whenever bought) that a history is read with, and their shares of the likeness."""


class NextKernel:
    """What customers with a like history bought next, over several past moments, in closed form.

    Scores ``k (K + penalty D^-1)^-1 Y``: rows are customers at past moments, Y what they bought within ``days`` of them
    (each row divided by the root of its sum), D the moments' weights ``fade ** nth``. The kernel is ``c + c^2`` with c
    the weighted cosines of the histories, whenever bought and weighed by recency. All of Y ends before the moment of
    the fit. After Sachdeva et al., "Infinite recommendation networks", NeurIPS 2022, with a kernel of our own.
    """

    name = "next_kernel"

    def __init__(
        self,
        days: float = 30,
        step: float = 15,
        moments: int = 3,
        fade: float = 0.85,
        penalty: float = 8.0,
        customers: int = 1000,
        seed: int = 0,
    ) -> None:
        self.days, self.step, self.moments, self.fade, self.penalty = days, step, moments, fade, penalty
        self.customers, self.seed = customers, seed

    def fit(self, history: History) -> Self:
        """Factorise the kernel matrix of the past moments' customers."""
        self._products = history.products
        first = history.lines.ts[0] / 86_400e6 if len(history.lines) else history.now
        before: list[list[Matrix]] = []
        after, weight = [], []
        for nth in range(self.moments):
            then = history.now - self.days - self.step * nth
            if nth and then - first < 30:
                break
            buyers, bought = self._buyers(history, then)
            before.append([matrix[buyers] for matrix in _views(history, then)])
            after.append(bought)
            weight.append(np.full(len(buyers), self.fade**nth))
        self._before = [_unit(sp.vstack(parts).tocsr()) for parts in zip(*before, strict=True)]
        self._after = sp.vstack(after).tocsr()
        self._now = [_unit(matrix) for matrix in _views(history, history.now)]
        among = self._likeness(self._before)
        among[np.diag_indices_from(among)] += np.float32(self.penalty) / np.concatenate(weight).astype(np.float32)
        self._factor = sl.cho_factor(among, lower=True, overwrite_a=True, check_finite=False) if len(among) else None
        return self

    def score(self, customers: Rows) -> Scores:
        """Scores (n, products)."""
        if self._factor is None:
            return np.zeros((len(customers), self._products), np.float32)
        like = self._likeness([matrix[customers] for matrix in self._now])
        solved = sl.cho_solve(self._factor, like, overwrite_b=True, check_finite=False)
        return np.ascontiguousarray((self._after.T @ solved).T, np.float32)

    def _likeness(self, others: list[Matrix]) -> Scores:
        """The kernel (customers at past moments, others)."""
        found = np.zeros((self._before[0].shape[0], others[0].shape[0]), np.float32)
        for (_, share), left, right in zip(_VIEWS, self._before, others, strict=True):
            found += np.float32(share) * np.asarray((left @ right.T).toarray(), np.float32)
        return np.asarray(found + found * found)

    def _buyers(self, history: History, then: float) -> tuple[Rows, Matrix]:
        """Customers with a past who bought after a past moment, and what they bought, each row over its root sum."""
        cells = history.cells
        bought = np.unique(cells.key[(cells.days >= then) & (cells.days < then + self.days)])
        known = np.unique(cells.key[cells.days < then] // history.products)
        buyers = np.intersect1d(np.unique(bought // history.products), known, assume_unique=True)
        if len(buyers) > self.customers:
            buyers = np.sort(np.random.default_rng(self.seed).choice(buyers, self.customers, replace=False))
        rows = history.matrix(bought)[buyers]
        total = np.sqrt(np.asarray(rows.sum(axis=1)).ravel())
        return buyers, sp.diags_array((1 / np.maximum(total, 1)).astype(np.float32)) @ rows


def _views(history: History, then: float) -> list[Matrix]:
    """The customers' rows (customers, products) before a moment, read with each half-life."""
    cells = history.cells
    there = cells.days < then
    key, days = cells.key[there], cells.days[there]
    last = np.concatenate([key[1:] != key[:-1], np.ones(min(len(key), 1), np.bool_)])
    key, since = key[last], then - days[last]
    return [history.matrix(key, _faded(since, half_life)) for half_life, _ in _VIEWS]


def _faded(since: NDArray[Any], half_life: float | None) -> NDArray[Any] | None:
    return None if half_life is None else np.exp2(-since / half_life)


def _unit(rows: Matrix) -> Matrix:
    """Rows of length 1; empty ones stay empty."""
    length = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    scale = np.divide(1.0, length, out=np.zeros_like(length), where=length > 0)
    return sp.csr_matrix(sp.diags_array(scale) @ rows, dtype=np.float32)
