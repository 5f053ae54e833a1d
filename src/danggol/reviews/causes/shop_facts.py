"""The reviews of a shop with what is known of their orders: what a cause model reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from danggol.errors import DataError
from danggol.reviews.causes.facts import delivery_facts
from danggol.reviews.shop_reviews import review_texts
from danggol.shop.sources.reading.tables import read_rows

if TYPE_CHECKING:
    from danggol.shop import Shop

REVIEW_COLUMNS = ("review_id", "order_id", "title", "text", "rating", "ts")
FACT_TABLES = ("reviews", "orders", "events")
"""The tables that facts are made of."""
_ORDERS = """
    SELECT order_id, ts AS ordered_at, promised_at, delivered_at, status FROM orders
    WHERE order_id IN (SELECT order_id FROM asked) ORDER BY ALL
"""
_BOUGHT = """
    SELECT a.place, count(DISTINCT e.product_id) AS items, sum(coalesce(e.quantity, 1)) AS units, max(e.ts) AS bought_at
    FROM events e JOIN asked a ON e.order_id = a.order_id
    WHERE e.kind = 'purchase' AND (a.ts IS NULL OR date_trunc('day', e.ts) <= a.ts)
    GROUP BY a.place
"""


class ReviewFacts(NamedTuple):
    """Reviews in one order."""

    review_ids: list[str]
    texts: list[str]
    """title and text"""
    facts: pl.DataFrame
    """one row a review: days_late, days_held, days_over, status, items, units, stars; missing where not known"""
    known_at: pl.Series
    """the latest of the times that went into each row; null where none is told"""


class LabelledReviews(NamedTuple):
    """Reviews whose cause somebody has named."""

    reviews: ReviewFacts
    causes: list[str]
    """of each review"""
    classes: dict[str, str] | None
    """of each cause, where classes are told"""
    without: int
    """rows of the file that name no cause"""


def review_facts(shop: Shop, rows: pl.DataFrame | None = None) -> ReviewFacts:
    """Reviews with their orders as they were known on the day of the review, in the order of the rows.

    ``rows``: some of the table's, with :data:`REVIEW_COLUMNS`; without, all of them. ``items`` and ``units`` are the
    products and units that the order's purchases name. Tables that the shop does not have leave their facts missing.
    DataError: the shop has no reviews.
    """
    held = (shop.read("reviews", REVIEW_COLUMNS) if rows is None else rows).with_row_index("place")
    asked = {"asked": held.filter(pl.col("order_id").is_not_null()).select("place", "order_id", "ts")}
    orders = shop.sql(_ORDERS, extra=asked).unique("order_id", keep="first")
    bought = shop.sql(_BOUGHT, extra=asked)
    held = held.join(orders, on="order_id", how="left", maintain_order="left")
    held = held.join(bought, on="place", how="left", maintain_order="left")
    facts = delivery_facts(held["promised_at"], held["delivered_at"], held["ts"], held["status"])
    facts = facts.with_columns(held["items"], held["units"], held["rating"].alias("stars"))
    arrived = pl.when((pl.col("delivered_at").dt.date() > pl.col("ts").dt.date()).not_().fill_null(value=True))
    known = pl.max_horizontal("ts", "ordered_at", "bought_at", arrived.then("delivered_at"))
    return ReviewFacts(held["review_id"].to_list(), review_texts(held), facts, held.select(known).to_series())


def labelled_reviews(shop: Shop, path: Path) -> LabelledReviews:
    """The reviews that a file of labels names, in the order of their ids, with their facts and causes.

    Columns: ``review_id``, ``cause`` and, if classes are wanted, ``class``; of CSV, XLSX, JSON Lines or Parquet. Rows
    without a cause are counted and left out. UsageError: there is no such file. DataError: the shop has no reviews, a
    column is missing, no cause is named, a review is not the shop's, or has two causes, or a cause two classes or none
    beside others that have one.
    """
    shop.require("reviews")
    table = read_rows(path)
    absent = [name for name in ("review_id", "cause") if name not in table.columns]
    if absent:
        raise DataError(f"{path} lacks the column '{absent[0]}'; it needs review_id and cause")
    told = table.filter(pl.col("cause").is_not_null())
    if told["review_id"].null_count():
        cause = told.filter(pl.col("review_id").is_null())["cause"][0]
        raise DataError(f"in {path} a row names the cause {cause!r} but no review; give its review_id")
    if not told.height:
        raise DataError(f"{path} names no cause; fill the column 'cause' of some rows")
    named = told.select("review_id", "cause").unique(maintain_order=True)
    twice = named.filter(pl.col("review_id").is_duplicated())
    if twice.height:
        raise DataError(f"in {path} the review {twice['review_id'][0]!r} has two causes; keep one")
    columns = ", ".join(f"r.{name}" for name in REVIEW_COLUMNS)
    query = f"SELECT {columns}, n.cause FROM reviews r JOIN named n ON r.review_id = n.review_id"
    held = shop.sql(query, extra={"named": named}).sort("review_id", "ts", "text")
    strange = named.join(held, on="review_id", how="anti", maintain_order="left")
    if strange.height:
        more = f" (and {strange.height - 1:,} more)" if strange.height > 1 else ""
        raise DataError(f"{path} names the review {strange['review_id'][0]!r}{more}, which the shop does not have")
    return LabelledReviews(
        review_facts(shop, held.select(REVIEW_COLUMNS)),
        held["cause"].to_list(),
        _classes(told, path),
        table.height - told.height,
    )


def _classes(told: pl.DataFrame, path: Path) -> dict[str, str] | None:
    """The class of each cause; None where the file has none."""
    if "class" not in told.columns or told["class"].null_count() == told.height:
        return None
    classes = told.select("cause", "class").drop_nulls().unique(maintain_order=True)
    torn = classes.filter(pl.col("cause").is_duplicated())
    if torn.height:
        raise DataError(f"in {path} the cause {torn['cause'][0]!r} has two classes; keep one")
    bare = told.filter(~pl.col("cause").is_in(classes["cause"].to_list()))
    if bare.height:
        raise DataError(f"in {path} the cause {bare['cause'][0]!r} has no class; name one for each cause, or none")
    return dict(classes.iter_rows())
