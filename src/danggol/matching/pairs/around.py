"""What the first look said of the pairs around a pair: do both listings agree with the same others?

For a pair (a, b) and every c that is a candidate of both: how surely c is the same as a and as b. Where many third
listings are the same as both, so are a and b; where a third is the same as one and not as the other, they are not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from danggol.matching.pairs.evidence import Pairs
from danggol.matching.search.index import Floats, Ints, sparse_dots

_SURE = 0.5


@dataclass(frozen=True)
class Around:
    """Further features of pairs."""

    values: Floats
    """(pairs, features)"""
    names: list[str]


def around(pairs: Pairs, probability: Floats, size: int, which: Ints | None = None) -> Around:
    """Features of the pairs ``which`` (all) from the ``probability`` (pairs,) of all pairs of ``size`` listings."""
    left, right = pairs.left, pairs.right
    if which is not None:
        there = _beside(left, right, size, which)
        left, right, probability = left[there], right[there], probability[there]
        which = np.searchsorted(there, which)
    table, sure, rank, best = _tables(left, right, probability, size)
    if which is not None:
        left, right, rank, probability = left[which], right[which], rank[:, which], probability[which]
    root = table.sqrt()
    total = np.asarray(table.sum(axis=1)).ravel().astype(np.float32)
    many = np.diff(sure.indptr)
    both = sparse_dots(table, table, left, right)
    sums = np.stack([total[left], total[right]]) - probability
    counts = np.stack([many[left], many[right]]).astype(np.float32) - (probability >= _SURE)
    tops = np.stack([best[left], best[right]])
    columns = {
        "first_look": probability,
        "look_rank_low": rank.min(axis=0),
        "look_rank_high": rank.max(axis=0),
        "look_gap_low": probability - tops.max(axis=0),
        "look_gap_high": probability - tops.min(axis=0),
        "look_sum_low": sums.min(axis=0),
        "look_sum_high": sums.max(axis=0),
        "look_sure_low": counts.min(axis=0),
        "look_sure_high": counts.max(axis=0),
        "common": both,
        "common_root": sparse_dots(root, root, left, right),
        "common_share": both / np.maximum(sums.min(axis=0), 1e-3),
        "common_share_high": both / np.maximum(sums.max(axis=0), 1e-3),
        "common_sure": sparse_dots(sure, sure, left, right),
    }
    return Around(np.stack([np.asarray(one, np.float32) for one in columns.values()], axis=1), list(columns))


def _beside(left: Ints, right: Ints, size: int, which: Ints) -> Ints:
    """The pairs that hold a listing of the pairs ``which``, rising."""
    there = np.zeros(size, np.bool_)
    there[left[which]] = there[right[which]] = True
    return np.flatnonzero(there[left] | there[right])


def _tables(left: Ints, right: Ints, probability: Floats, size: int) -> tuple[csr_matrix, csr_matrix, Floats, Floats]:
    """Probabilities, those of sure pairs, ranks (2, pairs) from either side, and each listing's largest."""
    sure = np.where(probability >= _SURE, probability, 0)
    rank, best = _places(left, right, probability, size)
    return _table(left, right, probability, size), _table(left, right, sure, size), rank, best


def _table(left: Ints, right: Ints, value: Floats, size: int) -> csr_matrix:
    """(listings, listings) of the pairs' values, both ways."""
    there = value > 0
    rows = np.concatenate([left[there], right[there]])
    columns = np.concatenate([right[there], left[there]])
    return csr_matrix((np.tile(value[there], 2).astype(np.float32), (rows, columns)), (size, size))


def _places(left: Ints, right: Ints, probability: Floats, size: int) -> tuple[Floats, Floats]:
    """The pair's place among either listing's pairs (2, pairs), and each listing's largest probability (listings,)."""
    who = np.concatenate([left, right])
    value = np.tile(probability, 2)
    order = np.lexsort((-value, who))
    count = np.bincount(who, minlength=size)
    nth = np.arange(len(who)) - np.repeat(np.cumsum(count) - count, count)
    rank = np.empty(len(who), np.float32)
    rank[order] = nth
    best = np.zeros(size, np.float32)
    np.maximum.at(best, who, value)
    return rank.reshape(2, -1), best
