"""`check`: every violation of the tables' rules, as table, row, column, value and rule; nothing is skipped silently."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from danggol.errors import DataError, UsageError
from danggol.progress import stage
from danggol.shop.engine import SQL_TYPES, DuckDBEngine, explain, file_literal, first_line
from danggol.shop.rules import MEANINGS, PICTURE_COLUMNS, RowRule, blank, padded, quote, row_rules
from danggol.shop.schemas import SCHEMAS, Column, Schema

if TYPE_CHECKING:
    from danggol.shop.shop import Shop

_SHOWN = 200
"""The most characters of a value that are shown."""

_DUPLICATE_ROWS = 2_500_000
"""How many rows' keys are held at once while looking for duplicates, about."""

_DESCRIBED = {**SQL_TYPES, "timestamp": "TIMESTAMP WITH TIME ZONE"}


@dataclass(frozen=True)
class Violation:
    """One broken rule: the row counts from 1 in file order; None where a file or folder is at fault, not a row."""

    table: str
    row: int | None
    column: str
    value: str
    rule: str


@dataclass(frozen=True)
class RuleCount:
    """How often a rule is broken in a column: exact, while the examples are few."""

    table: str
    column: str
    rule: str
    count: int


@dataclass(frozen=True)
class CheckReport:
    """What `check` found: a few examples of each broken rule, exact counts, and how much was looked at."""

    violations: tuple[Violation, ...]
    counts: tuple[RuleCount, ...]
    rows: dict[str, int]
    pictures: int

    @property
    def total(self) -> int:
        """How many violations there are, shown or not."""
        return sum(count.count for count in self.counts)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.counts


def check(
    shop: Shop,
    *,
    tables: Iterable[str] | None = None,
    pictures: bool = True,
    examples: int = 10,
    now: datetime | None = None,
) -> CheckReport:
    """Look at every row of every table (or of ``tables``), at its files, and at the pictures it names.

    At most ``examples`` violations of each rule and column are listed; all are counted. ``now`` is what "in the
    future" is measured from. Nothing is changed.
    """
    if tables is not None and (unknown := sorted(set(tables) - set(SCHEMAS))):
        raise UsageError(f"there is no table '{unknown[0]}'; known tables: {', '.join(SCHEMAS)}")
    found = _Found(examples)
    _check_runs(shop.path / "runs", found)
    current = _current(shop, found)
    chosen = [name for name in current if tables is None or name in set(tables)]
    engine = shop.engine if isinstance(shop.engine, DuckDBEngine) else DuckDBEngine()
    looked = 0
    try:
        with engine.connect() as connection, stage("check tables", len(chosen)) as bar:
            parts = {name: _part(connection, shop, name, version, found) for name, version in current.items()}
            for name in chosen:
                bar.say(name)
                _check_rows(connection, parts[name], parts, found, now or datetime.now(UTC))
                bar.advance()
            if pictures:
                looked = _check_pictures(connection, shop.path, [parts[name] for name in chosen], found)
    except duckdb.Error as error:
        raise explain(error) from error
    return found.report({name: parts[name].rows for name in chosen}, looked, tables)


def check_figures(report: CheckReport) -> dict[str, Any]:
    """The report as plain values, for ``--json``."""
    return {
        "ok": report.ok,
        "total": report.total,
        "rows": report.rows,
        "pictures": report.pictures,
        "counts": [asdict(count) for count in report.counts],
        "violations": [asdict(violation) for violation in report.violations],
        "rules": {rule: MEANINGS[rule] for rule in sorted({count.rule for count in report.counts})},
    }


