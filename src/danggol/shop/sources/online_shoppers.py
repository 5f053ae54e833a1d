"""Online Shoppers Purchasing Intention (UCI, CC BY 4.0): visits to a shop by their sums, and whether they bought.

The file has no key: a visit is named by the file and its row, and rows that repeat another one word for word are kept.
It has months without a year, so a visit has no time. Codes (operating system, browser, region, traffic) stay text.
"""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from danggol.shop.sources.intake import Intake
from danggol.shop.sources.reading.delimited import open_delimited
from danggol.shop.sources.reading.files import find_file, inspect_text
from danggol.shop.sources.reading.headings import ROW, require_columns
from danggol.shop.sources.sifting import Rule, number, sift
from danggol.shop.sources.source import KnownSource, Options

COUNTS = {
    "Administrative": "administrative",
    "Informational": "informational",
    "ProductRelated": "product_related",
}
MEASURES = {
    "Administrative_Duration": "administrative_duration",
    "Informational_Duration": "informational_duration",
    "ProductRelated_Duration": "product_related_duration",
    "BounceRates": "bounce_rates",
    "ExitRates": "exit_rates",
    "PageValues": "page_values",
    "SpecialDay": "special_day",
}
CODES = {
    "Month": "month",
    "OperatingSystems": "operating_systems",
    "Browser": "browser",
    "Region": "region",
    "TrafficType": "traffic_type",
    "VisitorType": "visitor_type",
}
FLAGS = {"Weekend": "weekend", "Revenue": "converted"}
COLUMNS = (*COUNTS, *MEASURES, *CODES, *FLAGS)
TRUTH = {"TRUE": True, "1": True, "FALSE": False, "0": False}


def load(path: Path, intake: Intake, options: Options) -> None:
    """Read the visits and write them as they are."""
    text = inspect_text(find_file(path, "*shopp*.csv", "*shopp*.csv.gz"), options.get("encoding"))
    file = open_delimited(text)
    require_columns(text.name, file.columns, COLUMNS)
    intake.note_unused(text.name, [name for name in file.columns if name not in COLUMNS])
    stem = re.sub(r"\.(csv|txt|tsv)?(\.gz)?$", "", text.name)
    nothing = pl.DataFrame(schema={ROW: pl.Int64, **dict.fromkeys(COLUMNS, pl.String)})
    intake.stage("visits", _visits(nothing, text.name, stem))
    for batch in intake.batches(file):
        kept, rejects = sift(batch.select(ROW, *COLUMNS), _rules(), text.name, COLUMNS)
        intake.reject(rejects)
        intake.stage("visits", _visits(kept, text.name, stem))
    intake.fill("sessions", "SELECT * FROM visits")
    same = ", ".join(_names())
    again = intake.sql(
        f"SELECT coalesce(sum(n - 1), 0)::BIGINT AS n FROM (SELECT count(*) AS n FROM visits GROUP BY {same})"
    )
    if again["n"][0]:
        intake.note(f"{again['n'][0]:,} rows repeat another row word for word; the file has no key, so all are kept.")
    intake.note(
        "page_values is computed after the fact from whether a visit ended in a purchase: it gives the answer away, so "
        "report figures with and without it."
    )


def _names() -> list[str]:
    return [*COUNTS.values(), *MEASURES.values(), *CODES.values(), *FLAGS.values()]


def _rules() -> list[Rule]:
    rules = []
    for column in (*COUNTS, *MEASURES):
        rules.append(Rule(number(column).is_null(), "bad_number", column, "not a number"))
        rules.append(Rule(number(column) < 0, "negative_number", column, "below zero, which a count or time cannot be"))
    for column in COUNTS:
        whole = (number(column) == number(column).floor()) & (number(column) < 1e9)
        rules.append(Rule(~whole, "bad_number", column, "not a whole number"))
    rules += [Rule(_flag(column).is_null(), "bad_flag", column, "neither TRUE nor FALSE") for column in FLAGS]
    return rules


def _flag(column: str) -> pl.Expr:
    return pl.col(column).str.to_uppercase().replace_strict(TRUTH, default=None, return_dtype=pl.Boolean)


def _visits(rows: pl.DataFrame, name: str, stem: str) -> pl.DataFrame:
    return rows.select(
        pl.lit(name).alias("file"),
        pl.col(ROW).alias("row"),
        pl.format("{}-{}", pl.lit(stem), pl.col(ROW)).alias("session_id"),
        *(number(column).cast(pl.Int64, strict=False).alias(name) for column, name in COUNTS.items()),
        *(number(column).alias(name) for column, name in MEASURES.items()),
        *(pl.col(column).alias(name) for column, name in CODES.items()),
        *(_flag(column).alias(name) for column, name in FLAGS.items()),
    )


SOURCE = KnownSource(
    name="online-shoppers",
    summary="UCI Online Shoppers: visits by their sums as CSV, or the folder that holds it",
    writes=("sessions",),
    shop={"timezone": "UTC", "currency": "USD", "languages": ("en",)},
    read=load,
    options={"encoding": "the file's encoding, where the guess is wrong"},
)
