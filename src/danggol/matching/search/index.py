"""Nearest neighbours: of sparse text vectors, of dense vectors, and of 64-bit hashes.

Sparse vectors are multiplied in chunks, exactly; where there are many listings, n-grams that very many share are
left out of the search (not of the similarity): time grows with the number of listings and not with its square.
Dense vectors: exact up to ``EXACT`` rows, then in cells, of which more are looked into until a sample of exact searches
is found well enough (:mod:`danggol.matching.search.cells`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from danggol.matching.search.cells import Cells, ordered

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]
Bools = NDArray[np.bool_]
EXACT = 40_000
"""Dense vectors up to which every pair is looked at."""
_CHUNK = 1_000
"""Rows whose similarities are held at a time."""
_SAMPLE = 200
_MANY = 0.5
"""Share of the cells from which exact search costs no more."""
_FEW = 5_000
"""Queries below which learning the cells would take longer than looking at every pair."""
_CROWD = 4
"""Times k: rows with more similarities than that are cut before they are put in order."""
_NO_HASH = 65
"""A distance beyond every other, where a listing has no hash."""


@dataclass(frozen=True)
class Neighbours:
    """The nearest of each query, best first; ties by place."""

    place: Ints
    """(queries, k) row of the neighbour, -1 where there is none"""
    similarity: Floats
    """(queries, k) falling; -inf where there is none"""


def sparse_neighbours(
    queries: csr_matrix, rows: csr_matrix, k: int, most: int = 1_000, floor: float = 0.1
) -> Neighbours:
    """The ``k`` rows with the largest dot product above ``floor``.

    ``queries`` (queries, columns) and ``rows`` (rows, columns) hold vectors of length one. Columns in more than
    ``most`` rows are not searched by; the dot products of what is found are exact.
    """
    kept = np.flatnonzero(np.bincount(rows.indices, minlength=rows.shape[1]) <= most)
    exact = len(kept) == rows.shape[1]
    turned, sought = rows[:, kept].T.tocsr(), queries[:, kept]
    wide = k if exact else 2 * k
    found = [
        _best(sought[start : start + _CHUNK] @ turned, wide, floor) for start in range(0, queries.shape[0], _CHUNK)
    ]
    place = np.concatenate([np.zeros((0, wide), np.int64), *(one for one, _ in found)])
    similarity = np.concatenate([np.zeros((0, wide), np.float32), *(two for _, two in found)])
    return Neighbours(place, similarity) if exact else _rescored(place, queries, rows, k)


def dense_neighbours(queries: Floats, rows: Floats, k: int, recall: float = 0.98) -> Neighbours:
    """The ``k`` rows with the largest inner product; vectors (n, d) of length one.

    Beyond as many products as :data:`EXACT` rows have among themselves, cells are searched, as many as it takes to find
    ``recall`` of the neighbours of a sample of queries; every row where that takes half of the cells.
    """
    if not len(rows) or not len(queries):
        return Neighbours(np.full((len(queries), k), -1), np.full((len(queries), k), -np.inf, np.float32))
    same = rows is queries
    rows = np.ascontiguousarray(rows, np.float32)
    queries = rows if same else np.ascontiguousarray(queries, np.float32)
    if len(queries) >= _FEW and len(rows) * len(queries) > EXACT**2:
        cells = Cells(rows)
        home = cells.home if same else cells.homes(queries)
        probes = _probes(cells, queries, home, rows, k, recall)
        if probes:
            return Neighbours(*cells.search(queries, home, k, probes))
    return _exact(queries, rows, k)


def hash_neighbours(queries: Hashes, rows: Hashes, k: int) -> Neighbours:
    """The ``k`` rows nearest in Hamming distance; similarity is ``1 - distance / 64``. Zero is no hash."""
    import faiss

    known, asked = np.flatnonzero(rows), np.flatnonzero(queries)
    place = np.full((len(queries), k), -1, np.int64)
    distance = np.full((len(queries), k), _NO_HASH, np.int64)
    wide = min(k, len(known))
    if wide and len(asked):
        index = faiss.IndexBinaryFlat(64)
        index.add(_bytes(rows[known]))
        found, near = index.search(_bytes(queries[asked]), wide)
        place[asked[:, None], np.arange(wide)] = known[near]
        distance[asked[:, None], np.arange(wide)] = found
    similarity = np.where(place >= 0, 1 - distance / 64, -np.inf).astype(np.float32)
    return Neighbours(*ordered(place, similarity))


def hash_distance(first: Hashes, second: Hashes) -> Ints:
    """Differing bits of each pair (pairs,), 65 where either has no hash (zero)."""
    bits = np.bitwise_count(first ^ second).astype(np.int64)
    return np.where((first == 0) | (second == 0), _NO_HASH, bits)


def sparse_dots(first: csr_matrix, second: csr_matrix, left: Ints, right: Ints, chunk: int = 200_000) -> Floats:
    """Dot products (pairs,) of row ``left`` of the one with row ``right`` of the other."""
    found = np.zeros(len(left), np.float32)
    for start in range(0, len(left), chunk):
        part = slice(start, start + chunk)
        found[part] = np.asarray(first[left[part]].multiply(second[right[part]]).sum(axis=1)).ravel()
    return found


def _best(similarity: csr_matrix, k: int, floor: float) -> tuple[Ints, Floats]:
    """Places and similarities (rows, k) of the largest above the floor, best first."""
    kept = _uncrowded(similarity, k, floor)
    who = np.repeat(np.arange(similarity.shape[0]), np.diff(similarity.indptr))[kept]
    place, value = similarity.indices[kept], similarity.data[kept]
    order = np.lexsort((place, -value, who))
    who, place, value = who[order], place[order], value[order]
    count = np.bincount(who, minlength=similarity.shape[0])
    nth = np.arange(len(who)) - np.repeat(np.cumsum(count) - count, count)
    first = nth < k
    places = np.full((similarity.shape[0], k), -1, np.int64)
    values = np.full((similarity.shape[0], k), -np.inf, np.float32)
    places[who[first], nth[first]], values[who[first], nth[first]] = place[first], value[first]
    return places, values


def _uncrowded(similarity: csr_matrix, k: int, floor: float) -> NDArray[np.bool_]:
    """Which entries lie above the floor; of rows with very many, those of the ``k`` largest."""
    kept: NDArray[np.bool_] = similarity.data > floor
    starts = similarity.indptr
    above = np.concatenate([[0], np.cumsum(kept)])[starts]
    for row in np.flatnonzero(np.diff(above) > _CROWD * k):
        part = slice(starts[row], starts[row + 1])
        values = similarity.data[part]
        kept[part] &= values >= np.partition(values, len(values) - k)[len(values) - k]
    return kept


def _rescored(place: Ints, queries: csr_matrix, rows: csr_matrix, k: int) -> Neighbours:
    """The exact similarities of what was found, and the best of them."""
    there = place >= 0
    similarity = np.full(place.shape, -np.inf, np.float32)
    similarity[there] = sparse_dots(queries, rows, np.nonzero(there)[0], place[there])
    place, similarity = ordered(place, similarity)
    return Neighbours(place[:, :k], similarity[:, :k])


def _exact(queries: Floats, rows: Floats, k: int) -> Neighbours:
    import faiss

    similarity, place = faiss.knn(queries, rows, k, faiss.METRIC_INNER_PRODUCT)
    return Neighbours(*ordered(place, similarity))


def _probes(cells: Cells, queries: Floats, home: Ints, rows: Floats, k: int, recall: float) -> int:
    """How many cells are looked into, so that a sample's neighbours are found; 0 where it takes too many."""
    sample = np.random.default_rng(0).choice(len(queries), min(_SAMPLE, len(queries)), replace=False)
    truth = _exact(queries[sample], rows, k).place
    probes = 4
    while probes < _MANY * len(cells.middles):
        if overlap(cells.search(queries[sample], home[sample], k, probes)[0], truth) >= recall:
            return probes
        probes *= 2
    return 0


