"""What the shop writes down of a week's visits: events and sessions, in order of time, with ids that count up.

A visit begins at a local hour of its country; listings are seen one after the other, a look takes its dwell time, and
what is bought is paid at the end of the visit. Money of events is in the reporting currency, money of orders in the
customer's. What follows an order is written by :mod:`danggol.twin.orders`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np
import polars as pl

from danggol.twin.choice import Chosen
from danggol.twin.clock import DAY, SECOND, Clock
from danggol.twin.countries import countries
from danggol.twin.delivery import outcomes_frame
from danggol.twin.goods import Goods, image_path
from danggol.twin.lists import Shown, Visits
from danggol.twin.offers import Rates, WeekTerms
from danggol.twin.orders import Orders, Placed, Promised, numbered
from danggol.twin.parameters import Parameters
from danggol.twin.people import Bools, Floats, Ints, People, timestamps
from danggol.twin.randomness import stream
from danggol.twin.titles import query

KINDS = ("search", "impression", "view", "cart", "purchase", "return")
_SEARCH, _IMPRESSION, _VIEW, _CART, _PURCHASE, _RETURN = range(6)
_LONGEST_VISIT, _GLANCE = 3000.0, 2.0
_DAY_WEIGHTS = np.array([0.95, 0.95, 0.95, 0.95, 1.0, 1.1, 1.1])
_APP, _WEB, _LIVE = range(3)
_CHANNELS = ("app", "web", "live")

Rows = TypeVar("Rows", Shown, Chosen)


@dataclass(frozen=True)
class Written:
    """The rows of a week's visits, and what is true of its showings and purchases."""

    events: pl.DataFrame
    sessions: pl.DataFrame
    choices: pl.DataFrame
    purchases: pl.DataFrame
    placed: Placed
    lines: pl.DataFrame
    """What was bought, a row a line: visit, product, country, quantity, price, local …"""


