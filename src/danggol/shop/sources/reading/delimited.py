"""Delimited text (CSV, TSV) as batches of strings: every row is in a batch or among its rejects, with its number."""

from __future__ import annotations

import csv
import difflib
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import polars as pl

from danggol.errors import DataError
from danggol.shop.sources.reading.files import TextFile

ROW = "__row__"
"""The column of row numbers in a batch."""
BATCH_ROWS = 20_000
LINE_LIMIT = 1 << 20
"""Characters of one line; a longer one is skipped, and its row rejected."""
RECORD_LIMIT = 2_000
"""Characters of a rejected row that are kept."""
DELIMITERS = (",", ";", "\t", "|")

REJECTS = {
    "file": pl.String(),
    "row": pl.Int64(),
    "reason_code": pl.String(),
    "column": pl.String(),
    "reason": pl.String(),
    "record": pl.String(),
}
"""Columns of a frame of rejected rows; the intake adds source and run."""


@dataclass(frozen=True)
class Batch:
    """Some rows of a file.

    ``rows`` holds :data:`ROW` (Int64, from 1, headings not counted) and a String column per heading, its values
    stripped of surrounding blanks and null where empty; ``rejects`` holds the rows that are no rows (:data:`REJECTS`).
    """

    rows: pl.DataFrame
    rejects: pl.DataFrame


@dataclass
class Delimited:
    """A delimited text file, its heading read."""

    text: TextFile
    delimiter: str
    columns: tuple[str, ...]
    blank: int = field(default=0, init=False)
    """Blank lines passed over so far: they count in row numbers, but are no rows."""

    def batches(self, size: int = BATCH_ROWS) -> Iterator[Batch]:
        """The rows, ``size`` at a time; DataError where a quote is never closed."""
        with self.text.open() as stream:
            records = _Records(self, stream)
            while batch := records.take(size):
                yield batch


def open_delimited(text: TextFile, delimiter: str | None = None) -> Delimited:
    """Read the heading of a delimited file; the delimiter is the one the heading holds most, unless given.

    Raises DataError where there is no heading, it cannot be read, or a column's name stands twice in it.
    """
    try:
        with text.open() as stream:
            line = next((line for line in _Lines(stream) if line.strip()), None)
        if line is None:
            raise DataError(f"{text.name} holds blank lines only: give a file with a heading line and rows")
        delimiter = delimiter or max(DELIMITERS, key=re.sub(r'"[^"]*"', "", line).count)
        with text.open() as stream:
            record = next(record for record in csv.reader(_Lines(stream), delimiter=delimiter, strict=True) if record)
    except csv.Error as error:
        raise DataError(f"the heading line of {text.name} cannot be read ({error}): check its quotes") from None
    return Delimited(text, delimiter, _heading(text, record))


def require_columns(name: str, columns: Sequence[str], needed: Sequence[str]) -> None:
    """DataError that names the first missing heading and the nearest one there is."""
    for column in needed:
        if column not in columns:
            near = difflib.get_close_matches(column, columns, 1, 0.5)
            hint = f"is it {near[0]!r}? " if near else ""
            has = ", ".join(columns[:12]) + (" ..." if len(columns) > 12 else "")
            raise DataError(f"{name} has no column {column!r} ({hint}it has {has}): rename or add the column")


def rejects_frame(file: str, rows: Sequence[tuple[int, str, str, str, str]]) -> pl.DataFrame:
    """A frame of rejects from (row, reason_code, column, reason, record) tuples."""
    return pl.DataFrame([(file, *row) for row in rows], schema=REJECTS, orient="row")


def _heading(text: TextFile, record: list[str]) -> tuple[str, ...]:
    columns = [name.strip().strip("\ufeff") or f"column_{place}" for place, name in enumerate(record, 1)]
    columns = [f"{name}column" if name == ROW else name for name in columns]
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{text.name} has two columns named {twice!r}: rename one of them")
    if any("\x00" in name or not _encodable(name) for name in columns):
        raise DataError(f"the heading line of {text.name} holds bytes that are no text: save the file as UTF-8")
    return tuple(columns)


def _encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