def extended(old: Neighbours, new: Neighbours) -> Neighbours:
    """The lists of old listings and of new ones after them, the new having been searched among all.

    An old listing's list takes up those new ones that have it in theirs.
    """
    size, k = old.place.shape
    place = np.concatenate([old.place, new.place])
    similarity = np.concatenate([old.similarity, new.similarity])
    who, nth = np.nonzero((new.place >= 0) & (new.place < size))
    row, value = new.place[who, nth], new.similarity[who, nth]
    nearer = value > similarity[row, k - 1]
    _insert(place, similarity, row[nearer], who[nearer] + size, value[nearer])
    return Neighbours(place, similarity)


def _insert(place: Ints, similarity: Floats, row: Ints, other: Ints, value: Floats) -> None:
    """Put others into the lists of rows, behind equally near ones; each list takes one at a time."""
    order = np.argsort(row, kind="stable")
    count = np.unique(row, return_counts=True)[1]
    turn = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    order = order[np.argsort(turn, kind="stable")]
    column = np.arange(place.shape[1])
    before = np.maximum(column - 1, 0)
    for part in np.split(order, np.cumsum(np.bincount(turn))[:-1]) if len(row) else []:
        rows, near, far = row[part], value[part, None], other[part, None]
        held, names = similarity[rows], place[rows]
        at = (held >= near).sum(axis=1)[:, None]
        similarity[rows] = np.where(column < at, held, np.where(column == at, near, held[:, before]))
        place[rows] = np.where(column < at, names, np.where(column == at, far, names[:, before]))


def overlap(found: Ints, truth: Ints) -> float:
    """The share of the true neighbours (queries, k) that were found."""
    rows = np.arange(len(truth))[:, None] * (int(max(found.max(), truth.max())) + 2)
    return float(np.isin(truth + rows, found + rows).mean())


def _bytes(hashes: Hashes) -> NDArray[np.uint8]:
    return np.ascontiguousarray(hashes).view(np.uint8).reshape(-1, 8)
