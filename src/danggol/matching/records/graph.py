"""What the other pairs of either record say of a pair: a matcher sees the whole file of candidates.

``standing`` needs no labels: how the pair's likeness ranks among the pairs of its left and of its right record, and how
far it is from the best other. ``around`` tells what is known, by label, or believed, by a first model, of those other
pairs, and how much their records are like this pair's: a record that has its match seldom has another, unless the other
is a copy. A pair's own label is never looked at.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix

from danggol.matching.records.reading import RecordPairs
from danggol.matching.records.views import Columns
from danggol.matching.records.words import Floats, Ints
from danggol.matching.search.index import sparse_dots


def standing(pairs: RecordPairs, columns: Columns) -> Columns:
    """Rank (0 is best) of each column (pairs,) among the pairs of a side's record, and gap to the best other."""
    found: Columns = {}
    for name, side in _sides(pairs):
        size = np.bincount(side)
        starts = np.cumsum(size) - size
        found[f"pairs_{name}"] = size[side].astype(np.float32)
        for column, given in columns.items():
            value = np.nan_to_num(given, nan=-9.0)
            order = np.lexsort((-value, side))
            rank = np.empty(len(side), np.int64)
            rank[order] = np.arange(len(side)) - starts[side[order]]
            first = value[order[np.minimum(starts, len(side) - 1)]][side]
            second = value[order[np.minimum(starts + 1, len(side) - 1)]][side]
            best = np.where(rank == 0, second, first)
            found[f"{column}_rank_{name}"] = rank.astype(np.float32)
            found[f"{column}_gap_{name}"] = np.where(size[side] > 1, value - best, np.nan).astype(np.float32)
    return found


class Around:
    """The pairs that share one record with a pair; one that shares both is the pair itself and tells nothing."""

    def __init__(self, pairs: RecordPairs, words: csr_matrix) -> None:
        self.size = len(pairs)
        self.links: dict[str, tuple[Ints, Ints, Floats]] = {}
        for (name, side), other in zip(_sides(pairs), (pairs.right, pairs.left), strict=True):
            who, whom = _linked(side)
            apart = other[who] != other[whom]
            who, whom = who[apart], whom[apart]
            self.links[name] = who, whom, sparse_dots(words, words, other[who], other[whom])

    def told(self, belief: Floats, known: Floats) -> Columns:
        """Figures (pairs,) from each pair's ``belief`` (its label, a probability, or nan) and whether it is a label."""
        found: Columns = {}
        for name, (who, whom, alike) in self.links.items():
            there = ~np.isnan(belief[whom])
            one, value, sure = who[there], belief[whom][there], known[whom][there]
            like = alike[there]
            found[f"others_{name}"] = self._sum(one, np.ones_like(value))
            found[f"labels_{name}"] = self._sum(one, sure)
            found[f"matched_{name}"] = self._sum(one, value)
            found[f"matched_sure_{name}"] = self._sum(one, value * sure)
            found[f"matched_most_{name}"] = self._most(one, value)
            found[f"like_match_{name}"] = self._most(one, value * like)
            found[f"like_other_{name}"] = self._most(one, (1 - value) * like)
            near = like**3
            with np.errstate(invalid="ignore", divide="ignore"):
                found[f"near_{name}"] = self._sum(one, near * value) / self._sum(one, near)
        return {name: value.astype(np.float32) for name, value in found.items()}

    def _sum(self, who: Ints, value: Floats) -> Floats:
        return np.bincount(who, value, self.size).astype(np.float32)

    def _most(self, who: Ints, value: Floats) -> Floats:
        found = np.full(self.size, np.nan, np.float32)
        np.fmax.at(found, who, value)
        return found


def _sides(pairs: RecordPairs) -> Sequence[tuple[str, Ints]]:
    return ("left", pairs.left), ("right", pairs.right)


def _linked(side: Ints) -> tuple[Ints, Ints]:
    """Every ordered two of pairs that have the same record on this side, each with itself too."""
    order = np.argsort(side, kind="stable")
    size = np.bincount(side)
    starts = np.cumsum(size) - size
    count = size[side]
    who = np.repeat(np.arange(len(side)), count)
    step = np.arange(len(who)) - np.repeat(np.cumsum(count) - count, count)
    whom = order[starts[side[who]] + step]
    return who, whom
