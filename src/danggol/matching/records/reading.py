"""Pairs of records of any columns, and the file that holds them.

A line is ``COL name VAL value COL name VAL value …``, a TAB, the other record, and, where it is known, a TAB and 1 for
the same thing or 0. The form is that of ditto (Li et al., "Deep entity matching with pre-trained language models",
VLDB 2021). Columns are found in the file; a column may be empty or missing.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from danggol.errors import DataError, UsageError

Ints = NDArray[np.int64]
Record = dict[str, str]
"""Value by column; an empty value is left out."""
_COLUMN = re.compile(r"(?:^|\s)COL\s+(\S+)\s+VAL(?=\s|$)")
UNKNOWN = -1


@dataclass(frozen=True)
class RecordPairs:
    """Pairs of records; a record that is in several pairs is held once."""

    records: list[Record]
    left: Ints
    """(pairs,) row of ``records``"""
    right: Ints
    label: Ints
    """(pairs,) 1 the same, 0 not, -1 not known"""

    def __len__(self) -> int:
        return len(self.left)

    @classmethod
    def of(cls, left: Sequence[Record], right: Sequence[Record], label: Sequence[int] | None = None) -> Self:
        """Pairs of the records ``left`` and ``right`` (pairs,); UsageError where their numbers differ."""
        told = [UNKNOWN] * len(left) if label is None else list(label)
        if not len(left) == len(right) == len(told):
            raise UsageError(f"{len(left)} left records, {len(right)} right records and {len(told)} labels do not pair")
        rows: dict[tuple[tuple[str, str], ...], int] = {}
        places = [[_place(one, rows) for one in side] for side in (left, right)]
        records = [dict(key) for key in rows]
        return cls(records, np.array(places[0], np.int64), np.array(places[1], np.int64), np.array(told, np.int64))

    @classmethod
    def joined(cls, parts: Sequence[RecordPairs]) -> Self:
        """The pairs of all parts, one part after the other."""
        sides = [[part.records[row] for part in parts for row in getattr(part, side)] for side in ("left", "right")]
        return cls.of(sides[0], sides[1], [int(one) for part in parts for one in part.label])

    def rows(self, which: Ints | NDArray[np.bool_]) -> Self:
        """Some of the pairs, with all the records."""
        return type(self)(self.records, self.left[which], self.right[which], self.label[which])

    def unlabelled(self) -> Self:
        """The same pairs, nothing known of them."""
        return type(self)(self.records, self.left, self.right, np.full(len(self), UNKNOWN))

    def columns(self) -> list[str]:
        """The names of the columns, in the order in which they first appear."""
        return list(dict.fromkeys(name for record in self.records for name in record))


def read_pairs(path: Path) -> RecordPairs:
    """Read a file of pairs (``.gz`` too), with labels or without; DataError: a line is not of the form."""
    try:
        held = path.read_bytes()
        text = (gzip.decompress(held) if path.suffix == ".gz" else held).decode("utf8")
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}; give a file of pairs") from error
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"the file {path} cannot be read: {error}") from error
    rows = re.split(r"\r?\n", text)
    found = [_line(row, f"line {nth} of {path}") for nth, row in enumerate(rows, 1) if row.strip()]
    return RecordPairs.of([one[0] for one in found], [one[1] for one in found], [one[2] for one in found])


def _line(line: str, where: str) -> tuple[Record, Record, int]:
    parts = line.split("\t")
    if len(parts) not in (2, 3):
        raise DataError(f"{where} has {len(parts)} parts between TABs; it needs two records and, if known, a label")
    label = parts[2].strip() if len(parts) == 3 else ""
    if label not in ("", "0", "1"):
        raise DataError(f"{where} ends in '{label[:20]}'; the label is 0 or 1")
    return _record(parts[0], where), _record(parts[1], where), int(label) if label else UNKNOWN


def _record(text: str, where: str) -> Record:
    parts = _COLUMN.split(text)
    if parts[0].strip() or len(parts) < 3:
        raise DataError(f"{where} has a record that does not begin with 'COL name VAL'")
    return {name: value.strip() for name, value in zip(parts[1::2], parts[2::2], strict=True) if value.strip()}


def _place(record: Record, rows: dict[tuple[tuple[str, str], ...], int]) -> int:
    return rows.setdefault(tuple(record.items()), len(rows))
