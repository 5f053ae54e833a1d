"""Search in cells: rows are put into cells around learnt middles, and a query looks into the cells near its own.

An inverted file (Jégou, Douze & Schmid, 2011; Douze et al., "The faiss library", 2024), but all queries of one cell
look into the same cells, those nearest to the cell's middle. So many queries are multiplied with many rows at once,
which is several times quicker than query by query where as many ask as there are rows.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
_ROUNDS = 8
"""Of k-means."""
_TAUGHT = 40
"""Rows a cell that k-means learns from."""


class Cells:
    """Rows (n, d) of length one, in about twice the square root of n cells."""

    def __init__(self, rows: Floats, seed: int = 0) -> None:
        import faiss

        count = max(int(2 * np.sqrt(len(rows))), 1)
        drawn = np.random.default_rng(seed).choice(len(rows), min(len(rows), _TAUGHT * count), replace=False)
        means = faiss.Kmeans(rows.shape[1], count, niter=_ROUNDS, seed=seed + 1, spherical=True)
        means.cp.min_points_per_centroid = 1
        means.train(rows[np.sort(drawn)])
        self.middles = np.asarray(means.centroids, np.float32)
        """(cells, d)"""
        self.home = self.homes(rows)
        """(n,) each row's cell"""
        self.order = np.argsort(self.home, kind="stable")
        """(n,) rows, cell after cell"""
        self.starts = np.searchsorted(self.home[self.order], np.arange(count + 1))
        """(cells + 1,) where each cell begins in the order"""
        self.rows = rows[self.order]

    def homes(self, queries: Floats) -> Ints:
        """The cell (queries,) that each lies in."""
        import faiss

        found: Ints = faiss.knn(queries, self.middles, 1, faiss.METRIC_INNER_PRODUCT)[1].ravel()
        return found

    def search(self, queries: Floats, home: Ints, k: int, probes: int) -> tuple[Ints, Floats]:
        """The nearest (queries, k) of the rows in the ``probes`` cells nearest to each query's, best first.

        Place -1 and similarity -inf where there are fewer.
        """
        place = np.full((len(queries), k), -1, np.int64)
        similarity = np.full((len(queries), k), -np.inf, np.float32)
        for asked, places, values in self._found(queries, home, k, probes):
            place[asked, : places.shape[1]], similarity[asked, : places.shape[1]] = places, values
        return place, similarity

    def _found(self, queries: Floats, home: Ints, k: int, probes: int) -> Iterator[tuple[Ints, Ints, Floats]]:
        """The queries of one cell after the other, and what they find."""
        import faiss

        order = np.argsort(home, kind="stable")
        cells, first = np.unique(home[order], return_index=True)
        near = faiss.knn(self.middles[cells], self.middles, probes, faiss.METRIC_INNER_PRODUCT)[1]
        for asked, looked in zip(np.split(order, first[1:]), near, strict=True):
            spans = [slice(*self.starts[cell : cell + 2]) for cell in np.sort(looked)]
            rows = np.concatenate([self.rows[span] for span in spans])
            if len(rows):
                values, nth = faiss.knn(queries[asked], rows, min(k, len(rows)), faiss.METRIC_INNER_PRODUCT)
                places = np.concatenate([self.order[span] for span in spans])[nth]
                yield asked, *ordered(places, values)


def ordered(place: Ints, similarity: Floats) -> tuple[Ints, Floats]:
    """Lists (queries, k) best first; equal ones by place; a place of -1 is none."""
    similarity = np.where(place >= 0, similarity, -np.inf).astype(np.float32)
    order = np.lexsort((place, -similarity), axis=1)
    return (
        np.take_along_axis(place, order, axis=1).astype(np.int64),
        np.take_along_axis(similarity, order, axis=1),
    )
