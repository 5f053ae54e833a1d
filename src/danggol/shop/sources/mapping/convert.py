"""From batches of a file's rows to rows of the shop's tables, by a mapping."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath

import polars as pl

from danggol.errors import DataError
from danggol.shop.schemas import Column
from danggol.shop.sources.mapping.columns import Fault, Pictures, Reading, read_column, target
from danggol.shop.sources.mapping.grades import GRADED
from danggol.shop.sources.mapping.rules import ColumnRule, TableRule
from danggol.shop.sources.mapping.rules import Mapping as TableMapping
from danggol.shop.sources.mapping.times import day_order
from danggol.shop.sources.reading.delimited import RECORD_LIMIT, REJECTS
from danggol.shop.sources.reading.headings import ROW
from danggol.shop.sources.reading.tables import Rows
from danggol.shop.sources.sifting import Rule, sift

WHEN = "__when__"
"""The time by which the latest of several rows is chosen."""
PICTURES = frozenset({("product_images", "image"), ("reviews", "image")})
_DAY_OR_MONTH = r"^\s*\d{1,2}\s*[-./]\s*\d{1,2}\s*[-./]\s*\d{4}"


@dataclass(frozen=True)
class Converted:
    """What a batch became: rows of each of the mapping's tables, in its order, and what could not be used."""

    tables: Sequence[pl.DataFrame]
    """Columns of the table, ``file``, ``row``, :data:`WHEN` and, for the main table, ``record``."""
    rejects: pl.DataFrame
    flaws: pl.DataFrame


