"""Delimited text (CSV, TSV) as batches of strings: every row is in a batch or among its rejects, with its number."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

import polars as pl

from danggol.errors import DataError, UsageError
from danggol.shop.sources.reading.files import TextFile
from danggol.shop.sources.reading.headings import HEADING_SEARCH, ROW, column_name, heading_place, refuse_repeats

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


T = TypeVar("T")


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
    above: int = 0
    """Records above the headings, blank ones not counted."""
    named: int = 0
    """Columns up to the last that has a heading; a row may leave those behind it out."""
    blank: int = field(default=0, init=False)
    """Blank lines passed over so far: they count in row numbers, but are no rows."""

    def batches(self, size: int = BATCH_ROWS) -> Iterator[Batch]:
        """The rows, ``size`` at a time; DataError where a quote is never closed."""
        with self.text.open() as stream:
            records = _Records(self, stream)
            while batch := records.take(size):
                yield batch


def open_delimited(text: TextFile, delimiter: str | None = None, heading_row: int | None = None) -> Delimited:
    """Read the headings of a delimited file; the delimiter is the one their line holds most, unless given.

    ``heading_row``: the line of the headings, from 1; 0: it is looked for; None: the first that is not blank.
    Raises DataError where there are no headings, they cannot be read, or a column's name stands twice in them.
    """
    try:
        with text.open() as stream:
            lines = _first(line for line in _Lines(stream) if line.strip())
        if not lines:
            raise DataError(f"{text.name} holds blank lines only: give a file with a heading line and rows")
        mark = re.fullmatch(r"\ufeff?sep=(.)\s*", lines[0])
        delimiter = delimiter or (mark[1] if mark else _delimiter(lines if heading_row is not None else lines[:1]))
        with text.open() as stream:
            reader = csv.reader(_Lines(stream), delimiter=delimiter, strict=True)
            records = _first(((reader.line_num, record) for record in reader if record), heading_row or 0)
    except csv.Error as error:
        raise DataError(f"the heading line of {text.name} cannot be read ({error}): check its quotes") from None
    place = _heading_place(text.name, records[1:] if mark else records, heading_row) + bool(mark)
    record = records[place][1]
    named = max((number for number, name in enumerate(record, 1) if name.strip()), default=0)
    return Delimited(text, delimiter, _heading(text, record), place, named)


def _delimiter(lines: Sequence[str]) -> str:
    """The delimiter that the first line with any holds most."""
    bare = [re.sub(r'"[^"]*"', "", line) for line in lines]
    line = next((line for line in bare if any(map(line.count, DELIMITERS))), "")
    return max(DELIMITERS, key=line.count)


def _first(items: Iterator[T], least: int = 0) -> list[T]:
    """The first items, as many as headings are looked for in; one that cannot be read ends them, if not the first."""
    found: list[T] = []
    try:
        for item in islice(items, max(HEADING_SEARCH, least)):
            found.append(item)  # noqa: PERF402  # extend() might lose what came before an error
    except csv.Error:
        if not found:
            raise
    return found


def _heading_place(name: str, records: Sequence[tuple[int, list[str]]], heading_row: int | None) -> int:
    """Which of the first records holds the headings."""
    if not heading_row or not records:
        return heading_place([record for _, record in records]) if heading_row == 0 else 0
    lines = [line for line, _ in records]
    if heading_row not in lines:
        raise UsageError(f"line {heading_row} of {name} is blank or not there, so it cannot hold the headings")
    return lines.index(heading_row)


def rejects_frame(file: str, rows: Sequence[tuple[int, str, str, str, str]]) -> pl.DataFrame:
    """A frame of rejects from (row, reason_code, column, reason, record) tuples."""
    return pl.DataFrame([(file, *row) for row in rows], schema=REJECTS, orient="row")


def _heading(text: TextFile, record: list[str]) -> tuple[str, ...]:
    columns = [column_name(name.strip().strip("\ufeff"), place) for place, name in enumerate(record, 1)]
    refuse_repeats(text.name, columns)
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
        for _ in range(file.above + 1):
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
        for number, said in enumerate(records, start + 1):
            record = said if isinstance(said, csv.Error) else self._fitted(said)
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

    def _fitted(self, record: list[str]) -> list[str]:
        """The record without blank fields behind the last column, and with those of columns that have no heading."""
        width = len(self.file.columns)
        if len(record) > width and not any(map(str.strip, record[width:])):
            return record[:width]
        if self.file.named <= len(record) < width and len(record) > 1:
            return record + [""] * (width - len(record))
        return record

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
