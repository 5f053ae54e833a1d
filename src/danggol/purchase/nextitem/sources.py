"""What followed what: counts of sessions, and the scores that each of several sources gives the items for a session.

Every source is a sparse matrix (sessions, items). Co-visitation by gap and direction, and its cosine (Sarwar et al.,
"Item-based collaborative filtering", WWW 2001); walks of two and three steps (Cooper et al., "Random walks in
recommender systems", WWW 2014); session kNN (Ludewig & Jannach, "Evaluation of session-based recommendation
algorithms", UMUAI 2018, V-SKNN) with the items close to the match counted for more (Garg et al., "STAN", SIGIR 2019).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from danggol.purchase.nextitem.sessions import Codes, Sessions

Sparse = Any
Floats = NDArray[np.float32]

FADING = 0.6
"""How much less an event counts with each event after it."""
LONGEST_GAP = 12
"""Events further apart in a session are not counted as a pair."""
_WALKED = 60
"""Neighbours of an item that a walk goes on to."""
_WALKERS = 200
"""Items that a walk's third step starts from."""
_NEIGHBOURS = 300
"""Sessions that a session is compared with."""
_SIBLINGS = 6
"""Items on each side in the order of ids that may be siblings."""
_SHARED = 4
"""First letters of an id that siblings share, at least."""
_LETTERS = 24
"""Bytes of an id that are compared."""


def pairs(sessions: Sessions) -> tuple[Codes, Codes, Codes, Codes]:
    """Every two events of a session, at most 12 apart, of different items: first, second, gap, session."""
    item, row = sessions.item, sessions.session
    found = [(item[:0], item[:0], item[:0], item[:0])]
    for gap in range(1, min(LONGEST_GAP, int(sessions.length.max(initial=1)) - 1) + 1):
        kept = np.flatnonzero((row[:-gap] == row[gap:]) & (item[:-gap] != item[gap:]))
        found.append((item[kept], item[kept + gap], np.full(len(kept), gap), row[kept]))
    first, second, gap_of, session = (np.concatenate(part) for part in zip(*found, strict=True))
    return first, second, gap_of, session


def ranked(matrix: Sparse, most: int) -> tuple[Codes, Codes, Floats, NDArray[np.int32]]:
    """Row, column, value and rank (from 0) of the ``most`` largest entries of each row, best first."""
    matrix = sp.csr_array(matrix)
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((matrix.indices, -matrix.data, row))
    rank = (np.arange(len(order)) - np.repeat(matrix.indptr[:-1], np.diff(matrix.indptr))).astype(np.int32)
    kept = rank < most
    order = order[kept]
    return row[order], matrix.indices[order].astype(np.int64), matrix.data[order].astype(np.float32), rank[kept]


def top_of_rows(matrix: Sparse, most: int) -> Sparse:
    """A matrix of the ``most`` largest entries of each row."""
    if np.diff(matrix.indptr).max(initial=0) <= most:
        return matrix
    row, column, value, _ = ranked(matrix, most)
    return sp.csr_array((value, (row, column)), shape=matrix.shape)


def scaled(matrix: Sparse, left: NDArray[Any] | None = None, right: NDArray[Any] | None = None) -> Sparse:
    """``diag(left) @ matrix @ diag(right)``."""
    out = sp.csr_array(matrix, copy=True)
    if left is not None:
        out.data = out.data * np.repeat(left.astype(np.float32), np.diff(out.indptr))
    if right is not None:
        out.data = out.data * right.astype(np.float32)[out.indices]
    return out


def query(sessions: Sessions, weight: NDArray[Any], items: int) -> Sparse:
    """Rows (sessions, items) of the events' weights, summed; events of weight 0 or of unknown items are left out."""
    kept = (weight > 0) & (sessions.item < items)
    place = (sessions.session[kept], sessions.item[kept])
    found = sp.csr_array((weight[kept].astype(np.float32), place), shape=(len(sessions), items))
    found.sum_duplicates()
    return found


