"""Any file of rows as batches of strings: delimited text, Excel workbooks, JSON Lines and Parquet."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from danggol.errors import DataError, UsageError
from danggol.shop.sources.reading.delimited import BATCH_ROWS, Batch, open_delimited, rejects_frame
from danggol.shop.sources.reading.files import TextFile, find_file, inspect_text
from danggol.shop.sources.reading.headings import ROW, column_name, refuse_repeats
from danggol.shop.sources.reading.sheets import open_sheet

Kind = Literal["csv", "xlsx", "jsonl", "parquet"]

LINE_LIMIT = 1 << 24
"""Characters of one JSON line."""
_PATTERNS = ("*.csv", "*.csv.gz", "*.tsv", "*.txt", "*.xlsx", "*.jsonl", "*.ndjson", "*.jsonl.gz", "*.parquet")
_ENDINGS: dict[str, Kind] = {
    ".xlsx": "xlsx", ".xlsm": "xlsx", ".xls": "xlsx", ".xlsb": "xlsx", ".ods": "xlsx",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip


@dataclass(frozen=True)
class FileRule:
    """How the file is to be read; what is not given is found out, or is the shop's."""

    format: Kind | None = None
    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    heading_row: int = 0
    """Of CSV and XLSX: the row of the headings, from 1; 0: found out."""
    timezone: str = ""
    """Of times that do not say theirs; else the shop's."""
    currency: str = ""
    languages: tuple[str, ...] = ()
    decimal: str = "."
    empty: tuple[str, ...] = ()
    """Texts that mean that nothing is there, besides the usual ones."""
    pictures: str = ""
    """The folder of local pictures, from the file's own folder."""


class Rows(Protocol):
    """A file of rows whose headings are known."""

    label: str
    """The file's name as it stands in rejects and messages, with the sheet's where there are several."""
    columns: tuple[str, ...]
    encoding: str
    """Of text; empty where a format fixes it."""

    above: int
    """Rows above the headings, such as a title."""

    @property
    def blank(self) -> int:
        """Blank rows passed over so far: they count in row numbers, but are no rows."""

    def batches(self, size: int = BATCH_ROWS) -> Iterator[Batch]:
        """The rows, ``size`` at a time, as :class:`danggol.shop.sources.reading.delimited.Batch`."""


def open_rows(path: Path, rule: FileRule, needed: Sequence[str] = ()) -> Rows:
    """Open a file as its content says (or ``rule``); ``needed`` are columns that must be looked for in all of it.

    Raises UsageError where nothing is there, DataError where it cannot be read as rows.
    """
    path = find_file(path, *_PATTERNS)
    kind = rule.format or _kind(path)
    if rule.sheet and kind != "xlsx":
        raise UsageError(f"{path.name} is no workbook and has no sheet '{rule.sheet}'; leave the sheet out")
    if kind == "xlsx":
        return open_sheet(path, rule.sheet, rule.heading_row)
    if kind == "parquet":
        return ParquetRows(path)
    text = inspect_text(path, rule.encoding or None)
    if kind == "jsonl":
        return JsonRows(text, needed)
    return DelimitedRows(text, rule.delimiter, rule.heading_row)


def read_rows(path: Path) -> pl.DataFrame:
    """All rows of a file that fits into memory, such as a list of labels: a column of text for each heading.

    Values are stripped, and null where empty. Raises as :func:`open_rows`; DataError where a row is no row.
    """
    file = open_rows(path, FileRule())
    parts = [pl.DataFrame(schema=dict.fromkeys(file.columns, pl.String))]
    for batch in file.batches():
        if batch.rejects.height:
            first = batch.rejects.row(0, named=True)
            raise DataError(f"{file.label}, row {first['row']}: {first['reason']}; mend the row")
        parts.append(batch.rows.select(file.columns))
    return pl.concat(parts)


def is_workbook(path: Path) -> bool:
    """Whether a path holds an Excel workbook."""
    return path.is_file() and _kind(path) == "xlsx"


