"""What goes out: who matches whom, and the groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from danggol.matching.groups import group_ids, members
from danggol.matching.pairs.evidence import Evidence
from danggol.matching.pairs.rules import strongest
from danggol.matching.search.index import Bools, Floats, Ints
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
    """(matches,) what matched; empty: only others of the group do"""
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
                "by": pl.Series(self.by).replace("", None),
                "rank": self.rank,
            }
        )

    def groups(self) -> pl.DataFrame:
        """product_id, group_id."""
        return pl.DataFrame({"product_id": self.ids, "group_id": pl.Series(self.group, dtype=pl.String)})

    def shopee(self) -> pl.DataFrame:
        """The contest's form; see :func:`shopee_form`."""
        return shopee_form(self.frame())


def shopee_form(matches: pl.DataFrame) -> pl.DataFrame:
    """posting_id, matches (ids with a space between, itself first) of rows product_id, other_id, rank."""
    found = matches.sort("product_id", "rank").group_by("product_id", maintain_order=True)
    return found.agg(pl.col("other_id").str.join(" ")).rename({"product_id": "posting_id", "other_id": "matches"})


@dataclass(frozen=True)
class Limits:
    """From which value a pair is a match by itself, a listing's best pair is one (min2), and a group holds together."""

    alone: float
    second: float
    group: float
    largest: int = 50
    """matches of a listing at most, itself included"""


def chosen(
    evidence: Evidence, value: Floats, limits: Limits, group: Ints, former: Mapping[str, str], by: str
) -> Matches:
    """The matches by the pairs' ``value`` (pairs,), a listing's own group first.

    ``by`` is what matched, or empty: then the evidence with the largest similarity. Members of one group that are no
    candidate pair have the group's limit as their similarity, and nothing that matched.
    """
    ids = evidence.listings.ids
    found = _directed(evidence, value, limits, group, by, np.arange(len(ids)))
    return Matches(ids, *found, group_ids(ids.tolist(), group, former))


def chosen_again(
    evidence: Evidence, value: Floats, limits: Limits, group: Ints, former: Matches, by: str, again: Bools
) -> Matches:
    """As :func:`chosen`, where only the listings ``again`` (listings,) have others than the ``former`` matches.

    All their pairs and the other members of their groups, before and now, are among them, or in no match with them.
    """
    ids, rows = evidence.listings.ids, np.flatnonzero(again)
    fresh = _directed(evidence, value, limits, group, by, rows)
    kept = ~again[former.left]
    held = [column[kept] for column in (former.left, former.right, former.similarity, former.by, former.rank)]
    order = np.argsort(np.concatenate([held[0], fresh[0]]), kind="stable")
    left, right, similarity, said, rank = (
        np.concatenate([one, two])[order] for one, two in zip(held, fresh, strict=True)
    )
    names = former.group + [""] * (len(ids) - len(former.group))
    before = {str(ids[row]): names[row] for row in rows[rows < len(former.group)].tolist()}
    others = {names[row] for row in np.flatnonzero(~again).tolist()}
    for row, name in zip(rows.tolist(), group_ids(ids[rows].tolist(), group[rows], before, others), strict=True):
        names[row] = name
    return Matches(ids, left, right, similarity, said, rank, names)


def _directed(
    evidence: Evidence, value: Floats, limits: Limits, group: Ints, by: str, rows: Ints
) -> tuple[Ints, Ints, Floats, NDArray[np.str_], Ints]:
    """The matches of the listings ``rows`` (rising): left, right, similarity, by, rank."""
    among = np.zeros(len(group), np.bool_)
    among[rows] = True
    pairs = evidence.pairs
    here = np.flatnonzero(among[pairs.left] | among[pairs.right])
    who, other, pair = answer(pairs.left[here], pairs.right[here], value[here], group, limits, among)
    who, other, pair = (column[among[who]] for column in (who, other, pair))
    looked = pair >= 0
    both = np.full(len(pair), limits.group, np.float64)
    both[looked] = value[here[pair[looked]]]
    said = np.full(len(pair), by, dtype="U10")
    if not by:
        said[looked] = _by(evidence, here[pair[looked]])
    said[~looked] = ""
    left, right = np.concatenate([rows, who]), np.concatenate([rows, other])
    similarity = np.concatenate([np.ones(len(rows)), both]).astype(np.float32)
    order = np.lexsort((right, -similarity, group[left] != group[right], left != right, left))
    rank = ranks(left[order], -np.arange(len(order), dtype=np.float64))
    order, rank = order[rank < limits.largest], rank[rank < limits.largest]
    matched = np.concatenate([np.full(len(rows), by or "text", dtype="U10"), said])[order]
    return left[order], right[order], similarity[order], matched, rank


def answer(
    left: Ints, right: Ints, value: Floats, group: Ints, limits: Limits, among: Bools | None = None
) -> tuple[Ints, Ints, Ints]:
    """Directed matches: the listing, the other, and the row of their pair, -1 where they are none.

    Matches are the members of the own group, pairs that pass by themselves, and a listing's best pair where it passes
    the loose limit. Groups of more than ``largest`` are told by their candidate pairs only. Where ``among`` (listings,)
    is given, the others of a group are told for those alone.
    """
    size = len(group)
    who, other, both = both_ways(left, right, value)
    count = np.bincount(group, minlength=size)[group] if size else group
    lone = count[who] == 1
    kept = passing(who, both, limits.alone, limits.alone, 10**9)
    kept |= lone & passing(who, both, limits.alone, limits.second, 10**9)
    kept |= group[who] == group[other]
    told = count <= limits.largest
    one, two = members(np.where(told if among is None else told & among, group, -1))
    pair = np.tile(np.arange(len(left)), 2)[kept]
    code, more = who[kept] * size + other[kept], one * size + two
    more = more[~np.isin(more, code)]
    code = np.concatenate([code, more])
    return code // max(size, 1), code % max(size, 1), np.concatenate([pair, np.full(len(more), -1)])


def both_ways(left: Ints, right: Ints, value: Floats) -> tuple[Ints, Ints, Floats]:
    """Each pair from either side: the listing, the other, the value."""
    return np.concatenate([left, right]), np.concatenate([right, left]), np.tile(value, 2)


def _by(evidence: Evidence, pair: Ints) -> NDArray[np.str_]:
    """The evidence that speaks most for one product: text, hash or image."""
    told = {"words": "text", "characters": "text", "hash": "hash", "looks": "image"}
    told |= {name: "text" if name == "text" else "image" for name in evidence.listings.vectors}
    kinds = [name for name in told if name in evidence.pairs.names]
    best = strongest(evidence.pairs.values[pair], evidence.pairs.names, kinds)
    found: NDArray[np.str_] = np.array([told[name] for name in kinds])[best]
    return found
