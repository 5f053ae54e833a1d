"""Price gaps: of listings of one product, who sells it cheaper where, now and in past weeks.

A listing's price is what a buyer in a country pays for one unit, shipping included, in the shop's reporting currency at
the latest known rate on or before the day. It is compared with the other listings of its group in the same country at
the same moment. What cannot be compared says why (``state``) and has no gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from time import perf_counter
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import polars as pl

from danggol.errors import DataError, UsageError
from danggol.shop.moments import as_moment

if TYPE_CHECKING:
    from danggol.shop import Shop

STATES = ("compared", "alone", "sold_out", "no_price", "no_rate")
"""Compared with others; the only one of its group on sale there; out of stock; without a price; without a rate."""
_MOST_WEEKS = 520
_TIME = pl.Datetime("us", "UTC")
_CELL = ["at", "group_id", "country"]
"""Where prices are compared: a moment, a product, a country (null: offered everywhere)."""


def query(name: str) -> str:
    """The text of one of this room's SQL files."""
    return files("danggol.matching").joinpath("sql", f"{name}.sql").read_text("utf8")


def price_gaps(
    shop: Shop, at: str | date | datetime | None = None, weeks: int = 1, by: str = "seller_id"
) -> dict[str, Any]:
    """Compare prices within the shop's groups as of ``at``, and at the same hour of the weeks before.

    Writes ``product_price_gaps``. ``at``: a day (its start in the shop's time zone) or a time; if not said, the last
    moment at which terms changed. ``by``: ``seller_id`` or ``source``, whom the figures tell apart. DataError: the
    shop has no groups or no offers by then. UsageError: a moment that is none, or ``weeks`` or ``by`` out of range.
    """
    began = perf_counter()
    if not 1 <= weeks <= _MOST_WEEKS:
        raise UsageError(f"weeks must lie in 1 to {_MOST_WEEKS}, got {weeks}")
    if by not in ("seller_id", "source"):
        raise UsageError(f"prices can be told apart by seller_id or source, not by {by!r}")
    shop.require("product_groups")
    shop.require("offers")
    now, as_of = _moment(shop, at)
    found = gaps(held_prices(shop, [now - timedelta(weeks=week) for week in range(weeks)]))
    with shop.run("prices", settings={"at": now.isoformat(), "weeks": weeks}) as run:
        rows = run.write("product_price_gaps", found.with_columns(pl.lit(as_of, _TIME).alias("as_of")))
    latest = found.filter(pl.col("at") == now)
    return {
        "product_price_gaps": rows,
        "at": now.isoformat(),
        "currency": shop.config.currency,
        "states": dict(latest.group_by("state").len().sort("state").rows()),
        by: summary(latest, by).to_dicts(),
        "seconds": round(perf_counter() - began, 1),
    }


def held_prices(shop: Shop, moments: Sequence[datetime]) -> pl.DataFrame:
    """What each listing with others in its group costs where at each moment, one row a listing, country and moment.

    ``price`` is in the shop's reporting currency with ``shipping`` in it, null where ``state`` is not ``on_sale``. An
    amount without currency is in the reporting one; a shipping fee that is not given counts as none, and ``shipping``
    is null. An offer without a country holds in every country in which another of the group is offered.
    """
    times = pl.DataFrame({"at": pl.Series(moments, dtype=_TIME)})
    held = shop.sql(query("prices"), extra={"moments": times.with_columns(pl.col("at").dt.epoch("us"))})
    held = held.with_columns(pl.col("at").cast(_TIME))
    return _priced(_everywhere(held), shop)


def gaps(held: pl.DataFrame) -> pl.DataFrame:
    """Price against the cheapest of the group in the same country at the same moment.

    ``held`` as from :func:`held_prices`. Adds ``compared`` (listings on sale there), ``rank`` (1: cheapest; equal
    prices share one), ``cheapest_id`` (of the cheapest the first by id), ``cheapest_price``, ``gap`` (reporting
    currency), ``gap_share`` (of the cheapest price; null where that is zero); all null where nothing can be compared.
    """
    sold = pl.col("state") == "on_sale"
    cells = (
        held.filter(sold)
        .sort("price", "product_id")
        .group_by(_CELL, maintain_order=True)
        .agg(
            pl.len().cast(pl.Int64).alias("compared"),
            pl.col("product_id").first().alias("cheapest_id"),
            pl.col("price").first().alias("cheapest_price"),
        )
        .filter(pl.col("compared") > 1)
    )
    rank = pl.when(sold).then(pl.col("price")).rank("min").over(_CELL).cast(pl.Int64)
    joined = held.with_columns(rank.alias("rank")).join(cells, on=_CELL, how="left", nulls_equal=True)
    there = sold & pl.col("compared").is_not_null()
    gap = pl.col("price") - pl.col("cheapest_price")
    share = pl.when(pl.col("cheapest_price") > 0).then(gap / pl.col("cheapest_price"))
    told = {"compared": pl.col("compared"), "rank": pl.col("rank"), "cheapest_id": pl.col("cheapest_id")}
    told |= {"cheapest_price": pl.col("cheapest_price"), "gap": gap, "gap_share": share}
    state = pl.when(there).then(pl.lit("compared")).when(sold).then(pl.lit("alone"))
    return joined.with_columns(
        state.otherwise("state").alias("state"), *(pl.when(there).then(one).alias(name) for name, one in told.items())
    ).sort("at", "group_id", "country", "rank", "product_id", nulls_last=True)


