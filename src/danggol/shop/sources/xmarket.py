"""XMarket (Amazon ratings by market): who rated which product in which country, and when.

A rating stands for a purchase: it becomes a ``purchase`` event on its day. Its stars are not kept, as they would need
a review, a review needs a text, and the file has none. Days become midnight UTC. The market gives the country of the
event and of the customer.
One person's ratings of one item on different days are kept apart; of those on one day the first is kept.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from danggol.errors import UsageError
from danggol.shop.codes import COUNTRIES
from danggol.shop.sources.intake import Intake
from danggol.shop.sources.reading.delimited import open_delimited
from danggol.shop.sources.reading.files import find_files, inspect_text
from danggol.shop.sources.reading.headings import ROW, require_columns
from danggol.shop.sources.sifting import Rule, moment, number, sift
from danggol.shop.sources.source import KnownSource, Options

COLUMNS = ("userId", "itemId", "rate", "date")

_EVENTS = """
    SELECT rating_id AS event_id, ts, 'purchase' AS kind, customer_id, product_id, country, file, "row" FROM ratings
"""
_PRODUCTS = "SELECT DISTINCT product_id, 'amazon' AS source FROM ratings"
_CUSTOMERS = "SELECT customer_id, arg_max(country, ts) AS country FROM ratings GROUP BY customer_id"


def load(path: Path, intake: Intake, options: Options) -> None:
    """Read one market's file, or every market's in a folder."""
    for place in find_files(path, "*_5core.txt.gz", "*_5core.txt"):
        _read(place, intake, options)
    intake.fill("events", _EVENTS)
    intake.derive("products", _PRODUCTS)
    intake.derive("customers", _CUSTOMERS)
    intake.note(
        "A rating stands for a purchase on its day; its stars are not kept, as a review needs a text and there is none."
    )


def _read(path: Path, intake: Intake, options: Options) -> None:
    country = _country(path, options)
    text = inspect_text(path)
    file = open_delimited(text, " ")
    require_columns(text.name, file.columns, COLUMNS)
    intake.note_unused(text.name, [name for name in file.columns if name not in COLUMNS])
    nothing = pl.DataFrame(schema={ROW: pl.Int64, **dict.fromkeys(COLUMNS, pl.String)})
    intake.stage("ratings", _ratings(nothing, text.name, country))
    for batch in intake.batches(file):
        kept, rejects = sift(batch.select(ROW, *COLUMNS), _rules(), text.name, COLUMNS)
        intake.reject(rejects)
        intake.stage("ratings", _ratings(kept, text.name, country))


def _country(path: Path, options: Options) -> str:
    found = re.match(r"([a-z]{2})_", path.name.lower())
    market = options.get("market") or (found.group(1) if found else "")
    country = {"uk": "GB"}.get(market.lower(), market.upper())
    if country not in COUNTRIES:
        raise UsageError(
            f"the market of {path.name} is not known: name the file like de_5core.txt.gz, or pass the option market=de"
        )
    return country


def _day() -> pl.Expr:
    return moment("date", ("%Y-%m-%d",), "UTC")


def _rules() -> list[Rule]:
    rating = number("rate")
    return [
        Rule(pl.col("userId").is_null(), "missing_id", "userId", "no user"),
        Rule(pl.col("itemId").is_null(), "missing_id", "itemId", "no item"),
        Rule(rating.is_null() | ~rating.is_between(1, 5), "bad_rating", "rate", "not a rating of 1 to 5 stars"),
        Rule(_day().is_null(), "bad_date", "date", "not a day such as 2018-01-31"),
        Rule(_day() > datetime.now(UTC), "date_in_future", "date", "a day that has not come yet"),
    ]


def _ratings(rows: pl.DataFrame, name: str, country: str) -> pl.DataFrame:
    return rows.select(
        pl.lit(name).alias("file"),
        pl.col(ROW).alias("row"),
        pl.format("{}-{}-{}-{}", pl.lit(country.lower()), "userId", "itemId", "date").alias("rating_id"),
        pl.col("userId").alias("customer_id"),
        pl.col("itemId").alias("product_id"),
        _day().alias("ts"),
        pl.lit(country).alias("country"),
    )


SOURCE = KnownSource(
    name="xmarket",
    summary="XMarket: Amazon ratings of one market (de_5core.txt.gz), or the folder of all of them",
    writes=("events", "products", "customers"),
    shop={"timezone": "UTC", "currency": "USD", "languages": ("en",)},
    read=load,
    options={"market": "two letters, where the file's name does not begin with them"},
)
