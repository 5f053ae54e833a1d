"""Parquet files as batches of frames with row numbers, their columns checked before any row is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from danggol.errors import DataError
from danggol.shop.sources.reading.files import BOMB_FLOOR, BOMB_RATIO
from danggol.shop.sources.reading.headings import ROW, refuse_repeats, require_columns

BATCH_ROWS = 10_000

Kind = Literal["text", "bytes", "texts"]
"""What a column must hold: text (or what reads as text), bytes, or lists of texts."""


@dataclass(frozen=True)
class ParquetSource:
    """A Parquet file whose needed columns are there and of the right kind."""

    path: Path
    kinds: Mapping[str, Kind]
    unused: Sequence[str]

    @property
    def name(self) -> str:
        """The file's name, as it stands in rejects and messages."""
        return self.path.name

    def batches(self, columns: Sequence[str] | None = None, size: int = BATCH_ROWS) -> Iterator[pl.DataFrame]:
        """Rows with :data:`ROW` (Int64, from 1) and columns: Binary, List, or String stripped and null if empty."""
        wanted = list(columns or self.kinds)
        start = 0
        try:
            with pq.ParquetFile(self.path) as file:
                for batch in file.iter_batches(size, columns=wanted):
                    batch.validate(full=True)
                    frame = pl.DataFrame(pa.table(batch)).select(self._read(name) for name in wanted)
                    row = pl.int_range(start + 1, start + 1 + frame.height, dtype=pl.Int64, eager=True)
                    start += frame.height
                    yield frame.insert_column(0, row.alias(ROW))
        except (pa.ArrowException, OSError, pl.exceptions.PolarsError) as error:
            raise DataError(
                f"{self.name} cannot be read after row {start} ({_line(error)}): fetch or export it again"
            ) from error

    def _read(self, name: str) -> pl.Expr:
        column = pl.col(name)
        if self.kinds[name] == "bytes":
            return column
        if self.kinds[name] == "texts":
            return column.cast(pl.List(pl.String))
        text = column.cast(pl.String, strict=False).str.strip_chars()
        return pl.when(text != "").then(text).alias(name)


def open_parquet(path: Path, kinds: Mapping[str, Kind]) -> ParquetSource:
    """Look at a Parquet file's footer; DataError where it is none, is cut short, or lacks a fitting column."""
    try:
        with pq.ParquetFile(path) as file:
            schema, metadata = file.schema_arrow, file.metadata
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{path.name} is no whole Parquet file ({_line(error)}): fetch or export it again, or name the right file"
        ) from error
    require_columns(path.name, schema.names, list(kinds))
    refuse_repeats(path.name, schema.names)
    for name, kind in kinds.items():
        there = schema.field(name).type
        if not _fits(there, kind):
            wanted = {"text": "text", "bytes": "bytes", "texts": "lists of text"}[kind]
            raise DataError(
                f"{path.name}, column {name!r}: {there} is there where {wanted} is needed: convert the column"
            )
    groups = [metadata.row_group(place) for place in range(metadata.num_row_groups)]
    size = sum(group.total_byte_size for group in groups)
    if size > BOMB_FLOOR and size > BOMB_RATIO * path.stat().st_size:
        raise DataError(
            f"{path.name} unpacks to more than {BOMB_RATIO} times its size, as a decompression bomb does: "
            "if you trust it, write it again without compression and import that"
        )
    return ParquetSource(path, kinds, [name for name in schema.names if name not in kinds])


def _fits(there: pa.DataType, kind: Kind) -> bool:
    if pa.types.is_dictionary(there):
        there = there.value_type
    text = pa.types.is_string(there) or pa.types.is_large_string(there) or pa.types.is_string_view(there)
    if kind == "text":
        return bool(text or pa.types.is_integer(there) or pa.types.is_floating(there) or pa.types.is_null(there))
    if kind == "bytes":
        return bool(pa.types.is_binary(there) or pa.types.is_large_binary(there) or pa.types.is_binary_view(there))
    lists = pa.types.is_list(there) or pa.types.is_large_list(there)
    return lists and _fits(there.value_type, "text")


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["unreadable"])[0].rstrip(".")[:160]
