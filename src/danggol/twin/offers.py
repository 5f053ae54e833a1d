"""The terms of each listing in each country, week by week; exchange rates; sale days.

    list price = usual price (USD) x price level x N-log-normal(price_sd) x units per USD, rounded as the currency is
                 (x exp(price_level z_c), z_c the country's uncertainty avoidance, where the market is confounded)
    price      = list price x (1 - discount), or what an action has set

A discount is the larger of the listing's own reduction (begins with probability ``discount_start`` a week, lasts
geometrically long) and the sale of the week. Badges are drawn anew each quarter, free shipping below the threshold
each four weeks. A row of ``offers`` is written when its terms end, so that nothing but the current terms is kept; its
``stock`` is that of the moment it began, and it ends when a listing runs out or is back.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from danggol.twin.clock import Clock
from danggol.twin.countries import DIMENSIONS, countries, currencies, standard_scores
from danggol.twin.goods import Goods
from danggol.twin.parameters import Parameters, Sale
from danggol.twin.people import Bools, Floats, Ints, Single, timestamps
from danggol.twin.randomness import stream

_QUARTER_WEEKS, _PROMO_WEEKS, _RUN_IN_WEEKS = 13, 4, 8
_PLENTY = 1_000_000


@dataclass(frozen=True)
class WeekTerms:
    """What holds in one week; arrays ``(products, countries)``, money in local currency."""

    week: int
    price: Floats
    list_price: Floats
    discount: Single
    free_shipping: Bools
    badge: Bools
    listed: Bools
    """Listed by now, and offered in the country."""
    there: Bools
    """Listed, and in stock."""
    stock: Ints
    """(products,) units in store, 0 or more."""
    weight: Floats
    """How much each listing is shown: its exposure, more by a trend, 0 where it is not there."""
    dearness: Single
    """log(price / usual price of the category in the country)."""


class Terms:
    """The terms of all listings in all countries; :meth:`week` moves on by a week."""

    def __init__(self, parameters: Parameters, goods: Goods, clock: Clock, seed: int) -> None:
        self.settings, self.goods, self.clock, self.seed = parameters.offers, goods, clock, seed
        self.codes = tuple(parameters.countries)
        places = [countries()[code] for code in self.codes]
        shape = (len(goods), len(places))
        rng = stream(seed, "terms")
        self.step = np.array([place.step for place in places])
        self.usd = np.array([place.price_level * place.per_usd for place in places])
        confounding, scores = parameters.confounding, standard_scores(self.codes)
        level = confounding.price_level * scores[:, DIMENSIONS.index("uai")]
        scatter = np.exp(self.settings.price_sd * rng.normal(size=shape) + level)
        lean = np.exp(confounding.discount_level * scores[:, DIMENSIONS.index("lto")])
        self.discount_start = np.minimum(self.settings.discount_start * lean, 1.0)
        self.list_price = self.rounded(goods.price_usd[:, None] * self.usd * scatter)
        self.usual = np.array([c.price for c in parameters.goods.category])[goods.category][:, None] * self.usd
        self.fee = self.rounded(self.settings.shipping_fee * self.usd)
        self.offered = rng.random(shape) < self._available(parameters, seed)
        home = np.array([[origin == code for code in self.codes] for origin in goods.origin])
        nowhere = ~(self.offered | home).any(axis=1)
        self.offered |= home
        self.offered[np.flatnonzero(nowhere), rng.integers(0, len(places), int(nowhere.sum()))] = True
        self.reduction = np.zeros(shape, dtype=np.float32)
        self.reduced_until = np.zeros(shape, dtype=np.int64)
        self.sale = np.zeros(shape, dtype=np.float32)
        self.badge = np.zeros(shape, dtype=bool)
        self.promo = np.zeros(shape, dtype=bool)
        self.fixed = np.full(shape, np.nan)
        """Prices that an action has set."""
        self.open_since = np.full(shape, -1, dtype=np.int64)
        self.open_stock = np.zeros(shape, dtype=np.int64)
        self.open: WeekTerms | None = None
        for before in range(_RUN_IN_WEEKS, 0, -1):
            self._reduce(-before, stream(seed, "terms before", before))

    def _available(self, parameters: Parameters, seed: int) -> Floats:
        """Chance of each listing to be offered in each country: by category and brand where assortments differ."""
        usual, spread = self.settings.available, parameters.confounding.assortment
        if spread == 0 or usual == 1:
            return np.full((len(self.goods), len(self.codes)), usual)
        rng = stream(seed, "assortment")
        lean = rng.normal(size=(len(parameters.goods.category), len(self.codes)))[self.goods.category]
        lean = lean + rng.normal(size=(parameters.goods.brands, len(self.codes)))[self.goods.brand]
        chance: Floats = 1 / (1 + (1 / usual - 1) * np.exp(-spread * lean / np.sqrt(2)))
        return chance

    def fix(self, product: Ints, country: Ints, price: Floats) -> None:
        """Set prices in local currency from now on; nan gives them back to the market."""
        kept = np.maximum(np.round(price / self.step[country]), 1) * self.step[country]
        self.fixed[product, country] = np.where(np.isnan(price), np.nan, np.round(kept, 2))

    def rounded(self, amount: Floats) -> Floats:
        """Amounts ``(…, countries)`` as prices are written in each country, at least one step."""
        whole: Floats = np.round(np.maximum(np.round(amount / self.step), 1) * self.step, 2)
        return whole

    def week(self, week: int, stock: Ints | None = None, interest: Single | None = None) -> WeekTerms:
        """Draw the terms of a week; weeks must be asked for in order.

        ``stock`` (products,): units in store; plenty if not said. ``interest`` (products, countries): how much more
        each listing is shown.
        """
        rng = stream(self.seed, "terms", week)
        self._reduce(week, rng)
        self._hold_sales(week)
        if week % _QUARTER_WEEKS == 0:
            wish = np.log(self.goods.exposure)[:, None] + rng.gumbel(size=self.offered.shape)
            self.badge = wish > np.quantile(wish, 1 - self.settings.badge_share)
        if week % _PROMO_WEEKS == 0:
            self.promo = rng.random(self.offered.shape) < self.settings.free_shipping_promo
        discount = np.maximum(self.reduction, self.sale)
        price = np.where(np.isnan(self.fixed), self.rounded(self.list_price * (1 - discount)), self.fixed)
        list_price = np.maximum(self.list_price, price)
        listed = self.offered & (self.goods.listed_week <= week)[:, None]
        units = np.full(len(self.goods), _PLENTY) if stock is None else np.maximum(stock, 0)
        there = listed & (units > 0)[:, None]
        weight = np.where(there, self.goods.exposure[:, None], 0.0)
        return WeekTerms(
            week=week,
            price=price,
            list_price=list_price,
            discount=(1 - price / list_price).astype(np.float32),
            free_shipping=self.promo | (price >= self.settings.free_shipping_over * self.usd),
            badge=self.badge,
            listed=listed,
            there=there,
            stock=units,
            weight=weight if interest is None else weight * interest,
            dearness=np.log(price / self.usual).astype(np.float32),
        )

    def _reduce(self, week: int, rng: np.random.Generator) -> None:
        self.reduction[self.reduced_until <= week] = 0
        begins = (self.reduction == 0) & (rng.random(self.reduction.shape) < self.discount_start)
        number = int(begins.sum())
        self.reduction[begins] = rng.choice(np.array(self.settings.discounts, dtype=np.float32), number)
        self.reduced_until[begins] = week + rng.geometric(1 / self.settings.discount_weeks, number)

    def _hold_sales(self, week: int) -> None:
        self.sale[:] = 0
        for number, sale in enumerate(self.settings.sale):
            where = sale_countries(sale, self.codes)
            if self.clock.in_week(week, sale.month, sale.day, sale.weeks):
                # One draw for a sale, whichever of its weeks asks, so that a listing stays in it or out of it.
                year = (self.clock.monday(week) - dt.timedelta(days=40)).year
                taking_part = stream(self.seed, "sale", number, year).random(self.sale.shape) < sale.share
                level = np.where(taking_part & where, np.float32(sale.discount), np.float32(0))
                self.sale = np.maximum(self.sale, level).astype(np.float32)

    def close(self, now: WeekTerms | None) -> pl.DataFrame:
        """The rows of ``offers`` whose terms end where ``now`` begins; with None, all that still hold."""
        before = self.open
        if before is None or now is None:
            ended = self.open_since >= 0
        else:
            moved = (
                (before.price != now.price) | (before.free_shipping != now.free_shipping) | (before.badge != now.badge)
            )
            ran_out = (before.stock > 0) != (now.stock > 0)
            ended = (self.open_since >= 0) & (moved | ran_out[:, None])
        rows = self._rows(ended, before, now)
        if now is not None:
            begins = now.listed & (ended | (self.open_since < 0))
            self.open_since[begins] = now.week
            self.open_stock[begins] = np.broadcast_to(now.stock[:, None], begins.shape)[begins]
            self.open = now
        return rows

    def current(self) -> pl.DataFrame:
        """The rows that hold now; empty before the first week."""
        return self._rows(self.open_since >= 0, self.open, None)

    def _rows(self, ended: Bools, terms: WeekTerms | None, now: WeekTerms | None) -> pl.DataFrame:
        product, country = np.nonzero(ended) if terms is not None else (np.array([], np.int64),) * 2
        starts = self.clock.starts()
        empty = np.zeros(self.offered.shape)
        price, list_price = (terms.price, terms.list_price) if terms else (empty, empty)
        free, badge = (terms.free_shipping, terms.badge) if terms else (empty > 0, empty > 0)
        since = self.open_since[product, country]
        cell = (product, country)
        until = timestamps(np.full(len(product), starts[now.week] if now else 0))
        shown = 2 * badge[cell] + (price[cell] < list_price[cell])
        return pl.DataFrame(
            {
                "product_id": self.goods.ids.gather(product),
                "valid_from": timestamps(starts[since]),
                "country": pl.Series(self.codes).gather(country),
                "valid_to": until if now else until.set(pl.Series(np.ones(len(product), bool)), None),
                "price": price[cell],
                "list_price": list_price[cell],
                "currency": pl.Series([countries()[code].currency for code in self.codes]).gather(country),
                "shipping_fee": np.where(free[cell], 0.0, self.fee[country]),
                "free_shipping": free[cell],
                "badges": pl.Series([[], ["sale"], ["best_seller"], ["best_seller", "sale"]]).gather(shown),
                "stock": self.open_stock[cell],
            }
        )


def sale_countries(sale: Sale, codes: tuple[str, ...]) -> Bools:
    """Which of the market's countries hold a sale."""
    return np.array([not sale.countries or code in sale.countries for code in codes])