def summary(found: pl.DataFrame, by: str = "seller_id", most: int = 20) -> pl.DataFrame:
    """How dear each seller or source is: listings compared, share cheapest, and the median gap; dearest first.

    Rows are listings in a country at a moment; the ``most`` sellers with the largest median gaps. Sellers that are not
    known are left out.
    """
    return (
        found.filter((pl.col("state") == "compared") & pl.col(by).is_not_null())
        .group_by(by)
        .agg(
            pl.len().alias("compared"),
            (pl.col("rank") == 1).mean().alias("cheapest"),
            pl.col("gap_share").median().alias("median_gap_share"),
        )
        .sort(["median_gap_share", "compared", by], descending=[True, True, False], nulls_last=True)
        .head(most)
    )


def _everywhere(held: pl.DataFrame) -> pl.DataFrame:
    """Offers that hold everywhere, put into each country of their group in which the listing has no other."""
    world, local = held.filter(pl.col("country").is_null()), held.filter(pl.col("country").is_not_null())
    if not world.height:
        return local
    known = local.select(_CELL).unique()
    spread = world.drop("country").join(known, on=["at", "group_id"], how="inner").select(held.columns)
    spread = spread.join(local, on=["at", "product_id", "country"], how="anti")
    nowhere = world.join(known, on=["at", "group_id"], how="anti")
    return pl.concat([local, spread, nowhere])


def in_reporting_currency(shop: Shop, offers: pl.DataFrame) -> pl.DataFrame:
    """The rows with their ``price`` in the reporting currency at the ``rate`` of the day of ``at``, null without one.

    ``rate`` is the latest known on or before the day in the shop's time zone; an amount without ``currency`` is in the
    reporting one.
    """
    own, zone = shop.config.currency, shop.config.timezone
    day = pl.col("at").dt.convert_time_zone(zone).dt.date().alias("day")
    offers = offers.with_columns(pl.col("currency").fill_null(own), day)
    rate = pl.when(pl.col("currency") == own).then(1.0).otherwise("rate")
    joined = offers.join(_rates(shop, offers), on=["day", "currency"], how="left").with_columns(rate.alias("rate"))
    return joined.with_columns(pl.col("price") * pl.col("rate"))


def _priced(held: pl.DataFrame, shop: Shop) -> pl.DataFrame:
    """The rows with price, shipping and state."""
    priced = in_reporting_currency(shop, held.with_columns(pl.col("price").is_null().alias("unpriced")))
    free = pl.col("free_shipping").fill_null(False)
    fee = pl.when(free).then(0.0).otherwise(pl.col("shipping_fee") * pl.col("rate"))
    state = (
        pl.when("unpriced")
        .then(pl.lit("no_price"))
        .when(pl.col("rate").is_null())
        .then(pl.lit("no_rate"))
        .when(pl.col("stock") <= 0)
        .then(pl.lit("sold_out"))
        .otherwise(pl.lit("on_sale"))
    )
    priced = priced.with_columns(
        state.alias("state"), (pl.col("price") + fee.fill_null(0.0)).alias("price"), fee.alias("shipping")
    )
    return priced.select(*_CELL, "product_id", "seller_id", "source", "state", "price", "shipping", "currency")


def _rates(shop: Shop, held: pl.DataFrame) -> pl.DataFrame:
    """day, currency, rate: the latest known on or before the day; no row where none is."""
    asked = held.select("day", "currency").unique().sort("day", "currency")
    if not shop.has("fx"):
        return asked.with_columns(pl.lit(None, pl.Float64).alias("rate")).clear()
    rates = shop.read("fx", ["date", "currency", "rate"]).filter(pl.col("rate") > 0).sort("date", "currency")
    return asked.join_asof(
        rates, left_on="day", right_on="date", by="currency", strategy="backward", check_sortedness=False
    ).select("day", "currency", "rate")


def _moment(shop: Shop, at: str | date | datetime | None) -> tuple[datetime, datetime]:
    """The moment asked for, and the latest time that goes into what is said of it."""
    asked = datetime.now(UTC) if at is None else as_moment(at, ZoneInfo(shop.config.timezone))
    until = int(pl.Series([asked], dtype=_TIME).dt.epoch("us")[0])
    latest, grouped = shop.sql(query("price_times"), {"until": until}).cast(_TIME).row(0)
    if latest is None:
        raise DataError(f"the shop {shop.path} has no offers by {asked.isoformat()}; ask for a later moment")
    return latest if at is None else asked, max(one for one in (latest, grouped) if one is not None)
