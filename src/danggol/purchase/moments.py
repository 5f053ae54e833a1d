"""A moment: the past before it, the scorers fitted to that past, and the rows they give for some customers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from danggol.purchase.baselines import Rows, Scores
from danggol.purchase.candidates import candidates
from danggol.purchase.features import Features
from danggol.purchase.history import History
from danggol.purchase.retrieval import Content, our_scorers
from danggol.purchase.samples import DAY, Purchases, Times
from danggol.purchase.settings import PurchaseSettings

_CELLS = 12_000_000


@dataclass(frozen=True)
class Batch:
    """Candidates of some customers: ``key = row * products + product``, sorted, ``row`` a place in ``customers``."""

    customers: Rows
    key: Times
    names: list[str]
    values: NDArray[np.float32]
    """(rows, features)"""
    scores: dict[str, Scores]
    """Each scorer's (customers, products)."""
    products: int

    @property
    def row(self) -> Times:
        """(rows,) place in ``customers``."""
        return self.key // self.products

    @property
    def product(self) -> Times:
        """(rows,) code of the product."""
        return self.key % self.products


class Moment:
    """Everything that is computed for one moment (epoch microseconds) from what came before it.

    ``undated``: whether listed products that nobody has bought and that bear no date may be candidates; only where the
    moment is now, for at an earlier one they may not have been there yet.
    """

    def __init__(
        self, purchases: Purchases, at: int, settings: PurchaseSettings, content: Content, undated: bool = False
    ):
        self.settings, self.at = settings, at
        self.history = History(purchases, at)
        self.scorers = [scorer.fit(self.history) for scorer in our_scorers(settings, content)]
        self.features = Features(self.history)
        self.on_offer = on_offer(self.history, undated)

    def batches(self, customers: Rows) -> Iterator[Batch]:
        """The customers' rows, so many customers at a time that memory stays bounded."""
        width = max(1, min(self.settings.chunk, _CELLS // max(self.history.products, 1)))
        for start in range(0, len(customers), width):
            yield self.batch(customers[start : start + width])

    def batch(self, customers: Rows) -> Batch:
        """The rows of these customers at once."""
        scores = {scorer.name: scorer.score(customers) for scorer in self.scorers}
        chosen = self.settings
        key = candidates(self.history, customers, scores, self.on_offer, chosen.candidates, chosen.history_cap)
        names, values = self.features.rows(customers, key, scores)
        return Batch(customers, key, names, values, scores, self.history.products)


def on_offer(history: History, undated: bool) -> NDArray[np.bool_]:
    """(products,) sold in the last 90 days, or never sold but dated before the moment by a listing or an offer."""
    purchases, at = history.purchases, history.at
    lines = history.lines
    listed = purchases.products["listed_at"]
    dated = (listed.fill_null(at).to_numpy() < at) & listed.is_not_null().to_numpy()
    offers = purchases.offers
    dated[offers.product[(offers.valid_from < at) & (offers.valid_to > at)]] = True
    fresh = np.isin(np.arange(history.products), lines.product, invert=True) & (
        dated | (undated & listed.is_null().to_numpy())
    )
    fresh[lines.product[lines.ts >= at - 90 * DAY]] = True
    return np.asarray(fresh, np.bool_)


def targets(purchases: Purchases, at: int, days: float) -> Times:
    """Sorted distinct keys ``customer * products + product`` bought within ``days`` of a moment by known customers."""
    lines = purchases.lines
    start, end = np.searchsorted(lines.ts, [at, at + round(days * DAY)])
    customer, product = lines.customer[start:end], lines.product[start:end]
    known = customer >= 0
    return np.unique(customer[known].astype(np.int64) * purchases.products.height + product[known])


def member(key: Times, sorted_keys: Times) -> NDArray[np.bool_]:
    """Whether each key is among sorted distinct keys."""
    if len(sorted_keys) == 0:
        return np.zeros(len(key), np.bool_)
    place = np.minimum(np.searchsorted(sorted_keys, key), len(sorted_keys) - 1)
    return np.asarray(sorted_keys[place] == key)
