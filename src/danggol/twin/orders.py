"""Orders of the shop, and what follows them weeks later: deliveries, returns, reviews."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from danggol.twin import reviews
from danggol.twin.clock import DAY, SECOND, Clock
from danggol.twin.countries import countries
from danggol.twin.delivery import Bought, Deliveries, Outcome
from danggol.twin.goods import Goods, image_path
from danggol.twin.offers import Terms
from danggol.twin.parameters import Parameters
from danggol.twin.people import Bools, Floats, Ints, People, timestamps
from danggol.twin.randomness import stream
from danggol.twin.titles import brand_names
from danggol.twin.words import COLORS

TOLD = ("review_id", "satisfaction", "stars_meant", "sarcastic", "disagrees", "complains_of", "praises")
"""What is true of a review."""


@dataclass(frozen=True)
class Promised:
    """What offers under way give each person: share off an order, and free shipping."""

    coupon: Floats
    ships_free: Bools


@dataclass(frozen=True)
class Placed:
    """The orders of a week."""

    table: pl.DataFrame
    outcome: Outcome
    """Of each line bought, in the order of the lines given."""
    customer: Ints
    spent: Floats
    """Of each order: its goods before the coupon, in the reporting currency."""
    given: Floats
    """Of each order: coupon and shipping given away, in the reporting currency."""


@dataclass
class Orders:
    """Places orders and remembers what is still to come of them."""

    parameters: Parameters
    clock: Clock
    people: People
    goods: Goods
    terms: Terms
    seed: int
    count: int = 0
    written: int = 0
    returning: list[pl.DataFrame] = field(default_factory=list)
    reviewing: list[pl.DataFrame] = field(default_factory=list)

    def __post_init__(self) -> None:
        codes = self.people.by_country.codes
        self.currency = pl.Series([countries()[code].currency for code in codes])
        self.deliveries = Deliveries(self.parameters, self.people, self.goods, self.seed)
        self.names = np.array([category.name for category in self.parameters.goods.category])
        self.brands = brand_names(self.parameters.goods.brands, stream(self.seed, "brands"))

    def place(self, lines: pl.DataFrame, promised: Promised, busy: Floats, shock_days: float, week: int) -> Placed:
        """Deliver the lines bought (sorted by order), and plan what comes back and what is written about them.

        ``busy`` (countries,): visits of the week as a multiple of the usual.
        """
        country = _ints(lines, "country")
        bought = Bought(
            order=_ints(lines, "order"),
            customer=_ints(lines, "customer"),
            product=_ints(lines, "product"),
            country=country,
            ts=_ints(lines, "ts"),
            dearness=lines["dearness"].to_numpy().astype(np.float64),
            busy=busy[country],
            shock_days=shock_days,
        )
        outcome = self.deliveries.deliver(bought, stream(self.seed, "deliveries", week))
        lines = lines.with_columns(promised=pl.Series(outcome.promised), delivered=pl.Series(outcome.delivered))
        orders = self._sum_up(lines, promised)
        self.count += len(orders)
        self._plan_returns(lines, outcome, stream(self.seed, "returns", week))
        self._plan_reviews(lines, outcome, stream(self.seed, "reviews", week))
        return Placed(
            self._table(orders),
            outcome,
            _ints(orders, "customer"),
            orders["spent"].to_numpy().astype(np.float64),
            orders["given"].to_numpy().astype(np.float64),
        )

    def _sum_up(self, lines: pl.DataFrame, promised: Promised) -> pl.DataFrame:
        """One row an order, in order of id: its goods, the coupon, the shipping."""
        orders = (
            lines.group_by("order")
            .agg(
                pl.col("customer", "country", "ts", "promised", "delivered").first(),
                goods=(pl.col("local") * pl.col("quantity")).sum(),
                spent=(pl.col("price") * pl.col("quantity")).sum(),
                free=pl.col("free").all(),
            )
            .sort("order")
        )
        customer = _ints(orders, "customer")
        goods, spent = orders["goods"].to_numpy(), orders["spent"].to_numpy()
        fee = np.where(orders["free"].to_numpy(), 0.0, self.terms.fee[_ints(orders, "country")])
        coupon, waived = promised.coupon[customer], promised.ships_free[customer]
        given = coupon * spent + np.where(waived, fee, 0.0) * spent / np.maximum(goods, 1e-9)
        total = goods * (1 - coupon) + np.where(waived, 0.0, fee)
        return orders.with_columns(total=pl.Series(total).round(2), given=pl.Series(given))

    def _table(self, orders: pl.DataFrame) -> pl.DataFrame:
        came = orders["delivered"] < self.clock.start(self.clock.weeks)
        return orders.select(
            order_id=numbered("O", pl.col("order"), 8),
            customer_id=self.people.ids.gather(orders["customer"]),
            ts=timestamps(_ints(orders, "ts")),
            promised_at=timestamps(_ints(orders, "promised")),
            delivered_at=pl.when(came).then(timestamps(_ints(orders, "delivered"))),
            status=pl.when(came).then(pl.lit("delivered")).otherwise(pl.lit("shipped")),
            total="total",
            currency=self.currency.gather(orders["country"]),
        )

    def _plan_returns(self, lines: pl.DataFrame, outcome: Outcome, rng: np.random.Generator) -> None:
        wait = (rng.exponential(self.parameters.returns.days, len(lines)) * 86_400).astype(np.int64) * SECOND
        back = lines.select(
            "order", "product", "customer", "known", "country", "price", "discount", "free", "quantity", "delivered"
        )
        back = back.with_columns(ts=pl.col("delivered") + pl.Series(wait)).drop("delivered")
        self.returning.append(back.filter(pl.Series(rng.random(len(lines)) < outcome.p_return)))

    def _plan_reviews(self, lines: pl.DataFrame, outcome: Outcome, rng: np.random.Generator) -> None:
        settings = self.parameters.reviews
        chance = reviews.chance_of_writing(outcome.satisfaction, settings)
        some = np.flatnonzero(rng.random(len(lines)) < chance)
        customer, product = _ints(lines, "customer")[some], _ints(lines, "product")[some]
        facts = reviews.Facts(
            language=self.people.language[customer],
            category=self.names[self.goods.category[product]].tolist(),
            color=[COLORS[one] for one in self.goods.color[product].tolist()],
            brand=[self.brands[one] for one in self.goods.brand[product].tolist()],
            satisfaction=outcome.satisfaction[some],
            causes=outcome.causes[some],
            late_days=outcome.late_days[some],
        )
        wait = (rng.exponential(settings.days, len(some)) * 86_400).astype(np.int64) * SECOND
        written = reviews.write(facts, settings, rng).with_columns(
            ts=pl.Series(outcome.delivered[some] + wait),
            customer=pl.Series(customer),
            product=pl.Series(product),
            order=pl.Series(_ints(lines, "order")[some]),
            satisfaction=pl.Series(outcome.satisfaction[some]),
        )
        self.reviewing.append(written)

    def returns_of(self, week: int) -> pl.DataFrame:
        """What comes back before the week is over."""
        due, self.returning = _due(self.returning, self.clock.start(week + 1))
        return due

    def reviews_of(self, week: int) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The reviews written before the week is over, as the shop gets them, and their truth."""
        due, self.reviewing = _due(self.reviewing, self.clock.start(week + 1))
        due = due.sort("ts", "order", "product")
        number = pl.int_range(self.written + 1, self.written + len(due) + 1)
        due = due.with_columns(review_id=numbered("R", number, 8))
        self.written += len(due)
        pictures = pl.Series([image_path(one, 0) for one in self.goods.ids], dtype=pl.String)
        table = due.select(
            "review_id",
            "text",
            product_id=self.goods.ids.gather(due["product"]),
            customer_id=self.people.ids.gather(due["customer"]),
            order_id=numbered("O", pl.col("order"), 8),
            ts=timestamps(_ints(due, "ts")),
            rating="rating",
            title="title",
            language="language",
            image=pl.when("has_picture").then(pictures.gather(due["product"])),
        )
        return table, due.select(*TOLD)


def _due(waiting: list[pl.DataFrame], until: int) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """Rows with ``ts`` before a time, and what is still waiting."""
    rows = pl.concat(waiting)
    over = pl.col("ts") < until
    return rows.filter(over), [rows.filter(~over)]


def _ints(frame: pl.DataFrame, column: str) -> Ints:
    return frame[column].to_numpy().astype(np.int64)


def numbered(letter: str, number: pl.Expr, digits: int) -> pl.Expr:
    """Ids such as O00000012."""
    return pl.format(letter + "{}", number.cast(pl.String).str.zfill(digits))


def arrival_week(clock: Clock, delivered: Ints) -> Ints:
    """The week in which each delivery falls."""
    weeks: Ints = (delivered - clock.start(0)) // (7 * DAY)
    return weeks
