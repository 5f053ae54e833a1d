"""What goes out: who matches whom, and the groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from danggol.matching.groups import group_ids
from danggol.matching.index import Floats, Ints
from danggol.matching.pairs import Evidence
from danggol.matching.thresholds import passing, ranks


@dataclass(frozen=True)
class Matches:
    """Who matches whom, both ways, and each listing with itself first."""

    ids: NDArray[np.str_]
    left: Ints
    """(matches,) row of the listing"""
    right: Ints
    similarity: Floats
    """(matches,) probability of the same product, or agreement in [0, 1]; 1 with itself"""
    by: NDArray[np.str_]
    """(matches,) what matched"""
    rank: Ints
    """(matches,) place among the listing's matches, 0 being itself"""
    group: list[str]
    """(listings,) id of the group"""

    def frame(self) -> pl.DataFrame:
        """product_id, other_id, similarity, by, rank: at most 50 rows a listing."""
        return pl.DataFrame(
            {
                "product_id": self.ids[self.left],
                "other_id": self.ids[self.right],
                "similarity": self.similarity.astype(np.float64),
                "by": self.by,
                "rank": self.rank,
            }
        )

    def groups(self) -> pl.DataFrame:
        """product_id, group_id."""
        return pl.DataFrame({"product_id": self.ids, "group_id": pl.Series(self.group, dtype=pl.String)})

    def shopee(self) -> pl.DataFrame:
        """The contest's form: posting_id, matches (ids with a space between, itself first)."""
        frame = self.frame().group_by("product_id", maintain_order=True).agg(pl.col("other_id").str.join(" "))
        return frame.rename({"product_id": "posting_id", "other_id": "matches"})


def chosen(
    evidence: Evidence, value: Floats, limits: tuple[float, float, int], group: Ints, former: Mapping[str, str], by: str
) -> Matches:
    """The matches among the pairs by their ``value`` (pairs,).

    ``limits``: threshold, the loose one of the second-nearest, and how many at most. ``by`` is what matched, or empty:
    then the evidence with the largest similarity.
    """
    pairs, size = evidence.pairs, len(evidence.listings)
    who, other, both = both_ways(pairs.left, pairs.right, value)
    kept = passing(who, both, *limits)
    pair = np.tile(np.arange(len(pairs.left)), 2)[kept]
    said = np.full(len(pair), by) if by else _by(evidence, pair)
    itself = np.arange(size)
    left, right = np.concatenate([itself, who[kept]]), np.concatenate([itself, other[kept]])
    similarity = np.concatenate([np.ones(size), both[kept]]).astype(np.float32)
    order = np.lexsort((right, -similarity, left != right, left))
    return Matches(
        evidence.listings.ids,
        left[order],
        right[order],
        similarity[order],
        np.concatenate([np.full(size, by or "text"), said])[order],
        ranks(left[order], -np.arange(len(order), dtype=np.float32)),
        group_ids(evidence.listings.ids.tolist(), group, former),
    )


def both_ways(left: Ints, right: Ints, value: Floats) -> tuple[Ints, Ints, Floats]:
    """Each pair from either side: the listing, the other, the value."""
    return np.concatenate([left, right]), np.concatenate([right, left]), np.tile(value, 2)


def _by(evidence: Evidence, pair: Ints) -> NDArray[np.str_]:
    """The evidence with the largest similarity."""
    names = ["words", "hash", *evidence.listings.vectors]
    columns = [evidence.pairs.names.index(name) for name in names]
    best = np.argmax(np.nan_to_num(evidence.pairs.values[pair][:, columns], nan=-1), axis=1)
    told = {"words": "text", "hash": "hash", "text": "text"}
    found: NDArray[np.str_] = np.array([told.get(name, "image") for name in names])[best]
    return found
