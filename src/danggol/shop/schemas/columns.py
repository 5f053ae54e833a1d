"""What a column and a table are: types, meanings, units and rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

Type = Literal["string", "timestamp", "date", "double", "int64", "bool", "list", "map", "numbers"]
Format = Literal["country", "language", "currency"]

ARROW_TYPES: dict[Type, pa.DataType] = {
    "string": pa.string(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
    "double": pa.float64(),
    "int64": pa.int64(),
    "bool": pa.bool_(),
    "list": pa.list_(pa.string()),
    "map": pa.map_(pa.string(), pa.string()),
    "numbers": pa.map_(pa.string(), pa.float64()),
}


@dataclass(frozen=True)
class Column:
    """A column: its type, what it means, its unit, and the rules that ``check`` applies to it."""

    name: str
    type: Type
    meaning: str
    unit: str = ""
    required: bool = False
    at_least: float | None = None
    at_most: float | None = None
    one_of: tuple[str, ...] = ()
    format: Format | None = None
    refers: str = ""
    """``table.column`` that a value must be found in, where that table is there."""
    past: bool = False
    """A time that cannot lie in the future."""

    @property
    def arrow(self) -> pa.DataType:
        """The Arrow type."""
        return ARROW_TYPES[self.type]


@dataclass(frozen=True)
class Schema:
    """A table: what a row is, its key, its columns; ``open`` tables may hold further columns of the shop's own."""

    name: str
    row: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    kind: Literal["source", "result", "record"] = "source"
    open: bool = False

    @property
    def arrow(self) -> pa.Schema:
        """The Arrow schema, in column order."""
        return pa.schema([pa.field(c.name, c.arrow) for c in self.columns])

    @property
    def required(self) -> tuple[str, ...]:
        """The names of the columns that every row must fill."""
        return tuple(c.name for c in self.columns if c.required)

    def column(self, name: str) -> Column:
        """The column of that name (KeyError where there is none)."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


def identifier(name: str, meaning: str, refers: str = "", required: bool = False) -> Column:
    """An id, as text; ``refers`` names the column it must be found in."""
    return Column(name, "string", meaning, required=required, refers=refers)


def text(name: str, meaning: str, *one_of: str, required: bool = False) -> Column:
    """Words, or one of a set of words."""
    return Column(name, "string", meaning, one_of=one_of, required=required)


def time(name: str, meaning: str, required: bool = False, past: bool = False) -> Column:
    """A moment in UTC."""
    return Column(name, "timestamp", meaning, unit="UTC, microseconds", required=required, past=past)


def number(name: str, meaning: str, unit: str = "", low: float | None = 0, high: float | None = None) -> Column:
    """A measure within bounds."""
    return Column(name, "double", meaning, unit=unit, at_least=low, at_most=high)


def count(name: str, meaning: str, unit: str = "", low: float | None = 0, high: float | None = None) -> Column:
    """A whole number within bounds."""
    return Column(name, "int64", meaning, unit=unit, at_least=low, at_most=high)


def flag(name: str, meaning: str, required: bool = False) -> Column:
    """Yes or no."""
    return Column(name, "bool", meaning, required=required)


def code(name: str, meaning: str, form: Format, required: bool = False) -> Column:
    """An ISO code."""
    return Column(name, "string", meaning, format=form, required=required)