@dataclass
class Converter:
    """Converts the batches of one file."""

    mapping: TableMapping
    file: Rows
    zone: str
    """Of times that do not say theirs."""
    prefix: str
    """Of the ids that are made from row numbers."""
    pictures: Pictures | None = None
    without: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(table, column) to rows that gave no row of that further table, as the column was empty."""

    def convert(self, rows: pl.DataFrame) -> Converted:
        """Convert rows (:data:`ROW` and a String column per heading)."""
        known: dict[str, Reading] = {}
        readings = [self._read(rule, rows, known) for rule in self.mapping.tables]
        work, rules = self._main_rules(rows, readings)
        kept, rejects = sift(work, rules, self.file.label, list(self.file.columns))
        mask = rows[ROW].is_in(kept[ROW].implode()) if rejects.height else None
        flaws = [flaw for i, _ in enumerate(readings) for flaw in self._flaws(i, rows, readings[i], mask)]
        tables = [self._rows(i, rows, readings, mask) for i, _ in enumerate(readings)]
        return Converted(tables, rejects, pl.concat([pl.DataFrame(schema=REJECTS), *flaws]))

    def _read(self, table: TableRule, rows: pl.DataFrame, known: dict[str, Reading]) -> dict[str, Reading]:
        found = {}
        for name, rule in table.columns.items():
            column = target(name, table.schema.columns, rule)
            pictures = self.pictures if (table.table, name) in PICTURES else None
            same = f"{rule} {replace(column, meaning='', required=False, refers='')} {pictures is None}"
            if same not in known:
                known[same] = read_column(column, rule, rows, self.mapping.file, self.zone, pictures)
            found[name] = known[same]
        return found

    def _rejects(self, place: int, table: TableRule, column: Column, rule: ColumnRule) -> bool:
        """Whether a fault of a column rejects the row; else the value is left out, and that is said.

        A review says its all without a grade, so a grade never rejects it unless the mapping says so.
        """
        if rule.bad:
            return rule.bad == "reject"
        if column.name in GRADED:
            return False
        telling = (
            column.required
            or column.name in table.schema.key
            or column.type in {"double", "int64", "timestamp", "date"}
        )
        return place == 0 and telling

    def _main_rules(
        self, rows: pl.DataFrame, readings: Sequence[Mapping[str, Reading]]
    ) -> tuple[pl.DataFrame, list[Rule]]:
        """The rules that reject a row, and the rows with what they ask for beside them."""
        marks: list[pl.Series] = []
        rules: list[Rule] = []

        def add(broken: pl.Series, code: str, column: str, reason: str) -> None:
            marks.append(broken.alias(f"__mark_{len(marks)}__"))
            rules.append(Rule(pl.col(marks[-1].name), code, column, reason))

        for place, (table, found) in enumerate(zip(self.mapping.tables, readings, strict=True)):
            for name, reading in found.items():
                rule = table.columns[name]
                column = target(name, table.schema.columns, rule)
                heading = " + ".join(rule.sources) or name
                if self._rejects(place, table, column, rule):
                    for fault in reading.faults:
                        add(fault.broken, fault.code, heading, f"{name}: {fault.reason}")
                if place == 0 and column.required and reading.values.null_count():
                    add(reading.values.is_null(), "required", heading, f"{name} is empty, and every row needs it")
        return rows.with_columns(marks), rules

    def _flaws(
        self, place: int, rows: pl.DataFrame, found: Mapping[str, Reading], mask: pl.Series | None
    ) -> Iterator[pl.DataFrame]:
        table = self.mapping.tables[place]
        for name, reading in found.items():
            rule = table.columns[name]
            if self._rejects(place, table, target(name, table.schema.columns, rule), rule):
                continue
            for fault in reading.faults:
                broken = rows.filter(fault.broken if mask is None else fault.broken & mask)
                if broken.height:
                    yield self._flaw(broken, table.table, name, rule, fault)

    def _flaw(self, broken: pl.DataFrame, table: str, name: str, rule: ColumnRule, fault: Fault) -> pl.DataFrame:
        record = pl.struct(self.file.columns).struct.json_encode().str.slice(0, RECORD_LIMIT)
        return broken.select(
            file=pl.lit(self.file.label),
            row=pl.col(ROW),
            reason_code=pl.lit(f"{fault.code}:{table}.{name}"),
            column=pl.lit(" + ".join(rule.sources) or name),
            reason=pl.lit(f"{table}.{name} is left empty: {fault.reason}"),
            record=record,
        ).select(*REJECTS)

    def _rows(
        self, place: int, rows: pl.DataFrame, readings: Sequence[Mapping[str, Reading]], mask: pl.Series | None
    ) -> pl.DataFrame:
        table = self.mapping.tables[place]
        columns = [reading.values.alias(name) for name, reading in readings[place].items()]
        if table.generated:
            suffix = f"-{place + 1}" if place else ""
            columns.append((self.prefix + rows[ROW].cast(pl.String) + suffix).alias(table.generated))
        time = readings[0].get("ts")
        when = time.values if time else pl.Series([None], dtype=pl.Datetime("us", "UTC")).new_from_index(0, rows.height)
        extra = [
            pl.Series("file", [self.file.label]).new_from_index(0, rows.height),
            rows[ROW].alias("row"),
            when.alias(WHEN),
        ]
        if place == 0:
            extra.append(rows.select(pl.struct(self.file.columns).struct.json_encode().alias("record")).to_series())
        made = pl.DataFrame([*columns, *extra]).filter(True if mask is None else mask)
        return self._complete(table, readings[place], made, mask) if place else made

    def _complete(
        self, table: TableRule, found: Mapping[str, Reading], made: pl.DataFrame, mask: pl.Series | None
    ) -> pl.DataFrame:
        """The rows that have all that a further table needs; the others are counted unless a flaw says why."""
        filled = pl.all_horizontal(pl.col(name).is_not_null() for name in table.schema.required)
        for name in table.schema.required:
            told = sum(
                int((f.broken if mask is None else f.broken & mask).sum())
                for f in getattr(found.get(name), "faults", ())
            )
            if empty := made[name].null_count() - told:
                self.without[table.table, " + ".join(table.columns[name].sources) or name] += empty
        return made.filter(filled)


def id_prefix(file: Rows) -> str:
    """What ids made from row numbers begin with: the file's name and a sign of its headings and first row.

    So the same file gives the same ids when it is imported again, also when rows were added at its end, and another
    export that bears the same name gives others.
    """
    first = next((batch.rows.head(1) for batch in file.batches(1)), None)
    sign = hashlib.sha256(repr((file.columns, first.rows() if first is not None else None)).encode("utf8", "replace"))
    stem = re.sub(r"\s+", "_", PurePath(file.label).name.split(".")[0].strip()) or "file"
    return f"{stem[:60]}-{sign.hexdigest()[:6]}-"


def settle_days(mapping: TableMapping, file: Rows, *, strict: bool = True) -> TableMapping:
    """Say of dates such as 05/03/2024 whether the day stands first, from the whole of each column.

    DataError where a column does not tell; unless ``strict``, such a column stays as it is.
    """
    asked = {
        rule.sources[0]: name
        for table in mapping.tables
        for name, rule in table.columns.items()
        if not rule.format and rule.column and target(name, table.schema.columns, rule).type in {"timestamp", "date"}
    }
    first = next(file.batches(), None)
    if not asked or first is None:
        return mapping
    found: dict[str, str] = {}
    for source in asked:
        if not first.rows[source].str.contains(_DAY_OR_MONTH).any():
            continue
        try:
            found[source] = day_order((batch.rows[source] for batch in file.batches()), source)
        except DataError:
            if strict:
                raise
    return replace(mapping, tables=tuple(_with_formats(table, found) for table in mapping.tables)) if found else mapping


def _with_formats(table: TableRule, found: Mapping[str, str]) -> TableRule:
    columns = {
        name: replace(rule, format=found[rule.column])
        if not rule.format
        and rule.column in found
        and target(name, table.schema.columns, rule).type in {"timestamp", "date"}
        else rule
        for name, rule in table.columns.items()
    }
    return replace(table, columns=columns)
