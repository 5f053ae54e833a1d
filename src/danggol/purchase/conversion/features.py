"""What follows from a session's sums by arithmetic: totals, shares, per-unit amounts, expected numbers, and gaps.

A sum hides what it was made of. Bounce and exit rates are means over the pages of a visit, so a rate times the pages is
how many bounces and exits there were; a duration over its pages is the time on one. Which columns are counts, rates and
amounts is read from training values, so that any shop's columns are served.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Self

import polars as pl

_SHIFTS = (0, 1, -1, 2, -2, 3, -3, 4)
"""Gaps between the total of the counts and the units that a rate is a mean over, most likely first."""
_PARTS = 60
"""A sum of rates is taken for whole when it is so in sixtieths: sums of halves, thirds, quarters, fifths."""
_WHOLE = 0.02


@dataclass(frozen=True)
class Arithmetic:
    """Which columns are counts (whole numbers), rates (between 0 and 1) and amounts (the other ones, none negative)."""

    counts: Sequence[str]
    rates: Sequence[str]
    amounts: Sequence[str]
    gaps: bool

    @classmethod
    def fit(cls, table: pl.DataFrame, gaps: bool) -> Self:
        """Read the kinds from the values; a column of fewer than 10 distinct values that are not whole is none."""
        counts: list[str] = []
        rates: list[str] = []
        amounts: list[str] = []
        for name in (name for name, kind in table.schema.items() if kind.is_numeric()):
            values = table[name].cast(pl.Float64).drop_nulls().drop_nans()
            if values.is_empty() or values.min() < 0:  # type: ignore[operator]
                continue
            if (values == values.round()).all():
                counts.append(name)
            elif values.n_unique() >= 10:
                (rates if values.max() <= 1 else amounts).append(name)  # type: ignore[operator]
        return cls(counts, rates, amounts, gaps)

    def apply(self, table: pl.DataFrame) -> pl.DataFrame:
        """The table and the derived columns; null where a divisor is zero."""
        if not self.counts:
            return table
        total = pl.sum_horizontal(pl.col(*self.counts).cast(pl.Float64)).alias("total")
        return table.with_columns(total).with_columns(*self._derived()).rename({"total": "of counts: total"})

    def _derived(self) -> Iterator[pl.Expr]:
        total = pl.col("total")
        own = {name: [count for count in self.counts if name.startswith(f"{count}_")] for name in self.amounts}
        matched = [name for name, counts in own.items() if counts]
        for count in self.counts:
            yield _over(pl.col(count), total).alias(f"{count} / total")
        for name, counts in own.items():
            yield _over(pl.col(name), total).alias(f"{name} / total")
            for count in counts:
                yield _over(pl.col(name), pl.col(count)).alias(f"{name} / {count}")
            if not counts:
                yield (pl.col(name) * total).alias(f"{name} * total")
        if len(matched) > 1:
            amount = pl.sum_horizontal(matched)
            yield amount.alias("of amounts: total")
            yield _over(amount, total).alias("of amounts: total / total")
            for name in matched:
                yield _over(pl.col(name), amount).alias(f"{name} / of amounts")
        yield from self._expected(total)

    def _expected(self, total: pl.Expr) -> Iterator[pl.Expr]:
        for name in self.rates:
            yield (pl.col(name) * total).alias(f"{name} * total")
            if self.gaps:
                yield _gap(pl.col(name), total).alias(f"{name}: gap")
        for first, second in combinations(self.rates, 2):
            more = pl.col(second) - pl.col(first)
            yield more.alias(f"{second} - {first}")
            yield (more * total).alias(f"({second} - {first}) * total")
            yield _over(pl.col(first), pl.col(second)).alias(f"{first} / {second}")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """What :meth:`to_dict` gave; TypeError where it is something else."""
        return cls(**values)


def _over(first: pl.Expr, second: pl.Expr) -> pl.Expr:
    return pl.when(second != 0).then(first / second)


def _gap(rate: pl.Expr, total: pl.Expr) -> pl.Expr:
    """The likeliest k for which ``rate`` can be a mean over ``total - k`` units; null where none fits, or at rate 0."""
    found = pl.lit(None, pl.Float64)
    for shift in reversed(_SHIFTS):
        parts = rate * (total - shift) * _PARTS
        fits = ((parts - parts.round()).abs() < _WHOLE) & (parts > 0.5)
        found = pl.when(fits).then(pl.lit(float(shift))).otherwise(found)
    return found
