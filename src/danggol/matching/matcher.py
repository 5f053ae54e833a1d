"""The estimator: fit it on labelled groups, or use it without; match listings, and let new ones join."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from danggol.artefact import locate
from danggol.errors import DataError, UsageError
from danggol.matching.arcface import ArcFaceSettings
from danggol.matching.groups import felt, partition, partition_again
from danggol.matching.inputs.listings import Listings
from danggol.matching.joining import extend
from danggol.matching.matches import Limits, Matches, answer, chosen, chosen_again
from danggol.matching.pairs.evidence import OPTIONAL, Evidence, Pairs, gather
from danggol.matching.pairs.model import PairModel
from danggol.matching.pairs.repeats import between
from danggol.matching.pairs.rules import RULE_THRESHOLD, agreement
from danggol.matching.saved import read_model, write_model
from danggol.matching.search.index import Floats, Ints
from danggol.matching.settings import MatchingSettings
from danggol.matching.thresholds import tuned
from danggol.matching.winner import ShopeeWinner
from danggol.metrics.matching import row_f1

_GROUP_LIMITS = (0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
_SOME_CHANCE = 0.1
"""What the first look must say for an old listing to be judged again."""
_FEWEST = 20
"""Labelled groups of two listings or more below which there is nothing to learn from."""


@dataclass(frozen=True)
class Matched:
    """Listings that were matched, with all that is needed for new ones to join."""

    evidence: Evidence
    first: Floats
    """(pairs,) what the first look said; agreement where nothing was learnt"""
    value: Floats
    """(pairs,) probability of the same product, or agreement"""
    group: Ints
    """(listings,) group by its first row"""
    matches: Matches


class Matcher:
    """Finds listings of the same product by titles, picture hashes, prices, brands and given vectors.

    With labelled groups (:meth:`fit`) a pair model gives probabilities and the thresholds are tuned; without, fixed
    rules on similarities are used, which were set by hand and are the same for every shop. The preset ``shopee-winner``
    (:class:`danggol.matching.winner.ShopeeWinner`) needs labelled groups, and matches all anew every time.
    """

    def __init__(self, settings: MatchingSettings | None = None, **changes: Any) -> None:
        if settings is not None and changes:
            raise UsageError("give either a settings object or settings by keyword, not both")
        self.settings = settings or MatchingSettings.of(changes)
        self.model: PairModel | None = None
        self.winner: ShopeeWinner | None = None
        """what the preset ``shopee-winner`` learnt"""
        self.names: list[str] = []
        """the pair model's features"""
        self.limits = Limits(RULE_THRESHOLD, RULE_THRESHOLD, RULE_THRESHOLD, self.settings.largest)
        self.figures: dict[str, float] = {}

    def fit(self, listings: Listings, groups: Mapping[str, Any]) -> Self:
        """Learn from listings whose label group is known, by id; DataError where few are.

        Those without a group are what the others are found among, as they are when all are matched: among ten thousand
        listings the nearest one says something else than among the few hundred that have a label.
        """
        groups = {str(name): group for name, group in groups.items()}
        code = _coded(listings, groups)
        if self.settings.preset == "shopee-winner":
            learnt = ArcFaceSettings(seed=self.settings.seed)
            known = listings.take(np.flatnonzero(code >= 0))
            self.winner = ShopeeWinner(learnt, self.settings.neighbours, self.settings.trials).fit(known, groups)
            return self
        side = np.random.default_rng(self.settings.seed).permutation(int(code.max()) + 1) % 2
        halves = [np.flatnonzero((code < 0) | (side[code] == half)) for half in (0, 1)]
        found = [gather(listings.take(rows), self.settings) for rows in halves]
        labels = [_labels(code[rows], one.pairs) for rows, one in zip(halves, found, strict=True)]
        sizes = [len(rows) for rows in halves]
        self.model, honest = PairModel.fit([one.pairs for one in found], labels, sizes, self.settings)
        self.names = found[0].pairs.names
        self._tune(found, honest, [code[rows] for rows in halves])
        return self

    def predict(self, listings: Listings, former: Mapping[str, str] | None = None) -> Matches:
        """Match listings among themselves; ``former`` are earlier group ids by listing, which groups keep.

        UsageError: the preset ``shopee-winner`` learnt from no labelled groups.
        """
        if self.settings.preset == "shopee-winner":
            return self._winner().matches(listings, former or {}, self.settings.largest)
        return self.match(listings, former).matches

    def match(self, listings: Listings, former: Mapping[str, str] | None = None) -> Matched:
        """As :meth:`predict`, with what :meth:`join` needs. UsageError for the preset ``shopee-winner``."""
        if self.settings.preset == "shopee-winner":
            raise UsageError(
                "shopee-winner tells matches alone, by predict; for joining and reasons use the pair model"
            )
        evidence = gather(listings, self.settings)
        return self.decide(evidence, former)

    def decide(self, evidence: Evidence, former: Mapping[str, str] | None = None) -> Matched:
        """As :meth:`match`, of listings whose pairs are described already."""
        pairs, size = evidence.pairs, len(evidence.listings)
        value = first = self._look_at(pairs)
        if self.model is not None and len(first):
            value = self.model.second_look(pairs.told_as(self.names), first, size)
        sure = between(evidence.stand, pairs.left, pairs.right, value)
        group = partition(size, pairs.left, pairs.right, sure, self.limits.group)[evidence.stand]
        matches = chosen(evidence, value, self.limits, group, former or {}, self._by)
        return Matched(evidence, first, value, group, matches)

    def join(self, state: Matched, new: Listings) -> Matched:
        """Let new listings join those that were matched, without matching all anew.

        Only the new, and those that one of them may be the same as, are judged again. Words that none of the first
        listings had are not known. Groups keep their ids. DataError: a listing is there already.
        """
        if len(new) == 0:
            return state
        chance = _SOME_CHANCE if self.model is not None else 0.9 * self.limits.group
        grown = extend(state.evidence, state.first, new, self.settings, self._look_at, chance)
        evidence, first = grown.evidence, grown.first
        value = np.concatenate([state.value, first[len(state.value) :]])
        if self.model is not None:
            pairs = evidence.pairs.told_as(self.names)
            value[grown.open] = self.model.second_look(pairs, first, len(evidence.listings), grown.open)
        else:
            value[grown.open] = first[grown.open]
        pairs, size = evidence.pairs, len(evidence.listings)
        before = np.zeros(len(value), np.float32)
        before[: len(state.value)] = state.value
        limits = self.limits
        least = min(limits.alone, limits.second, limits.group)
        changed = felt(size, pairs.left, pairs.right, before, value, limits.group, least)
        changed = np.concatenate([changed, np.arange(len(state.group), size)])
        stand = evidence.stand
        changed, sure = np.union1d(changed, stand[changed]), between(stand, pairs.left, pairs.right, value)
        group, again = partition_again(size, pairs.left, pairs.right, sure, limits.group, state.group, changed)
        group, again = group[stand], again | again[stand]
        matches = chosen_again(evidence, value, self.limits, group, state.matches, self._by, again)
        return Matched(evidence, first, value, group, matches)

    def save(self, folder: str | Path) -> Path:
        """Write the model as plain files (JSON, LightGBM's text, safetensors); the folder is the old or the new one."""
        config: dict[str, Any] = {"settings": self.settings.model_dump(), "names": self.names, "figures": self.figures}
        more = {} if self.winner is None else self.winner.files()
        config |= {"limits": asdict(self.limits), "winner": self.winner is not None}
        return write_model(Path(folder), config, self.model, more)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a saved model; UsageError where there is none, DataError where it is damaged or newer."""
        config, model = read_model(Path(folder))
        found = cls(MatchingSettings.of(config["settings"]))
        found.model, found.names = model, list(config["names"])
        if config.get("winner"):
            found.winner = ShopeeWinner.read(locate(Path(folder)))
        found.limits, found.figures = Limits(**config["limits"]), dict(config["figures"])
        return found

    @property
    def key(self) -> str:
        """The same for two matchers that say the same of the same listings."""
        trees = () if self.model is None else (*self.model.first, *self.model.second)
        told = [self.settings.model_dump(), self.names, asdict(self.limits), [one.model_to_string() for one in trees]]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()

    @property
    def means(self) -> str:
        """What listings are matched by: the rules, the pair model, or shopee-winner."""
        if self.settings.preset == "shopee-winner":
            return self.settings.preset
        return "pair model" if self.model is not None else "rules"

    def _winner(self) -> ShopeeWinner:
        if self.winner is None:
            raise UsageError("shopee-winner learns its embedding from labelled groups; give labels (fit) first")
        return self.winner

    @property
    def _by(self) -> str:
        """What matches, where it is always the same."""
        return "pair_model" if self.model else ""

    def _look_at(self, pairs: Pairs) -> Floats:
        """What the first look says of described pairs, or how far their evidence agrees.

        Details and pictures that the model did not learn from are not looked at; DataError: other vectors.
        """
        if self.model is None:
            return agreement(pairs.values, pairs.names)
        odd = sorted((set(pairs.names) ^ set(self.names)) - OPTIONAL)
        if odd:
            raise DataError(f"the listings have other evidence than the model learnt from ({', '.join(odd)[:80]})")
        return self.model.look(pairs.told_as(self.names).values)

    def _tune(self, found: list[Evidence], honest: list[Floats], codes: list[Ints]) -> None:
        """The limits with the best mean row F1 on probabilities of what was not learnt from: first the groups'."""

        def grouped(limit: float) -> list[Ints]:
            return [
                partition(
                    len(code),
                    one.pairs.left,
                    one.pairs.right,
                    between(one.stand, one.pairs.left, one.pairs.right, value),
                    limit,
                )[one.stand]
                for one, value, code in zip(found, honest, codes, strict=True)
            ]

        def reached(limits: Limits, groups: list[Ints]) -> float:
            scores = []
            for one, value, group, code in zip(found, honest, groups, codes, strict=True):
                left, right, _ = answer(one.pairs.left, one.pairs.right, value, group, limits)
                scores.append(_known_f1(left, right, code))
            return float(np.concatenate(scores).mean())

        tried = {limit: grouped(limit) for limit in _GROUP_LIMITS}
        group = max(tried, key=lambda limit: reached(Limits(0.65, 0.25, limit), tried[limit]))
        best = tuned(
            lambda one: reached(Limits(one["alone"], one["alone"] * one["second"], group), tried[group]),
            {"alone": (0.3, 1.0), "second": (0.1, 1.0)},
            {"alone": 0.65, "second": 0.4},
            self.settings.trials,
            self.settings.seed,
        )
        self.limits = Limits(best["alone"], best["alone"] * best["second"], group, self.settings.largest)
        self.figures = {"row_f1": reached(self.limits, tried[group])}