class _Lines:
    """Lines of at most LINE_LIMIT characters, for csv.reader; a longer one is passed over and raises csv.Error."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        self.readline = stream.readline

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self.readline(LINE_LIMIT)
        if not line:
            raise StopIteration
        if len(line) == LINE_LIMIT and line[-1] not in "\r\n":
            while (rest := self.readline(LINE_LIMIT)) and rest[-1] not in "\r\n":
                pass
            raise csv.Error(f"a line of more than {LINE_LIMIT} characters")
        return line


class _Records:
    """The records of a file, numbered; what cannot be a row becomes a reject."""

    def __init__(self, file: Delimited, stream: io.TextIOWrapper) -> None:
        self.file = file
        self.reader = csv.reader(_Lines(stream), delimiter=file.delimiter, strict=True)
        self.number = 0
        next(record for record in self.reader if record)

    def take(self, size: int) -> Batch | None:
        """The next records, ``size`` at most; None at the end."""
        start, records = self.number, self._read(size)
        if not records:
            return None
        self.number += len(records)
        width = len(self.file.columns)
        sound = [record for record in records if not isinstance(record, csv.Error) and len(record) == width]
        if len(sound) == len(records) and self.file.text.clean and width > 1:
            return Batch(self._frame(sound, range(start + 1, self.number + 1)), rejects_frame(self.file.text.name, ()))
        kept, numbers, rejects = [], [], []
        for number, record in enumerate(records, start + 1):
            verdict = self._bad(record)
            if verdict is None and not isinstance(record, csv.Error):
                kept.append(record)
                numbers.append(number)
            elif verdict:
                rejects.append((number, *verdict))
            else:
                self.file.blank += 1
        return Batch(self._frame(kept, numbers), rejects_frame(self.file.text.name, rejects))

    def _read(self, size: int) -> list[list[str] | csv.Error]:
        records: list[list[str] | csv.Error] = []
        reader, line = self.reader, self.reader.line_num
        while len(records) < size:
            try:
                for record in reader:
                    records.append(record)
                    line = reader.line_num
                    if len(records) == size:
                        break
                else:
                    break
            except csv.Error as error:
                row = self.number + len(records) + 1
                if reader.line_num > line + 1 or "unexpected end" in str(error):
                    raise DataError(
                        f"{self.file.text.name} has a quote in row {row} (line {line + 1}) that is not closed "
                        "properly: close it, or double the quotes inside the text"
                    ) from None
                records.append(error)
                line = reader.line_num
        return records

    def _bad(self, record: list[str] | csv.Error) -> tuple[str, str, str, str] | tuple[()] | None:
        """Why a record is no row (reason_code, column, reason, record); empty if it is blank, None if it is one."""
        if isinstance(record, csv.Error):
            code = "bad_quote" if "expected after" in str(record) else "field_too_long"
            return code, "", str(record), ""
        if not record or (len(record) == 1 and not record[0].strip()):
            return ()
        if len(record) != len(self.file.columns):
            reason = f"{len(record)} fields where the heading has {len(self.file.columns)}"
            return "field_count", "", reason, as_record(record)
        for column, value in zip(self.file.columns, record, strict=True):
            if "\x00" in value or not _encodable(value):
                return (
                    "bad_character",
                    column,
                    f"bytes that are no text in {self.file.text.encoding}",
                    as_record(record),
                )
        return None

    def _frame(self, records: list[list[str]], numbers: Sequence[int]) -> pl.DataFrame:
        columns = zip(*records, strict=True) if records else ((),) * len(self.file.columns)
        frame = pl.DataFrame(
            {name: pl.Series(values, dtype=pl.String) for name, values in zip(self.file.columns, columns, strict=True)}
        )
        trimmed = pl.all().str.strip_chars()
        stripped = frame.select(pl.when(trimmed != "").then(trimmed))
        return stripped.insert_column(0, pl.Series(ROW, numbers, dtype=pl.Int64))


def as_record(values: Sequence[str]) -> str:
    """A rejected row as JSON, cut where it is long, with what cannot be encoded escaped."""
    return json.dumps(list(values), ensure_ascii=True)[:RECORD_LIMIT]