@dataclass
class Journal:
    """Writes weeks down in order, and keeps the ids given out."""

    parameters: Parameters
    clock: Clock
    people: People
    goods: Goods
    orders: Orders
    rates: Rates
    seed: int
    events: int = 0
    visits: int = 0

    def __post_init__(self) -> None:
        codes = self.people.by_country.codes
        self.codes = pl.Series(codes)
        self.utc_offset = np.array([countries()[code].utc_offset for code in codes])
        self.images = pl.Series([image_path(one, place) for one in self.goods.ids for place in (0, 1)])
        names = [category.name for category in self.parameters.goods.category]
        languages, self.spoken = np.unique(self.people.language, return_inverse=True)
        self.queries = pl.Series(
            [query(name, str(one), choice) for one in languages for name in names for choice in (0, 1)]
        )

    def write(
        self,
        visits: Visits,
        shown: Shown,
        chosen: Chosen,
        terms: WeekTerms,
        promised: Promised,
        busy: Floats,
        shock_days: float,
    ) -> Written:
        """The rows of the week whose terms are given; ``busy`` (countries,): visits as a multiple of the usual."""
        rng = stream(self.seed, "journal", terms.week)
        begin = np.where(visits.slot >= 0, visits.begin, self._begins(visits, terms.week, rng))
        visits, shown, chosen, begin = _by_time(visits, shown, chosen, begin)
        at, dwell, end = _timeline(shown, chosen, begin)
        visit_rows = self._visit_rows(visits, shown, chosen, begin, end, rng)
        lines = self._lines(visits, shown, chosen, terms, at, dwell)
        happened, searched = self._happenings(lines, visit_rows, visits, chosen, rng)
        bought = happened.filter(pl.col("kind") == _PURCHASE).sort("order", "row")
        placed = self.orders.place(bought, promised, busy, shock_days, terms.week)
        back = self.orders.returns_of(terms.week).with_columns(kind=pl.lit(_RETURN))
        rows = self._numbered(pl.concat([happened, back], how="diagonal"))
        self.visits += len(visits)
        paid = bought.select("row", place=pl.int_range(pl.len()))
        return Written(
            self._events_table(rows),
            self._sessions_table(visit_rows, shown, chosen, searched),
            self._choices(rows, chosen),
            _purchases(rows, paid, placed),
            placed,
            bought,
        )

    def _begins(self, visits: Visits, week: int, rng: np.random.Generator) -> Ints:
        """When each visit begins: evenings and noons of its country, an hour free at the end of the week."""
        number = len(visits)
        day = rng.choice(7, number, p=_DAY_WEIGHTS / _DAY_WEIGHTS.sum())
        evening = rng.random(number) < 0.6
        hour = np.where(evening, 20.5, 12.5) + np.where(evening, 2.2, 2.8) * rng.normal(size=number)
        shift = self.clock.offset_hours(week) - self.utc_offset[visits.country]
        hours = np.mod(day * 24 + hour % 24 + shift, 168.0) * (167 / 168)
        return self.clock.start(week) + (hours * 3600).astype(np.int64) * SECOND

    def _visit_rows(
        self, visits: Visits, shown: Shown, chosen: Chosen, begin: Ints, end: Ints, rng: np.random.Generator
    ) -> pl.DataFrame:
        number = len(visits)
        buys = np.bincount(shown.visit, chosen.bought, minlength=number) > 0
        order = np.zeros(number, dtype=np.int64)
        rows = np.flatnonzero(buys)
        order[rows[np.argsort(end[rows], kind="stable")]] = self.orders.count + np.arange(1, len(rows) + 1)
        app = rng.random(number) < self.parameters.visits.app
        return pl.DataFrame(
            {
                "visit": np.arange(number),
                "customer": visits.customer,
                "known": buys | (rng.random(number) >= self.parameters.people.anonymous),
                "country": visits.country,
                "order": order,
                "session": self.visits + 1 + np.arange(number),
                "channel": np.where(visits.slot >= 0, _LIVE, np.where(app, _APP, _WEB)),
                "slot": visits.slot,
                "begin": begin,
                "end": end,
            }
        )

    def _lines(
        self, visits: Visits, shown: Shown, chosen: Chosen, terms: WeekTerms, at: Ints, dwell: Floats
    ) -> pl.DataFrame:
        country = visits.country[shown.visit]
        cell = (shown.product, country)
        day = (at - self.clock.start(0)) // DAY
        rate = self.rates.rate[np.minimum(day, len(self.rates.rate) - 1), self.rates.of_country[country]]
        local = np.round(terms.price[cell] * (1 - shown.cut), 2)
        return pl.DataFrame(
            {
                "visit": shown.visit,
                "row": np.arange(len(shown)),
                "ts": at,
                "product": shown.product,
                "place": shown.place,
                "propensity": shown.propensity,
                "picture": 2 * shown.product + shown.second_picture,
                "dwell": dwell,
                "local": local,
                "price": np.round(local * rate, 4),
                "discount": np.round(1 - local / terms.list_price[cell], 6),
                "dearness": terms.dearness[cell] + np.log1p(-shown.cut),
                "free": terms.free_shipping[cell],
                "quantity": chosen.quantity,
            }
        )

    def _happenings(
        self, lines: pl.DataFrame, visit_rows: pl.DataFrame, visits: Visits, chosen: Chosen, rng: np.random.Generator
    ) -> tuple[pl.DataFrame, Ints]:
        """One row for each thing that happened in the week's visits; and the visits that began with a search."""
        searches = (rng.random(len(visits)) < self.parameters.visits.search) & (visits.slot < 0)
        searched = np.flatnonzero(searches)
        categories = len(self.parameters.goods.category)
        customer = visits.customer[searched]
        words = (self.spoken[customer] * categories + visits.category[searched]) * 2 + customer % 2
        after = pl.col("ts") + (pl.col("dwell") * SECOND).round().cast(pl.Int64)
        parts = [
            visit_rows[searched].select("visit", ts="begin", query=pl.Series(words), kind=pl.lit(_SEARCH)),
            lines.select(pl.exclude("dwell", "quantity", "dearness"), kind=pl.lit(_IMPRESSION)),
            lines.filter(chosen.viewed).select(pl.exclude("quantity", "propensity", "dearness"), kind=pl.lit(_VIEW)),
            lines.filter(chosen.carted)
            .with_columns(ts=after, kind=pl.lit(_CART))
            .drop("dwell", "propensity", "picture", "dearness"),
            lines.filter(chosen.bought).with_columns(kind=pl.lit(_PURCHASE)).drop("dwell", "propensity", "picture"),
        ]
        rows = pl.concat(parts, how="diagonal").join(visit_rows, on="visit", how="left", maintain_order="left")
        paid = pl.col("kind") == _PURCHASE
        rows = rows.with_columns(ts=pl.when(paid).then("end").otherwise("ts"), order=pl.when(paid).then("order"))
        return rows.drop("begin", "end"), searched

    def _numbered(self, rows: pl.DataFrame) -> pl.DataFrame:
        rows = rows.sort("ts", "kind", "session", "place", "order", "product", nulls_last=True, maintain_order=True)
        number = pl.int_range(self.events + 1, self.events + len(rows) + 1)
        self.events += len(rows)
        return rows.with_columns(event_id=numbered("E", number, 9))

    def _events_table(self, rows: pl.DataFrame) -> pl.DataFrame:
        kind = rows["kind"]
        listed = kind.is_in([_IMPRESSION, _VIEW])
        customer = rows.select(pl.when("known").then("customer"))["customer"]
        return rows.select(
            "event_id",
            ts=timestamps(_ints(rows, "ts")),
            kind=pl.Series(KINDS).gather(kind),
            customer_id=self.people.ids.gather(customer),
            session_id=numbered("S", pl.col("session"), 8),
            product_id=self.goods.ids.gather(rows["product"]),
            order_id=numbered("O", pl.col("order"), 8),
            list_id=pl.when(listed).then(numbered("L", pl.col("session"), 8)),
            position=pl.when(listed).then("place"),
            propensity=pl.col("propensity").fill_nan(None),
            image_shown=self.images.gather(rows["picture"]),
            query=self.queries.gather(rows["query"]),
            dwell_s="dwell",
            price="price",
            discount_rate="discount",
            free_shipping="free",
            quantity=pl.when(pl.col("kind") == _CART).then(1.0).otherwise(pl.col("quantity").cast(pl.Float64)),
            channel=pl.Series(_CHANNELS).gather(rows["channel"]),
            country=self.codes.gather(rows["country"]),
        )

    def _sessions_table(self, visit_rows: pl.DataFrame, shown: Shown, chosen: Chosen, searched: Ints) -> pl.DataFrame:
        number = len(visit_rows)

        def count(marks: Bools) -> Ints:
            return np.bincount(shown.visit[marks], minlength=number)

        seconds = (_ints(visit_rows, "end") - _ints(visit_rows, "begin")) / SECOND
        customer = visit_rows.select(pl.when("known").then("customer"))["customer"]
        return visit_rows.select(
            session_id=numbered("S", pl.col("session"), 8),
            customer_id=self.people.ids.gather(customer),
            ts=timestamps(_ints(visit_rows, "begin")),
            country=self.codes.gather(visit_rows["country"]),
            converted=pl.Series(count(chosen.bought) > 0),
            channel=pl.Series(_CHANNELS).gather(visit_rows["channel"]),
            impressions=pl.Series(count(np.ones(len(shown), dtype=bool))),
            views=pl.Series(count(chosen.viewed)),
            carts=pl.Series(count(chosen.carted)),
            searches=pl.Series(np.bincount(searched, minlength=number)),
            seconds=pl.Series(np.round(seconds, 1)),
        )

    def _choices(self, rows: pl.DataFrame, chosen: Chosen) -> pl.DataFrame:
        """True probabilities of the showings."""
        seen = rows.filter(pl.col("kind") == _IMPRESSION)
        at = _ints(seen, "row")
        return pl.DataFrame(
            {
                "event_id": seen["event_id"],
                "customer_id": self.people.ids.gather(seen["customer"]),
                "p_view": chosen.p_view[at].astype(np.float32),
                "p_buy": chosen.p_buy[at].astype(np.float32),
                "bought": chosen.bought[at],
            }
        )


