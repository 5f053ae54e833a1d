"""Amazon-M2 (Apache-2.0): anonymous sessions of product views in six locales.

The file has an order of views within a session and no times. So that views stay in order, each gets a time that stands
for none: 2023-01-01 UTC, one second on for each row of the file and a thousandth for each view in it.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from danggol import progress
from danggol.shop.codes import COUNTRIES
from danggol.shop.sources.intake import Intake
from danggol.shop.sources.reading.columnar import ParquetSource, open_parquet
from danggol.shop.sources.reading.delimited import rejects_frame
from danggol.shop.sources.reading.files import find_file
from danggol.shop.sources.reading.headings import ROW
from danggol.shop.sources.sifting import Rule, sift
from danggol.shop.sources.source import KnownSource, Options

COLUMNS = ("session_id", "locale", "items")

_SESSIONS = 'SELECT session_id, ts, country, file, "row" FROM visits'
_KEPT = """
    WITH kept AS (
        SELECT * FROM views WHERE "row" IN (SELECT min("row") FROM visits GROUP BY session_id) {unless}
    )
"""
_UNLESS = "AND session_id NOT IN (SELECT session_id FROM sessions)"
_EVENTS = """
    SELECT session_id || '-' || position AS event_id, ts, 'view' AS kind, session_id, product_id, country FROM kept
"""
_PRODUCTS = "SELECT DISTINCT product_id, 'amazon' AS source FROM kept"


def load(path: Path, intake: Intake, _options: Options) -> None:
    """Read the sessions, and write each and its views."""
    file = open_parquet(find_file(path, "*.parquet"), {"session_id": "text", "locale": "text", "items": "texts"})
    intake.note_unused(file.name, file.unused)
    unplaced = _read(file, intake)
    intake.fill("sessions", _SESSIONS)
    kept = _KEPT.format(unless=_UNLESS if intake.adds_to("sessions") else "")
    intake.derive("events", kept + _EVENTS)
    intake.derive("products", kept + _PRODUCTS)
    if unplaced:
        intake.note(f"{unplaced:,} sessions have a locale that names no country; theirs is left empty.")
    intake.note(
        "The file has no times: those written stand for none (2023-01-01, a second a session, a thousandth a view) and "
        "only keep the order."
    )


def _read(file: ParquetSource, intake: Intake) -> int:
    unplaced = 0
    with progress.stage(f"reading {file.name}") as stage:
        for batch in file.batches():
            intake.receive(batch.height)
            stage.advance(batch.height)
            kept, rejects = sift(batch, _rules(), file.name, COLUMNS)
            intake.reject(rejects)
            visits = _visits(kept, file.name)
            unplaced += visits["country"].null_count()
            views = _views(visits)
            nameless = views.filter(pl.col("product_id").is_null())
            reason = "a view without a product, left out of its session"
            intake.reject(
                rejects_frame(
                    file.name, [(row, "missing_id", "items", reason, "") for row in nameless["row"].unique().sort()]
                ),
                flaw=True,
            )
            intake.stage("visits", visits.drop("items"))
            intake.stage("views", views.drop_nulls("product_id").drop("file"))
    return unplaced


def _rules() -> list[Rule]:
    items = pl.col("items").list.eval(pl.element().str.strip_chars()).list.drop_nulls()
    none = items.list.eval(pl.element() != "").list.any().fill_null(False)
    return [
        Rule(pl.col("session_id").is_null(), "missing_id", "session_id", "no session"),
        Rule(~none, "empty_session", "items", "no product was viewed"),
    ]


def _visits(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    country = pl.col("locale").str.to_uppercase().replace({"UK": "GB"})
    return rows.select(
        pl.lit(name).alias("file"),
        pl.col(ROW).alias("row"),
        "session_id",
        (pl.datetime(2023, 1, 1, time_zone="UTC", time_unit="us") + pl.duration(seconds=pl.col(ROW))).alias("ts"),
        pl.when(country.is_in(sorted(COUNTRIES))).then(country).alias("country"),
        "items",
    )


def _views(visits: pl.DataFrame) -> pl.DataFrame:
    views = visits.with_columns(pl.int_ranges(pl.col("items").list.len()).alias("position")).explode(
        "items", "position"
    )
    product = pl.col("items").str.strip_chars()
    return views.select(
        "file",
        "row",
        "session_id",
        pl.col("ts") + pl.duration(milliseconds=pl.col("position")),
        "country",
        "position",
        pl.when(product != "").then(product).alias("product_id"),
    )


SOURCE = KnownSource(
    name="amazon-m2",
    summary="Amazon-M2: sessions of product views as Parquet, or the folder that holds it",
    writes=("sessions", "events", "products"),
    shop={"timezone": "UTC", "currency": "USD", "languages": ("en",)},
    read=load,
)