def traffic(parameters: Parameters, clock: Clock, week: int) -> Floats:
    """Visits ``(countries,)`` as a multiple of the usual, from the sales of the week."""
    codes = tuple(parameters.countries)
    multiple = np.ones(len(codes))
    for sale in parameters.offers.sale:
        if clock.in_week(week, sale.month, sale.day, sale.weeks):
            multiple = np.where(sale_countries(sale, codes), np.maximum(multiple, sale.traffic), multiple)
    return multiple


def calendar_table(parameters: Parameters, clock: Clock) -> pl.DataFrame:
    """The sale days of each country; where sales meet, the first that the market names."""
    rows: dict[tuple[dt.date, str], str] = {}
    for week in range(clock.weeks):
        for sale in parameters.offers.sale:
            if clock.in_week(week, sale.month, sale.day, sale.weeks):
                for code in parameters.countries:
                    if not sale.countries or code in sale.countries:
                        for day in range(7):
                            rows.setdefault((clock.monday(week) + dt.timedelta(days=day), code), sale.name)
    keys = sorted(rows)
    return pl.DataFrame(
        {
            "date": pl.Series([date for date, _ in keys], dtype=pl.Date),
            "kind": pl.Series(["sale"] * len(keys), dtype=pl.String),
            "region": pl.Series([code for _, code in keys], dtype=pl.String),
            "name": pl.Series([rows[key] for key in keys], dtype=pl.String),
        }
    )


