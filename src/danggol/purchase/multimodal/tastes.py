"""Tastes and trends: what past showings say of a person, a country, a listing and a kind of listing.

A shopper's liking shows in whether a listing is opened, how long it is looked at, and whether it is bought. Boosted
trees say what was to be expected of each from its terms and place alone; what differs, weighed by how much it tells of
the log-odds of buying, is added up by group (a person and a colour; a country and a brand, in the last four weeks), and
shrunk by what such groups differ in truth: the empirical-Bayes estimate of the group's effect,

    sum(score) / (sum(information) + 1 / variance),

score and information being the derivatives of the log-likelihood at no effect (one Fisher step from zero). A showing
speaks from a day after it, to later visits only: no row sees its own day.

Sources: Robbins, "An empirical Bayes approach to statistics", 1956; DerSimonian & Laird, Controlled Clinical Trials 7,
1986 (the variance by moments); Ma et al., "Entire space multi-task model", SIGIR 2018 (opening and buying share one
preference); Zhang et al., "GLMix", KDD 2016 (effects of persons and items on top of a common model).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import lightgbm as lgb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from danggol.purchase.multimodal.showings import CUSTOMER, OFFER, Array, Showings
from danggol.purchase.samples import DAY

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
RECENT_DAYS = 28
"""Length of what counts as recent, for trends."""
SLOPES = ("price_to_usual", "discount", "free_shipping", "best_seller", "rating", "home")
"""Terms whose weight may differ by person and by country."""
_ROUNDS = 80
_LEAST_VARIANCE = 1e-4
_LEAST_SPREAD = 0.01
"""Variance of the expected log-odds below which it cannot say what a view or a look is worth."""
_TREES = {
    "learning_rate": 0.1,
    "num_leaves": 15,
    "min_data_in_leaf": 100,
    "feature_fraction": 0.6,
    "bagging_fraction": 0.5,
    "bagging_freq": 1,
    "verbose": -1,
    "seed": 0,
    "deterministic": True,
    "force_col_wise": True,
}


@dataclass(frozen=True)
class Taste:
    """One effect: of which group, from which deeds, how recent, on which term; and which modalities it needs."""

    name: str
    keys: tuple[str, ...]
    needs: tuple[str, ...]
    recent: bool = False
    term: str | None = None
    bought_only: bool = False

    @property
    def subject(self) -> str:
        """What the effect is of: ``listing``, ``person``, ``terms`` or a kind. Effects of one subject share a token."""
        return "terms" if self.term else self.name.rsplit(":", 1)[0]


def plan(text: Sequence[str], image: Sequence[str]) -> list[Taste]:
    """The effects that are told, given the names of the kinds."""
    b, c = "behaviour", "customer"
    found = [
        Taste("listing:all", ("listing",), (b,)),
        Taste("listing:country", ("country", "listing"), (b, c)),
        Taste("listing:recent", ("listing",), (b,), recent=True),
        Taste("person:all", ("person",), (b,)),
        Taste("person:bought", ("person",), (b,), bought_only=True),
    ]
    for modality, names in (("text", text), ("image", image)):
        for name in names:
            found += [
                Taste(f"{name}:all", (name,), (b, modality)),
                Taste(f"{name}:recent", (name,), (b, modality), recent=True),
                Taste(f"{name}:country", ("country", name), (b, c, modality)),
                Taste(f"{name}:country recent", ("country", name), (b, c, modality), recent=True),
                Taste(f"{name}:person", ("person", name), (b, modality)),
            ]
    for term in SLOPES:
        found += [
            Taste(f"{term}:country", ("country",), (b, c, "offer"), term=term),
            Taste(f"{term}:person", ("person",), (b, "offer"), term=term),
        ]
    return found


@dataclass(frozen=True)
class Expected:
    """What is to be expected of a showing from its terms and place, and how much each deed tells of the liking."""

    boosters: Mapping[str, str]
    """``bought``, ``viewed``, ``dwell`` (of the logarithm) as LightGBM texts; the last one may not be there"""
    weight: Mapping[str, float]
    """log-odds of a view, and log seconds of a look, that go with one more log-odds of buying"""
    spread: float
    """variance of log seconds around the expected"""

    @classmethod
    def learn(cls, seen: Showings, rows: Ints, threads: int = 0) -> Self:
        """Learn from some rows of showings."""
        values, outcome = _plain(seen), seen.outcome.astype(np.float64)
        boosters = {"bought": _boosted(values[rows], outcome[rows, 0], "binary", threads)}
        looked = rows[outcome[rows, 1] > 0]
        timed = looked[np.isfinite(np.log(np.maximum(outcome[looked, 2], 1e-3)))]
        liking = _predicted(boosters["bought"], values[rows], raw=True)
        weight, spread = {"viewed": 0.0, "dwell": 0.0}, 1.0
        if 100 <= len(looked) < len(rows):
            boosters["viewed"] = _boosted(values[rows], outcome[rows, 1], "binary", threads)
            weight["viewed"] = _slope(liking, _predicted(boosters["viewed"], values[rows], raw=True))
        if len(timed) >= 100:
            seconds = np.log(np.maximum(outcome[:, 2], 1e-3))
            boosters["dwell"] = _boosted(values[timed], seconds[timed], "regression", threads)
            weight["dwell"] = _slope(liking, _predicted(boosters["dwell"], values[rows]))
            spread = float(np.mean((seconds[timed] - _predicted(boosters["dwell"], values[timed])) ** 2)) or 1.0
        return cls({name: one.model_to_string() for name, one in boosters.items()}, weight, spread)

    def told(self, seen: Showings) -> dict[str, Floats]:
        """``score``, ``information`` (rows,) of all deeds; ``bought``, ``bought_information`` of purchases alone."""
        values, outcome = _plain(seen), seen.outcome.astype(np.float64)
        expected = {name: _predicted(lgb.Booster(model_str=text), values) for name, text in self.boosters.items()}
        chance = expected["bought"]
        found = {"bought": outcome[:, 0] - chance, "bought_information": chance * (1 - chance)}
        score, information = found["bought"].copy(), found["bought_information"].copy()
        if "viewed" in expected:
            seen_with, weight = expected["viewed"], self.weight["viewed"]
            score += weight * (outcome[:, 1] - seen_with)
            information += weight**2 * seen_with * (1 - seen_with)
        if "dwell" in expected:
            weight = self.weight["dwell"]
            looked = (outcome[:, 1] > 0) & ~np.isnan(outcome[:, 2])
            more = np.log(np.maximum(np.nan_to_num(outcome[:, 2], nan=1.0), 1e-3)) - expected["dwell"]
            score += np.where(looked, weight * more / self.spread, 0.0)
            information += np.where(looked, weight**2 / self.spread, 0.0)
        return found | {"score": score, "information": information}

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"boosters": dict(self.boosters), "weight": dict(self.weight), "spread": self.spread}


class Tastes:
    """Expectations and variances, learnt from some rows; :meth:`of` gives the effects at any rows."""

    def __init__(
        self, expected: Expected, variance: Mapping[str, float], centre: Mapping[str, Sequence[float]]
    ) -> None:
        self.expected, self.variance, self.centre = expected, dict(variance), dict(centre)
        self._made: tuple[Showings, Mapping[str, Ints], _Log] | None = None

    @classmethod
    def learn(cls, seen: Showings, kinds: Mapping[str, Ints], plans: Sequence[Taste], rows: Ints) -> Tastes:
        """Learn from ``rows`` of the showings.

        ``kinds`` are codes of each kind: (rows of the showings,), or (rows of the showings, words) of a kind of which a
        listing has several, where 0 is none.
        """
        found = cls(Expected.learn(seen, rows), {}, _centres(seen, rows))
        log = found._log(seen, kinds)
        for places in _alike(plans):
            taste = plans[places[0]]
            each = log.told(taste, rows)[0].with_columns(Q=pl.col("S") ** 2)
            groups = each.group_by(taste.keys, maintain_order=True).agg(pl.col("S", "I", "Q").sum())
            variance = _variance(*(groups[name].to_numpy() for name in ("S", "I", "Q")))
            found.variance |= {plans[place].name: variance for place in places}
        # the first effects that are asked for are mostly of the same showings
        found._made = (seen, kinds, log)
        return found

    def of(self, seen: Showings, kinds: Mapping[str, Ints], plans: Sequence[Taste], rows: Ints | None = None) -> Array:
        """Effects (rows, plans) at some rows of the showings, from what was known when their visits began.

        Of a kind of which a listing has several, the effects are added up.
        """
        log = self._taken(seen, kinds) or self._log(seen, kinds)
        chosen = np.arange(len(seen)) if rows is None else rows
        found = np.zeros((len(chosen), len(plans)), np.float32)
        for places in _alike(plans):
            past = _Past(log, chosen, plans[places[0]])
            for place in places:
                found[:, place] = self._effect(log, chosen, plans[place], past)
        return found

    def _taken(self, seen: Showings, kinds: Mapping[str, Ints]) -> _Log | None:
        """The log that learning made, once, where it is of the same showings and kinds."""
        made, self._made = self._made, None
        if made is None or made[0] is not seen or made[1].keys() != kinds.keys():
            return None
        return made[2] if all(np.array_equal(codes, made[1][name]) for name, codes in kinds.items()) else None

    def _log(self, seen: Showings, kinds: Mapping[str, Ints]) -> _Log:
        """Keys, terms and what each showing tells, of all showings."""
        told = self.expected.told(seen)
        terms = {
            term: np.nan_to_num((seen.offer[:, OFFER.index(term)] - mean) / spread).astype(np.float64)
            for term, (mean, spread) in self.centre.items()
        }
        frame = seen.frame
        table = pl.DataFrame(
            {
                "ts": frame["ts"] + DAY,
                "start": frame["start"],
                "known": frame["customer_id"].is_not_null(),
                "person": frame["customer_id"].fill_null("?").cast(pl.Categorical).to_physical(),
                "country": frame["country"].fill_null("?").cast(pl.Categorical).to_physical(),
                "listing": frame["product_id"].cast(pl.Categorical).to_physical(),
                **{name: pl.Series(codes) for name, codes in kinds.items() if codes.ndim == 1},
                **{f"term {term}": values for term, values in terms.items()},
                **{f"told {name}": values for name, values in told.items()},
            }
        )
        several = {name: codes for name, codes in kinds.items() if codes.ndim == 2}
        return _Log(table, several, frozenset(kinds) - frozenset(several))

    def _effect(self, log: _Log, rows: Ints, taste: Taste, past: _Past) -> Floats:
        wanted, owner = past.wanted, past.owner
        score, information = past.now
        if taste.recent:
            before = past.until(RECENT_DAYS * DAY)
            score, information = score - before[0], information - before[1]
        effect = score / (np.maximum(information, 0) + 1 / self.variance[taste.name])
        if taste.term:
            effect = effect * log.table[f"term {taste.term}"].to_numpy()[rows]
        if "person" in taste.keys:
            # people who are not known share nothing
            effect = np.where(wanted["known"].to_numpy(), effect, 0.0)
        for key in taste.keys:
            if key in log.kinds:
                # a listing without a picture or a brand has no taste of it
                effect = np.where(wanted[key].to_numpy() == 0, np.nan, effect)
        return np.bincount(owner, effect, minlength=len(rows)).astype(np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"expected": self.expected.to_dict(), "variance": self.variance, "centre": self.centre}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Tastes:
        """What :meth:`to_dict` gave; KeyError where it is something else."""
        return cls(Expected(**values["expected"]), values["variance"], values["centre"])


class _Log:
    """All showings with what they tell; ``several`` holds the kinds of which a listing has several words, ``kinds`` the
    names of the others."""

    def __init__(self, table: pl.DataFrame, several: Mapping[str, Ints], kinds: frozenset[str]) -> None:
        self.table, self.several, self.kinds = table, several, kinds

    def told(self, taste: Taste, rows: Ints | None = None) -> tuple[pl.DataFrame, Ints]:
        """Keys, ``ts``, ``start``, ``known``, score ``S`` and information ``I`` for an effect, a row for each word;
        and of which of the rows each is."""
        score, information = (
            pl.col(f"told {name}")
            for name in (("bought", "bought_information") if taste.bought_only else ("score", "information"))
        )
        if taste.term:
            term = pl.col(f"term {taste.term}")
            score, information = score * term, information * term**2
        single = [key for key in taste.keys if key not in self.several]
        told = self.table.select(*single, "ts", "start", "known", S=score, I=information)
        told = told if rows is None else told[rows]
        words = [key for key in taste.keys if key in self.several]
        if not words:
            return told, np.arange(told.height)
        codes = self.several[words[0]] if rows is None else self.several[words[0]][rows]
        owner, place = np.nonzero(codes)
        return told[owner].with_columns(pl.Series(words[0], codes[owner, place])), owner


class _Past:
    """Sums of what was told before some rows' visits, of one kind of group; effects ``all`` and ``recent`` share it."""

    def __init__(self, log: _Log, rows: Ints, taste: Taste) -> None:
        self._keys = taste.keys
        sums = log.told(taste)[0].with_columns(pl.col("S", "I").cum_sum().over(taste.keys))
        self._sums = sums.select(*taste.keys, "ts", "S", "I")
        self.wanted, self.owner = log.told(taste, rows)
        self.now = self.until(0)
        """Score and information when the visit began"""

    def until(self, back: int) -> tuple[Floats, Floats]:
        """Score and information so long (microseconds) before."""
        at = self.wanted.select(*self._keys, row=pl.int_range(pl.len()), ts=pl.col("start") - 1 - back).sort("ts")
        joined = at.join_asof(self._sums, on="ts", by=list(self._keys), check_sortedness=False).sort("row")
        filled = joined.select(pl.col("S", "I").fill_null(0.0))
        return filled["S"].to_numpy(), filled["I"].to_numpy()


