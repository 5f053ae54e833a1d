"""The plain models of the next item that ours is measured against: popularity, co-visitation, session kNN and EASE.

Each is fitted to sessions of a catalogue and then gives the first k items of sessions so far, as codes (n, k), -1 where
a list is short. Items of the session itself get their recency times ``own`` more (the row's best score being 1); what
is popular in the locale fills the list.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
import scipy.linalg as sl
import scipy.sparse as sp
from numpy.typing import NDArray

from danggol.errors import UsageError
from danggol.purchase.nextitem.sessions import Codes, Sessions
from danggol.purchase.nextitem.sources import Floats, Sparse, filled, pairs, query, ranked, scaled, top_of_rows

_CHUNK, _DENSE_CHUNK = 2000, 500
_KEPT = 150
"""Items of a session that a model's own score orders; popularity orders the rest."""


class NextItemBaseline(ABC):
    """A model that scores items by a matrix (sessions, items)."""

    name = "baseline"
    chunk = _CHUNK
    """Sessions scored at once."""
    afresh = False
    """Whether the session's own items are scored by their recency alone, and not in addition."""

    def __init__(self, own: float = 0.0, fading: float = 0.6) -> None:
        self.own, self.fading = own, fading

    def fit(self, sessions: Sessions, items: int, locales: int) -> Self:
        """Learn from whole sessions over a catalogue of so many items and locales."""
        if len(sessions) == 0:
            raise UsageError("there are no sessions to learn from")
        self.items = items
        popular = np.zeros((locales + 1, items), np.float32)
        np.add.at(popular, (sessions.locale[sessions.session], sessions.item), 1.0)
        popular += popular.sum(axis=0) * np.float32(1e-4)
        self.popular = np.argsort(-popular, axis=1, kind="stable")
        self.learn(sessions)
        return self

    @abstractmethod
    def learn(self, sessions: Sessions) -> None:
        """Learn what :meth:`scores` needs."""

    @abstractmethod
    def scores(self, sessions: Sessions) -> Sparse:
        """Scores (sessions, items) of sessions so far, 0 or above."""

    def rank(self, sessions: Sessions, k: int) -> Codes:
        """The first ``k`` items (n, k) of sessions so far, best first."""
        out = np.full((len(sessions), k), -1, np.int64)
        width = max(self.items, int(sessions.item.max(initial=0)) + 1)
        for start in range(0, len(sessions), self.chunk):
            rows = np.arange(start, min(start + self.chunk, len(sessions)))
            part = sessions.take(rows)
            found = sp.csr_array(top_of_rows(self.scores(part), _KEPT))
            best = np.asarray(found.max(axis=1).todense(), np.float32).ravel()
            found = scaled(found, 1.0 / np.maximum(best, 1e-20))
            found = sp.csr_array((found.data, found.indices, found.indptr), shape=(len(part), width))
            own = query(part, self.fading**part.from_end, width)
            found = (_without(found, own) if self.afresh else found) + self.own * own
            row, item, value, _ = ranked(found, _KEPT + k)
            out[rows], _ = filled(row, item, value, self.popular[part.locale][:, : 2 * k], k)
        return out


def _without(matrix: Sparse, own: Sparse) -> Sparse:
    """The matrix with 0 wherever ``own`` has an entry."""
    there = own.copy()
    there.data[:] = 1.0
    return matrix - matrix.multiply(there)


class LocalPopularity(NextItemBaseline):
    """What is looked at most in the locale, before what is looked at most anywhere."""

    name = "popularity"

    def learn(self, sessions: Sessions) -> None:
        """Popularity is counted already."""

    def scores(self, sessions: Sessions) -> Sparse:
        """Nothing but the filling."""
        return sp.csr_array((len(sessions), self.items), dtype=np.float32)


class CoVisitation(NextItemBaseline):
    """Items that were looked at in the same sessions, the nearer the more: ``1 / gap``, backwards times ``back``.

    ``damped`` divides by the item's sessions to that power (0: counts, 0.5: as in a cosine).
    """

    name = "covisitation"

    def __init__(self, own: float = 0.6, fading: float = 0.4, back: float = 0.7, damped: float = 0.0) -> None:
        super().__init__(own, fading)
        self.back, self.damped = back, damped

    def learn(self, sessions: Sessions) -> None:
        """Count."""
        first, second, gap, _ = pairs(sessions)
        near = 1.0 / gap
        place = (np.concatenate([first, second]), np.concatenate([second, first]))
        value = np.concatenate([near, near * self.back]).astype(np.float32)
        found = sp.csr_array((value, place), shape=(self.items, self.items))
        found.sum_duplicates()
        visits = np.bincount(sessions.item, minlength=self.items)
        self.weights = scaled(found, right=1.0 / np.maximum(visits, 1) ** self.damped)

    def scores(self, sessions: Sessions) -> Sparse:
        """Summed over the session's items, late ones counting for more."""
        return query(sessions, self.fading**sessions.from_end, self.items) @ self.weights


