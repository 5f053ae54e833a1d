"""Sheets of Excel workbooks as batches of strings; a workbook is held in memory, so its size is bounded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from danggol.errors import DataError, UsageError
from danggol.shop.sources.reading.delimited import BATCH_ROWS, Batch, rejects_frame
from danggol.shop.sources.reading.files import check_zip
from danggol.shop.sources.reading.headings import HEADING_SEARCH, ROW, column_name, heading_place, refuse_repeats

SIZE_LIMIT = 64 << 20
"""Bytes of a workbook; a larger one belongs into CSV."""


class Sheet:
    """One sheet, whose rows are numbered from 1 below the headings."""

    def __init__(self, label: str, columns: tuple[str, ...], rows: pl.DataFrame, above: int) -> None:
        self.label, self.columns, self.encoding, self.rows = label, columns, "", rows
        self.above, self.blank = above, 0

    def batches(self, size: int = BATCH_ROWS) -> Iterator[Batch]:
        """The rows, ``size`` at a time; rows without a value are blank."""
        self.blank = 0
        for start in range(0, self.rows.height, size):
            part = self.rows.slice(start, size)
            filled = part.filter(pl.any_horizontal(pl.col(name).is_not_null() for name in self.columns))
            self.blank += part.height - filled.height
            yield Batch(filled, rejects_frame(self.label, ()))


def open_sheet(path: Path, wanted: str, heading_row: int) -> Sheet:
    """Read a sheet: the one named, or the only one that holds rows.

    Raises DataError where the workbook is broken, too large or has no rows, UsageError where the sheet must be chosen.
    """
    check_zip_or_old(path)
    workbook = _workbook(path)
    names = list(workbook.sheet_names)
    if not names:
        raise DataError(f"{path.name} has no sheets; save the workbook again with one that holds the rows")
    if wanted and wanted not in names:
        raise UsageError(f"{path.name} has no sheet '{wanted}' (it has: {', '.join(names)})")
    filled = {name: cells for name in ([wanted] if wanted else names) if (cells := _cells(workbook, name, path)).height}
    if not filled:
        raise DataError(f"{path.name} has no rows in {'sheet ' + repr(wanted) if wanted else 'any sheet'}")
    if len(filled) > 1:
        raise UsageError(
            f"{path.name} has rows in several sheets ({', '.join(filled)}); choose one in the mapping: sheet = "
            f'"{next(iter(filled))}" under [file], and import the others with mappings of their own'
        )
    name, cells = next(iter(filled.items()))
    label = path.name if len(names) == 1 else f"{path.name} [{name}]"
    return _below_headings(label, cells, heading_row)


def filled_sheets(path: Path) -> dict[str, int]:
    """The sheets of a workbook that hold rows, and how many; DataError where it cannot be read."""
    check_zip_or_old(path)
    workbook = _workbook(path)
    sizes = {name: _cells(workbook, name, path).height for name in workbook.sheet_names}
    return {name: size for name, size in sizes.items() if size}


def check_zip_or_old(path: Path) -> None:
    """Bound what a workbook may unpack to; the old binary format is not compressed."""
    size = path.stat().st_size
    if size > SIZE_LIMIT:
        raise DataError(
            f"{path.name} has more than {SIZE_LIMIT >> 20} MB; save the sheet as CSV, which may be of any size"
        )
    with path.open("rb") as file:
        if file.read(4) == b"\xd0\xcf\x11\xe0":
            return
    check_zip(path)


def _workbook(path: Path) -> Any:
    import fastexcel

    try:
        return fastexcel.read_excel(path)
    except BaseException as error:
        raise _unreadable(path, error) from None


def _cells(workbook: Any, name: str, path: Path) -> pl.DataFrame:
    try:
        cells: pl.DataFrame = workbook.load_sheet(name, header_row=None, dtypes="string").to_polars()
    except BaseException as error:
        raise _unreadable(path, error) from None
    cells = cells.select(pl.all().cast(pl.String).str.replace_all("\x00", "\ufffd").str.strip_chars())
    return cells.select(pl.when(pl.all() != "").then(pl.all()))


def _unreadable(path: Path, error: BaseException) -> BaseException:
    if isinstance(error, KeyboardInterrupt | SystemExit | MemoryError):
        return error
    said = str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
    return DataError(f"{path.name} is not a readable Excel workbook ({said}): open it in Excel and save it again")


def _below_headings(label: str, cells: pl.DataFrame, heading_row: int) -> Sheet:
    if heading_row > cells.height:
        raise UsageError(f"{label} has {cells.height:,} rows, so row {heading_row} cannot hold its headings")
    place = heading_row - 1 if heading_row else heading_place(cells.head(HEADING_SEARCH).rows())
    said = enumerate(cells.row(place), 1)
    names = [column_name(" ".join(name.split()) if name else None, number) for number, name in said]
    refuse_repeats(label, names)
    rows = cells.slice(place + 1)
    rows.columns = names
    rows = rows.insert_column(0, pl.int_range(1, rows.height + 1, dtype=pl.Int64, eager=True).alias(ROW))
    return Sheet(label, tuple(names), rows, place)