def filled(row: Codes, item: Codes, score: Floats, popular: Codes, k: int) -> tuple[Codes, Floats]:
    """The first ``k`` of each session (n, k): its candidates, then what is popular (n, m) and not among them."""
    size, width = len(popular), max(int(item.max(initial=0)), int(popular.max(initial=0))) + 1
    floor = float(score.min(initial=0.0)) - 1.0
    more = np.arange(size)[:, None] * width + popular
    fresh = ~np.isin(more, row * width + item)
    place = np.nonzero(fresh)
    row = np.concatenate([row, place[0]])
    item = np.concatenate([item, popular[place]])
    score = np.concatenate([score, (floor - place[1] * 1e-3).astype(np.float32)])
    order = np.lexsort((item, -score, row))
    row, item, score = row[order], item[order], score[order]
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    kept = rank < k
    top, values = np.full((size, k), -1, np.int64), np.full((size, k), np.nan, np.float32)
    top[row[kept], rank[kept]], values[row[kept], rank[kept]] = item[kept], score[kept]
    return top, values


class Counts:
    """Counts of some sessions over a catalogue of so many items and locales."""

    def __init__(self, items: int, locales: int, ids: Ids) -> None:
        self.items, self.locales, self._ids = items, locales, ids

    def fit(self, sessions: Sessions) -> Self:
        """Count."""
        size, (first, second, gap, row) = self.items, pairs(sessions)
        near = (1.0 / gap).astype(np.float32)
        straight = gap == 1
        self.next = self._items(np.ones(int(straight.sum())), first[straight], second[straight])
        self.forward = self._items(near, first, second)
        self.backward = self.forward.T.tocsr()
        self._local(sessions.locale[row], first, second, near)
        self._rows(sessions)
        share = 1.0 / np.log2(1.0 + sessions.length[row])
        both = self._items(np.tile(share, 2), np.concatenate([first, second]), np.concatenate([second, first]))
        length = 1.0 / np.sqrt(np.maximum(self.sessions, 1.0))
        self.siblings = Siblings(self._ids, np.flatnonzero(self.sessions))
        self.cosine = scaled(both, length, length)
        out = np.asarray(self.cosine.sum(axis=1)).ravel()
        self.walk = top_of_rows(scaled(self.cosine, 1.0 / np.maximum(out, 1e-9)), _WALKED)
        self.popular = np.zeros((self.locales + 1, size), np.float32)
        np.add.at(self.popular, (sessions.locale[sessions.session], sessions.item), 1.0)
        self.events = self.popular.sum(axis=0)
        self.last = np.bincount(sessions.item[sessions.start[1:] - 1], minlength=size).astype(np.float32)
        return self

    def _items(self, value: NDArray[Any], row: Codes, column: Codes) -> Sparse:
        found = sp.csr_array((value.astype(np.float32), (row, column)), shape=(self.items, self.items))
        found.sum_duplicates()
        return found

    def _local(self, locale: Codes, first: Codes, second: Codes, near: Floats) -> None:
        """Rows ``locale * items + item``: the counts within each locale; backwards counts for less."""
        kept = locale >= 0
        start, first, second, near = locale[kept] * self.items, first[kept], second[kept], near[kept]
        place = (np.concatenate([start + first, start + second]), np.concatenate([second, first]))
        shape = (max(self.locales, 1) * self.items, self.items)
        self.local = sp.csr_array((np.concatenate([near, near * np.float32(0.7)]), place), shape=shape)
        self.local.sum_duplicates()

    def _rows(self, sessions: Sessions) -> None:
        """The sessions themselves, for kNN: 1 where an item is in a session."""
        self.rows = query(sessions, np.ones(len(sessions.item)), self.items)
        self.rows.data[:] = 1.0
        self.columns = self.rows.T.tocsr()
        self.sessions = np.asarray(self.rows.sum(axis=0), np.float32).ravel()
        self.rarity = np.log1p(len(sessions) / np.maximum(self.sessions, 1.0)).astype(np.float32)

    def scores(self, sessions: Sessions, ids: Ids) -> dict[str, Sparse]:
        """What each source gives: name -> CSR (sessions, items); ``ids`` are of unknown items too."""
        back, size = sessions.from_end, self.items
        first, second, third = (query(sessions, back == nth, size) for nth in range(3))
        fading = query(sessions, FADING**back, size)
        near = top_of_rows(fading @ self.walk, _WALKERS)
        two = top_of_rows(near @ self.walk, _WALKERS)
        kin = self._kin(sessions, ids)
        return {
            "next": first @ self.next,
            "forward": first @ self.forward,
            "backward": first @ self.backward,
            "cosine": first @ self.cosine,
            "second_forward": second @ self.forward,
            "second_backward": second @ self.backward,
            "third": third @ self.cosine,
            "all_forward": fading @ self.forward,
            "all_backward": fading @ self.backward,
            "all_cosine": fading @ self.cosine,
            "local": self._own_locale(sessions, back == 0) @ self.local,
            "all_local": self._own_locale(sessions, FADING**back) @ self.local,
            "walk_one": near,
            "walk_two_last": (first @ self.walk) @ self.walk,
            "walk_two": two,
            "walk_three": two @ self.walk,
            "neighbours": self._neighbours(fading),
            "siblings": kin,
            "siblings_walk": kin @ self.walk,
        }

    def _own_locale(self, sessions: Sessions, weight: NDArray[Any]) -> Sparse:
        locale = sessions.locale[sessions.session]
        kept = (weight > 0) & (sessions.item < self.items) & (locale >= 0)
        place = (sessions.session[kept], locale[kept] * self.items + sessions.item[kept])
        shape = (len(sessions), max(self.locales, 1) * self.items)
        return sp.csr_array((weight[kept].astype(np.float32), place), shape=shape)

    def _kin(self, sessions: Sessions, ids: Ids) -> Sparse:
        """Siblings of the items, unknown ones too, late items counting for more."""
        row, other, value = self.siblings.of(ids, sessions.item)
        value = value * (FADING ** sessions.from_end[row]).astype(np.float32)
        found = sp.csr_array((value, (sessions.session[row], other)), shape=(len(sessions), self.items))
        found.sum_duplicates()
        return found

    def _neighbours(self, fading: Sparse) -> Sparse:
        """Items of the most similar sessions, each counted by the similarity of its session."""
        alike = top_of_rows(scaled(fading, right=self.rarity) @ self.columns, _NEIGHBOURS)
        length = np.diff(self.rows.indptr)
        return scaled(alike, right=1.0 / np.sqrt(np.maximum(length, 1))) @ self.rows


