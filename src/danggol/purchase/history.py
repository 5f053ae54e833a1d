"""The past of a moment, summed up: what is known of each customer, product and pair of them before it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from danggol.purchase.samples import DAY, Floats, Ints, Lines, Purchases, Times

Matrix = Any
"""A scipy CSR matrix (customers, products) of float32."""


@dataclass(frozen=True)
class Cells:
    """One row a customer, product and order, sorted by pair and time."""

    key: Times
    """``customer * products + product``"""
    days: Floats
    """days since the epoch"""
    order: Ints
    quantity: Floats
    price: Floats
    """highest unit price of the order's lines; nan where none is known"""
    nth_last: Ints
    """how many later orders the customer has placed"""


class History:
    """Everything before ``at`` (epoch microseconds) of all customers; the tables are made when first asked for."""

    def __init__(self, purchases: Purchases, at: int) -> None:
        self.purchases, self.at = purchases.before(at), at
        self.now = at / DAY
        self.customers, self.products = purchases.customers.height, purchases.products.height
        lines = self.purchases.lines
        self.lines = lines
        self.known: Lines = lines.take(np.flatnonzero(lines.customer >= 0))

    @cached_property
    def orders(self) -> tuple[Ints, Floats, Times]:
        """Orders of known customers, sorted by customer and time: customer, days; and where each customer starts."""
        order, first = np.unique(self.known.order, return_index=True)
        customer, days = self.known.customer[first], self.known.ts[first] / DAY
        place = np.lexsort((order, days, customer))
        starts = np.searchsorted(customer[place], np.arange(self.customers + 1))
        self._order_ids = order[place]
        return customer[place], days[place], starts.astype(np.int64)

    @cached_property
    def order_count(self) -> Times:
        """(customers,) orders so far."""
        return np.diff(self.orders[2])

    @cached_property
    def cells(self) -> Cells:
        """The lines of known customers, those of one order and product summed up."""
        known = self.known
        key = known.customer.astype(np.int64) * self.products + known.product
        place = np.lexsort((known.order, known.ts, key))
        key, order = key[place], known.order[place]
        starts = np.flatnonzero(_changes(key) | _changes(order))
        customer, _, begin = self.orders
        later = np.zeros(int(self.lines.order.max(initial=-1)) + 1, np.int32)
        later[self._order_ids] = begin[customer + 1] - 1 - np.arange(len(customer))
        price = known.price[place]
        top = np.maximum.reduceat(np.nan_to_num(price, nan=-1.0), starts) if len(starts) else price
        return Cells(
            key[starts],
            known.ts[place][starts] / DAY,
            order[starts],
            np.add.reduceat(known.quantity[place], starts) if len(starts) else known.quantity,
            np.where(top < 0, np.nan, top),
            later[order[starts]],
        )

    @cached_property
    def pairs(self) -> Pairs:
        """What is known of each customer with each product bought."""
        return Pairs(self)

    def bought_since(self, days: float) -> Times:
        """Sorted distinct pair keys bought in the last ``days``."""
        return np.unique(self.cells.key[self.cells.days >= self.now - days])

    def buyers_since(self, days: float) -> Times:
        """(products,) distinct known customers who bought in the last ``days``."""
        return np.bincount(self.bought_since(days) % self.products, minlength=self.products)

    def matrix(self, key: Times, values: NDArray[Any] | None = None) -> Matrix:
        """Distinct pair keys as a sparse matrix (customers, products) of float32, 1 where no values are given."""
        data = np.ones(len(key), np.float32) if values is None else values.astype(np.float32)
        place = (key // self.products, key % self.products)
        return sp.csr_matrix((data, place), shape=(self.customers, self.products))

    def kept(self, cap: int) -> tuple[Ints, Times]:
        """The ``cap`` most bought products, which item-to-item matrices are over, and each product's place (or -1)."""
        count = self.pairs.buyers
        chosen = np.sort(np.argsort(-count, kind="stable")[: min(cap, int((count > 0).sum()))])
        where = np.full(self.products, -1, np.int64)
        where[chosen] = np.arange(len(chosen))
        return chosen.astype(np.int32), where


class Pairs:
    """One row a customer and product bought, sorted by ``key``; times are days before the moment."""

    def __init__(self, history: History) -> None:
        cells, now = history.cells, history.now
        self.start = np.flatnonzero(_changes(cells.key))
        self.key = cells.key[self.start]
        self.count = np.diff(np.append(self.start, len(cells.key)))
        self.final = self.start + self.count - 1
        self.customer = (self.key // history.products).astype(np.int32)
        self.product = (self.key % history.products).astype(np.int32)
        self.since = now - cells.days[self.final]
        self.age = now - cells.days[self.start]
        self.orders_since = cells.nth_last[self.final]
        self.buyers = np.bincount(self.product, minlength=history.products)
        self._history = history

    def summed(self, values: NDArray[Any]) -> Floats:
        """Sum a value of the cells over each pair."""
        if len(self.start) == 0:
            return np.zeros(0)
        return np.asarray(np.add.reduceat(values.astype(np.float64), self.start))

    def matrix(self, values: NDArray[Any] | None = None) -> Matrix:
        """Values of the pairs as a sparse matrix (customers, products); 1 where not given."""
        return self._history.matrix(self.key, values)

    def faded(self, half_life: float) -> Matrix:
        """How recently each pair was bought: ``2 ** (-since / half_life)``."""
        return self.matrix(np.exp2(-self.since / half_life))


def _changes(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Where a sorted array takes a new value."""
    return np.concatenate([np.ones(min(len(values), 1), np.bool_), values[1:] != values[:-1]])