def _alike(plans: Sequence[Taste]) -> list[list[int]]:
    """Places of the effects that add up the same: of the same groups, by the same deeds and term."""
    found: dict[tuple[object, ...], list[int]] = {}
    for place, taste in enumerate(plans):
        found.setdefault((taste.keys, taste.term, taste.bought_only), []).append(place)
    return list(found.values())


def _plain(seen: Showings) -> Array:
    """Terms, place and the person's country, age and gender: what an expectation may know."""
    return np.hstack([seen.offer, seen.customer[:, : CUSTOMER.index("tenure")]])


def _boosted(values: Array, label: Floats, objective: str, threads: int) -> lgb.Booster:
    settings = _TREES | {"objective": objective, "num_threads": threads}
    return lgb.train(settings, lgb.Dataset(values, label), _ROUNDS)


def _predicted(booster: lgb.Booster, values: Array, raw: bool = False) -> Floats:
    return np.asarray(booster.predict(values, raw_score=raw), np.float64)


def _slope(on: Floats, of: Floats) -> float:
    """Least-squares slope of one expectation on another, not below zero; zero where the other hardly varies."""
    spread = float(np.var(on))
    return max(0.0, float(np.cov(on, of)[0, 1]) / spread) if spread > _LEAST_SPREAD else 0.0


def _variance(score: Floats, information: Floats, squares: Floats) -> float:
    """By how much groups differ in truth: E[S^2] = sum of the rows' squares + I^2 v, solved for v."""
    told = float((information**2).sum())
    return max(_LEAST_VARIANCE, float((score**2 - squares).sum()) / told) if told > 0 else _LEAST_VARIANCE


def _centres(seen: Showings, rows: Ints) -> dict[str, list[float]]:
    """Mean and spread of each term with a slope."""
    found = {}
    for term in SLOPES:
        values = seen.offer[rows, OFFER.index(term)].astype(np.float64)
        known = values[np.isfinite(values)]
        spread = float(known.std()) if len(known) else 0.0
        found[term] = [float(known.mean()) if len(known) else 0.0, spread if spread > 1e-9 else 1.0]
    return found