class SessionKNN(NextItemBaseline):
    """V-SKNN: items of the most similar sessions (Ludewig & Jannach, UMUAI 2018).

    Similarity: the shared items' recency in this session times their rarity, over the other session's length to the
    power ``shortened``.
    """

    name = "session-knn"
    afresh = True

    def __init__(
        self, own: float = 0.7, fading: float = 0.6, neighbours: int = 300, rarity: float = 0.0, shortened: float = 1.0
    ) -> None:
        super().__init__(own, fading)
        self.neighbours, self.rarity, self.shortened = neighbours, rarity, shortened

    def learn(self, sessions: Sessions) -> None:
        """Keep the sessions."""
        self.rows = query(sessions, np.ones(len(sessions.item)), self.items)
        self.rows.data[:] = 1.0
        self.columns = self.rows.T.tocsr()
        visits = np.maximum(np.diff(self.columns.indptr), 1)
        self.weight = np.log1p(len(sessions) / visits) ** self.rarity
        self.length = 1.0 / np.maximum(np.diff(self.rows.indptr), 1) ** self.shortened

    def scores(self, sessions: Sessions) -> Sparse:
        """Neighbours' items."""
        fading = query(sessions, self.fading**sessions.from_end, self.items)
        alike = scaled(scaled(fading, right=self.weight) @ self.columns, right=self.length)
        return top_of_rows(alike, self.neighbours) @ self.rows


class DenseBaseline(NextItemBaseline):
    """A model whose scores are dense over the items with ``least`` events or more: ``self.kept`` (codes)."""

    chunk = _DENSE_CHUNK

    def __init__(self, own: float, fading: float = 0.6, least: int = 5) -> None:
        super().__init__(own, fading)
        self.least = least

    def keep(self, sessions: Sessions) -> None:
        """Choose the items that are modelled, and number them."""
        self.kept = np.flatnonzero(np.bincount(sessions.item, minlength=self.items) >= self.least)
        self.number = np.full(self.items + 1, -1, np.int64)
        self.number[self.kept] = np.arange(len(self.kept))

    def spread(self, dense: NDArray[Any], known: NDArray[Any]) -> Sparse:
        """The best of dense scores (n, kept), shifted to be above 0, as a matrix (n, items); 0 where not ``known``."""
        most = min(_KEPT, dense.shape[1])
        column = np.argpartition(-dense, most - 1, axis=1)[:, :most]
        value = np.take_along_axis(dense, column, axis=1)
        value = np.asarray(value - value.min(axis=1, keepdims=True) + 1e-6, np.float32) * known[:, None]
        place = (np.repeat(np.arange(len(dense)), most), self.kept[column.ravel()])
        found = sp.csr_array((value.ravel(), place), shape=(len(dense), self.items))
        found.eliminate_zeros()
        return found


class SessionEASE(DenseBaseline):
    """EASE (Steck 2019) with sessions as rows, on the items with ``least`` events or more; late items count more."""

    name = "ease"

    def __init__(self, own: float = 0.6, fading: float = 0.6, least: int = 5, ridge: float = 20.0) -> None:
        super().__init__(own, fading, least)
        self.ridge = ridge

    def learn(self, sessions: Sessions) -> None:
        """Closed form, in the place of the Gram matrix: ``4 * kept ** 2`` bytes."""
        self.keep(sessions)
        rows = query(sessions, np.ones(len(sessions.item)), self.items)[:, self.kept]
        rows.data[:] = 1.0
        together = np.asarray((rows.T @ rows).toarray(order="F"), np.float32)
        together[np.diag_indices(len(together))] += self.ridge
        together, failed = sl.lapack.spotrf(together, lower=1, overwrite_a=1, clean=0)
        together, failed_too = sl.lapack.spotri(together, lower=1, overwrite_c=1)
        if failed or failed_too:
            raise np.linalg.LinAlgError("X'X + ridge I is not positive definite")
        self.weights = _weights(together)

    def scores(self, sessions: Sessions) -> Sparse:
        """``x @ B``."""
        rows = query(sessions, self.fading**sessions.from_end, self.items)[:, self.kept]
        return self.spread(np.asarray(rows @ self.weights, np.float32), np.diff(rows.indptr) > 0)


def _weights(inverse: Floats) -> Floats:
    """``-P / diag(P)`` with a zero diagonal, from the lower triangle of P, in place, a stripe at a time."""
    diagonal = np.diag(inverse).copy()
    for start in range(0, len(inverse), 1000):
        end = min(start + 1000, len(inverse))
        square = np.tril(inverse[start:end, start:end])
        inverse[start:end, start:end] = square + np.tril(square, -1).T
        inverse[start:end, end:] = inverse[end:, start:end].T
    weights = inverse.T  # P is symmetric; LAPACK's order is by columns, and a sparse product needs rows
    weights /= -diagonal[None, :]
    np.fill_diagonal(weights, 0.0)
    return weights