@dataclass
class _Found:
    examples: int
    counts: dict[tuple[str, str, str], int] = field(default_factory=dict)
    shown: list[Violation] = field(default_factory=list)

    def add(self, table: str, column: str, rule: str, rows: Iterable[tuple[int | None, Any]], count: int = 1) -> None:
        """Count ``count`` violations, of which ``rows`` (row and value) are the first."""
        key = (table, column, rule)
        room = self.examples - self.counts.get(key, 0)
        self.counts[key] = self.counts.get(key, 0) + count
        for row, value in list(rows)[: max(0, room)]:
            text = "" if value is None else str(value)
            self.shown.append(Violation(table, row, column, text[:_SHOWN], rule))

    def report(self, rows: dict[str, int], pictures: int, tables: Iterable[str] | None) -> CheckReport:
        """Everything found, in order; of ``tables`` only, where they are given."""
        wanted = None if tables is None else set(tables)
        shown = sorted(
            (v for v in self.shown if wanted is None or v.table in wanted),
            key=lambda v: (v.table, v.row or 0, v.column, v.rule, v.value),
        )
        counts = [RuleCount(*key, count) for key, count in sorted(self.counts.items())]
        counts = [count for count in counts if wanted is None or count.table in wanted]
        return CheckReport(tuple(shown), tuple(counts), rows, pictures)


@dataclass
class _Part:
    """What of a table can be read: its good files and the columns whose type is right in all of them."""

    schema: Schema
    files: list[Path]
    usable: set[str]
    rows: int = 0
    filled: set[str] = field(default_factory=set)

    @property
    def view(self) -> str:
        """The name of the table's view, whose column ``row_`` counts from 1 over all files."""
        return quote(self.schema.name)

    def define(self, connection: duckdb.DuckDBPyConnection, found: _Found) -> None:
        """Make the view, reading every value once; files in which that fails are reported and left out."""
        self._define(connection)
        try:
            self._read_all(connection)
        except duckdb.Error:
            bad = [path for path in self.files if not _decodes(path, self.schema.name, found)]
            self.files = [path for path in self.files if path not in bad]
            self._define(connection)
            self._read_all(connection)

    def _define(self, connection: duckdb.DuckDBPyConnection) -> None:
        columns = [c for c in self.schema.columns if c.name in self.usable]
        if not self.files:
            nulls = "".join(f", NULL::{SQL_TYPES[c.type]} AS {quote(c.name)}" for c in columns)
            connection.execute(f"CREATE OR REPLACE TEMP VIEW {self.view} AS SELECT 0 AS row_{nulls} WHERE false")
            return
        offsets, files, total = [], [], 0
        there: set[str] = set()
        for path in self.files:
            offsets.append(total)
            files.append(file_literal(path))
            metadata = pq.read_metadata(path)
            there |= set(metadata.schema.to_arrow_schema().names)
            total += metadata.num_rows
        self.rows = total
        values = [
            quote(c.name) if c.name in there else f"NULL::{SQL_TYPES[c.type]} AS {quote(c.name)}" for c in columns
        ]
        row = f"{offsets}[file_index::BIGINT + 1] + file_row_number::BIGINT + 1 AS row_"
        source = f"read_parquet([{', '.join(files)}], union_by_name = true)"
        connection.execute(
            f"CREATE OR REPLACE TEMP VIEW {self.view} AS SELECT {', '.join([row, *values])} FROM {source}"
        )

    def _read_all(self, connection: duckdb.DuckDBPyConnection) -> None:
        names = sorted(self.usable)
        values = ", ".join(f"count({quote(name)}), max(hash({quote(name)}))" for name in names)
        if self.files and values:
            read = connection.execute(f"SELECT {values} FROM {self.view}").fetchall()[0]
            self.filled = {name for name, count in zip(names, read[::2], strict=True) if count}


def _current(shop: Shop, found: _Found) -> dict[str, str]:
    """The version of every table of the shop; a damaged journal or an unknown folder is reported."""
    try:
        current = shop.versions.current()
    except DataError as error:
        found.add("", "", "damaged_journal", [(None, str(error))])
        current = shop.versions.published()
    for name in sorted(set(current) - set(SCHEMAS)):
        found.add(name, "", "unknown_table", [(None, f"tables/{name}")])
    return {name: version for name, version in current.items() if name in SCHEMAS}


def _check_runs(folder: Path, found: _Found) -> None:
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else []:
        try:
            record = json.loads(path.read_text("utf8"))
            whole = isinstance(record, dict) and record.get("run_id") == path.stem and "verb" in record
        except (OSError, ValueError):
            whole = False
        if not whole:
            found.add("runs", "", "damaged_run", [(None, f"runs/{path.name}")])


