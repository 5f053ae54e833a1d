"""Why a product is in a list: a code and its arguments, from what goes with it in the data; never a cause."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from danggol.purchase.baselines import ItemToItem, Rows
from danggol.purchase.candidates import own_history
from danggol.purchase.history import History
from danggol.purchase.moments import Moment
from danggol.purchase.samples import Ints, Times

Reason = tuple[str, dict[str, str]]
_TOGETHER = 0.02
_RISING = 1.5
_LOCAL = 30


class Reasons:
    """Tables of a moment from which the reason of a recommendation is read."""

    def __init__(self, moment: Moment) -> None:
        self._moment, self._history = moment, moment.history
        self._rise = moment.features.products["rise_week"]
        self._lately = moment.features.products["buyers_7"]
        share = moment.features.by_country
        edge = np.sort(share, axis=1)[:, -min(_LOCAL, share.shape[1]) :][:, :1]
        self._local = (share >= edge) & (share > 0)

    def of(self, customers: Rows, row: Times, product: Times) -> list[Reason]:
        """The reason of each recommendation: ``row`` is the place of its customer in ``customers``."""
        history = self._history
        bought = _times_bought(history, customers[row], product)
        nearest, weight = _nearest(self._moment, customers, row, product)
        country = history.purchases.country[customers[row]]
        ids = history.purchases.products["product_id"].to_list()
        new_customer = history.order_count[customers[row]] == 0
        never = history.pairs.buyers[product] == 0
        found: list[Reason] = []
        for nth, item in enumerate(product):
            if bought[nth]:
                found.append(("bought_before", {"times": str(bought[nth])}))
            elif never[nth]:
                found.append(("new_product", {}))
            elif weight[nth] >= _TOGETHER:
                found.append(("bought_together", {"product_id": ids[nearest[nth]]}))
            elif self._rise[item] >= _RISING and self._lately[item] >= 3:
                found.append(("trending", {}))
            elif self._local[country[nth], item] and history.purchases.countries[country[nth]]:
                found.append(("popular_in_country", {"country": history.purchases.countries[country[nth]]}))
            else:
                found.append(("new_customer" if new_customer[nth] else "popular", {}))
        return found


def _times_bought(history: History, customer: NDArray[np.integer], product: Times) -> Times:
    pairs = history.pairs
    key = customer.astype(np.int64) * history.products + product
    if len(pairs.key) == 0:
        return np.zeros(len(key), np.int64)
    place = np.minimum(np.searchsorted(pairs.key, key), len(pairs.key) - 1)
    return np.where(pairs.key[place] == key, pairs.count[place], 0)


def _nearest(moment: Moment, customers: Rows, row: Times, product: Times) -> tuple[Ints, NDArray[np.float32]]:
    """Of each recommendation, the product of the own history that EASE weighs most, and that weight."""
    scorer = next(scorer for scorer in moment.scorers if scorer.name == "ease")
    assert isinstance(scorer, ItemToItem)
    where = np.full(moment.history.products, -1, np.int64)
    where[scorer.kept] = np.arange(len(scorer.kept))
    of_row, owned = own_history(moment.history, customers, 200)
    there = where[owned] >= 0
    of_row, owned = of_row[there], owned[there]
    count = np.bincount(of_row, minlength=len(customers))
    begin = np.cumsum(count) - count
    nearest, weight = np.zeros(len(row), np.int32), np.full(len(row), -1.0, np.float32)
    some = np.flatnonzero((count[row] > 0) & (where[product] >= 0))
    if len(some) == 0:
        return nearest, weight
    length = count[row[some]]
    start = np.cumsum(length) - length
    place = np.arange(length.sum()) - np.repeat(start, length) + np.repeat(begin[row[some]], length)
    values = scorer.item_weights[where[owned[place]], np.repeat(where[product[some]], length)]
    best = np.maximum.reduceat(values, start)
    first = np.flatnonzero(values == np.repeat(best, length))
    first = first[np.unique(np.searchsorted(start, first, side="right"), return_index=True)[1]]
    nearest[some], weight[some] = owned[place[first]], best
    return nearest, weight
