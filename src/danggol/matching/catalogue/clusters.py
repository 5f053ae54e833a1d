"""Groups of like listings with a name: spherical k-means on vectors, named by the words that are theirs.

The vectors may be those of titles, of pictures, or of both. A group's name is the words that are in its titles far more
often than in the other titles: log odds with the whole catalogue as prior, in standard deviations (Monroe, Colaresi &
Quinn, "Fightin' words", Political Analysis 16(4), 2008). Groups are numbered from the largest on, so that the order of
the rows does not matter for a name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix

from danggol.encoders.ngrams import Ngrams
from danggol.errors import DataError, UsageError

Codes = NDArray[np.int64]
_STARTS, _STEPS = 3, 30


@dataclass(frozen=True)
class Clusters:
    """Groups of listings."""

    members: Codes
    """(listings,) the group of each, -1 where it has no vector"""
    centres: NDArray[np.float32]
    """(groups, dimension) of length one"""
    names: list[str]
    """of each group, its words; empty where no title is there"""

    def nearest(self, vectors: ArrayLike) -> Codes:
        """The group (rows,) of any vectors (rows, dimension); -1 where one is nan."""
        rows, there = _unit(vectors)
        found = np.full(len(rows), -1, np.int64)
        found[there] = (rows[there] @ self.centres.T).argmax(axis=1)
        return found

    def frame(self, ids: Sequence[str]) -> pl.DataFrame:
        """product_id, cluster, name of the listings that have a group."""
        table = pl.DataFrame({"product_id": pl.Series(ids, dtype=pl.String), "cluster": self.members})
        named = pl.DataFrame({"cluster": np.arange(len(self.names)), "name": pl.Series(self.names, dtype=pl.String)})
        return table.filter(pl.col("cluster") >= 0).join(named, on="cluster", how="left", maintain_order="left")


def clustered(vectors: ArrayLike, titles: Sequence[str | None], groups: int, words: int = 3, seed: int = 0) -> Clusters:
    """Put listings into ``groups`` groups by vectors (listings, dimension) and name each with ``words`` words.

    A vector of nan belongs to no group. UsageError: rows do not fit, or fewer vectors than groups.
    """
    rows, there = _unit(vectors)
    if len(rows) != len(titles):
        raise UsageError(f"{len(rows)} vectors, but {len(titles)} titles; give each listing one of both")
    if not 1 <= groups <= there.sum():
        raise UsageError(f"{there.sum()} listings have a vector; ask for between 1 and so many groups, not {groups}")
    found, centres = _best(rows[there], groups, seed)
    sizes = np.bincount(found, minlength=groups)
    order = np.argsort(-sizes, kind="stable")
    place = np.empty(groups, np.int64)
    place[order] = np.arange(groups)
    members = np.full(len(rows), -1, np.int64)
    members[there] = place[found]
    return Clusters(members, centres[order], named(titles, members, groups, words))


def named(titles: Sequence[str | None], members: Codes, groups: int, words: int = 3) -> list[str]:
    """The words that are each group's own, the strongest first; ``members`` (titles,), -1 for none."""
    counted = Ngrams(kind="words", high=1, fewest=2, most=0.9)
    try:
        rows = counted.fit_transform(titles)
    except DataError:
        return [""] * groups
    inside = np.flatnonzero(members >= 0)
    incidence = csr_matrix((np.ones(len(inside)), (members[inside], inside)), (groups, len(titles)))
    there = csr_matrix((np.ones(len(rows.data)), rows.indices, rows.indptr), rows.shape)
    own = np.asarray((incidence @ there).todense())
    whole = np.asarray(there.sum(axis=0)).ravel()
    rest, prior = whole - own, 0.01 * whole + 0.01
    total, spare = own.sum(axis=1, keepdims=True), prior.sum()
    first = np.log((own + prior) / (total + spare - own - prior))
    second = np.log((rest + prior) / (whole.sum() - total + spare - rest - prior))
    score = (first - second) / np.sqrt(1 / (own + prior) + 1 / (rest + prior))
    # a word in one symbol says nothing
    score[:, [len(name) < 2 for name in counted.names]] = -np.inf
    best = np.argsort(-score, axis=1, kind="stable")[:, :words]
    return [" ".join(counted.names[nth] for nth in row if score[group, nth] > 0) for group, row in enumerate(best)]


def _best(rows: NDArray[np.float32], groups: int, seed: int) -> tuple[Codes, NDArray[np.float32]]:
    """The best of a few starts: group (rows,) and centres."""
    found = []
    for start in range(_STARTS):
        centres = _spread(rows, groups, np.random.default_rng([seed, start]))
        near = np.zeros(len(rows), np.int64)
        for step in range(_STEPS):
            likeness = rows @ centres.T
            before, near = near, likeness.argmax(axis=1)
            if step and (before == near).all():
                break
            incidence = csr_matrix((np.ones(len(rows), np.float32), (near, np.arange(len(rows)))), (groups, len(rows)))
            sums = incidence @ rows
            length = np.linalg.norm(sums, axis=1, keepdims=True)
            # a group that nothing is near to begins anew at the row that is worst off
            centres = np.where(length > 1e-6, sums / np.maximum(length, 1e-6), rows[likeness.max(axis=1).argmin()])
        found.append((float((rows * centres[near]).sum()), near, centres.astype(np.float32)))
    _, near, centres = max(found, key=lambda one: one[0])
    return near, centres


def _spread(rows: NDArray[np.float32], groups: int, draw: np.random.Generator) -> NDArray[np.float32]:
    """First centres far from each other (k-means++: Arthur & Vassilvitskii, SODA 2007)."""
    chosen = [int(draw.integers(len(rows)))]
    far = 1 - rows @ rows[chosen[0]]
    while len(chosen) < groups:
        chance = np.maximum(far.astype(np.float64), 0) + 1e-12
        chosen.append(int(draw.choice(len(rows), p=chance / chance.sum())))
        far = np.minimum(far, 1 - rows @ rows[chosen[-1]])
    return rows[chosen]


def _unit(vectors: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Vectors of length one, and which of them are there."""
    rows = np.asarray(vectors, np.float32)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    there = np.isfinite(length[:, 0]) & (length[:, 0] > 0)
    return np.where(there[:, None], rows / np.where(there[:, None], length, 1), 0).astype(np.float32), there
