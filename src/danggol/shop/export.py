"""`export`: a table as a file that other programs open, formulas disarmed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from danggol.errors import UsageError
from danggol.progress import stage
from danggol.shop.rules import quote

if TYPE_CHECKING:
    from danggol.shop.shop import Shop

SUFFIXES = (".csv", ".jsonl", ".parquet")

_FORMULA = r"^[=+\-@\t\r\n＝＋－＠]"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


def export(shop: Shop, table: str, path: str | Path) -> int:
    """Write a table to ``path`` as its suffix says (.csv, .jsonl, .parquet), whole or not at all; how many rows.

    CSV is UTF-8 with a byte order mark, so that Excel reads it; times are ISO 8601 in UTC, maps and lists are JSON, and
    texts that a spreadsheet would run as a formula get an apostrophe in front (numbers are left alone).
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in SUFFIXES:
        hint = "; Excel opens .csv" if suffix in {".xlsx", ".xls"} else ""
        raise UsageError(f"'{target.name}' should end in one of {', '.join(SUFFIXES)}{hint}")
    if target.resolve().is_relative_to((shop.path / "tables").resolve()):
        raise UsageError(f"{target} lies among the shop's own tables; export to another folder")
    shop.require(table)
    relation = {table: shop.relations(table)[table]}
    schema = shop.engine.query(f"SELECT * FROM {table} LIMIT 0", relation).schema
    batches = shop.engine.stream(_select(schema, suffix, table), relation)
    with stage(f"export {table}") as bar, _replacing(target) as file:
        rows = 0
        for count in _WRITERS[suffix](batches, schema, file):
            rows += count
            bar.advance(count)
    return rows


@contextmanager
def _replacing(target: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of ``target`` when the block ends without an exception."""
    beside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):  # on a disk that cannot be written there is nothing to take away
            beside.unlink(missing_ok=True)


def _select(schema: pa.Schema, suffix: str, table: str) -> str:
    """The statement that brings a table's columns into the form of a file."""
    if suffix == ".parquet":
        return f"SELECT * FROM {table}"
    if suffix == ".csv":
        return f"SELECT {', '.join(f'{_cell(field)} AS {quote(field.name)}' for field in schema)} FROM {table}"
    pairs = ", ".join(f"{quote(field.name)} := {_value(field)}" for field in schema)
    return f"SELECT to_json(struct_pack({pairs}))::VARCHAR AS line FROM {table}"


def _value(field: pa.Field) -> str:
    """A column as JSON can hold it: times as ISO 8601 in UTC, numbers that are none as null."""
    name = quote(field.name)
    if pa.types.is_timestamp(field.type):
        return f"regexp_replace(strftime({name}, '%Y-%m-%dT%H:%M:%S.%fZ'), '\\.0+Z$', 'Z')"
    if pa.types.is_floating(field.type):
        return f"CASE WHEN isfinite({name}) THEN {name} END"
    return name


def _cell(field: pa.Field) -> str:
    """A column as one cell can hold it: what is nested, as JSON."""
    return f"to_json({quote(field.name)})::VARCHAR" if pa.types.is_nested(field.type) else _value(field)


def disarm(texts: pl.Expr) -> pl.Expr:
    """Texts with an apostrophe before those that a spreadsheet would run as a formula; numbers are left alone."""
    harmless = ~texts.str.contains(_FORMULA) | texts.str.contains(_NUMBER)
    return pl.when(harmless | texts.is_null()).then(texts).otherwise(pl.lit("'") + texts)


def _write_csv(batches: Iterable[pa.RecordBatch], schema: pa.Schema, file: IO[bytes]) -> Iterator[int]:
    names = pl.DataFrame({"name": schema.names}).select(disarm(pl.col("name"))).to_series()
    file.write(b"\xef\xbb\xbf")
    pl.DataFrame(schema=dict.fromkeys(names, pl.String)).write_csv(file, line_terminator="\r\n")
    for batch in batches:
        frame = pl.DataFrame(batch)
        texts = [name for name, kind in frame.schema.items() if kind == pl.String]
        frame = frame.with_columns(disarm(pl.col(name)) for name in texts)
        frame.write_csv(file, include_header=False, line_terminator="\r\n")
        yield frame.height


def _write_jsonl(batches: Iterable[pa.RecordBatch], _schema: pa.Schema, file: IO[bytes]) -> Iterator[int]:
    for batch in batches:
        file.write(("\n".join(batch["line"].to_pylist()) + "\n").encode() if batch.num_rows else b"")
        yield batch.num_rows


def _write_parquet(batches: Iterable[pa.RecordBatch], schema: pa.Schema, file: IO[bytes]) -> Iterator[int]:
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)
            yield batch.num_rows


_WRITERS = {".csv": _write_csv, ".jsonl": _write_jsonl, ".parquet": _write_parquet}
