"""Anyone's CSV, XLSX, JSON Lines or Parquet, through a mapping that says which column means what.

A row of the file is used if it yields a row of the mapping's first table; else it is rejected, with the reason. Further
tables take what the used rows say about customers, products, orders ...; several rows about one of them are merged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping as Dict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from danggol import progress
from danggol.errors import DataError, UsageError
from danggol.shop.pictures import fault, is_url
from danggol.shop.rules import quote
from danggol.shop.run import Run
from danggol.shop.schemas import Schema
from danggol.shop.sources.intake import Intake
from danggol.shop.sources.mapping.columns import ENTRY
from danggol.shop.sources.mapping.convert import WHEN, Converter, id_prefix, settle_days
from danggol.shop.sources.mapping.rules import Mapping, TableRule
from danggol.shop.sources.reading.headings import require_columns
from danggol.shop.sources.reading.tables import Rows, open_rows
from danggol.shop.sources.source import Options

PICTURE_LIMIT = 32 << 20
"""Bytes of a picture that is copied."""


@dataclass(frozen=True)
class Preview:
    """What the first rows of a file become."""

    tables: Dict[str, pl.DataFrame]
    """Rows by table; a table that the mapping fills in several ways has the rows of all."""
    rejects: pl.DataFrame
    """Rows of those that would be rejected, and why."""
    flaws: pl.DataFrame
    """Values that would be left out, and why."""


def preview(path: str | Path, mapping: Mapping, rows: int = 5, timezone: str = "UTC") -> Preview:
    """Convert the first ``rows`` rows of a file and write nothing; ``timezone``: of times, if the mapping says none."""
    file = _open(Path(path), mapping)
    settled = settle_days(mapping, file, strict=False)
    pictures = _Pictures(_folder(Path(path), mapping), None)
    converter = Converter(settled, file, mapping.file.timezone or timezone, id_prefix(file), pictures)
    batch = next(file.batches(rows), None)
    if batch is None:
        raise DataError(f"{file.label} has headings but no rows; give a file with rows")
    made = converter.convert(batch.rows)
    tables: dict[str, pl.DataFrame] = {}
    for rule, frame in zip(mapping.tables, made.tables, strict=True):
        named = [column.name for column in rule.schema.columns if column.name in frame.columns]
        named += [name for name in rule.columns if name not in named]
        before = [tables[rule.table]] if rule.table in tables else []
        tables[rule.table] = pl.concat([*before, frame.select(named)], how="diagonal")
    return Preview(tables, pl.concat([batch.rejects, made.rejects]), made.flaws)


class CsvSource:
    """The importer for files of one's own."""

    name = "csv"
    summary = "your own CSV, TSV, XLSX, JSON Lines or Parquet, through a mapping (--guess proposes one)"
    options: Dict[str, str] = {
        "mapping": "the TOML file that says which column means what",
        "mapping_text": "the same, as text",
    }

    def tables(self, options: Options, /) -> Sequence[str]:
        """The tables that the mapping fills."""
        return tuple(dict.fromkeys(rule.table for rule in given_mapping(options).tables))

    def config(self, options: Options, /) -> Dict[str, Any]:
        """What the mapping says of the shop: time zone, currency, languages."""
        file = given_mapping(options).file
        said = {"timezone": file.timezone, "currency": file.currency, "languages": file.languages}
        return {name: value for name, value in said.items() if value}

    def load(self, path: Path, intake: Intake, options: Options, /) -> None:
        """Convert the file in batches, then fill the tables."""
        mapping = given_mapping(options)
        file = _open(path, mapping)
        mapping = settle_days(mapping, file)
        pictures = _Pictures(_folder(path, mapping), intake.run)
        zone = mapping.file.timezone or intake.run.shop.config.timezone
        converter = Converter(mapping, file, zone, id_prefix(file), pictures)
        with progress.stage(f"reading {file.label}") as bar:
            for batch in file.batches():
                intake.receive(batch.rows.height + batch.rejects.height)
                intake.reject(batch.rejects)
                _take(converter, batch.rows, intake)
                bar.advance(batch.rows.height + batch.rejects.height)
        if intake.received:
            _fill(mapping, intake)
        _say(file, converter, intake)


SOURCE = CsvSource()


def given_mapping(options: Options) -> Mapping:
    """The mapping whose text the options hold, or whose file they name."""
    text, path = options.get("mapping_text"), options.get("mapping")
    if text:
        return Mapping.parse(text)
    if not path:
        raise UsageError("source 'csv' needs a mapping; pass --guess to have one proposed, or --mapping FILE")
    return Mapping.load(path)


def _open(path: Path, mapping: Mapping) -> Rows:
    file = open_rows(path, mapping.file, mapping.sources)
    require_columns(file.label, file.columns, mapping.sources)
    return file


def _folder(path: Path, mapping: Mapping) -> Path:
    return (path if path.is_dir() else path.parent) / mapping.file.pictures


def _staged_as(place: int, rule: TableRule) -> str:
    return f"rows_{place}" if rule.generated or rule.keep == "all" else f"merged_{rule.table}"


def _take(converter: Converter, rows: pl.DataFrame, intake: Intake) -> None:
    made = converter.convert(rows)
    intake.reject(made.rejects)
    intake.reject(made.flaws, flaw=True)
    for place, (rule, frame) in enumerate(zip(converter.mapping.tables, made.tables, strict=True)):
        merged = rule.keep != "all" and not rule.generated
        if merged and place == 0:
            intake.receive(0, kept=frame.height)
        intake.stage(_staged_as(place, rule), _padded(frame, rule.schema) if merged else frame)


