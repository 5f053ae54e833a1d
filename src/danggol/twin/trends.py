"""Trends: what comes into fashion for a while, and hypes that are only talked about.

A trend is about a colour, a pattern, a dimension of style or one product. Its level in a country c, t weeks after it
starts there, rises logistically from a tenth to nine tenths in ``rise`` weeks and falls exponentially from its height:

    level(t) = logistic(2 ln 9 (t - rise / 2) / rise) * exp(-max(0, t - 1.5 rise) / fall),    t = week - start_c

    start_c = start + delay_c,    delay = 0 in one country drawn at random, Exponential(country_delay_weeks) elsewhere

Starts are spread evenly over the simulated time and the weeks before it in which a trend could have begun and still be
felt. A product j carries a share a_kj of trend k: 1 or 0 for a colour, pattern or product (copies carry what their
original does), and for style

    a_kj = logistic((z_j - 1) / 0.25),    z = style, standardised over the goods

so that about a sixth of the goods carry it. The utility of j gains sum_k a_kj strength_k level_k over the real trends,
and its exposure is multiplied by exp(interest * sum_k a_kj level_k). What is trendy is drawn without regard to how
well it sells: colours, patterns and dimensions evenly, products evenly within a category drawn evenly. No two trends
share a colour, pattern, style or product while there are others left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from danggol.twin import sections
from danggol.twin.clock import Clock
from danggol.twin.goods import Goods
from danggol.twin.people import Bools, Floats, Ints, Single
from danggol.twin.randomness import stream
from danggol.twin.words import COLORS, PATTERNS, STYLES

KINDS = ("color", "pattern", "style", "product")
"""What a trend can be about."""
ATTRIBUTES = {"color": COLORS, "pattern": PATTERNS, "style": STYLES}

_STRENGTH_SPREAD = 0.3
_SHAPE_SPREAD = 0.2
_HEIGHT = 1.5
_STYLE_FROM, _STYLE_WIDTH = 1.0, 0.25
_LISTED_BEFORE = 4


@dataclass(frozen=True)
class Trends:
    """The trends and hypes, one row each, in an order that does not tell which is which."""

    kind: NDArray[np.str_]
    """One of :data:`KINDS`."""
    key: NDArray[np.str_]
    """The colour's, pattern's or style's key in ``words.toml``, or the id of the product (of the original listing)."""
    hype: Bools
    """Talked about, never wanted more."""
    start: Floats
    """Week ``(trends, countries)`` in which the level reaches a tenth; may lie before 0."""
    rise: Floats
    """Weeks ``(trends,)`` from a tenth to nine tenths."""
    fall: Floats
    """Mean life ``(trends,)`` after the height, in weeks."""
    strength: Floats
    """Log-odds ``(trends,)`` that a real trend adds at its height; 0 for hypes."""
    shown_more: float
    """Log of the multiple of exposure at the height of a real trend."""
    carries: Single
    """``(trends, products)``, 0 to 1: how far the product is what the trend is about."""

    def __len__(self) -> int:
        return len(self.hype)

    @property
    def peak(self) -> Floats:
        """Week ``(trends, countries)`` of the height."""
        highest: Floats = self.start + _HEIGHT * self.rise[:, None]
        return highest

    def levels(self, week: float) -> Floats:
        """How high each trend stands in each country: ``(trends, countries)`` in [0, 1]."""
        return _level(week - self.start, self.rise[:, None], self.fall[:, None])

    def seen(self, country: Ints, week: Floats, among: Ints) -> Floats:
        """The levels ``(n, len(among))`` of some trends in ``n`` countries, each at its own week ``(n,)``."""
        since = week[:, None] - self.start[among].T[country]
        return _level(since, self.rise[among], self.fall[among])

    def lift(self, week: int) -> Single:
        """Log-odds ``(products, countries)`` that the real trends add to utility."""
        return self._carried(self.strength, week)

    def interest(self, week: int) -> Single:
        """Multiples ``(products, countries)`` of exposure, at least 1, from the real trends."""
        more: Single = np.exp(self._carried(np.where(self.hype, 0.0, self.shown_more), week))
        return more

    def _carried(self, weight: Floats, week: int) -> Single:
        heights = (weight[:, None] * self.levels(week)).astype(np.float32)
        summed: Single = self.carries.T @ heights
        return summed


def _level(since: Floats, rise: Floats, fall: Floats) -> Floats:
    steepness = 2 * np.log(9) / rise
    risen = 0.5 * (1 + np.tanh(0.5 * steepness * (since - 0.5 * rise)))
    level: Floats = risen * np.exp(-np.maximum(since - _HEIGHT * rise, 0.0) / fall)
    return level