def _part(connection: duckdb.DuckDBPyConnection, shop: Shop, name: str, version: str, found: _Found) -> _Part:
    """The files of a table that open, and the columns that have the schema's type in all of them."""
    schema = SCHEMAS[name]
    try:
        files = shop.versions.files(name, version)
    except DataError:
        files = []
    if not files:
        found.add(name, "", "missing_version", [(None, f"tables/{name}/{version}")])
    good, wrong = [], set()
    for path in files:
        where = str(path.relative_to(shop.path))
        try:
            pq.read_metadata(path)
            source = f"read_parquet({file_literal(path)})"
            types = {row[0]: row[1] for row in connection.execute(f"DESCRIBE FROM {source}").fetchall()}
        except (pa.ArrowInvalid, OSError, duckdb.Error) as error:
            found.add(name, "", "unreadable_file", [(None, f"{where}: {first_line(error)}")])
            continue
        wrong |= _check_columns(schema, types, where, found)
        good.append(path)
    part = _Part(schema, good, {c.name for c in schema.columns} - wrong)
    part.define(connection, found)
    return part


def _check_columns(schema: Schema, types: dict[str, str], where: str, found: _Found) -> set[str]:
    """Compare a file's columns with the schema's; the names of those that cannot be used."""
    wrong = set()
    for column in schema.columns:
        if column.name not in types:
            if column.required:
                found.add(schema.name, column.name, "missing_column", [(None, where)])
                wrong.add(column.name)
        elif types[column.name] != _DESCRIBED[column.type]:
            found.add(schema.name, column.name, "wrong_type", [(None, f"{where}: {types[column.name]}")])
            wrong.add(column.name)
    known = {column.name for column in schema.columns}
    for name in types if not schema.open else ():
        if name not in known:
            found.add(schema.name, name, "unknown_column", [(None, where)])
    return wrong


def _decodes(path: Path, table: str, found: _Found) -> bool:
    """Whether every value of a file can be read; a file where it cannot be is reported."""
    try:
        with duckdb.connect() as connection:
            names = [field.name for field in pq.read_schema(path)]
            values = ", ".join(f"max(hash({quote(name)}))" for name in names)
            connection.execute(f"SELECT {values} FROM read_parquet({file_literal(path)})").fetchall()
    except duckdb.Error as error:
        where = "/".join(path.parts[-4:])
        found.add(table, "", "unreadable_file", [(None, f"{where}: {first_line(error)}")])
        return False
    return True


def _check_rows(
    connection: duckdb.DuckDBPyConnection, part: _Part, others: dict[str, _Part], found: _Found, now: datetime
) -> None:
    """Count what breaks each rule, which reads little where a file's statistics rule it out, and fetch examples."""
    for rule in row_rules(part.schema, part.usable, now):
        if rule.code == "required" or rule.column in part.filled:
            _add_rows(connection, part, rule, f"{part.view} WHERE {rule.bad}", found)
    for column in part.schema.columns:
        if column.refers and column.name in part.filled:
            _check_reference(connection, part, column, others, found)
    _check_duplicates(connection, part, found)


def _add_rows(connection: duckdb.DuckDBPyConnection, part: _Part, rule: RowRule, source: str, found: _Found) -> None:
    """Report a rule that every row of ``source`` breaks."""
    count = connection.execute(f"SELECT count(*) FROM {source}").fetchall()[0][0]
    if not count:
        return
    rows = connection.execute(
        f"SELECT row_, left({quote(rule.column)}::VARCHAR, {_SHOWN}) FROM {source} ORDER BY row_ LIMIT {found.examples}"
    ).fetchall()
    found.add(part.schema.name, rule.column, rule.code, rows, count)


