"""A run: the writing of one or more tables that appear together."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from danggol.errors import DataError, UsageError
from danggol.shop.conform import Data, conform
from danggol.shop.schemas import SCHEMAS, Schema
from danggol.version import __version__

if TYPE_CHECKING:
    from danggol.shop.shop import Shop

Rows: TypeAlias = "Data | Iterable[Data]"

_OWN = frozenset(("tables", "runs", "journal.json", "shop.toml", ".staged", ".lock", ".lock-holder.json"))
_GROUP_ROWS = 131_072
_FILE_ROWS = 16 * _GROUP_ROWS


def schema_of(name: str) -> Schema:
    """The schema of a known table (UsageError where there is none)."""
    try:
        return SCHEMAS[name]
    except KeyError as error:
        raise UsageError(f"there is no table '{name}'; known tables: {', '.join(SCHEMAS)}") from error


def inside(root: Path, relative: str) -> Path:
    """The file ``relative`` below ``root``; DataError where the path would leave it."""
    path = Path(relative)
    clean = not path.is_absolute() and ".." not in path.parts and "\x00" not in relative and path.parts
    if not clean or not (root / path).resolve().is_relative_to(root.resolve()):
        raise DataError(f"the path {relative!r} does not stay inside the shop; use a path below the shop's folder")
    return root / path


class TableWriter:
    """Streams rows into staged Parquet files: whole row groups, a new file every two million rows."""

    def __init__(self, folder: Path, schema: Schema, run_id: str, first_part: int = 0) -> None:
        self.schema, self.folder, self.run_id = schema, folder, run_id
        self.rows = 0
        self.closed = False
        self._part = first_part
        self._in_part = 0
        self._held: list[pa.Table] = []
        self._held_rows = 0
        self._file: pq.ParquetWriter | None = None
        self._columns: pa.Schema | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, data: Data) -> int:
        """Add rows, cast to the schema; how many they were."""
        if self.closed:
            raise UsageError(f"the writer of table '{self.schema.name}' is closed")
        table = conform(self._stamp(data), self.schema)
        if self._columns is None:
            self._columns = table.schema
        elif table.schema != self._columns:
            table = self._like_first(table)
        self._held.append(table)
        self._held_rows += table.num_rows
        self.rows += table.num_rows
        if self._held_rows >= _GROUP_ROWS:
            self._write_groups(everything=False)
        return int(table.num_rows)

    def close(self) -> None:
        """Write what is held and finish the file; an empty table gets a file without rows."""
        if self.closed:
            return
        if self._columns is None:
            self._columns = self.schema.arrow
        self._write_groups(everything=True)
        if self._file is None and not any(self.folder.iterdir()):
            self._open()
        if self._file is not None:
            self._file.close()
            self._file = None
        self.closed = True

    def _stamp(self, data: Data) -> Data:
        """Fill in the run's id where the schema asks for one and the rows do not say."""
        if self.schema.kind == "source" or "run_id" not in self.schema.required:
            return data
        if isinstance(data, pl.DataFrame):
            return data if "run_id" in data.columns else data.with_columns(pl.lit(self.run_id).alias("run_id"))
        if "run_id" in data.schema.names:
            return data
        table = pa.Table.from_batches([data]) if isinstance(data, pa.RecordBatch) else data
        return table.append_column("run_id", pa.repeat(pa.scalar(self.run_id), table.num_rows))

    def _like_first(self, table: pa.Table) -> pa.Table:
        """The rows with the columns of the first batch, which set the file's schema (open tables only)."""
        assert self._columns is not None
        odd = [name for name in table.column_names if name not in self._columns.names]
        if odd:
            raise DataError(
                f"table '{self.schema.name}': column '{odd[0]}' came up after the first rows; give it from the start"
            )
        arrays = []
        for field in self._columns:
            if field.name not in table.column_names:
                arrays.append(pa.nulls(table.num_rows, field.type))
                continue
            try:
                arrays.append(table[field.name].cast(field.type))
            except pa.ArrowInvalid as error:
                raise DataError(f"table '{self.schema.name}', column '{field.name}': {error}") from error
        return pa.table(arrays, schema=self._columns)

    def _write_groups(self, *, everything: bool) -> None:
        if not self._held_rows:
            return
        table = pa.concat_tables(self._held).combine_chunks()
        start = 0
        while table.num_rows - start >= _GROUP_ROWS or (everything and start < table.num_rows):
            group = table.slice(start, _GROUP_ROWS)
            self._open()
            assert self._file is not None
            self._file.write_table(group, row_group_size=_GROUP_ROWS)
            start += group.num_rows
            self._in_part += group.num_rows
            if self._in_part >= _FILE_ROWS:
                self._file.close()
                self._file, self._in_part, self._part = None, 0, self._part + 1
        self._held = [table.slice(start)] if start < table.num_rows else []
        self._held_rows = table.num_rows - start

    def _open(self) -> None:
        if self._file is None:
            path = self.folder / f"part-{self._part:05d}.parquet"
            self._file = pq.ParquetWriter(path, self._columns, compression="zstd", write_statistics=True)