@dataclass(frozen=True)
class Ids:
    """What the ids themselves say: their first bytes (names, width), and their places in sorted order (names,)."""

    letters: NDArray[np.uint8]
    place: Codes

    @classmethod
    def of(cls, names: NDArray[np.object_]) -> Ids:
        """Of names by their codes; at most 24 bytes of each."""
        raw = np.array([str(name).encode()[:_LETTERS] for name in names] or [b""], dtype=np.bytes_)
        letters = raw.view(np.uint8).reshape(len(raw), -1)[: len(names)]
        return cls(letters, np.argsort(np.argsort(raw[: len(names)], kind="stable")))

    def shared(self, one: Codes, other: Codes) -> Codes:
        """How many first bytes two names share (n,); 0 where a code is negative."""
        same = np.minimum.accumulate(self.letters[one] == self.letters[other], axis=1).sum(axis=1)
        return np.where((one >= 0) & (other >= 0), same, 0)

    def raw(self, codes: Codes) -> NDArray[np.bytes_]:
        """The names as bytes (n,)."""
        return np.ascontiguousarray(self.letters[codes]).view(f"S{self.letters.shape[1]}").ravel()


class Siblings:
    """Items whose ids begin alike and stand close in the order of ids: often variants, registered one after another."""

    def __init__(self, ids: Ids, seen: Codes) -> None:
        self._codes = seen[np.argsort(ids.place[seen])]
        self._sorted = ids.raw(self._codes)

    def of(self, ids: Ids, item: Codes) -> tuple[Codes, Codes, Floats]:
        """Index into ``item`` (n,), sibling, and score (doubled by each letter that both share), for each such pair."""
        at = np.searchsorted(self._sorted, ids.raw(item))
        place = at[:, None] + np.arange(-_SIBLINGS, _SIBLINGS + 1)[None, :]
        there = (place >= 0) & (place < len(self._codes))
        row, step = np.nonzero(there)
        other = self._codes[place[there]]
        shared = ids.shared(item[row], other)
        kept = (shared >= _SHARED) & (other != item[row])
        apart = 1 + np.abs(step - _SIBLINGS)[kept]
        return row[kept], other[kept], (2.0 ** (shared[kept] - _SHARED) / apart).astype(np.float32)
