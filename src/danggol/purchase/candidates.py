"""Which products are ranked for a customer: the own history, what scorers put first, what sells now, what is new."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from danggol.purchase.baselines import Rows, Scores
from danggol.purchase.history import History
from danggol.purchase.samples import Times

GENERATORS = ("rising", "recent", "next_new", "next_any", "neighbours", "ease")
_POPULAR = 30
_LOOKED_AT_DAYS = 30


def candidates(
    history: History,
    customers: Rows,
    scores: Mapping[str, Scores],
    on_offer: NDArray[np.bool_],
    per_scorer: int,
    cap: int,
) -> Times:
    """Sorted keys ``row * products + product`` of the candidates; ``row`` is the place in ``customers``.

    The own history always is among them, its latest ``cap`` products at most. ``on_offer`` (products,) says what may be
    recommended beside it.
    """
    size = history.products
    row, product = own_history(history, customers, cap)
    found = [row * size + product]
    bought = np.zeros((len(customers), size), np.bool_)
    bought[row, product] = True
    shown = bought | ~on_offer[None, :]
    found += [_first(np.where(shown, -np.inf, scores[name]), per_scorer) for name in GENERATORS if name in scores]
    if "content" in scores:
        never = on_offer & (history.pairs.buyers == 0)
        if never.any():
            found.append(_first(np.where(never[None, :], scores["content"], -np.inf), max(1, per_scorer // 4)))
    everyone = popular_now(history, on_offer)
    found.append((np.arange(len(customers), dtype=np.int64)[:, None] * size + everyone[None, :]).ravel())
    found.append(_looked_at(history, customers, on_offer))
    return np.unique(np.concatenate(found))


def own_history(history: History, customers: Rows, cap: int) -> tuple[Times, Times]:
    """Rows (places in ``customers``) and products of what each has bought, the latest ``cap`` of each."""
    pairs = history.pairs
    start, end = np.searchsorted(pairs.customer, customers), np.searchsorted(pairs.customer, customers, side="right")
    length = end - start
    row = np.repeat(np.arange(len(customers), dtype=np.int64), length)
    place = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length) + np.repeat(start, length)
    if len(length) and length.max(initial=0) > cap:
        order = np.lexsort((pairs.since[place], row))
        nth = np.arange(len(order)) - np.repeat(np.cumsum(length) - length, length)
        keep = order[nth < cap]
        row, place = row[keep], place[keep]
    return row, pairs.product[place].astype(np.int64)


def popular_now(history: History, on_offer: NDArray[np.bool_]) -> Times:
    """What most customers bought in the last 7 and 30 days, and what most bought for the first time in 7."""
    first = np.bincount(history.pairs.product[history.pairs.age <= 7], minlength=history.products)
    counts = (history.buyers_since(7), history.buyers_since(30), first)
    chosen = [np.argsort(-np.where(on_offer, count, -1), kind="stable")[:_POPULAR] for count in counts]
    together = np.unique(np.concatenate(chosen)).astype(np.int64)
    return together[on_offer[together]]


def _first(scores: NDArray[np.floating], count: int) -> Times:
    """Keys of the ``count`` highest finite scores of each row."""
    size = scores.shape[1]
    count = min(count, size)
    place = np.argpartition(-scores, count - 1, axis=1)[:, :count]
    keys = np.arange(len(scores), dtype=np.int64)[:, None] * size + place
    return np.asarray(keys[np.isfinite(np.take_along_axis(scores, place, axis=1))])


def _looked_at(history: History, customers: Rows, on_offer: NDArray[np.bool_]) -> Times:
    """Keys of what the customers viewed or put in a cart lately."""
    interest = history.purchases.interest
    recent = interest.ts >= history.at - int(_LOOKED_AT_DAYS * 86_400e6)
    row = np.full(history.customers, -1, np.int64)
    row[customers] = np.arange(len(customers))
    rows, products = row[interest.customer[recent]], interest.product[recent].astype(np.int64)
    there = (rows >= 0) & on_offer[products]
    return np.unique(rows[there] * history.products + products[there])
