"""A flag on listings that must not be sold, learnt from the user's own labels.

The same model as for attributes reads title and picture. A flag is a question of cost: the threshold is the lowest
probability at which flagged held-out listings are unsafe in at least the share ``precision`` of cases, so that as many
unsafe listings as possible are found without flagging too many others. What is flagged is for a person to look at.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from danggol.errors import DataError, UsageError
from danggol.matching.catalogue.attributes import AttributeModel
from danggol.matching.catalogue.fusion import threshold
from danggol.matching.catalogue.items import Items

ATTRIBUTE = "unsafe"
_FEWEST, _LEAST = 10, 5
"""Labels of a kind that are needed, and flagged held-out listings that a precision is measured on."""


class UnsafeModel:
    """Flags unsafe listings; ``precision`` is wanted among the flagged, settings are those of the attribute model."""

    def __init__(self, precision: float = 0.8, **settings: Any) -> None:
        if not 0 < precision <= 1:
            raise UsageError(f"precision must lie above 0 and not above 1, got {precision}")
        self.precision = precision
        self.model = AttributeModel(**{"held": 0.25, **settings})

    def learn(self, items: Items, unsafe: ArrayLike) -> Self:
        """Learn from listings and labels (listings,): 1 unsafe, 0 safe, nan not known.

        DataError: fewer than 10 listings of a kind, or another label.
        """
        label = np.asarray(unsafe, np.float64)
        known = np.isfinite(label)
        if not np.isin(label[known], (0, 1)).all():
            raise DataError("labels must be 0 (safe), 1 (unsafe) or missing; another value was found")
        for value, name in ((0, "safe"), (1, "unsafe")):
            if (count := int((label == value).sum())) < _FEWEST:
                raise DataError(f"{count} listings are labelled {name}; the flag needs {_FEWEST} or more")
        words = ["unsafe" if one == 1 else "safe" if one == 0 else None for one in label]
        self.model.learn(items, pl.DataFrame({ATTRIBUTE: words}))
        column = self._column()
        for kinds, (logs, codes) in self.model.held_out[ATTRIBUTE].items():
            told = codes >= 0
            needed = threshold(np.exp(logs[told, column]), codes[told] == column, self.precision, _LEAST)
            self.model.pools[ATTRIBUTE][kinds] = replace(self.model.pools[ATTRIBUTE][kinds], threshold=needed)
        return self

    def _column(self) -> int:
        return self.model.values[ATTRIBUTE].index("unsafe")

    def probability(self, items: Items) -> NDArray[np.float64]:
        """Probability (listings,) that each is unsafe."""
        logs, _ = self.model.log_probabilities(items)
        return np.asarray(np.exp(logs[ATTRIBUTE][:, self._column()]))

    def predict(self, items: Items) -> pl.DataFrame:
        """product_id, probability, flagged."""
        logs, needed = self.model.log_probabilities(items)
        chance = np.exp(logs[ATTRIBUTE][:, self._column()])
        return pl.DataFrame(
            {
                "product_id": pl.Series(items.ids, dtype=pl.String),
                "probability": chance,
                "flagged": chance >= needed[ATTRIBUTE],
            }
        )

    def save(self, folder: str | Path) -> Path:
        """Save to a folder as plain files."""
        return self.model.save(folder)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Load a saved flag; DataError where the folder holds another model."""
        found = cls()
        found.model = AttributeModel.load(folder)
        if list(found.model.values) != [ATTRIBUTE]:
            raise DataError(f"{folder} holds a model of other attributes, not the flag; give the folder of one")
        return found