def _check_reference(
    connection: duckdb.DuckDBPyConnection, part: _Part, column: Column, others: dict[str, _Part], found: _Found
) -> None:
    table, _, key = column.refers.partition(".")
    if table not in others or key not in others[table].usable:
        return
    name = quote(column.name)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE unknown_ AS SELECT {name}, count(*) AS count_ FROM {part.view} "
        f"ANTI JOIN {others[table].view} AS other ON other.{quote(key)} = {part.view}.{name} "
        f"WHERE {name} IS NOT NULL GROUP BY {name}"
    )
    connection.execute(f"DELETE FROM unknown_ WHERE {padded(column.name)} OR {blank(column.name)}")
    count = connection.execute("SELECT coalesce(sum(count_), 0) FROM unknown_").fetchall()[0][0]
    if count:
        source = f"{part.view} SEMI JOIN unknown_ USING ({name})"
        _add_rows(connection, part, RowRule("unknown_id", column.name, ""), source, found)


def _check_duplicates(connection: duckdb.DuckDBPyConnection, part: _Part, found: _Found) -> None:
    """Report rows whose key an earlier row has; empty optional parts of a key count as a value of their own."""
    schema = part.schema
    if not part.files or not set(schema.key) <= part.usable:
        return
    keys = ", ".join(map(quote, schema.key))
    filled = " AND ".join([f"{quote(name)} IS NOT NULL" for name in schema.key if name in schema.required] or ["true"])
    parts = part.rows // _DUPLICATE_ROWS + 1
    for number in range(parts):
        create = "CREATE OR REPLACE TEMP TABLE twice_ AS" if number == 0 else "INSERT INTO twice_"
        connection.execute(
            f"{create} SELECT {keys}, count(*) AS count_, min(row_) AS first_ FROM {part.view} "
            f"WHERE {filled} AND hash({keys}) % {parts} = {number} GROUP BY {keys} HAVING count(*) > 1"
        )
    count = connection.execute("SELECT sum(count_ - 1) FROM twice_").fetchall()[0][0]
    if not count:
        return
    same = " AND ".join(f"twice_.{quote(n)} IS NOT DISTINCT FROM {part.view}.{quote(n)}" for n in schema.key)
    shown = ", ".join(f"coalesce({part.view}.{quote(name)}::VARCHAR, '')" for name in schema.key)
    rows = connection.execute(
        f"SELECT row_, concat_ws(', ', {shown}) FROM {part.view} JOIN twice_ ON {same} "
        f"WHERE row_ > first_ ORDER BY row_ LIMIT {found.examples}"
    ).fetchall()
    found.add(schema.name, ", ".join(schema.key), "duplicate_key", rows, int(count))


def _check_pictures(connection: duckdb.DuckDBPyConnection, root: Path, parts: list[_Part], found: _Found) -> int:
    """Open every picture that the tables name, once; how many were looked at."""
    from danggol.shop.pictures import faults, is_url

    named: dict[str, str] = {}
    for part in parts:
        column = PICTURE_COLUMNS.get(part.schema.name)
        if column is not None and column in part.filled:
            value = quote(column) if part.schema.column(column).type == "string" else f"unnest({quote(column)})"
            named[part.schema.name] = (
                f"(SELECT * FROM (SELECT row_, {value} AS name_ FROM {part.view}) WHERE trim(name_) <> '')"
            )
    names: dict[str, None] = {}
    for source in named.values():
        rows = connection.execute(f"SELECT DISTINCT name_ FROM {source} ORDER BY name_").fetchall()
        names |= dict.fromkeys(row[0] for row in rows if not is_url(row[0]))
    bad = faults(root, names)
    connection.register("bad_", pa.table({"name_": list(bad), "rule_": list(bad.values())}))
    for table, source in named.items() if bad else ():
        joined = f"{source} JOIN bad_ USING (name_)"
        for rule, count in connection.execute(f"SELECT rule_, count(*) FROM {joined} GROUP BY rule_").fetchall():
            rows = connection.execute(
                f"SELECT row_, name_ FROM {joined} WHERE rule_ = '{rule}' ORDER BY row_ LIMIT {found.examples}"
            ).fetchall()
            found.add(table, PICTURE_COLUMNS[table], rule, rows, count)
    return len(names)