@dataclass(frozen=True)
class Rates:
    """Exchange rates ``(days, currencies)``: units of the reporting currency for one of each currency."""

    currencies: tuple[str, ...]
    rate: Floats
    of_country: Ints
    """The column of each country's currency."""


def make_rates(parameters: Parameters, clock: Clock, reporting: str, seed: int) -> Rates:
    """Rates that walk randomly around those of the table of countries."""
    codes = tuple(sorted({countries()[code].currency for code in parameters.countries} | {reporting, "USD"}))
    days = 7 * clock.weeks
    per_usd = np.empty((days, len(codes)))
    for column, code in enumerate(codes):
        moves = stream(seed, f"fx {code}").normal(size=days) * (0 if code == "USD" else parameters.offers.fx_volatility)
        walk = np.cumsum(moves)
        per_usd[:, column] = currencies()[code] * np.exp(walk - walk.mean())
    rate = per_usd[:, [codes.index(reporting)]] / per_usd
    where: NDArray[np.int64] = np.array([codes.index(countries()[code].currency) for code in parameters.countries])
    return Rates(codes, rate, where)


def fx_table(rates: Rates, clock: Clock) -> pl.DataFrame:
    """One row a day and currency."""
    days = len(rates.rate)
    dates = pl.Series([clock.first + dt.timedelta(days=day) for day in range(days)])
    return pl.DataFrame(
        {
            "date": dates.gather(np.repeat(np.arange(days), len(rates.currencies))),
            "currency": list(rates.currencies) * days,
            "rate": rates.rate.ravel(),
        }
    )
