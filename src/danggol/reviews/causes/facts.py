"""Facts of an order beside its review, as numbers between 0 and 1 that a linear model can bend.

A number is shared between the two knots that it lies between (a piecewise linear basis), so that "three days late" may
mean something else than "on time" and than "a month late". Knots are quantiles of the training rows, or the values
themselves where they are few. A category has a column for each value that is known. What is missing has its own column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from danggol.errors import DataError

Floats = NDArray[np.float64]
_VALUES = 100
"""Values of a category that are known, at most."""
_DAY = 86_400.0


@dataclass(frozen=True)
class FactSpace:
    """The facts that were learnt, in the order of their columns."""

    knots: Mapping[str, Sequence[float]]
    """of each number, rising"""
    known: Mapping[str, Sequence[str]]
    """of each category: its values"""

    @classmethod
    def fit(cls, table: pl.DataFrame, bins: int) -> Self:
        """Learn the columns of a table, one row a review; those that hold one value only are left out.

        DataError: a column is neither a number, a flag nor a text.
        """
        knots, known = {}, {}
        for name, kind in table.schema.items():
            column = table[name].drop_nulls()
            if kind.is_numeric():
                values = column.cast(pl.Float64).to_numpy()
                found = _knots(values[np.isfinite(values)], bins)
                if len(found) > 1 or (len(found) == 1 and len(column) < table.height):
                    knots[name] = found.tolist()
            elif kind in {pl.String, pl.Boolean, pl.Categorical} or isinstance(kind, pl.Enum):
                counts = column.cast(pl.String).value_counts().sort(["count", name], descending=[True, False])
                if counts.height > 1 or (counts.height == 1 and len(column) < table.height):
                    known[name] = counts[name].head(_VALUES).to_list()
            elif kind != pl.Null:
                raise DataError(f"the fact '{name}' is {kind}, neither a number nor a text; change it or leave it out")
        return cls(knots, known)

    def encode(self, table: pl.DataFrame | None, rows: int) -> csr_matrix:
        """Any table as (rows, columns): each row's facts have a sum of squares of 1 at most. None: no fact is known.

        DataError: a column that was learnt is not there, or holds no numbers where it did.
        """
        blocks = [self._number(table, name, rows) for name in self.knots]
        blocks += [self._category(table, name, rows) for name in self.known]
        if not blocks:
            return csr_matrix((rows, 0))
        return csr_matrix(np.concatenate(blocks, axis=1) / np.sqrt(len(blocks)))

    def _number(self, table: pl.DataFrame | None, name: str, rows: int) -> Floats:
        knots = np.array(self.knots[name])
        values = np.full(rows, np.nan)
        if table is not None:
            column = _column(table, name)
            if not (column.dtype.is_numeric() or column.dtype == pl.Null):
                raise DataError(f"the fact '{name}' held numbers in training and is {column.dtype} now")
            values = column.cast(pl.Float64).fill_null(np.nan).to_numpy().copy()
        missing = ~np.isfinite(values)
        place = np.interp(np.where(missing, knots[0], values), knots, np.arange(len(knots)))
        low = np.minimum(place.astype(np.int64), max(len(knots) - 2, 0))
        found = np.zeros((rows, len(knots) + 1))
        every = np.arange(rows)
        found[every, low] = 1 - (place - low)
        if len(knots) > 1:
            found[every, low + 1] = place - low
        found[missing] = 0
        found[missing, -1] = 1
        return found

    def _category(self, table: pl.DataFrame | None, name: str, rows: int) -> Floats:
        values = self.known[name]
        found = np.zeros((rows, len(values) + 1))
        if table is None:
            found[:, -1] = 1
            return found
        column = _column(table, name).cast(pl.String)
        code = column.replace_strict(list(values), range(len(values)), default=-1, return_dtype=pl.Int64)
        place = np.where(column.is_null().to_numpy(), len(values), code.fill_null(-1).to_numpy())
        there = np.flatnonzero(place >= 0)
        found[there, place[there]] = 1
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "knots": {name: list(values) for name, values in self.knots.items()},
            "known": {name: list(values) for name, values in self.known.items()},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """What :meth:`to_dict` gave; KeyError where it is something else."""
        return cls(dict(values["knots"]), dict(values["known"]))


def delivery_facts(
    promised: pl.Series, delivered: pl.Series, reviewed: pl.Series, status: pl.Series | None = None
) -> pl.DataFrame:
    """When an order came, against its promise and its review: three numbers of days, from times (rows,).

    ``days_late`` (below 0: early), ``days_held``: from delivery to review, ``days_over``: from the promised day to the
    review. What was delivered on a later day than the review is taken for not delivered, since it was not when the
    review was written; the first two are missing there. With ``status``, the order's state in the shop's words, a
    column ``status`` in which such an order is ``under way``.
    """
    came = pl.DataFrame({"delivered": delivered, "reviewed": reviewed}).with_columns(pl.all().cast(pl.Datetime("us")))
    later = came.select(pl.col("delivered").dt.date() > pl.col("reviewed").dt.date()).to_series().fill_null(value=False)
    known = pl.DataFrame({"at": came["delivered"], "later": later})
    then = known.select(pl.when(~pl.col("later")).then("at")).to_series()
    days = {
        name: _seconds(late) - _seconds(early)
        for name, late, early in (
            ("days_late", then, promised),
            ("days_held", reviewed, then),
            ("days_over", reviewed, promised),
        )
    }
    found = pl.DataFrame({name: values / _DAY for name, values in days.items()})
    if status is None:
        return found
    told = pl.when(later).then(pl.lit("under way")).otherwise(status)
    return found.with_columns(status=told)


def _seconds(times: pl.Series) -> pl.Series:
    if times.dtype == pl.Null:
        return times.cast(pl.Float64)
    return times.cast(pl.Datetime("us")).dt.epoch("us").cast(pl.Float64) / 1e6


def _column(table: pl.DataFrame, name: str) -> pl.Series:
    if name not in table.columns:
        raise DataError(f"the model was trained with the fact '{name}', which the table does not have")
    return table[name]


def _knots(values: Floats, bins: int) -> Floats:
    different = np.unique(values)
    if len(different) <= bins:
        return different
    return np.unique(np.quantile(values, np.linspace(0, 1, bins)))