def _padded(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """The rows with all columns of the schema, so that several rules may give rows of one table."""
    plain = pl.DataFrame(schema.arrow.empty_table().select([c.name for c in schema.columns if c.type != "map"]))
    types = dict(plain.schema) | {c.name: ENTRY for c in schema.columns if c.type == "map"}
    missing = [pl.lit(None, kind).alias(name) for name, kind in types.items() if name not in frame.columns]
    own = [name for name in frame.columns if name not in {*types, "file", "row", "record", WHEN}]
    return frame.with_columns(missing).select(*types, *own, "row", WHEN)


def _fill(mapping: Mapping, intake: Intake) -> None:
    done = set()
    for place, rule in enumerate(mapping.tables):
        staged = _staged_as(place, rule)
        if rule.generated or rule.keep == "all":
            maps = [quote(c.name) for c in rule.schema.columns if c.type == "map" and c.name in rule.columns]
            swaps = ", ".join(f"map_from_entries({name}) AS {name}" for name in maps)
            select = f"SELECT * EXCLUDE ({WHEN}) {f'REPLACE ({swaps})' if swaps else ''} FROM {staged}"
            intake.fill(rule.table, select, unique=bool(rule.generated), count=place == 0)
        elif staged not in done:
            done.add(staged)
            intake.merge(rule.table, _merged([r for r in mapping.tables if r.table == rule.table], staged))


def _merged(rules: Sequence[TableRule], staged: str) -> str:
    """SQL for one row a key: of every column the latest (or first) value that is there, or their sum."""
    schema, keep = rules[0].schema, rules[0].keep
    pick = "arg_max" if keep == "latest" else "arg_min"
    summed = {name for rule in rules for name, column in rule.columns.items() if column.sum}
    maps = {column.name for column in schema.columns if column.type == "map"}
    names = dict.fromkeys([*(c.name for c in schema.columns), *(name for rule in rules for name in rule.columns)])
    chosen = []
    for name, said in ((name, quote(name)) for name in names if name not in schema.key):
        value = f"{pick}({said}, (coalesce({WHEN}, TIMESTAMPTZ '1900-01-01'), \"row\")) FILTER ({said} IS NOT NULL)"
        value = f"sum({said})" if name in summed else f"map_from_entries({value})" if name in maps else value
        chosen.append(f"{value} AS {said}")
    key = ", ".join(map(quote, schema.key))
    return f"SELECT {', '.join([key, *chosen])} FROM {staged} GROUP BY {key}"


def _say(file: Rows, converter: Converter, intake: Intake) -> None:
    mapping = converter.mapping
    if file.encoding and not file.encoding.startswith("utf"):
        intake.note(
            f"{file.label} was read as {file.encoding}; if its texts look wrong, give the encoding in the mapping, "
            "under [file]."
        )
    if file.above:
        intake.note(
            f"{file.label}: {file.above:,} line{'s' * (file.above != 1)} above the headings passed over; if those are "
            "not the headings, say heading_row in the mapping, under [file]."
        )
    if file.blank:
        intake.note(f"{file.label}: {file.blank:,} blank row{'s' * (file.blank != 1)} passed over.")
    for (table, column), count in converter.without.items():
        intake.note(f"{count:,} row{'s' * (count != 1)} gave no row of {table}, as {column} is empty.")
    main = mapping.tables[0]
    if main.keep != "all" and not main.generated and intake.kept > (written := intake.tables.get(main.table, 0)):
        key = " and ".join(main.schema.key)
        intake.note(
            f"{intake.kept:,} rows made {written:,} {main.table}: of rows with the same {key}, the {main.keep} value "
            "of each column stands."
        )
    intake.note_unused(file.label, [name for name in file.columns if name not in mapping.sources])


class _Pictures:
    """Copies local pictures into the shop, named by their content; URLs stay as they are."""

    def __init__(self, folder: Path, run: Run | None) -> None:
        self.folder, self.run = folder, run

    def __call__(self, names: pl.Series) -> tuple[pl.Series, pl.Series]:
        distinct = names.drop_nulls().unique(maintain_order=True).to_list()
        found = {name: self._place(name) for name in distinct if not is_url(name)}
        paths = {name: path for name, (path, wrong) in found.items() if path is not None}
        faults = {name: wrong for name, (_, wrong) in found.items() if wrong is not None}
        kept = pl.when(~pl.first().is_in(list(faults))).then(pl.first().replace(paths) if paths else pl.first())
        wrong = (
            pl.first().replace_strict(faults, default=None, return_dtype=pl.String)
            if faults
            else pl.lit(None, pl.String)
        )
        frame = names.to_frame()
        return frame.select(kept).to_series(), frame.select(
            wrong.alias("wrong")
        ).to_series() if faults else names.clear(len(names))

    def _place(self, name: str) -> tuple[str | None, str | None]:
        """The picture's path inside the shop, or the rule that it breaks."""
        relative = name.replace("\\", "/").removeprefix("./")
        wrong = fault(self.folder, relative)
        path = self.folder / relative
        if wrong is None and path.stat().st_size > PICTURE_LIMIT:
            wrong = "oversized_picture"
        if wrong is not None:
            return None, wrong
        content = path.read_bytes()
        sign = hashlib.sha256(content).hexdigest()
        kept = f"images/{sign[:2]}/{sign[:20]}{path.suffix.lower()}"
        if self.run is not None:
            self.run.add_file(kept, content)
        return kept, None
