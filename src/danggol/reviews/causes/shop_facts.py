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

_ORDERS = ("order_id", "promised_at", "delivered_at", "status")


class ReviewFacts(NamedTuple):
    """Reviews in one order."""

    review_ids: list[str]
    texts: list[str]
    """title and text"""
    facts: pl.DataFrame
    """one row a review: days_late, days_held, days_over, status, items, units, stars; missing where not known"""


def review_facts(shop: Shop) -> ReviewFacts:
    """Every review with its order as it was known on the day of the review, in the order of the table.

    ``items`` and ``units`` are the products and units that the order's purchases name. Tables that the shop does not
    have leave their facts missing. DataError: the shop has no reviews.
    """
    held = shop.read("reviews", ["review_id", "order_id", "title", "text", "rating", "ts"])
    if shop.has("orders"):
        held = held.join(shop.read("orders", _ORDERS), on="order_id", how="left", maintain_order="left")
    else:
        times = (pl.lit(None, held.schema["ts"]).alias(name) for name in _ORDERS[1:3])
        held = held.with_columns(*times, pl.lit(None, pl.String).alias("status"))
    facts = delivery_facts(held["promised_at"], held["delivered_at"], held["ts"], held["status"])
    if shop.has("events"):
        bought = shop.sql(
            "SELECT order_id, count(DISTINCT product_id) AS items, sum(coalesce(quantity, 1)) AS units "
            "FROM events WHERE kind = 'purchase' AND order_id IS NOT NULL GROUP BY order_id"
        )
        held = held.join(bought, on="order_id", how="left", maintain_order="left")
    else:
        held = held.with_columns(items=pl.lit(None, pl.Float64), units=pl.lit(None, pl.Float64))
    facts = facts.with_columns(held["items"], held["units"], held["rating"].alias("stars"))
    return ReviewFacts(held["review_id"].to_list(), review_texts(held), facts)


def read_causes(path: Path, reviews: ReviewFacts) -> tuple[list[str | None], dict[str, str] | None]:
    """The cause of each review, None where it is not told, and the class of each cause, from a CSV file.

    Columns: ``review_id``, ``cause`` and, if classes are wanted, ``class``. UsageError: there is no such file.
    DataError: a column is missing, a review is not the shop's, or has two causes, or a cause two classes.
    """
    table = read_rows(path)
    absent = [name for name in ("review_id", "cause") if name not in table.columns]
    if absent:
        raise DataError(f"{path} lacks the column '{absent[0]}'; it needs review_id and cause")
    table = table.filter(pl.col("review_id").is_not_null() & pl.col("cause").is_not_null()).unique(maintain_order=True)
    causes = table.select("review_id", "cause").unique(maintain_order=True)
    twice = causes.filter(pl.col("review_id").is_duplicated())
    if twice.height:
        raise DataError(f"in {path} the review {twice['review_id'][0]!r} has two causes; keep one")
    strange = causes.filter(~pl.col("review_id").is_in(reviews.review_ids))
    if strange.height:
        raise DataError(f"{path} names the review {strange['review_id'][0]!r}, which the shop does not have")
    told = dict(causes.iter_rows())
    found = [told.get(one) for one in reviews.review_ids]
    if "class" not in table.columns:
        return found, None
    classes = table.select("cause", "class").drop_nulls().unique(maintain_order=True)
    torn = classes.filter(pl.col("cause").is_duplicated())
    if torn.height:
        raise DataError(f"in {path} the cause {torn['cause'][0]!r} has two classes; keep one")
    return found, dict(classes.iter_rows())
