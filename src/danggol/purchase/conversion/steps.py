"""Sessions under way: what is known of each at its first, second, third ... act, from the shop's events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from danggol.errors import DataError, UsageError

if TYPE_CHECKING:
    from danggol.shop import Shop

_ACTS = ("search", "view", "cart", "wishlist")
"""What a visitor does; an impression is what the shop does."""
_COUNTED = {
    "search": "searches", "view": "views", "cart": "carts", "wishlist": "wishes", "impression": "impressions",
}  # fmt: skip
_SQL = """
    SELECT session_id, event_id, ts, kind, product_id, query, price, discount_rate, channel, country
    FROM events WHERE session_id IS NOT NULL AND kind <> 'return'
"""


def sums_after(shop: Shop, acts: int) -> pl.DataFrame:
    """The sums of each session at its ``acts``-th search, view, cart or wish: session_id, ts, converted, features.

    Only events until that moment count, and only sessions that came so far before buying are there; ``converted`` is
    whether they bought later on. Train one model for each number of acts:
    ``ConversionModel().learn(features_of(table), table["converted"].to_numpy())``.

    UsageError: ``acts`` is below 1. DataError: no session came so far.
    """
    if acts < 1:
        raise UsageError(f"acts must be at least 1, got {acts}")
    shop.require("events")
    events = shop.sql(_SQL)
    bought = events.filter(pl.col("kind") == "purchase").group_by("session_id").agg(bought_at=pl.col("ts").min())
    before = events.join(bought, "session_id", how="left").filter(
        pl.col("bought_at").is_null() | (pl.col("ts") < pl.col("bought_at"))
    )
    moment = (
        before.filter(pl.col("kind").is_in(_ACTS))
        .sort("session_id", "ts", "event_id")
        .group_by("session_id", maintain_order=True)
        .agg(moment=pl.col("ts").get(acts - 1, null_on_oob=True))
        .drop_nulls("moment")
    )
    if moment.is_empty():
        raise DataError(f"no session of the shop has {acts} searches, views, carts or wishes before a purchase")
    known = before.join(moment, "session_id").filter(pl.col("ts") <= pl.col("moment"))
    return known.sort("session_id", "ts", "event_id").group_by("session_id", maintain_order=True).agg(*_sums())


def _sums() -> list[pl.Expr]:
    kind, product = pl.col("kind"), pl.col("product_id")
    seen = product.filter(kind == "view")
    return [
        pl.col("moment").first().alias("ts"),
        pl.col("bought_at").is_not_null().first().alias("converted"),
        *((kind == name).sum().cast(pl.Int64).alias(_COUNTED[name]) for name in _COUNTED),
        seen.n_unique().cast(pl.Int64).alias("products"),
        pl.col("query").drop_nulls().n_unique().cast(pl.Int64).alias("queries"),
        ((pl.col("ts").last() - pl.col("ts").first()).dt.total_microseconds() / 1e6).alias("seconds"),
        pl.col("price").filter(kind != "impression").mean().alias("price"),
        pl.col("price").filter(kind != "impression").last().alias("last_price"),
        pl.col("discount_rate").filter(kind != "impression").mean().alias("discount_rate"),
        kind.filter(kind != "impression").last().alias("last_act"),
        pl.col("channel").first(),
        pl.col("country").first(),
    ]
