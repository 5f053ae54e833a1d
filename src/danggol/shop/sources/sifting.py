"""Rules that tell rows apart which can be used and rows which cannot, with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from danggol.shop.sources.reading.delimited import RECORD_LIMIT, REJECTS
from danggol.shop.sources.reading.headings import ROW


@dataclass(frozen=True)
class Rule:
    """A row for which ``broken`` is true cannot be used; ``code``, ``column`` and ``reason`` go into its reject."""

    broken: pl.Expr
    code: str
    column: str
    reason: str


def sift(
    rows: pl.DataFrame, rules: Sequence[Rule], file: str, record: Sequence[str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split rows by the first rule each breaks: those that break none, and a frame of rejects (:data:`REJECTS`).

    ``rows`` holds :data:`ROW`; ``record`` names the columns that a reject keeps, as JSON. A condition that is null is
    not broken.
    """
    first = pl.coalesce(
        *(pl.when(rule.broken.fill_null(False)).then(pl.lit(place, pl.Int32)) for place, rule in enumerate(rules)),
        pl.lit(None, pl.Int32),
    ).alias("__rule__")
    marked = rows.with_columns(first)
    kept = marked.filter(pl.col("__rule__").is_null()).drop("__rule__")
    if kept.height == rows.height:
        return kept, pl.DataFrame(schema=REJECTS)
    broken = marked.filter(pl.col("__rule__").is_not_null())
    place = pl.col("__rule__")
    said = {
        "reason_code": place.replace_strict({i: rule.code for i, rule in enumerate(rules)}, return_dtype=pl.String),
        "column": place.replace_strict({i: rule.column for i, rule in enumerate(rules)}, return_dtype=pl.String),
        "reason": place.replace_strict({i: rule.reason for i, rule in enumerate(rules)}, return_dtype=pl.String),
    }
    rejects = broken.select(
        pl.lit(file).alias("file"),
        pl.col(ROW).cast(pl.Int64).alias("row"),
        **said,
        record=pl.struct(record).struct.json_encode().str.slice(0, RECORD_LIMIT),
    )
    return kept, rejects


def number(column: str) -> pl.Expr:
    """The text of a column as a number; null where it is none or not finite."""
    value = pl.col(column).cast(pl.Float64, strict=False)
    return pl.when(value.is_finite()).then(value)


def unreadable(column: str, read: pl.Expr) -> pl.Expr:
    """Whether a column says something that ``read`` made nothing of."""
    return pl.col(column).is_not_null() & read.is_null()


def moment(column: str, formats: Sequence[str], timezone: str) -> pl.Expr:
    """The text of a column, a local time in one of ``formats``, as a UTC time; null where it is none.

    A time that stands twice on the night the clocks go back is the first of the two; one that is skipped when they go
    forward is an hour later.
    """
    text = pl.col(column)
    local = pl.coalesce(text.str.to_datetime(form, time_unit="us", strict=False) for form in formats)
    plausible = pl.when(local.dt.year().is_between(1900, 2200)).then(local)
    exact = plausible.dt.replace_time_zone(timezone, ambiguous="earliest", non_existent="null")
    skipped = (plausible + pl.duration(hours=1)).dt.replace_time_zone(
        timezone, ambiguous="earliest", non_existent="null"
    )
    return pl.coalesce(exact, skipped).dt.convert_time_zone("UTC")