def _coded(listings: Listings, groups: Mapping[str, Any]) -> Ints:
    """The number (listings,) of each listing's label group, -1 where it has none."""
    told = [groups.get(name) for name in listings.ids.tolist()]
    known = np.array([group is not None for group in told], np.bool_)
    names = [str(group) for group in told if group is not None]
    code = np.full(len(told), -1, np.int64)
    code[known] = np.unique(names, return_inverse=True)[1]
    several = int((np.bincount(code[known]) > 1).sum())
    if several < _FEWEST:
        raise DataError(
            f"{several} label groups have two listings or more, and {_FEWEST} are needed to learn from; label more, or "
            "match without labels"
        )
    return code


def _labels(code: Ints, pairs: Pairs) -> NDArray[np.float64]:
    """1 or 0 (pairs,): one label group or two; nan where either listing has none."""
    left, right = code[pairs.left], code[pairs.right]
    return np.where((left >= 0) & (right >= 0), left == right, np.nan)


def _known_f1(left: Ints, right: Ints, code: Ints) -> NDArray[np.float64]:
    """F1 of each listing that has a label group, among those that have one."""
    known = code >= 0
    place = np.cumsum(known) - 1
    both = known[left] & known[right]
    return row_f1(place[left[both]], place[right[both]], code[known])
