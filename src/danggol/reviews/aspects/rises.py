"""Which cause rose, of which product, in which week: an exact test of the week's share against the product's past.

Of a product's reviews in a week, ``named`` of ``reviews`` name a cause; in the weeks before it was ``past_named`` of
``past_reviews``. If nothing changed, ``named`` is hypergeometric given the sums (Fisher's exact test, one-sided),
however many reviews come in and whatever the share is. All products and causes of a week are tested together by
Benjamini & Hochberg, "Controlling the false discovery rate", JRSS B 57, 1995; pairs that could not reach the level
whatever ``named`` is take no part, which their sums alone decide (Tarone, Biometrics 46, 1990).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import beta, hypergeom

from danggol.errors import DataError, UsageError
from danggol.reviews.aspects.settings import RiseSettings

if TYPE_CHECKING:
    from danggol.shop import Shop

Floats = NDArray[np.float64]
WHOLE_SHOP = "(all)"
"""The shop as a whole, among the products that are tested."""
UNTESTED = ("no times", "no weeks before", "none named", "too few")
"""Why nothing is tested: no review tells a time, all are of one week, none names a cause, or they are too few."""
_LATE_REVIEWS = """
    SELECT review_id, product_id, ts FROM reviews WHERE ts >= (SELECT max(ts) FROM reviews) - to_weeks($weeks)
