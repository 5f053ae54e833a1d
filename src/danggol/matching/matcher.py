"""The estimator: fit it on labelled groups, or use it without; predict which listings are the same product."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from danggol.errors import DataError, UsageError
from danggol.matching.groups import group_ids, partition
from danggol.matching.index import Floats, Ints
from danggol.matching.listings import Listings
from danggol.matching.pair_model import PairModel
from danggol.matching.pairs import Evidence, gather
from danggol.matching.rules import RULE_THRESHOLD, agreement
from danggol.matching.settings import MatchingSettings
from danggol.matching.thresholds import passing, ranks, tuned
from danggol.metrics.matching import row_f1

_FEWEST = 20
"""Labelled groups of two listings or more below which there is nothing to learn from."""


@dataclass(frozen=True)
class Matches:
    """Who matches whom, both ways, and each listing with itself first."""

    ids: NDArray[np.str_]
    left: Ints
    """(matches,) row of the listing"""
    right: Ints
    similarity: Floats
    """(matches,) probability of the same product, or agreement in [0, 1]; 1 with itself"""
    by: list[str]
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
                "by": pl.Series(self.by, dtype=pl.String),
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


class Matcher:
    """Finds listings of the same product by titles, picture hashes, prices, brands and given vectors.

    With labelled groups (:meth:`fit`) a pair model gives probabilities and the thresholds are tuned; without, fixed
    rules on similarities are used, which were set by hand and are the same for every shop.
    """

    def __init__(self, settings: MatchingSettings | None = None, **changes: Any) -> None:
        if settings is not None and changes:
            raise UsageError("give either a settings object or settings by keyword, not both")
        self.settings = settings or MatchingSettings.of(changes)
        self.model: PairModel | None = None
        self.names: list[str] = []
        """the pair model's features"""
        self.thresholds = {"pass": RULE_THRESHOLD, "second": RULE_THRESHOLD, "group": RULE_THRESHOLD}
        self.figures: dict[str, float] = {}

    def fit(self, listings: Listings, groups: Mapping[str, Any]) -> Self:
        """Learn from listings whose label group is known, by id; DataError where one is missing or there are few."""
        missing = [name for name in listings.ids.tolist() if groups.get(name) is None]
        if missing:
            raise DataError(f"the listing {missing[0]!r} has no label group ({len(missing)} have none); leave them out")
        code = np.unique([str(groups[name]) for name in listings.ids.tolist()], return_inverse=True)[1]
        if (np.bincount(code) > 1).sum() < _FEWEST:
            raise DataError(f"fewer than {_FEWEST} label groups have two listings; give more, or match without fit")
        halves = self._halves(code)
        found = [gather(listings.take(rows), self.settings) for rows in halves]
        labels = [
            (code[rows][one.pairs.left] == code[rows][one.pairs.right]).astype(np.float64)
            for rows, one in zip(halves, found, strict=True)
        ]
        sizes = [len(rows) for rows in halves]
        self.model, honest = PairModel.fit([one.pairs for one in found], labels, sizes, self.settings)
        self.names = found[0].pairs.names
        self._tune(found, honest, [code[rows] for rows in halves])
        return self

    def predict(self, listings: Listings, former: Mapping[str, str] | None = None) -> Matches:
        """Match listings among themselves; ``former`` are earlier group ids by listing, which groups keep."""
        evidence = gather(listings, self.settings)
        return self.decide(evidence, self.judge(evidence), former)

    def judge(self, evidence: Evidence) -> Floats:
        """Probability or agreement (pairs,) of the candidate pairs."""
        if self.model is None:
            return agreement(evidence)
        if evidence.pairs.names != self.names:
            odd = sorted(set(evidence.pairs.names) ^ set(self.names))
            raise DataError(f"the listings have other evidence than the model learnt from ({', '.join(odd)[:80]})")
        return self.model.probability(evidence.pairs, len(evidence.listings))

    def decide(self, evidence: Evidence, value: Floats, former: Mapping[str, str] | None = None) -> Matches:
        """Which pairs are matches, and the groups."""
        pairs, ids, size = evidence.pairs, evidence.listings.ids, len(evidence.listings)
        who, other, both = _both_ways(pairs.left, pairs.right, value)
        kept = passing(who, both, self.thresholds["pass"], self.thresholds["second"], self.settings.largest)
        pair = np.tile(np.arange(len(pairs.left)), 2)[kept]
        by = ["pair_model"] * size + _by(evidence, pair, self.model is not None)
        left = np.concatenate([np.arange(size), who[kept]])
        right = np.concatenate([np.arange(size), other[kept]])
        similarity = np.concatenate([np.full(size, 1.0), both[kept]]).astype(np.float32)
        order = np.lexsort((right, -similarity, left != right, left))
        group = partition(size, pairs.left, pairs.right, value, self.thresholds["group"])
        rank = ranks(left[order], -np.arange(len(order), dtype=np.float32))
        names = group_ids(ids.tolist(), group, former)
        return Matches(
            ids, left[order], right[order], similarity[order], [by[place] for place in order.tolist()], rank, names
        )

    def _halves(self, code: Ints) -> list[Ints]:
        """The rows of two halves of the groups."""
        side = np.random.default_rng(self.settings.seed).permutation(int(code.max()) + 1) % 2
        return [np.flatnonzero(side[code] == half) for half in (0, 1)]

    def _tune(self, found: list[Evidence], honest: list[Floats], codes: list[Ints]) -> None:
        """The thresholds with the best mean row F1 on probabilities of what was not learnt from."""
        directed = [
            _both_ways(one.pairs.left, one.pairs.right, value) for one, value in zip(found, honest, strict=True)
        ]

        def value(limits: Mapping[str, float]) -> float:
            scores = []
            for (who, other, both), code in zip(directed, codes, strict=True):
                kept = passing(who, both, limits["pass"], limits["pass"] * limits["second"], self.settings.largest)
                scores.append(row_f1(who[kept], other[kept], code))
            return float(np.concatenate(scores).mean())

        bounds = {"pass": (0.05, 0.95), "second": (0.0, 1.0)}
        best = tuned(value, bounds, {"pass": 0.4, "second": 1.0}, self.settings.trials, self.settings.seed)
        self.figures = {"row_f1": value(best)}
        self.thresholds = {"pass": best["pass"], "second": best["pass"] * best["second"], "group": best["pass"]}


def _both_ways(left: Ints, right: Ints, value: Floats) -> tuple[Ints, Ints, Floats]:
    return np.concatenate([left, right]), np.concatenate([right, left]), np.tile(value, 2)


def _by(evidence: Evidence, pair: Ints, learnt: bool) -> list[str]:
    """What matched: the pair model, or the evidence with the largest similarity."""
    if learnt:
        return ["pair_model"] * len(pair)
    names = ["words", "hash", *evidence.listings.vectors]
    columns = [evidence.pairs.names.index(name) for name in names]
    best = np.argmax(np.nan_to_num(evidence.pairs.values[pair][:, columns], nan=-1), axis=1)
    told = {"words": "text", "hash": "hash"}
    return [told.get(names[place], "text" if names[place] == "text" else "image") for place in best.tolist()]