def make_trends(settings: sections.Trends, goods: Goods, clock: Clock, codes: tuple[str, ...], seed: int) -> Trends:
    """Draw the market's trends and hypes; none where both numbers are 0."""
    rng = stream(seed, "trends")
    number = settings.real + settings.hypes
    shape = np.exp(_SHAPE_SPREAD * rng.normal(size=(2, number)))
    rise, fall = settings.rise_weeks * shape[0], settings.fall_weeks * shape[1]
    first = np.concatenate([_spread(rng, count, settings, clock.weeks) for count in (settings.real, settings.hypes)])
    delay = rng.exponential(settings.country_delay_weeks, (number, len(codes)))
    delay[np.arange(number), rng.integers(0, len(codes), number)] = 0.0
    strength = settings.strength * np.exp(_STRENGTH_SPREAD * rng.normal(size=number))
    hype = np.arange(number) >= settings.real
    order = rng.permutation(number)
    kinds, keys = _subjects(rng, goods, first[order])
    return Trends(
        kind=kinds,
        key=keys,
        hype=hype[order],
        start=(first[:, None] + delay)[order],
        rise=rise[order],
        fall=fall[order],
        strength=np.where(hype, 0.0, strength)[order],
        shown_more=settings.interest,
        carries=_carries(kinds, keys, goods),
    )


def _spread(rng: np.random.Generator, number: int, settings: sections.Trends, weeks: int) -> Floats:
    """Weeks in which trends start where they come first, evenly spread."""
    earliest = -(_HEIGHT * settings.rise_weeks + settings.fall_weeks)
    even = (np.arange(number) + rng.random(number)) / max(number, 1)
    starts: Floats = earliest + (weeks - earliest) * even
    return starts


def _subjects(rng: np.random.Generator, goods: Goods, first: Floats) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
    """The kind and key of each trend, products where the other kinds have run out of keys."""
    left: dict[str, list[str]] = {kind: rng.permutation(known).tolist() for kind, known in ATTRIBUTES.items()}
    kinds: list[str] = []
    keys: list[str] = []
    free = np.ones(len(goods), dtype=bool)
    for start, drawn in zip(first, rng.integers(0, len(KINDS), len(first)), strict=True):
        kind = KINDS[drawn] if left.get(KINDS[drawn]) else "product"
        kinds.append(kind)
        if kind != "product":
            keys.append(left[kind].pop())
            continue
        product = _product(rng, goods, free, float(start))
        free[product] = False
        keys.append(goods.ids[product])
    return np.array(kinds, dtype=np.str_), np.array(keys, dtype=np.str_)


def _product(rng: np.random.Generator, goods: Goods, free: Bools, start: float) -> int:
    """A product, no copy, that no trend is about yet and that is listed well before, from a category drawn evenly."""
    known = goods.listed_week <= max(start - _LISTED_BEFORE, -1)
    first = goods.real == np.arange(len(goods))
    wanted = next(mask for mask in (first & free & known, first & free, first) if mask.any())
    category = rng.choice(np.unique(goods.category[wanted]))
    return int(rng.choice(np.flatnonzero(wanted & (goods.category == category))))


def _carries(kinds: NDArray[np.str_], keys: NDArray[np.str_], goods: Goods) -> Single:
    """``(trends, products)``: how far each product is what the trend is about."""
    carried = np.zeros((len(kinds), len(goods)), dtype=np.float32)
    rows = {"color": goods.color, "pattern": goods.pattern}
    place = {product: row for row, product in enumerate(goods.ids)}
    for trend, (kind, key) in enumerate(zip(kinds.tolist(), keys.tolist(), strict=True)):
        if kind == "product":
            carried[trend] = goods.real == place[key]
        elif kind == "style":
            standing = goods.style[:, STYLES.index(key)]
            standing = (standing - standing.mean()) / max(float(standing.std()), 1e-6)
            carried[trend] = 0.5 * (1 + np.tanh(0.5 * (standing - _STYLE_FROM) / _STYLE_WIDTH))
        else:
            carried[trend] = rows[kind] == ATTRIBUTES[kind].index(key)
    return carried


def trend_ids(number: int) -> pl.Series:
    """The ids of the trends, by row: ``K001`` and so on."""
    return pl.select(pl.format("K{}", pl.int_range(1, number + 1).cast(pl.String).str.zfill(3))).to_series()


def trends_frame(trends: Trends, codes: tuple[str, ...], clock: Clock) -> pl.DataFrame:
    """The truth of the trends, a row for each and country; ``started_on`` is the Monday of the week of its start."""
    rows = np.repeat(np.arange(len(trends)), len(codes))
    start = trends.start.ravel()
    mondays = [clock.monday(week) for week in np.floor(start).astype(int).tolist()]
    columns: dict[str, Any] = {
        "trend_id": trend_ids(len(trends)).gather(rows),
        "kind": pl.Series(trends.kind.tolist(), dtype=pl.String).gather(rows),
        "key": pl.Series(trends.key.tolist(), dtype=pl.String).gather(rows),
        "hype": trends.hype[rows],
        "country": pl.Series(list(codes) * len(trends), dtype=pl.String),
        "start_week": start,
        "peak_week": trends.peak.ravel(),
        "rise_weeks": trends.rise[rows],
        "fall_weeks": trends.fall[rows],
        "strength": trends.strength[rows],
        "started_on": pl.Series(mondays, dtype=pl.Date),
    }
    return pl.DataFrame(columns)
