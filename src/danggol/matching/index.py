"""Nearest neighbours: of sparse text vectors, of dense vectors, and of 64-bit hashes.

Sparse vectors are multiplied in chunks, exactly; where there are many listings, n-grams that very many share are
left out of the search (not of the similarity): time grows with the number of listings and not with its square.
Dense vectors: exact up to ``EXACT`` rows, then an inverted file (IVF: Jégou et al. 2011; Douze et al., "The faiss
library", 2024) whose number of probed cells is raised until a sample of exact searches is found well enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]
EXACT = 100_000
"""Dense vectors up to which every pair is looked at."""
_CHUNK = 1_000
"""Rows whose similarities are held at a time."""
_SAMPLE = 200
_SHIFT = 2.0
"""Added to similarities, so that none is zero where they are held in a sparse matrix."""
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

    Beyond as many products as :data:`EXACT` rows have among themselves, an inverted file is searched, with cells probed
    until ``recall`` of the neighbours of a sample are found.
    """
    import faiss

    if not len(rows) or not len(queries):
        return Neighbours(np.full((len(queries), k), -1), np.full((len(queries), k), -np.inf, np.float32))
    rows, queries = np.ascontiguousarray(rows, np.float32), np.ascontiguousarray(queries, np.float32)
    exact = faiss.IndexFlatIP(rows.shape[1])
    exact.add(rows)
    index = exact if len(rows) * len(queries) <= EXACT**2 else _inverted(rows, exact, k, recall)
    similarity, place = index.search(queries, k)
    return _ordered(place, similarity)


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
    return _ordered(place, similarity)


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
    kept = similarity.data > floor
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


def _rescored(place: Ints, queries: csr_matrix, rows: csr_matrix, k: int) -> Neighbours:
    """The exact similarities of what was found, and the best of them."""
    there = place >= 0
    similarity = np.full(place.shape, -np.inf, np.float32)
    similarity[there] = sparse_dots(queries, rows, np.nonzero(there)[0], place[there])
    ordered = _ordered(place, similarity)
    return Neighbours(ordered.place[:, :k], ordered.similarity[:, :k])


def _ordered(place: Ints, similarity: Floats) -> Neighbours:
    """Best first; equal ones by place."""
    similarity = np.where(place >= 0, similarity, -np.inf).astype(np.float32)
    order = np.lexsort((place, -similarity), axis=1)
    return Neighbours(
        np.take_along_axis(place, order, axis=1).astype(np.int64), np.take_along_axis(similarity, order, axis=1)
    )


def _inverted(rows: Floats, exact: Any, k: int, recall: float) -> Any:
    """An inverted file whose probes are doubled until a sample's neighbours are found."""
    import faiss

    cells = int(4 * np.sqrt(len(rows)))
    rng = np.random.default_rng(0)
    learnt = rows[np.sort(rng.choice(len(rows), min(len(rows), 40 * cells), replace=False))]
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(rows.shape[1]), rows.shape[1], cells, faiss.METRIC_INNER_PRODUCT)
    index.cp.niter, index.cp.seed = 10, 1
    index.train(learnt)
    index.add(rows)
    sample = rows[rng.choice(len(rows), _SAMPLE, replace=False)]
    truth = exact.search(sample, k)[1]
    index.nprobe = 4
    while index.nprobe < cells and overlap(index.search(sample, k)[1], truth) < recall:
        index.nprobe = min(2 * index.nprobe, cells)
    return index


def extended(old: Neighbours, new: Neighbours) -> Neighbours:
    """The lists of old listings and of new ones after them, the new having been searched among all.

    An old listing's list takes up those new ones that have it in theirs.
    """
    size, k = old.place.shape
    k = max(k, new.place.shape[1])
    farthest = np.append(old.similarity[:, -1], np.inf)
    among = np.where(new.place < size, new.place, -1)
    who, nth = np.nonzero(new.similarity > farthest[among])
    rows = np.unique(new.place[who, nth])
    back = csr_matrix(
        (new.similarity[who, nth] + _SHIFT, (np.searchsorted(rows, new.place[who, nth]), who + size)),
        (len(rows), size + len(new.place)),
    )
    there = old.place[rows] >= 0
    kept = csr_matrix(
        (old.similarity[rows][there] + _SHIFT, (np.nonzero(there)[0], old.place[rows][there])), back.shape
    )
    place, similarity = _best(csr_matrix(kept + back), k, 0.0)
    places = np.full((size + len(new.place), k), -1, np.int64)
    values = np.full(places.shape, -np.inf, np.float32)
    places[:size, : old.place.shape[1]], values[:size, : old.place.shape[1]] = old.place, old.similarity
    places[rows], values[rows] = place, similarity - _SHIFT
    places[size:, : new.place.shape[1]], values[size:, : new.place.shape[1]] = new.place, new.similarity
    return Neighbours(places, values)


def overlap(found: Ints, truth: Ints) -> float:
    """The share of the true neighbours (queries, k) that were found."""
    rows = np.arange(len(truth))[:, None] * (int(max(found.max(), truth.max())) + 2)
    return float(np.isin(truth + rows, found + rows).mean())


def _bytes(hashes: Hashes) -> NDArray[np.uint8]:
    return np.ascontiguousarray(hashes).view(np.uint8).reshape(-1, 8)
