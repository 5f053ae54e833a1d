"""Showings: a person before a listing, with everything known at that moment, and whether it was bought in that visit.

The rows behind the cross-modal model. Behaviour is counted from events of *earlier visits* only (an event of the same
visit may follow from the purchase that is to be predicted); terms are those logged with the showing, badges and list
prices those of the offer that held.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from danggol.errors import DataError
from danggol.purchase.samples import DAY, END, query

if TYPE_CHECKING:
    from danggol.shop import Shop

Array = NDArray[np.float32]
OFFER = (
    "price",
    "price_to_usual",
    "list_price",
    "discount",
    "free_shipping",
    "best_seller",
    "charm_price",
    "position",
    "rating",
    "reviews",
    "listed_days",
    "home",
)
BEHAVIOUR = (
    "own_views",
    "own_carts",
    "own_purchases",
    "own_since",
    "category_views",
    "category_purchases",
    "brand_views",
    "brand_purchases",
    "person_views",
    "person_purchases",
    "person_since",
    "listing_views",
    "listing_purchases",
    "listing_rate",
)
CUSTOMER = ("country", "age", "gender", "tenure", "known")
_DEEDS = ("views", "carts", "purchases")


@dataclass(frozen=True)
class Showings:
    """Rows oldest first; features (rows, names) of float32, nan where not known."""

    frame: pl.DataFrame
    """event_id, ts, session_id, customer_id, product_id, country, image_shown"""
    offer: Array
    behaviour: Array
    customer: Array
    bought: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.bought)


def showings(shop: Shop, until: int | None = None) -> Showings:
    """The showings of a shop before a moment (epoch microseconds). DataError: the shop has logged no impressions."""
    bounds = {"until": END if until is None else until}
    seen = shop.sql(query("showings"), bounds)
    if seen.is_empty():
        raise DataError(
            f"the shop {shop.path} has no events of kind 'impression'; log what is shown, with session_id and price"
        )
    deeds = shop.sql(query("deeds"), bounds)
    seen = seen.with_row_index("row").with_columns(
        customer=pl.col("customer_id").fill_null(pl.format("?{}", "session_id"))
    )
    listed = _listings(shop, seen)
    bought = deeds.filter(pl.col("deed") == 2).select("session_id", "product_id", hit=True).unique()
    hit = seen.join(bought, on=["session_id", "product_id"], how="left", maintain_order="left")["hit"]
    return Showings(
        seen.select("event_id", "ts", "session_id", "customer_id", "product_id", "country", "image_shown"),
        _matrix(_offer(shop, seen, listed), OFFER),
        _matrix(_behaviour(seen, deeds, listed), BEHAVIOUR),
        _matrix(_people(shop, seen), CUSTOMER),
        hit.fill_null(value=False).to_numpy(),
    )


def _matrix(columns: pl.DataFrame, names: tuple[str, ...]) -> Array:
    chosen = columns.select(pl.col(name).cast(pl.Float32).fill_null(float("nan")) for name in names)
    return np.ascontiguousarray(chosen.to_numpy(), np.float32)


def _listings(shop: Shop, seen: pl.DataFrame) -> pl.DataFrame:
    """Category, brand, rating, number of reviews, origin and age of the listing of each showing."""
    told = shop.sql(query("listings"))
    return seen.select("row", "product_id").join(told, on="product_id", how="left", maintain_order="left")


def _offer(shop: Shop, seen: pl.DataFrame, listed: pl.DataFrame) -> pl.DataFrame:
    """The terms of each showing."""
    held = _terms(shop, seen)
    price = seen["price"].fill_null(float("nan"))
    rows = seen.select("row", "ts", "country", "position").with_columns(
        price=price.log(),
        category=listed["category"],
        origin=listed["origin_country"],
        listed=listed["listed"],
        rating=listed["rating"],
        reviews=listed["reviews"].log1p(),
        list_price=held["list_price"].log() - held["price"].log(),
        best_seller=held["best_seller"],
        local=held["price"],
        discount=seen["discount_rate"],
        free_shipping=seen["free_shipping"],
    )
    place = pl.col("price").fill_nan(None)
    usual = place.cum_sum().shift(1).over("country", "category") / place.is_not_null().cum_sum().shift(1).over(
        "country", "category"
    )
    # a price such as 19.99 or 9,900 ends just below a round one
    digits = (pl.col("local") * 100).round().cast(pl.Int64, strict=False)
    charm = (digits % 1000 >= 900) | (digits % 100 >= 95) | (digits % 100_000 >= 90_000)
    return rows.with_columns(
        price_to_usual=place - usual,
        charm_price=charm,
        position=pl.col("position").log1p(),
        listed_days=((pl.col("ts") - pl.col("listed")) / DAY).clip(0).log1p(),
        home=pl.col("origin") == pl.col("country"),
    )


def _terms(shop: Shop, seen: pl.DataFrame) -> pl.DataFrame:
    """Price, list price and badge of the offer that held at each showing; empty where there are no offers."""
    if not shop.has("offers"):
        nothing = pl.lit(None, pl.Float64)
        return seen.with_columns(price=nothing, list_price=nothing, best_seller=nothing).select(
            "price", "list_price", "best_seller"
        )
    offers = shop.read("offers", ["product_id", "country", "valid_from", "price", "list_price", "badges"]).select(
        "product_id",
        "country",
        "price",
        "list_price",
        ts=pl.col("valid_from").dt.epoch("us"),
        best_seller=pl.col("badges").list.contains("best_seller").cast(pl.Float64),
    )
    joined = seen.select("row", "ts", "product_id", "country").join_asof(
        offers.sort("ts"), on="ts", by=["product_id", "country"], check_sortedness=False
    )
    return joined.sort("row").select("price", "list_price", "best_seller")


def _behaviour(seen: pl.DataFrame, deeds: pl.DataFrame, listed: pl.DataFrame) -> pl.DataFrame:
    """Counts of earlier visits, of the person and of everybody."""
    groups = listed.select("category", "brand")
    starts = seen.group_by("session_id").agg(start=pl.col("ts").min())
    rows = seen.select("row", "session_id", "customer", "product_id").with_columns(
        groups,
        start=seen.select("session_id").join(starts, on="session_id", maintain_order="left", how="left")["start"],
    )
    kinds = listed.unique("product_id").select("product_id", "category", "brand")
    told = deeds.with_columns(customer=pl.col("customer_id").fill_null(pl.format("?{}", "session_id"))).join(
        kinds, on="product_id", how="left", maintain_order="left"
    )
    parts = [
        _counted(rows, told, ("customer", "product_id"), "own", since=True),
        _counted(rows, told, ("customer", "category"), "category"),
        _counted(rows, told, ("customer", "brand"), "brand"),
        _counted(rows, told, ("customer",), "person", since=True),
        _counted(rows, told, ("product_id",), "listing"),
    ]
    found = pl.concat(parts, how="horizontal")
    rate = (found["listing_purchases"].exp() - 1 + 0.5) / (found["listing_views"].exp() - 1 + 10)
    return found.with_columns(listing_rate=rate.log())


def _counted(
    rows: pl.DataFrame, deeds: pl.DataFrame, keys: tuple[str, ...], name: str, since: bool = False
) -> pl.DataFrame:
    """log(1 + count) of each deed with equal keys before each showing's visit began; days since the last one."""
    counted = deeds.select(
        *keys,
        "ts",
        *(
            (pl.col("deed") == place).cast(pl.Int64).cum_sum().over(keys).alias(f"{name}_{deed}")
            for place, deed in enumerate(_DEEDS)
        ),
        last=pl.col("ts"),
    )
    joined = (
        rows.select("row", *keys, ts=pl.col("start") - 1)
        .sort("ts")
        .join_asof(counted, on="ts", by=list(keys), check_sortedness=False)
        .sort("row")
    )
    columns = [pl.col(f"{name}_{deed}").fill_null(0).log1p() for deed in _DEEDS]
    if since:
        columns.append(((pl.col("ts") - pl.col("last")) / DAY).log1p().alias(f"{name}_since"))
    return joined.select(columns)


def _people(shop: Shop, seen: pl.DataFrame) -> pl.DataFrame:
    """Country, age, gender and tenure of the person of each showing."""
    codes = {code: place + 1 for place, code in enumerate(sorted(seen["country"].drop_nulls().unique().to_list()))}
    rows = seen.select("ts", "customer_id", country=pl.col("country").replace_strict(codes, default=0))
    if not shop.has("customers"):
        nothing = pl.lit(None, pl.Float64)
        return rows.with_columns(age=nothing, gender=nothing, tenure=nothing, known=pl.col("customer_id").is_not_null())
    customers = shop.read("customers", ["customer_id", "birth_year", "gender", "joined_at"])
    joined = rows.join(customers, on="customer_id", how="left", maintain_order="left")
    year = pl.from_epoch("ts", time_unit="us").dt.year()
    return joined.select(
        "country",
        age=year - pl.col("birth_year"),
        gender=pl.col("gender").replace_strict({"female": 1, "male": 2, "other": 3}, default=None),
        tenure=((pl.col("ts") - pl.col("joined_at").dt.epoch("us")) / DAY).clip(0).log1p(),
        known=pl.col("customer_id").is_not_null(),
    )
