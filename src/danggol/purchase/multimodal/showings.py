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
    "live",
)
BEHAVIOUR = (
    "own_views",
    "own_carts",
    "own_purchases",
    "own_since",
    "own_bought_since",
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
_NONE_LOGGED = "the shop {} has no events of kind 'impression'; log what is shown, with session_id and price"


@dataclass(frozen=True)
class Showings:
    """Rows oldest first; features (rows, names) of float32, nan where not known."""

    frame: pl.DataFrame
    """event_id, ts, start (of the visit), session_id, customer_id, product_id, country, image_shown"""
    offer: Array
    behaviour: Array
    customer: Array
    bought: NDArray[np.bool_]
    """in the same visit"""
    outcome: Array
    """(rows, 3) whether it was bought and whether it was looked at within a day, and the seconds of the look (nan
    where there was none): what later showings may know of this one"""

    def __len__(self) -> int:
        return len(self.bought)


def showing_times(shop: Shop) -> NDArray[np.int64]:
    """When each showing of a shop was (epoch microseconds), oldest first. DataError: none is logged."""
    ts = shop.sql(f"SELECT ts FROM ({query('showings')}) ORDER BY ts", {"until": END})["ts"].to_numpy()
    if len(ts) == 0:
        raise DataError(_NONE_LOGGED.format(shop.path))
    return np.asarray(ts, np.int64)


def showings(shop: Shop, until: int | None = None) -> Showings:
    """The showings of a shop before a moment (epoch microseconds). DataError: the shop has logged no impressions."""
    bounds = {"until": END if until is None else until}
    seen = shop.sql(query("showings"), bounds)
    if seen.is_empty():
        raise DataError(_NONE_LOGGED.format(shop.path))
    deeds = shop.sql(query("deeds"), bounds)
    seen = seen.with_row_index("row").with_columns(
        customer=pl.col("customer_id").fill_null(pl.format("?{}", "session_id"))
    )
    listed = _listings(shop, seen)
    acts = pl.concat([one.select("session_id", "ts") for one in (seen, deeds)])
    begun = acts.group_by("session_id").agg(start=pl.col("ts").min())
    seen = seen.join(begun, on="session_id", how="left", maintain_order="left")
    bought = deeds.filter(pl.col("deed") == 2).select("session_id", "product_id", hit=True).unique()
    hit = seen.join(bought, on=["session_id", "product_id"], how="left", maintain_order="left")["hit"]
    return Showings(
        seen.select("event_id", "ts", "start", "session_id", "customer_id", "product_id", "country", "image_shown"),
        _matrix(_offer(shop, seen, listed), OFFER),
        _matrix(_behaviour(seen, deeds, shop.sql(query("listings"))), BEHAVIOUR),
        _matrix(_people(shop, seen), CUSTOMER),
        hit.fill_null(value=False).to_numpy(),
        _outcome(seen, deeds),
    )


def _outcome(seen: pl.DataFrame, deeds: pl.DataFrame) -> Array:
    """What became of each showing within a day of the listing's first showing in the visit."""
    keys = ["session_id", "product_id"]
    first = seen.group_by(keys).agg(first=pl.col("ts").min())
    within = deeds.join(first, on=keys).filter(
        (pl.col("ts") >= pl.col("first")) & (pl.col("ts") < pl.col("first") + DAY)
    )
    told = within.group_by(keys).agg(
        bought=(pl.col("deed") == 2).any().cast(pl.Float32),
        viewed=pl.lit(1.0, pl.Float32),
        dwell=pl.col("dwell_s").max().cast(pl.Float32),
    )
    rows = seen.select(keys).join(told, on=keys, how="left", maintain_order="left")
    return _matrix(rows.with_columns(pl.col("bought", "viewed").fill_null(0.0)), ("bought", "viewed", "dwell"))


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
    price = _logarithm(seen["price"])
    rows = seen.select("row", "ts", "country", "position").with_columns(
        price=price,
        category=listed["category"],
        origin=listed["origin_country"],
        listed=listed["listed"],
        rating=listed["rating"],
        reviews=listed["reviews"].log1p(),
        list_price=_logarithm(held["list_price"]) - _logarithm(held["price"]),
        best_seller=held["best_seller"],
        local=held["price"],
        discount=seen["discount_rate"],
        free_shipping=seen["free_shipping"],
    )
    place = pl.col("price").fill_nan(None)
    sums = (place.fill_null(0.0).cum_sum().shift(1), place.is_not_null().cum_sum().shift(1))
    total, number = (one.over("country", "category") for one in sums)
    usual = pl.when(number > 0).then(total / number)
    # a price such as 19.99 or 9,900 ends just below a round one
    digits = (pl.col("local") * 100).round().cast(pl.Int64, strict=False)
    charm = (digits % 1000 >= 900) | (digits % 100 >= 95) | (digits % 100_000 >= 90_000)
    return rows.with_columns(
        price_to_usual=place - usual,
        charm_price=charm,
        position=pl.col("position").log1p(),
        listed_days=((pl.col("ts") - pl.col("listed")) / DAY).clip(0).log1p(),
        home=pl.col("origin") == pl.col("country"),
        live=seen["channel"] == "live",
    )


def _terms(shop: Shop, seen: pl.DataFrame) -> pl.DataFrame:
    """Price, list price and badge of the offer that held at each showing; empty where there are no offers."""
    if not shop.has("offers"):
        nothing = pl.lit(None, pl.Float64)
        return seen.with_columns(price=nothing, list_price=nothing, best_seller=nothing).select(
            "price", "list_price", "best_seller"
        )
    wanted = ["product_id", "country", "valid_from", "valid_to", "price", "list_price", "badges"]
    offers = (
        shop.read("offers", wanted)
        .select(
            "product_id",
            "country",
            "price",
            "list_price",
            ts=pl.col("valid_from").dt.epoch("us"),
            ends=pl.col("valid_to").dt.epoch("us"),
            best_seller=pl.col("badges").list.contains("best_seller").cast(pl.Float64),
        )
        .sort("ts")
    )
    rows, names = seen.select("row", "ts", "product_id", "country"), ("price", "list_price", "best_seller")
    everywhere = offers.filter(pl.col("country").is_null()).drop("country")
    found = []
    for table, keys in ((offers, ["product_id", "country"]), (everywhere, ["product_id"])):
        joined = rows.join_asof(table, on="ts", by=keys, check_sortedness=False).sort("row")
        holds = pl.col("ends").is_null() | (pl.col("ends") > pl.col("ts"))
        found.append(joined.select(pl.when(holds).then(pl.col(name)).alias(name) for name in names))
    # the offer of the own country goes before one that holds everywhere
    return pl.DataFrame([found[0][name].fill_null(found[1][name]) for name in names])


def _logarithm(values: pl.Series) -> pl.Series:
    """The logarithm of what is above zero; empty otherwise."""
    known = values.cast(pl.Float64).fill_nan(None)
    return known.set(known <= 0, None).log()


def _behaviour(seen: pl.DataFrame, deeds: pl.DataFrame, listings: pl.DataFrame) -> pl.DataFrame:
    """Counts of earlier visits, of the person and of everybody."""
    kinds = listings.select("product_id", "category", "brand")
    groups = seen.select("product_id").join(kinds, on="product_id", how="left", maintain_order="left")
    groups = groups.select("category", "brand")
    rows = seen.select("row", "customer", "product_id", "start").with_columns(groups)
    told = deeds.with_columns(customer=pl.col("customer_id").fill_null(pl.format("?{}", "session_id"))).join(
        kinds, on="product_id", how="left", maintain_order="left"
    )
    parts = [
        _counted(rows, told, ("customer", "product_id"), "own", since=True),
        _since_bought(rows, told),
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


def _since_bought(rows: pl.DataFrame, deeds: pl.DataFrame) -> pl.DataFrame:
    """log(1 + days) since the person last bought the listing, before the visit began."""
    keys = ["customer", "product_id"]
    bought = deeds.filter(pl.col("deed") == 2).select(*keys, "ts", last=pl.col("ts"))
    joined = rows.select("row", *keys, ts=pl.col("start") - 1).sort("ts")
    joined = joined.join_asof(bought, on="ts", by=keys, check_sortedness=False).sort("row")
    return joined.select(own_bought_since=((pl.col("ts") - pl.col("last")) / DAY).log1p())


def _people(shop: Shop, seen: pl.DataFrame) -> pl.DataFrame:
    """Age, gender and tenure of the person of each showing; the country is coded by the model's list, elsewhere."""
    rows = seen.select("ts", "customer_id", country=pl.lit(None, pl.Float64))
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
