"""How much of each listing is in store, for all countries together.

When what is there and on its way falls to ``lead_weeks + 2`` weeks of expected sales and a unit, enough for
``cover_weeks`` and three units is ordered, and arrives ``lead_weeks`` later; a share ``careless`` of these orders is
forgotten until the listing has run out. Expected sales begin with the pilot's and follow what is sold. Within a week
more can be sold than is there (the shop counts at night); what is owed is taken from the next arrival.
"""

from __future__ import annotations

import numpy as np

from danggol.twin.people import Bools, Floats, Ints
from danggol.twin.sections import Stock

_MEMORY, _LEAST, _SPARE = 0.15, 0.05, 3


class Store:
    """Units (products,) in store and on their way."""

    def __init__(self, settings: Stock, expected: Floats) -> None:
        self.settings = settings
        self.expected = np.maximum(expected, _LEAST)
        self.units = self._target()
        self.coming: dict[int, Ints] = {}
        self.forgotten = np.zeros(len(expected), dtype=bool)

    def _target(self) -> Ints:
        """(products,) units that are ordered up to."""
        target: Ints = np.ceil(self.settings.cover_weeks * self.expected).astype(np.int64) + _SPARE
        return target

    def there(self) -> Bools:
        """(products,) what can be sold."""
        return self.units > 0

    def on_the_way(self) -> Ints:
        """(products,) units ordered and not yet here."""
        return sum(self.coming.values(), np.zeros(len(self.units), dtype=np.int64))

    def receive(self, week: int) -> None:
        """Take in what arrives at the beginning of a week."""
        arrived = self.coming.pop(week, None)
        if arrived is not None:
            self.units += arrived

    def order(self, week: int, units: Ints) -> None:
        """Order units (products,), which arrive after the lead time."""
        self.coming[week + 1 + self.settings.lead_weeks] = (
            self.coming.get(week + 1 + self.settings.lead_weeks, np.zeros(len(self.units), dtype=np.int64)) + units
        )

    def sell(self, week: int, sold: Ints, rng: np.random.Generator) -> None:
        """Take what a week sold (products,) out, and reorder."""
        open_days = self.units > 0
        self.units -= sold
        self.expected = np.where(open_days, (1 - _MEMORY) * self.expected + _MEMORY * sold, self.expected)
        self.expected = np.maximum(self.expected, _LEAST)
        position = self.units + self.on_the_way()
        low = position <= (self.settings.lead_weeks + 2) * self.expected + 1
        forgets = rng.random(len(low)) < self.settings.careless
        self.forgotten = (self.forgotten | (low & forgets)) & (self.units > 0)
        wanted = self._target() - position
        self.order(week, np.where(low & ~self.forgotten, np.maximum(wanted, 0), 0))
