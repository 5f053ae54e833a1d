"""The headings of a file: where they stand, and what its columns are called."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence

from danggol.errors import DataError

ROW = "__row__"
"""The column of row numbers in a batch."""
HEADING_SEARCH = 20
"""Rows among which the headings are looked for."""


def heading_place(rows: Sequence[Sequence[str | None]]) -> int:
    """The place of the headings among the first rows: the first of which more than half is filled.

    Exports put titles and dates above, which fill a cell or two; how wide rows are is what most of them say.
    """
    filled = [sum(bool(cell and cell.strip()) for cell in row) for row in rows[:HEADING_SEARCH]]
    widths = Counter(
        max((place for place, cell in enumerate(row, 1) if cell and cell.strip()), default=0)
        for row in rows[:HEADING_SEARCH]
    )
    del widths[0]
    usual = max(widths, key=lambda width: (widths[width], width), default=0)
    return next((place for place, count in enumerate(filled) if count * 2 > usual), 0)


def column_name(said: str | None, place: int) -> str:
    """What a column is called: its heading; its place (from 1) where it has none.

    Names that mean something else to a frame (row numbers, ``*`` and ``^...$`` for several columns) are lengthened.
    """
    name = said or f"column_{place}"
    return f"{name}column" if name in {ROW, "*"} or (name.startswith("^") and name.endswith("$")) else name


def refuse_repeats(label: str, names: Sequence[str]) -> None:
    """DataError where a file has two columns of one name."""
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise DataError(f"{label} has two columns named {twice!r}: rename one of them")


def require_columns(name: str, columns: Sequence[str], needed: Sequence[str]) -> None:
    """DataError that names the first missing heading and the nearest one there is."""
    for column in needed:
        if column not in columns:
            near = difflib.get_close_matches(column, columns, 1, 0.5)
            hint = f"is it {near[0]!r}? " if near else ""
            has = ", ".join(columns[:12]) + (" ..." if len(columns) > 12 else "")
            raise DataError(f"{name} has no column {column!r} ({hint}it has {has}): rename or add the column")