def _purchases(rows: pl.DataFrame, paid: pl.DataFrame, placed: Placed) -> pl.DataFrame:
    """What is true of each purchase, in the order in which they were placed."""
    names = rows.filter(pl.col("kind") == _PURCHASE).select("event_id", "row")
    named = paid.join(names, on="row", how="left", maintain_order="left")
    return outcomes_frame(named["event_id"], placed.outcome).sort("event_id")


def _ints(frame: pl.DataFrame, column: str) -> Ints:
    return frame[column].to_numpy().astype(np.int64)


def _take(rows: Rows, order: Ints) -> Rows:
    return replace(rows, **{one.name: getattr(rows, one.name)[order] for one in fields(rows)})


def _by_time(visits: Visits, shown: Shown, chosen: Chosen, begin: Ints) -> tuple[Visits, Shown, Chosen, Ints]:
    """Put visits in order of time, and what they were shown with them."""
    order = np.argsort(begin, kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    visits = Visits(**{one.name: getattr(visits, one.name)[order] for one in fields(visits)})
    shown = replace(shown, visit=rank[shown.visit])
    rows = np.lexsort((shown.place, shown.visit))
    return visits, _take(shown, rows), _take(chosen, rows), begin[order]


def _timeline(shown: Shown, chosen: Chosen, begin: Ints) -> tuple[Ints, Floats, Ints]:
    """When each listing is seen, how long a viewed one is looked at (seconds), and when each visit ends."""
    spent = _GLANCE + np.where(chosen.viewed, chosen.dwell, 0.0)
    total = np.bincount(shown.visit, spent, minlength=len(begin))
    haste = np.minimum(1.0, _LONGEST_VISIT / np.maximum(total, 1e-9))[shown.visit]
    spent, dwell = spent * haste, np.round(chosen.dwell * haste, 1)
    passed = np.cumsum(spent) - spent
    places = np.bincount(shown.visit, minlength=len(begin))
    first = np.cumsum(places) - places
    since = passed - passed[first][shown.visit]
    at = begin[shown.visit] + (since * 1000 + 1000).astype(np.int64) * 1000
    end = begin + (np.minimum(total, _LONGEST_VISIT) * 1000).astype(np.int64) * 1000 + 20 * SECOND
    return at, dwell, end