def _kind(path: Path) -> Kind:
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise DataError(f"{path.name} cannot be read ({error.strerror}): check its permissions") from None
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"\xd0\xcf\x11\xe0")):
        return "xlsx"
    suffixes = [suffix.lower() for suffix in path.suffixes]
    ending = suffixes[-2] if len(suffixes) > 1 and suffixes[-1] == ".gz" else (suffixes or [""])[-1]
    kind = _ENDINGS.get(ending, "csv")
    # Shops' back offices name text and HTML .xls so that Excel opens it; what is no workbook inside is read as text.
    return "csv" if kind == "xlsx" and head else kind


class DelimitedRows:
    """Delimited text."""

    def __init__(self, text: TextFile, delimiter: str, heading_row: int) -> None:
        self.file = open_delimited(text, delimiter or None, heading_row)
        self.above = self.file.above
        self.label, self.columns, self.encoding = text.name, self.file.columns, text.encoding

    @property
    def blank(self) -> int:
        """Blank lines passed over so far."""
        return self.file.blank

    def batches(self, size: int = BATCH_ROWS) -> Iterator[Batch]:
        """The rows, ``size`` at a time."""
        self.file.blank = 0
        return self.file.batches(size)


class JsonRows:
    """JSON Lines: an object a line; objects within it become columns such as ``customer.id``, lists stay JSON."""

    HEAD = 2_000
    """Objects whose names become the columns; more are read only for names that are still needed."""

    def __init__(self, text: TextFile, needed: Sequence[str]) -> None:
        self.text, self.label, self.encoding, self.above, self.blank = text, text.name, text.encoding, 0, 0
        names: dict[str, None] = {}
        for number, (_, found) in enumerate(self._lines()):
            if number >= self.HEAD and all(name in names for name in needed):
                break
            if isinstance(found, dict):
                names |= dict.fromkeys(found)
        self.columns = tuple(names)
        self.blank = 0
        if not names:
            raise DataError(f'{self.label} holds no JSON objects; write one object a line, such as {{"id": "1"}}')

    def batches(self, size: int = BATCH_ROWS) -> Iterator[Batch]:
        """The objects, ``size`` at a time."""
        self.blank = 0
        held: list[tuple[int, dict[str, str | None] | str]] = []
        for line in self._lines():
            held.append(line)
            if len(held) == size:
                yield self._batch(held)
                held = []
        if held:
            yield self._batch(held)

    def _batch(self, lines: list[tuple[int, dict[str, str | None] | str]]) -> Batch:
        good = [(number, found) for number, found in lines if isinstance(found, dict)]
        bad = [(number, "bad_json", "", found, "") for number, found in lines if isinstance(found, str)]
        columns: dict[str, pl.Series] = {ROW: pl.Series([number for number, _ in good], dtype=pl.Int64)}
        for name in self.columns:
            columns[name] = pl.Series([found.get(name) for _, found in good], dtype=pl.String)
        return Batch(_stripped(pl.DataFrame(columns)), rejects_frame(self.label, bad))

    def _lines(self) -> Iterator[tuple[int, dict[str, str | None] | str]]:
        """Line numbers, each with its flat object or with what is wrong."""
        number = 0
        with self.text.open() as stream:
            while line := stream.readline(LINE_LIMIT):
                number += 1
                if len(line) == LINE_LIMIT and not line.endswith("\n"):
                    while (rest := stream.readline(LINE_LIMIT)) and not rest.endswith("\n"):
                        pass
                    yield number, f"a line of more than {LINE_LIMIT} characters"
                elif line.strip():
                    yield number, self._object(line, number)
                else:
                    self.blank += 1

    def _object(self, line: str, number: int) -> dict[str, str | None] | str:
        if (number == 1 and line.lstrip("\ufeff").strip() in {"[", "{"}) or line.lstrip("\ufeff").startswith("[{"):
            raise DataError(
                f"{self.label} is one JSON document; write one object a line (JSON Lines), without the list"
            )
        try:
            found = json.loads(line.lstrip("\ufeff"), parse_constant=lambda _: None)
        except (ValueError, RecursionError) as error:
            return f"not a JSON object ({error})"
        if not isinstance(found, dict):
            return f"not a JSON object but a {type(found).__name__}"
        flat: dict[str, str | None] = {}
        try:
            _flatten(found, "", flat)
            "".join(value for value in flat.values() if value is not None).encode()
        except UnicodeEncodeError:
            return f"bytes that are no text in {self.text.encoding}"
        if any("\x00" in (value or "") for value in flat.values()):
            return "a NUL character, which is no text"
        return flat


