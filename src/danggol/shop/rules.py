"""The rules that `check` applies to the rows of a table, written in SQL from the schema alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from danggol.shop.codes import COUNTRIES, CURRENCIES, LANGUAGES
from danggol.shop.schemas import Column, Schema

MEANINGS = {
    "required": "a column that every row must fill is empty",
    "blank": "an id or a required text holds nothing but white space",
    "padded": "an id begins or ends with white space",
    "below": "the value is below the least that is possible",
    "above": "the value is above the most that is possible",
    "not_finite": "the number is not a number, or infinite",
    "not_one_of": "the value is not one of those that the column may hold",
    "bad_country": "the value is not an ISO 3166-1 alpha-2 country, such as KR",
    "bad_language": "the value is not an ISO 639-1 language, such as ko",
    "bad_currency": "the value is not an ISO 4217 currency, such as KRW",
    "in_future": "the time lies in the future",
    "impossible_time": "the time lies before 1900 or after 2200",
    "wrong_order": "two times, or two ends of an interval, are in an impossible order",
    "duplicate_key": "an earlier row has the same key",
    "unknown_id": "the id is not in the table that it refers to",
    "missing_column": "a Parquet file lacks a required column",
    "unknown_column": "a Parquet file has a column that the table does not",
    "wrong_type": "a Parquet file holds the column as another type; its values were not checked",
    "unreadable_file": "a Parquet file is damaged or is none; its rows were not checked",
    "missing_version": "CURRENT names a version that is not there, or holds no Parquet file",
    "unknown_table": "a folder of tables/ that is no table of the shop",
    "damaged_journal": "journal.json cannot be read",
    "damaged_run": "a record in runs/ cannot be read",
    "missing_picture": "the picture is not there",
    "outside_shop": "the picture's path leaves the shop",
    "not_a_picture": "the file is not a picture that can be read",
    "truncated_picture": "the picture breaks off",
    "oversized_picture": "the picture has too many pixels to open safely",
}
"""Every rule and what a violation of it means."""

ORDERED: dict[str, tuple[tuple[str, str], ...]] = {
    "offers": (("valid_from", "valid_to"),),
    "orders": (("ts", "promised_at"), ("ts", "delivered_at")),
    "posts": (("ts", "collected_at"),),
    "customer_states": (("valid_from", "valid_to"),),
    "purchase_scores": (("as_of", "at"),),
    "recommendations": (("as_of", "at"),),
    "promotion_plan": (("as_of", "at"), ("at", "send_at")),
    "demand_forecasts": (("as_of", "origin"),),
    "runs": (("started", "ended"),),
}
"""Pairs of columns of which the second cannot be smaller than the first; a result may not know more than its moment."""

PICTURE_COLUMNS = {
    "product_images": "image",
    "events": "image_shown",
    "reviews": "image",
    "posts": "media",
    "recommendations": "image",
}
"""The column of each table that names pictures: paths inside the shop, or URLs."""

_INTERVALS = (("low", "high"), ("difference_low", "difference_high"))
_FORMATS = {"country": COUNTRIES, "language": LANGUAGES, "currency": CURRENCIES}
_SPACE = r"[\s\v\p{Z}\x{200B}\x{FEFF}]"
"""White space of any language, as DuckDB's regular expressions write it."""


@dataclass(frozen=True)
class RowRule:
    """A rule that one row can break: ``bad`` is the SQL condition of a violation."""

    code: str
    column: str
    bad: str


def quote(name: str) -> str:
    """A name, quoted for SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text, quoted for SQL."""
    return "'" + text.replace("'", "''") + "'"


def blank(column: str) -> str:
    """The SQL condition that a text holds nothing but white space."""
    return f"regexp_full_match({quote(column)}, '{_SPACE}*')"


def padded(column: str) -> str:
    """The SQL condition that a text begins or ends with white space."""
    return f"regexp_matches({quote(column)}, '^{_SPACE}|{_SPACE}$')"


def is_id(column: Column) -> bool:
    """Whether a column holds ids."""
    return column.type == "string" and column.name.endswith("_id")


def row_rules(schema: Schema, usable: set[str], now: datetime) -> Iterator[RowRule]:
    """The rules of every column in ``usable``; times after ``now`` lie in the future."""
    for column in schema.columns:
        if column.name in usable:
            yield from _of_text(column, column.name in schema.key, PICTURE_COLUMNS.get(schema.name) == column.name)
            yield from _of_number(column)
            yield from _of_time(column, now)
    for low, high in ORDERED.get(schema.name, ()) + _INTERVALS:
        if low in usable and high in usable:
            yield RowRule("wrong_order", high, f"{quote(high)} < {quote(low)}")


def _of_text(column: Column, in_key: bool, in_picture: bool) -> Iterator[RowRule]:
    name = quote(column.name)
    if column.required:
        yield RowRule("required", column.name, f"{name} IS NULL")
    if column.type != "string":
        return
    if is_id(column) or column.required or in_picture:
        yield RowRule("blank", column.name, blank(column.name))
    if is_id(column) or (column.required and in_key):
        yield RowRule("padded", column.name, f"{padded(column.name)} AND NOT {blank(column.name)}")
    if column.one_of:
        known = ", ".join(map(literal, column.one_of))
        yield RowRule("not_one_of", column.name, f"{name} NOT IN ({known})")
    if column.format:
        known = ", ".join(map(literal, sorted(_FORMATS[column.format])))
        yield RowRule(f"bad_{column.format}", column.name, f"{name} NOT IN ({known})")


def _of_number(column: Column) -> Iterator[RowRule]:
    name = quote(column.name)
    finite = "true"
    if column.type == "double":
        finite = f"isfinite({name})"
        yield RowRule("not_finite", column.name, f"NOT {finite}")
    if column.type == "numbers":
        odd = f"len(list_filter(map_values({name}), lambda x: NOT isfinite(x))) > 0"
        yield RowRule("not_finite", column.name, odd)
    if column.at_least is not None:
        yield RowRule("below", column.name, f"{finite} AND {name} < {column.at_least!r}")
    if column.at_most is not None:
        yield RowRule("above", column.name, f"{finite} AND {name} > {column.at_most!r}")


def _of_time(column: Column, now: datetime) -> Iterator[RowRule]:
    if column.type not in {"timestamp", "date"}:
        return
    name, kind = quote(column.name), "TIMESTAMPTZ" if column.type == "timestamp" else "DATE"
    first, last = (f"{kind} '{year}-01-01'" for year in (1900, 2200))
    yield RowRule("impossible_time", column.name, f"({name} < {first} OR {name} >= {last})")
    if column.past:
        moment = f"TIMESTAMPTZ {literal(now.isoformat())}"
        yield RowRule("in_future", column.name, f"{name} > {moment} AND {name} < {last}")
