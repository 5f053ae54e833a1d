"""What is in the shop: tables, events, countries, products, prices, rejected rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from danggol.report import charts
from danggol.report.queries import ask, rows
from danggol.report.sections.goods import Good, goods
from danggol.report.words import Both, country, day, money, say
from danggol.shop import RECORD_TABLES, SCHEMAS
from danggol.shop.schemas import EVENT_KINDS

if TYPE_CHECKING:
    from danggol.report.pictures import Pictures
    from danggol.shop import Shop


@dataclass(frozen=True)
class Facts:
    """How much there is; times are local; regulars bought on two or more days."""

    products: int
    customers: int
    countries: int
    events: int
    purchases: int
    buyers: int
    regulars: int
    orders: int
    products_bought: int
    first_at: datetime | None
    last_at: datetime | None


@dataclass(frozen=True)
class TableRow:
    """A table and the share of each column that is filled."""

    name: str
    rows: int
    filled: list[tuple[str, float]]


@dataclass(frozen=True)
class CountryRow:
    """What a country's customers did; ``revenue`` is in the reporting currency, None where no price is known."""

    code: str | None
    name: Both
    customers: int
    buyers: int
    purchases: int
    share: float
    revenue: str


@dataclass(frozen=True)
class Bought:
    """A product and how often it was bought."""

    good: Good
    purchases: int
    buyers: int
    share: float


@dataclass(frozen=True)
class Contents:
    """Everything that the section shows."""

    facts: Facts
    tables: list[TableRow]
    weeks: charts.Chart | None
    countries: list[CountryRow]
    revenue_known: float | None
    top: list[Bought]
    prices: charts.Chart | None
    price_words: Both | None
    rejects: list[dict[str, Any]] = field(default_factory=list)
    rejected: int = 0


def gather(shop: Shop, pictures: Pictures) -> Contents:
    """Read the section's figures from the shop."""
    zone = shop.config.timezone
    counted = rows(shop, "facts", zone=zone)[0]
    places = rows(shop, "countries")
    listed = counted.pop("listed_customers")
    active = counted.pop("active_customers")
    facts = Facts(customers=listed or active, countries=sum(1 for row in places if row["country"]), **counted)
    shown, described = _prices(shop)
    rejects = rows(shop, "rejects") if shop.has("rejects") else []
    return Contents(
        facts=facts,
        tables=_tables(shop),
        weeks=_weeks(shop) if facts.events else None,
        countries=_countries(places, facts.purchases, shop.config.currency),
        revenue_known=sum(row["priced"] for row in places) / facts.purchases if facts.purchases else None,
        top=_top(shop, pictures),
        prices=shown,
        price_words=described,
        rejects=rejects,
        rejected=shop.tables()["rejects"].rows if rejects else 0,
    )


def _tables(shop: Shop) -> list[TableRow]:
    found = []
    for name, info in shop.tables().items():
        if name not in SCHEMAS or name in RECORD_TABLES:
            continue
        columns = [column.name for column in SCHEMAS[name].columns]
        filled: list[tuple[str, float]] = []
        if info.rows:
            counts = shop.sql("SELECT " + ", ".join(f'count("{column}")' for column in columns) + f" FROM {name}")
            filled = [(column, value / info.rows) for column, value in zip(columns, counts.row(0), strict=True)]
        found.append(TableRow(name, info.rows, filled))
    order = list(SCHEMAS)
    return sorted(found, key=lambda table: order.index(table.name))


def _weeks(shop: Shop) -> charts.Chart:
    frame = ask(shop, "weeks", zone=shop.config.timezone)
    there = set(frame["kind"].to_list())
    kinds = [kind for kind in EVENT_KINDS if kind in there]
    totals = dict(frame.group_by("kind").agg(pl.col("events").sum()).iter_rows())
    told = [say("kind_count", kind=say(f"kind.{kind}"), n=int(totals[kind])) for kind in kinds]
    words = say(
        "weeks.desc",
        first=day(frame["week"].min()),  # type: ignore[arg-type]
        last=day(frame["week"].max()),  # type: ignore[arg-type]
        counts=Both(", ".join(text.en for text in told), ", ".join(text.ko for text in told)),
    )
    return charts.draw(charts.weeks(frame, kinds), "weeks", say("weeks.title"), words)


def _countries(places: list[dict[str, Any]], purchases: int, currency: str) -> list[CountryRow]:
    return [
        CountryRow(
            row["country"],
            country(row["country"]),
            row["customers"],
            row["buyers"],
            row["purchases"],
            row["purchases"] / purchases if purchases else 0.0,
            money(row["revenue"], currency) if row["priced"] else "–",
        )
        for row in places
    ]


def _top(shop: Shop, pictures: Pictures) -> list[Bought]:
    best = rows(shop, "top_products")
    shown = goods(shop, pictures, (row["product_id"] for row in best))
    most = best[0]["purchases"] if best else 1
    return [Bought(shown[row["product_id"]], row["purchases"], row["buyers"], row["purchases"] / most) for row in best]


def _prices(shop: Shop) -> tuple[charts.Chart | None, Both | None]:
    currency = shop.config.currency
    found = rows(shop, "prices")
    if not found:
        return None, None
    bins = pl.DataFrame(
        {
            "low": [10 ** (row["bin"] / 8) for row in found],
            "high": [10 ** ((row["bin"] + 1) / 8) for row in found],
            "purchases": [row["purchases"] for row in found],
        }
    )
    spread = found[0]
    words = say(
        "prices.desc",
        n=spread["priced"],
        low=money(spread["low"], currency),
        middle=money(spread["middle"], currency),
        high=money(spread["high"], currency),
    )
    drawn = charts.draw(
        charts.prices(bins, say("prices.axis", currency=currency)), "prices", say("prices.title"), words
    )
    return drawn, words