"""
_REVIEWS, _MENTIONS = ("review_id", "product_id", "ts"), ("review_id", "cause")
_SCHEMA: dict[str, Any] = {
    "product_id": pl.String, "cause": pl.String, "week": pl.Date, "reviews": pl.Int64, "named": pl.Int64,
    "share": pl.Float64, "low": pl.Float64, "high": pl.Float64, "past_reviews": pl.Int64, "past_named": pl.Int64,
    "past_share": pl.Float64, "p": pl.Float64, "q": pl.Float64, "rose": pl.Boolean, "examples": pl.List(pl.String),
}  # fmt: skip


def rises(
    reviews: pl.DataFrame,
    mentions: pl.DataFrame,
    weeks: Sequence[date] | None = None,
    settings: RiseSettings | None = None,
) -> pl.DataFrame:
    """Every tested product, cause and week, the least ``q`` first; ``rose`` where ``q`` is at the level or below.

    ``reviews``: ``review_id``, ``product_id``, ``ts`` (UTC) of all reviews, those that name no cause included;
    ``mentions``: ``review_id``, ``cause``. ``weeks``: Mondays; None: the last week only. ``low`` and ``high`` are the
    95% interval (Jeffreys) of the week's share, ``examples`` the newest reviews of it that name the cause. A product
    without reviews in the weeks before is not tested. UsageError: a day is no Monday. DataError: a column is missing or
    a review is there twice.
    """
    chosen = settings or RiseSettings()
    _checked(reviews, mentions)
    held = reviews.select(_REVIEWS).drop_nulls().with_columns(week=_monday(reviews.schema["ts"], chosen.zone))
    if held["review_id"].is_duplicated().any():
        raise DataError("a review is in the table twice; give each review_id once")
    told = mentions.select(_MENTIONS).drop_nulls().unique(maintain_order=True).join(held, on="review_id")
    if weeks is None:
        weeks = [one for one in [held["week"].max()] if isinstance(one, date)]
    late = [one for one in weeks if one.weekday() != 0]
    if late:
        raise UsageError(f"{late[0]} is no Monday; name each week by its first day")
    found = [_week(held, told, one, chosen) for one in weeks]
    empty = pl.DataFrame(schema=_SCHEMA)
    return pl.concat([empty, *found]).sort(["q", "p", "week", "product_id", "cause"])


def rose_lately(shop: Shop, mentions: pl.DataFrame, most: int = 20) -> dict[str, Any]:
    """What rose in the last week of a shop's reviews, of the whole shop and of single products, as plain JSON.

    ``rose``: the rows; ``compared``: pairs of product and cause that were tested; ``not_compared``: why there were
    none, of :data:`UNTESTED`, or None. ``mentions``: ``review_id``, ``cause``; ``most``: rows. Only the weeks that are
    compared are read. DataError: the shop has no reviews.
    """
    settings = RiseSettings(zone=shop.config.timezone)
    shop.require("reviews")
    held = shop.sql(_LATE_REVIEWS, {"weeks": settings.past + 2}).unique("review_id", keep="first")
    whole = rises(held.with_columns(product_id=pl.lit(WHOLE_SHOP)), mentions, settings=settings)
    tested = pl.concat([whole, rises(held, mentions, settings=settings)])
    columns = ("product_id", "cause", "week", "reviews", "named", "share", "past_share", "q", "examples")
    found = tested.filter(pl.col("rose")).select(columns).head(most)
    return {
        "rose": [{**row, "week": row["week"].isoformat()} for row in found.to_dicts()],
        "compared": tested.height,
        "not_compared": None if tested.height else _why_untested(held, mentions, settings),
    }


def _why_untested(held: pl.DataFrame, mentions: pl.DataFrame, settings: RiseSettings) -> str:
    timed = held.drop_nulls("ts")
    if not timed.height:
        return "no times"
    week = timed.select(_monday(timed.schema["ts"], settings.zone)).to_series()
    last = week.max()
    if not isinstance(last, date) or not week.is_between(last - timedelta(weeks=settings.past), last, "left").any():
        return "no weeks before"
    return "too few" if timed.join(mentions, on="review_id", how="semi").height else "none named"


def benjamini_hochberg(p: Floats) -> Floats:
    """q values (tests,): the least false discovery rate at which each test is an alarm."""
    order = np.argsort(p, kind="stable")
    scaled = p[order] * len(p) / np.arange(1, len(p) + 1)
    found = np.empty_like(p)
    found[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1)
    return found


def _checked(reviews: pl.DataFrame, mentions: pl.DataFrame) -> None:
    for table, columns, name in ((reviews, _REVIEWS, "reviews"), (mentions, _MENTIONS, "mentions")):
        absent = [one for one in columns if one not in table.columns]
        if absent:
            raise DataError(f"the table of {name} lacks the column '{absent[0]}'; it needs {', '.join(columns)}")


def _monday(kind: pl.DataType, zone: str) -> pl.Expr:
    if not isinstance(kind, pl.Datetime):
        raise DataError(f"the column 'ts' of the reviews is {kind}, not a time; convert it first")
    times = pl.col("ts") if kind.time_zone else pl.col("ts").dt.replace_time_zone("UTC")
    return times.dt.convert_time_zone(zone).dt.date().dt.truncate("1w")


def _week(held: pl.DataFrame, told: pl.DataFrame, week: date, settings: RiseSettings) -> pl.DataFrame:
    first = week - timedelta(weeks=settings.past)
    now, before = pl.col("week") == week, pl.col("week").is_between(first, week, closed="left")
    products = held.group_by("product_id").agg(reviews=now.sum(), past_reviews=before.sum())
    products = products.filter((pl.col("reviews") > 0) & (pl.col("past_reviews") > 0))
    named = told.group_by("product_id", "cause").agg(named=now.sum(), past_named=before.sum())
    table = named.join(products, on="product_id").filter(pl.col("named") + pl.col("past_named") > 0)
    counts = {name: table[name].to_numpy().astype(np.int64) for name in _COUNTS}
    n, past, k, past_k = (counts[name] for name in _COUNTS)
    most = np.minimum(n, k + past_k)
    testable = hypergeom.sf(most - 1, n + past, k + past_k, n) <= settings.level
    table = table.filter(pl.Series(testable))
    n, past, k, past_k = (one[testable] for one in (n, past, k, past_k))
    p = np.clip(hypergeom.sf(k - 1, n + past, k + past_k, n), 0, 1)
    q = benjamini_hochberg(p)
    low = np.where(k > 0, beta.ppf(0.025, k + 0.5, n - k + 0.5), 0.0)
    high = np.where(k < n, beta.ppf(0.975, k + 0.5, n - k + 0.5), 1.0)
    table = table.with_columns(
        week=pl.lit(week), share=pl.Series(k / n), low=pl.Series(low), high=pl.Series(high),
        past_share=pl.Series(past_k / past), p=pl.Series(p), q=pl.Series(q), rose=pl.Series(q <= settings.level),
    )  # fmt: skip
    shown = told.filter(now).sort("ts", "review_id", descending=[True, False])
    examples = shown.group_by("product_id", "cause").agg(examples=pl.col("review_id").head(settings.examples))
    joined = table.join(examples, on=["product_id", "cause"], how="left")
    whole = joined.with_columns(pl.col("examples").fill_null([]))
    return whole.select(pl.col(name).cast(kind) for name, kind in _SCHEMA.items())


_COUNTS = ("reviews", "past_reviews", "named", "past_named")