def _flatten(found: dict[str, Any], before: str, into: dict[str, str | None]) -> None:
    for key, value in found.items():
        name = column_name(before + key, len(into) + 1)
        if isinstance(value, dict):
            _flatten(value, f"{name}.", into)
        elif value is None or isinstance(value, str):
            into[name] = value
        elif isinstance(value, bool):
            into[name] = "true" if value else "false"
        elif isinstance(value, list):
            into[name] = json.dumps(value, ensure_ascii=False)
        else:
            into[name] = repr(value)


class ParquetRows:
    """Parquet: nested columns become columns such as ``customer.id``, lists stay JSON, bytes are left out."""

    def __init__(self, path: Path) -> None:
        self.path, self.label, self.encoding, self.above, self.blank = path, path.name, "", 0, 0
        try:
            self.columns = tuple(self._flat(pq.read_schema(path).empty_table()).columns[1:])
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{path.name} is not a readable Parquet file ({_short(error)}): write it again") from None
        if not self.columns:
            raise DataError(f"{path.name} has no columns that are text, numbers or times; give a file with some")
        refuse_repeats(self.label, self.columns)

    def batches(self, size: int = BATCH_ROWS) -> Iterator[Batch]:
        """The rows, ``size`` at a time."""
        number = 0
        try:
            with pq.ParquetFile(self.path) as file:
                for batch in file.iter_batches(size, use_threads=False):
                    rows = self._flat(pa.Table.from_batches([batch]))
                    yield Batch(rows.with_columns(pl.col(ROW) + number), rejects_frame(self.label, ()))
                    number += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise DataError(
                f"{self.label} cannot be read after row {number:,} ({_short(error)}): write it again"
            ) from None

    def _flat(self, table: pa.Table) -> pl.DataFrame:
        while any(pa.types.is_struct(field.type) for field in table.schema):
            table = table.flatten()
        names: list[str] = []
        arrays: list[pl.Series] = []
        for name, array in zip(table.column_names, table.columns, strict=True):
            kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
            if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
                continue
            names.append(column_name(name, len(names) + 1))
            arrays.append(_texts(array, kind))
        refuse_repeats(self.label, names)
        frame = pl.DataFrame(dict(zip(names, arrays, strict=True)), schema=dict.fromkeys(names, pl.String))
        number = pl.int_range(1, table.num_rows + 1, dtype=pl.Int64, eager=True).alias(ROW)
        return _stripped(frame.insert_column(0, number))


def _texts(array: pa.ChunkedArray, kind: pa.DataType) -> pl.Series:
    """Values of any type as text that the columns' rules read back."""
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        utc = pl.Series(array).dt.convert_time_zone("UTC").dt.cast_time_unit("us")
        return utc.dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
    if pa.types.is_nested(kind):
        return pl.Series(
            [None if v is None else json.dumps(v, ensure_ascii=False, default=str) for v in array.to_pylist()],
            dtype=pl.String,
        )
    if pa.types.is_decimal(kind) or pa.types.is_dictionary(array.type) or pa.types.is_boolean(kind):
        return pl.Series(array.cast(kind).cast(pa.string()))
    if pa.types.is_floating(kind):
        whole = pl.DataFrame({"n": pl.Series(array).cast(pl.Float64)})
        n = pl.col("n")
        text = pl.when((n == n.round()) & (n.abs() < 2**53)).then(n.cast(pl.Int64, strict=False).cast(pl.String))
        return whole.select(text.otherwise(n.fill_nan(None).cast(pl.String))).to_series()
    return pl.Series(pc.cast(array, pa.string()))


def _stripped(rows: pl.DataFrame) -> pl.DataFrame:
    trimmed = pl.col(pl.String).str.strip_chars()
    return rows.with_columns(pl.when(trimmed != "").then(trimmed))


def _short(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
