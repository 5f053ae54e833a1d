"""One target column read from a batch of a file's rows, by its rule: the values, and which texts it could not read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import polars as pl

from danggol.errors import UsageError
from danggol.shop.rules import is_id
from danggol.shop.schemas import Column
from danggol.shop.sources.mapping.grades import GRADED, read_grades
from danggol.shop.sources.mapping.rules import ColumnRule
from danggol.shop.sources.mapping.times import read_times
from danggol.shop.sources.mapping.values import NO_ID, NOTHING, SPACES, groups, read_numbers, read_words
from danggol.shop.sources.reading.tables import FileRule

Pictures = Callable[[pl.Series], tuple[pl.Series, pl.Series]]
"""From the names of pictures to their paths inside the shop, and what is wrong with each (null: nothing)."""

ENTRY = pl.List(pl.Struct({"key": pl.String, "value": pl.String}))
"""A map, as frames hold it."""
_LARGEST = 2**53
_TYPES = {"text": "string", "number": "double", "bool": "bool", "time": "timestamp"}


@dataclass(frozen=True)
class Fault:
    """What can be wrong with a value: ``broken`` says of which rows it is; code and reason go into rejects."""

    code: str
    broken: pl.Series
    reason: str


@dataclass(frozen=True)
class Reading:
    """A column that was read: ``values`` (null where nothing is there or it has a fault), and its faults."""

    values: pl.Series
    faults: Sequence[Fault] = ()


def target(name: str, columns: Sequence[Column], rule: ColumnRule) -> Column:
    """The schema's column of that name, or one of the shop's own in an open table."""
    known = next((column for column in columns if column.name == name), None)
    return known or Column(name, _TYPES[rule.type or "text"], "a column of the shop's own")  # type: ignore[arg-type]


def read_column(
    column: Column, rule: ColumnRule, rows: pl.DataFrame, file: FileRule, zone: str, pictures: Pictures | None = None
) -> Reading:
    """Read ``column`` from ``rows`` (String columns) as ``rule`` says; times that do not say theirs are in ``zone``."""
    if rule.value is not None:
        once = replace(rule, value=None, column="value")
        one = read_column(column, once, pl.DataFrame({"value": [rule.value]}), file, zone)
        faults = [replace(fault, broken=_repeat(fault.broken, rows.height)) for fault in one.faults]
        return Reading(_repeat(one.values, rows.height), faults)
    if column.type == "map":
        return Reading(_entries(rule, rows))
    text = _prepared(column, rule, rows, file)
    if column.type == "list":
        return Reading(_listed(text, rule))
    if pictures is not None:
        paths, wrong = pictures(text)
        codes = wrong.drop_nulls().unique(maintain_order=True)
        return Reading(paths, [Fault(code, wrong == code, _PICTURE_FAULTS[code]) for code in codes])
    read = _typed(column, rule, text, rows, file, zone)
    ends = f", as range = [{rule.range[0]:g}, {rule.range[1]:g}] reads it" if rule.range else ""
    return _judged(column, text, *read, ends)


_PICTURE_FAULTS = {
    "outside_shop": "the picture's path leaves the folder of the file; put the picture below it",
    "missing_picture": "there is no picture of that name below the folder of the file",
    "not_a_picture": "the file is not a picture that can be read",
    "truncated_picture": "the picture breaks off",
    "oversized_picture": "the picture has too many pixels to open safely",
}


def _repeat(values: pl.Series, height: int) -> pl.Series:
    return values.new_from_index(0, height) if height else values.clear()


def _prepared(column: Column, rule: ColumnRule, rows: pl.DataFrame, file: FileRule) -> pl.Series:
    """The text that a value is read from: joined, cut out, mapped, and filled in."""
    if rule.column:
        text = pl.col(rule.column)
    else:
        text = pl.concat_str(rule.columns, separator=rule.join, ignore_nulls=not is_id(column))
        text = pl.when(pl.any_horizontal(pl.col(name).is_not_null() for name in rule.columns)).then(text)
    if file.empty:
        text = pl.when(~text.is_in(file.empty)).then(text)
    if rule.extract:
        text = text.str.extract(rule.extract, re.compile(rule.extract).groups)
    if rule.map:
        text = _mapped(text, rule.map)
    if is_id(column):
        text = pl.when(~text.str.to_lowercase().is_in(NO_ID)).then(text)
    if rule.default is not None:
        text = text.fill_null(rule.default)
    text = text.str.strip_chars(SPACES)
    try:
        return rows.select(pl.when(text != "").then(text).alias("text")).to_series()
    except pl.exceptions.ComputeError as error:
        raise UsageError(
            f"extract of '{column.name}' is a regular expression that is not understood; write it without look-around "
            "and back-references"
        ) from error


def _mapped(text: pl.Expr, words: Mapping[str, str]) -> pl.Expr:
    """Exact words first, then beginnings (longest first), then ``*``; what none names stays as it is."""
    exact = {key: value for key, value in words.items() if not key.endswith("*")}
    starts = sorted((key for key in words if key.endswith("*") and key != "*"), key=len, reverse=True)
    mapped = pl.when(text.is_null()).then(pl.lit(None, pl.String))
    if exact:
        swapped = text.replace_strict(exact, default=None, return_dtype=pl.String)
        mapped = mapped.when(text.is_in(list(exact))).then(swapped)  # type: ignore[assignment]
    for start in starts:
        mapped = mapped.when(text.str.starts_with(start[:-1])).then(pl.lit(words[start]))  # type: ignore[assignment]
    return mapped.otherwise(pl.lit(words["*"]) if "*" in words else text)


def _entries(rule: ColumnRule, rows: pl.DataFrame) -> pl.Series:
    """A map from headings to what the columns hold, or from a JSON object that one column holds."""
    if rule.columns:
        short = [name.rsplit(".", 1)[-1] for name in rule.columns]
        keys = short if len(set(short)) == len(short) else rule.columns
        entries = [
            pl.when(pl.col(name).is_not_null()).then(pl.struct(pl.lit(key).alias("key"), pl.col(name).alias("value")))
            for name, key in zip(rule.columns, keys, strict=True)
        ]
        found = rows.select(pl.concat_list(entries).list.drop_nulls().alias("map"))
        return found.select(pl.when(pl.col("map").list.len() > 0).then("map")).to_series()
    said = [_object(text) for text in rows[rule.column].to_list()]
    return pl.Series("map", said, dtype=ENTRY)


def _object(text: str | None) -> list[dict[str, str]] | None:
    """The entries of a JSON object; any other text is the one entry ``value``."""
    if text is None:
        return None
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        return [{"key": "value", "value": text}]
    return [{"key": key, "value": str(value)} for key, value in found.items() if value is not None] or None


def _listed(text: pl.Series, rule: ColumnRule) -> pl.Series:
    """Parts between the separator, or the items of a JSON list."""
    items = pl.col("text").str.split(rule.split or ",").list.eval(pl.element().str.strip_chars())
    items = items.list.eval(pl.element().filter(pl.element() != ""))
    found = pl.DataFrame({"text": text}).select(pl.when(pl.col("text").is_not_null()).then(items).alias("items"))
    lists = found.to_series()
    as_json = text.str.starts_with("[") & text.str.ends_with("]")
    if as_json.any():
        lists = pl.Series(
            "items",
            [_items(said) if is_json else split for said, is_json, split in zip(text, as_json, lists, strict=True)],
            dtype=pl.List(pl.String),
        )
    return lists


def _items(text: str) -> list[str]:
    try:
        found = json.loads(text)
    except ValueError:
        found = text[1:-1].split(",")
    return [str(item).strip() for item in found if item is not None]


def _typed(
    column: Column, rule: ColumnRule, text: pl.Series, rows: pl.DataFrame, file: FileRule, zone: str
) -> tuple[pl.Series, str, str]:
    """The values, null where a text is none, with the code and the reason for those."""
    if column.type in {"timestamp", "date"}:
        return _time(column, rule, text, rule.timezone or zone)
    if column.type in {"double", "int64"}:
        return _number(column, rule, text, rows, rule.decimal or file.decimal)
    if column.type == "bool":
        return read_words(text, "bool") == "true", "bad_truth", "neither yes nor no"
    return _coded(column, text)


def _time(column: Column, rule: ColumnRule, text: pl.Series, zone: str) -> tuple[pl.Series, str, str]:
    times = read_times(text, rule.format, zone)
    shape = f" in the format {rule.format}" if rule.format else "; give its format in the mapping"
    if column.type == "date":
        return times.dt.convert_time_zone(zone).dt.date(), "bad_time", f"not a date that can be read{shape}"
    return times, "bad_time", f"not a time that can be read{shape}"


def _coded(column: Column, text: pl.Series) -> tuple[pl.Series, str, str]:
    if column.format:
        return read_words(text, column.format), f"bad_{column.format}", f"not a {column.format} that is known"
    if not column.one_of:
        return text, "", ""
    said = pl.first()
    exact = text.to_frame().select(pl.when(said.is_in(column.one_of)).then(said)).to_series()
    known = read_words(text, column.name) if column.name in groups() else exact
    return exact.fill_null(known), "not_one_of", f"none of {', '.join(column.one_of)}; say what it means in the mapping"


def _number(
    column: Column, rule: ColumnRule, text: pl.Series, rows: pl.DataFrame, decimal: str
) -> tuple[pl.Series, str, str]:
    other = "," if decimal == "." else "."
    values = _grades(column, rule, text, decimal) if column.name in GRADED else read_numbers(text, decimal)
    if rule.per:
        values /= read_numbers(rows[rule.per], decimal)
    if rule.times:
        values *= read_numbers(rows[rule.times], decimal)
    values = values.abs() if rule.absolute else values
    values = values * rule.scale if rule.scale != 1 else values
    values = _ranged(column, rule, values)
    frame = pl.DataFrame({"n": values})
    n = pl.col("n")
    if column.type == "int64":
        whole = frame.select(pl.when((n == n.round()) & (n.abs() <= _LARGEST)).then(n.cast(pl.Int64, strict=False)))
        return whole.to_series(), "bad_number", "not a whole number"
    reason = f"not a number; if '{other}' is its decimal sign, say so in the mapping"
    return frame.select(pl.when(n.is_finite()).then(n)).to_series(), "bad_number", reason


def _grades(column: Column, rule: ColumnRule, text: pl.Series, decimal: str) -> pl.Series:
    """Grades, without those that say that they are out of another number than the mapping."""
    grades, tops = read_grades(text, decimal)
    frame = pl.DataFrame({"grade": grades, "top": tops})
    most, top = max(rule.range, default=column.at_most), pl.col("top") * rule.scale
    return frame.select(pl.when(top.is_null() | ((top - most).abs() < 1e-6)).then("grade")).to_series()


def _ranged(column: Column, rule: ColumnRule, values: pl.Series) -> pl.Series:
    """The values on the column's own scale, where the mapping says on which they are."""
    if not rule.range or column.at_least is None or column.at_most is None:
        return values
    worst, best = rule.range
    return (values - worst) * (column.at_most - column.at_least) / (best - worst) + column.at_least


def _judged(column: Column, text: pl.Series, values: pl.Series, code: str, reason: str, ends: str = "") -> Reading:
    """Find the texts that could not be read, and the values out of range; take both out of the values."""
    frame = pl.DataFrame({"text": text, "value": values})
    said, value = pl.col("text"), pl.col("value")
    rules = []
    if code:
        rules.append((code, said.is_not_null() & value.is_null() & ~said.str.to_lowercase().is_in(NOTHING), reason))
    if column.at_least is not None:
        rules.append(("below", value < column.at_least, f"less than {column.at_least:g}{ends}"))
    if column.at_most is not None:
        rules.append(("above", value > column.at_most, f"more than {column.at_most:g}{ends}"))
    if column.past:
        rules.append(("in_future", value > datetime.now(UTC), "a time that has not come yet; is the time zone right?"))
    faults = []
    for name, broken, why in rules:
        rows = frame.select(broken.fill_null(False)).to_series()
        if rows.any():
            faults.append(Fault(name, rows, why))
            frame = frame.with_columns(pl.when(~rows).then(value).alias("value"))
    return Reading(frame["value"], faults)
