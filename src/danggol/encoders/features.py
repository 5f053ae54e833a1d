"""Numbers and categories of a table as arrays that a model can read: the same values, whatever table they come from.

Numbers are set to normal scores by the quantiles of the training rows, as Gorishniy et al., "Revisiting deep learning
models for tabular data", NeurIPS 2021, do; the raw numbers stay beside them for boosted trees. A category has a code; a
missing one and one that training did not know have codes of their own. The tokens are in :mod:`.feature_tokens`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtri

from danggol.errors import DataError

UNKNOWN, MISSING, FIRST = 0, 1, 2
"""Codes of a category: not known from training, not there, and the first of the known ones."""
_QUANTILES = 500
_EDGE = 1e-3
"""Normal scores are kept between those of this share of the rows and of the rest: about -3.1 and 3.1."""


@dataclass(frozen=True)
class Encoded:
    """Rows as arrays."""

    raw: NDArray[np.float64]
    """(rows, numbers) as they were, nan where missing"""
    scores: NDArray[np.float32]
    """(rows, numbers) normal scores, nan where missing"""
    codes: NDArray[np.int64]
    """(rows, categories)"""

    def __len__(self) -> int:
        return len(self.raw)

    def rows(self, chosen: NDArray[Any]) -> Encoded:
        """Some of the rows, by number or mask."""
        return Encoded(self.raw[chosen], self.scores[chosen], self.codes[chosen])


@dataclass(frozen=True)
class FeatureSpace:
    """Which columns are numbers and categories, where the numbers' quantiles lie, and which categories are known."""

    quantiles: Mapping[str, Sequence[float]]
    """of each number: its values at even shares of the training rows, rising; empty where all were missing"""
    known: Mapping[str, Sequence[str]]
    """of each category: the values of training, most frequent first"""

    @classmethod
    def fit(cls, table: pl.DataFrame, most: int = 1000) -> Self:
        """Learn a table: columns of numbers are numbers, texts and flags are categories (``most`` values are known).

        DataError: there is no column, or one is neither.
        """
        quantiles, known = {}, {}
        for name, kind in table.schema.items():
            if kind.is_numeric():
                values = table[name].cast(pl.Float64).to_numpy()
                values = values[np.isfinite(values)]
                shares = np.linspace(0, 1, _QUANTILES + 1)
                quantiles[name] = np.quantile(values, shares).tolist() if len(values) else []
            elif kind in {pl.String, pl.Boolean, pl.Categorical} or isinstance(kind, pl.Enum):
                counts = table[name].cast(pl.String).drop_nulls().value_counts()
                counts = counts.sort([pl.col("count"), pl.col(name)], descending=[True, False])
                known[name] = counts[name].head(most).to_list()
            else:
                raise DataError(
                    f"column '{name}' is {kind}, neither a number nor a category; leave it out or change it"
                )
        if not quantiles and not known:
            raise DataError("the table has no column to learn from")
        return cls(quantiles, known)

    @property
    def names(self) -> list[str]:
        """The columns in the order of the tokens: numbers, then categories."""
        return [*self.quantiles, *self.known]

    @property
    def sizes(self) -> list[int]:
        """How many codes each category has."""
        return [len(values) + FIRST for values in self.known.values()]

    def encode(self, table: pl.DataFrame) -> Encoded:
        """The rows of any table with these columns; others are ignored.

        DataError: a column is not there, or a number's column holds none.
        """
        absent = [name for name in self.names if name not in table.columns]
        if absent:
            raise DataError(f"the model was trained with columns that the table does not have: {', '.join(absent)}")
        odd = [
            name for name in self.quantiles if not (table.schema[name].is_numeric() or table.schema[name] == pl.Null)
        ]
        if odd:
            raise DataError(f"columns that were numbers in training are not: {', '.join(odd)}")
        raw = np.empty((table.height, len(self.quantiles)))
        for nth, name in enumerate(self.quantiles):
            raw[:, nth] = table[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        raw[np.isinf(raw)] = np.nan
        columns = [_scores(raw[:, nth], np.array(known)) for nth, known in enumerate(self.quantiles.values())]
        scores = np.column_stack(columns) if columns else np.empty((table.height, 0), np.float32)
        codes = np.empty((table.height, len(self.known)), np.int64)
        for nth, (name, values) in enumerate(self.known.items()):
            codes[:, nth] = _codes(table[name].cast(pl.String), values)
        return Encoded(raw, scores, codes)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "numbers": {name: list(values) for name, values in self.quantiles.items()},
            "categories": {name: list(values) for name, values in self.known.items()},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """What :meth:`to_dict` gave; KeyError where it is something else."""
        return cls(values["numbers"], values["categories"])


def _scores(values: NDArray[np.float64], quantiles: NDArray[np.float64]) -> NDArray[np.float32]:
    """Normal scores: of a value that many rows share, the middle of its shares."""
    if len(quantiles) == 0:
        return np.full(len(values), np.nan, np.float32)
    share = np.linspace(0, 1, len(quantiles))
    rising = np.interp(values, quantiles, share)
    falling = 1 - np.interp(-values, -quantiles[::-1], share)
    score = ndtri(np.clip((rising + falling) / 2, _EDGE, 1 - _EDGE))
    return np.where(np.isnan(values), np.nan, score).astype(np.float32)


def _codes(values: pl.Series, known: Sequence[str]) -> NDArray[np.int64]:
    codes = values.replace_strict(list(known), range(FIRST, FIRST + len(known)), default=UNKNOWN, return_dtype=pl.Int64)
    found = np.array(codes.fill_null(MISSING).to_numpy(), np.int64)
    found[values.is_null().to_numpy()] = MISSING
    return found