class Run:
    """What one verb writes: staged until the block ends, then published whole; an exception discards it.

    Made by :meth:`Shop.run`, which holds the writers' lock meanwhile.
    """

    def __init__(self, shop: Shop, verb: str, settings: Mapping[str, Any], seed: int | None) -> None:
        self.shop, self.verb, self.settings, self.seed = shop, verb, dict(settings), seed
        self.started = datetime.now(UTC)
        self.id = f"{self.started:%Y%m%dT%H%M%S%f}-{secrets.token_hex(3)}"
        self.inputs = shop.versions.current()
        self.folder = shop.versions.staging(self.id)
        self.folder.mkdir(parents=True)
        self._writers: dict[str, TableWriter] = {}
        self._dropped: list[str] = []
        self._purged: list[str] = []
        self._removed: list[str] = []

    def writer(self, name: str, *, append: bool = False) -> TableWriter:
        """The streaming writer of a table, one a run; with ``append`` the present rows stay."""
        if name in self._writers:
            return self._writers[name]
        folder = self.folder / "tables" / name
        folder.mkdir(parents=True)
        parts = 0
        if append and name in self.inputs:
            for path in self.shop.versions.files(name, self.inputs[name]):
                _link(path, folder / f"part-{parts:05d}.parquet")
                parts += 1
        self._writers[name] = TableWriter(folder, schema_of(name), self.id, parts)
        return self._writers[name]

    def write(self, name: str, data: Rows) -> int:
        """Replace a table by ``data`` (a frame, an Arrow table or batches); how many rows."""
        return self._put(self.writer(name), data)

    def append(self, name: str, data: Rows) -> int:
        """Add ``data`` to a table's present rows; how many rows were added."""
        return self._put(self.writer(name, append=True), data)

    def record(self, name: str, data: Rows) -> int:
        """Add rows to a record table, such as ``rejects``."""
        return self.append(name, data)

    def drop(self, name: str) -> None:
        """Take a table away; its versions stay until ``clean``."""
        schema_of(name)
        self._dropped.append(name)

    def purge(self, name: str) -> None:
        """Delete a table's old versions when the run is published, for what may not be kept."""
        schema_of(name)
        self._purged.append(name)

    def remove_file(self, relative: str) -> None:
        """Delete a file beside the tables when the run is published."""
        self._beside(inside(self.shop.path, relative), self.shop.path)
        self._removed.append(relative)

    def file_path(self, relative: str) -> Path:
        """Where to write a file that shall stand at ``relative`` inside the shop when the run is published."""
        root = self.folder / "files"
        inside(self.shop.path, relative)
        path = self._beside(inside(root, relative), root)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _beside(self, path: Path, root: Path) -> Path:
        """The path, if it is not one of the shop's own files."""
        if path.relative_to(root).parts[0] in _OWN:
            own = str(path.relative_to(root))
            raise DataError(f"the path '{own}' belongs to the shop's own files; choose another folder, such as images/")
        return path

    def add_file(self, relative: str, content: bytes) -> None:
        """A file beside the tables, such as a picture."""
        self.file_path(relative).write_bytes(content)

    def staged_sql(self, sql: str, params: Mapping[str, Any] | None = None) -> pl.DataFrame:
        """Like :meth:`Shop.sql`, but sees what this run has staged; close the writers of the tables asked for first."""
        words = set(re.findall(r"\w+", sql))
        for name, writer in self._writers.items():
            if name in words and not writer.closed:
                raise UsageError(f"the writer of table '{name}' is still open; close it before asking for its rows")
        relations = self.shop.relations(sql)
        for name, writer in self._writers.items():
            relations[name] = sorted(writer.folder.glob("*.parquet"))
        return pl.DataFrame(self.shop.engine.query(sql, relations, params))

    def _put(self, writer: TableWriter, data: Rows) -> int:
        before = writer.rows
        if isinstance(data, pl.DataFrame | pa.Table | pa.RecordBatch):
            writer.add(data)
        else:
            for batch in data:
                writer.add(batch)
        return writer.rows - before

    def publish(self) -> dict[str, str]:
        """Make everything staged current, together; table to version. Called when the block ends."""
        for writer in self._writers.values():
            writer.close()
        staged = {name: self.shop.versions.next(name) for name in self._writers}
        record = {
            "run_id": self.id,
            "verb": self.verb,
            "settings": json.dumps(self.settings, ensure_ascii=False, default=str),
            "seed": self.seed,
            "package_version": __version__,
            "input_versions": self.inputs,
            "started": self.started.isoformat(),
            "ended": datetime.now(UTC).isoformat(),
            "tables_written": staged,
        }
        self.shop.versions.publish(
            self.id, staged, record, dropped=self._dropped, purged=self._purged, removed=self._removed
        )
        return staged

    def discard(self) -> None:
        """Throw away what is staged, unless its publication was decided: then the next writer finishes it."""
        for writer in self._writers.values():
            writer.closed = True
        if self.shop.versions.decided(self.id):
            return
        shutil.rmtree(self.folder, ignore_errors=True)


def _link(source: Path, target: Path) -> None:
    """Share the bytes of an unchanging file where the file system can, else copy them."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
