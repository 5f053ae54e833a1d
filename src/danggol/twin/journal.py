"""What the shop writes down of a week: events and orders, in order of time, with ids that count up.

A visit begins at a local hour of its country; listings are seen one after the other, a look takes its dwell time, and
what is bought is paid at the end of the visit. Deliveries take the country's transit time, log-normally; what is sent
back goes back some days after it came. Money of events is in the reporting currency, money of orders in the customer's.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TypeVar

import numpy as np
import polars as pl

from danggol.twin.choice import Chosen, return_chance
from danggol.twin.clock import DAY, SECOND, Clock
from danggol.twin.countries import countries
from danggol.twin.goods import Goods, image_path
from danggol.twin.lists import Shown, Visits
from danggol.twin.offers import Rates, Terms, WeekTerms
from danggol.twin.parameters import Parameters
from danggol.twin.people import Floats, Ints, People, timestamps
from danggol.twin.randomness import stream
from danggol.twin.titles import query

KINDS = ("search", "impression", "view", "cart", "purchase", "return")
_SEARCH, _IMPRESSION, _VIEW, _CART, _PURCHASE, _RETURN = range(6)
_LONGEST_VISIT, _GLANCE = 3000.0, 2.0
_DAY_WEIGHTS = np.array([0.95, 0.95, 0.95, 0.95, 1.0, 1.1, 1.1])
_PROMISE_SLACK_DAYS = 2.0

Rows = TypeVar("Rows", Shown, Chosen)


@dataclass(frozen=True)
class Week:
    """The rows of a week, and what is true of its showings and purchases."""

    events: pl.DataFrame
    orders: pl.DataFrame
    choices: pl.DataFrame
    purchases: pl.DataFrame


@dataclass
class Journal:
    """Writes weeks down in order; keeps the ids given out and the returns still under way."""

    parameters: Parameters
    clock: Clock
    people: People
    goods: Goods
    offers: Terms
    rates: Rates
    seed: int
    events: int = 0
    visits: int = 0
    orders: int = 0
    returning: list[pl.DataFrame] = field(default_factory=list)

    def __post_init__(self) -> None:
        codes = self.people.by_country.codes
        places = [countries()[code] for code in codes]
        self.codes = pl.Series(codes)
        self.currency = pl.Series([place.currency for place in places])
        self.utc_offset = np.array([place.utc_offset for place in places])
        self.transit = np.array([place.transit_days for place in places])
        self.images = pl.Series([image_path(one, place) for one in self.goods.ids for place in (0, 1)])
        names = [category.name for category in self.parameters.goods.category]
        languages, self.spoken = np.unique(self.people.language, return_inverse=True)
        self.queries = pl.Series(
            [query(name, str(one), choice) for one in languages for name in names for choice in (0, 1)]
        )

    def write(self, visits: Visits, shown: Shown, chosen: Chosen, terms: WeekTerms) -> Week:
        """The rows of the week whose terms are given."""
        rng = stream(self.seed, "journal", terms.week)
        begin = self._begins(visits, terms.week, rng)
        visits, shown, chosen, begin = _by_time(visits, shown, chosen, begin)
        at, dwell, end = _timeline(shown, chosen, begin)
        visit_rows = self._visit_rows(visits, shown, chosen, begin, end, rng)
        lines = self._lines(visits, shown, chosen, terms, at, dwell)
        happened = self._happenings(lines, visit_rows, visits, chosen, rng)
        bought = happened.filter(pl.col("kind") == _PURCHASE)
        chance = return_chance(
            _ints(bought, "customer"), _ints(bought, "product"), self.people, self.goods, self.parameters
        )
        orders = self._orders(bought, rng)
        self._plan_returns(bought, chance, orders, rng)
        rows = self._numbered(pl.concat([happened, self._due_returns(terms.week)], how="diagonal"))
        self.visits += len(visits)
        self.orders += len(orders)
        return Week(self._events_table(rows), self._orders_table(orders), *self._truth(rows, chosen, chance))

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
        order[rows[np.argsort(end[rows], kind="stable")]] = self.orders + np.arange(1, len(rows) + 1)
        return pl.DataFrame(
            {
                "visit": np.arange(number),
                "customer": visits.customer,
                "known": buys | (rng.random(number) >= self.parameters.people.anonymous),
                "country": visits.country,
                "order": order,
                "session": self.visits + 1 + np.arange(number),
                "app": rng.random(number) < self.parameters.visits.app,
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
                "local": terms.price[cell],
                "price": np.round(terms.price[cell] * rate, 4),
                "discount": np.round(1 - terms.price[cell] / terms.list_price[cell], 6),
                "free": terms.free_shipping[cell],
                "quantity": chosen.quantity,
            }
        )

    def _happenings(
        self, lines: pl.DataFrame, visit_rows: pl.DataFrame, visits: Visits, chosen: Chosen, rng: np.random.Generator
    ) -> pl.DataFrame:
        """One row for each thing that happened in the week's visits."""
        searched = np.flatnonzero(rng.random(len(visits)) < self.parameters.visits.search)
        categories = len(self.parameters.goods.category)
        customer = visits.customer[searched]
        words = (self.spoken[customer] * categories + visits.category[searched]) * 2 + customer % 2
        after = pl.col("ts") + (pl.col("dwell") * SECOND).round().cast(pl.Int64)
        parts = [
            visit_rows[searched].select("visit", ts="begin", query=pl.Series(words), kind=pl.lit(_SEARCH)),
            lines.select(pl.exclude("dwell", "quantity"), kind=pl.lit(_IMPRESSION)),
            lines.filter(chosen.viewed).select(pl.exclude("quantity", "propensity"), kind=pl.lit(_VIEW)),
            lines.filter(chosen.carted)
            .with_columns(ts=after, kind=pl.lit(_CART))
            .drop("dwell", "propensity", "picture"),
            lines.filter(chosen.bought).with_columns(kind=pl.lit(_PURCHASE)).drop("dwell", "propensity", "picture"),
        ]
        rows = pl.concat(parts, how="diagonal").join(visit_rows, on="visit", how="left", maintain_order="left")
        paid = pl.col("kind") == _PURCHASE
        return rows.with_columns(ts=pl.when(paid).then("end").otherwise("ts"), order=pl.when(paid).then("order")).drop(
            "begin", "end"
        )

    def _orders(self, bought: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
        """One row an order, in order of id."""
        orders = (
            bought.group_by("order")
            .agg(
                pl.col("customer", "country", "ts").first(),
                total=(pl.col("local") * pl.col("quantity")).sum(),
                free=pl.col("free").all(),
            )
            .sort("order")
        )
        country = _ints(orders, "country")
        fee = np.where(orders["free"].to_numpy(), 0.0, self.offers.fee[country])
        transit = self.transit[country]
        delay = transit * np.exp(0.25 * rng.normal(size=len(orders)))
        ts = _ints(orders, "ts")
        return orders.with_columns(
            total=(pl.col("total") + pl.Series(fee)).round(2),
            promised=pl.Series(ts + ((transit + _PROMISE_SLACK_DAYS) * DAY).astype(np.int64)),
            delivered=pl.Series(ts + (delay * 86_400).astype(np.int64) * SECOND),
        )

    def _plan_returns(
        self, bought: pl.DataFrame, chance: Floats, orders: pl.DataFrame, rng: np.random.Generator
    ) -> None:
        wait = (rng.exponential(self.parameters.returns.days, len(bought)) * 86_400).astype(np.int64) * SECOND
        back = bought.select(
            "order", "product", "customer", "known", "country", "price", "discount", "free", "quantity"
        )
        back = back.join(orders.select("order", "delivered"), on="order", how="left", maintain_order="left")
        back = back.with_columns(ts=pl.col("delivered") + pl.Series(wait), kind=pl.lit(_RETURN)).drop("delivered")
        self.returning.append(back.filter(pl.Series(rng.random(len(bought)) < chance)))

    def _due_returns(self, week: int) -> pl.DataFrame:
        """What comes back before the week is over."""
        waiting = pl.concat(self.returning)
        over = pl.col("ts") < self.clock.start(week + 1)
        self.returning = [waiting.filter(~over)]
        return waiting.filter(over)

    def _numbered(self, rows: pl.DataFrame) -> pl.DataFrame:
        rows = rows.sort("ts", "kind", "session", "place", "order", "product", nulls_last=True, maintain_order=True)
        number = pl.int_range(self.events + 1, self.events + len(rows) + 1)
        self.events += len(rows)
        return rows.with_columns(event_id=_id("E", number, 9))

    def _events_table(self, rows: pl.DataFrame) -> pl.DataFrame:
        kind = rows["kind"]
        listed = kind.is_in([_IMPRESSION, _VIEW])
        customer = rows.select(pl.when("known").then("customer"))["customer"]
        app = pl.when("app").then(pl.lit("app")).when(~pl.col("app")).then(pl.lit("web"))
        return rows.select(
            "event_id",
            ts=timestamps(_ints(rows, "ts")),
            kind=pl.Series(KINDS).gather(kind),
            customer_id=self.people.ids.gather(customer),
            session_id=_id("S", pl.col("session"), 8),
            product_id=self.goods.ids.gather(rows["product"]),
            order_id=_id("O", pl.col("order"), 8),
            list_id=pl.when(listed).then(_id("L", pl.col("session"), 8)),
            position=pl.when(listed).then("place"),
            propensity="propensity",
            image_shown=self.images.gather(rows["picture"]),
            query=self.queries.gather(rows["query"]),
            dwell_s="dwell",
            price="price",
            discount_rate="discount",
            free_shipping="free",
            quantity=pl.when(pl.col("kind") == _CART).then(1.0).otherwise(pl.col("quantity").cast(pl.Float64)),
            channel=app,
            country=self.codes.gather(rows["country"]),
        )

    def _orders_table(self, orders: pl.DataFrame) -> pl.DataFrame:
        country, end = orders["country"], self.clock.start(self.clock.weeks)
        came = orders["delivered"] < end
        return orders.select(
            order_id=_id("O", pl.col("order"), 8),
            customer_id=self.people.ids.gather(orders["customer"]),
            ts=timestamps(_ints(orders, "ts")),
            promised_at=timestamps(_ints(orders, "promised")),
            delivered_at=pl.when(came).then(timestamps(_ints(orders, "delivered"))),
            status=pl.when(came).then(pl.lit("delivered")).otherwise(pl.lit("shipped")),
            total="total",
            currency=self.currency.gather(country),
        )

    def _truth(self, rows: pl.DataFrame, chosen: Chosen, chance: Floats) -> tuple[pl.DataFrame, pl.DataFrame]:
        """True probabilities of the showings, and of return for the purchases."""
        seen = rows.filter(pl.col("kind") == _IMPRESSION)
        at = _ints(seen, "row")
        choices = pl.DataFrame(
            {
                "event_id": seen["event_id"],
                "customer_id": self.people.ids.gather(seen["customer"]),
                "p_view": chosen.p_view[at].astype(np.float32),
                "p_buy": chosen.p_buy[at].astype(np.float32),
                "bought": chosen.bought[at],
            }
        )
        paid = rows.filter(pl.col("kind") == _PURCHASE)
        place = np.full(len(chosen.bought), -1)
        place[np.flatnonzero(chosen.bought)] = np.arange(len(chance))
        purchases = pl.DataFrame({"event_id": paid["event_id"], "p_return": chance[place[_ints(paid, "row")]]})
        return choices, purchases


def _ints(frame: pl.DataFrame, column: str) -> Ints:
    return frame[column].to_numpy().astype(np.int64)


def _id(letter: str, number: pl.Expr, digits: int) -> pl.Expr:
    return pl.format(letter + "{}", number.cast(pl.String).str.zfill(digits))


def _take(rows: Rows, order: Ints) -> Rows:
    return replace(rows, **{one.name: getattr(rows, one.name)[order] for one in fields(rows)})


def _by_time(visits: Visits, shown: Shown, chosen: Chosen, begin: Ints) -> tuple[Visits, Shown, Chosen, Ints]:
    """Put visits in order of time, and what they were shown with them."""
    order = np.argsort(begin, kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    visits = Visits(visits.customer[order], visits.country[order], visits.category[order])
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
