"""Purchases of several countries as arrays: products are shared between countries, customers are not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
import scipy.sparse as sp
from numpy.typing import NDArray

from danggol.errors import DataError

Codes = NDArray[np.integer[Any]]
Matrix = Any
"""A SciPy CSR matrix of float32."""

COLUMNS = ("market", "customer_id", "product_id", "day", "rating")
_SENDER = ["market", "customer_id"]


@dataclass(frozen=True)
class MarketHistory:
    """Rows sorted by customer, day and given order; a customer's last row is the latest.

    Codes number the names: ``home`` (customers,) is each customer's market, ``sold`` (markets, products) tells which
    products a market sells, ``day`` counts from 1970-01-01.
    """

    markets: list[str]
    names: pl.DataFrame
    """market and customer_id of each customer code"""
    products: NDArray[np.str_]
    sold: NDArray[np.bool_]
    home: Codes
    customer: Codes
    product: Codes
    day: Codes
    rating: NDArray[np.float32]

    @classmethod
    def of(cls, rows: pl.DataFrame, catalogue: pl.DataFrame | None = None) -> MarketHistory:
        """Read a frame of ``COLUMNS`` (day is a date); ``catalogue`` (market, product_id) adds what markets sell.

        Raises DataError where a column is missing, a value is empty, or there are no rows.
        """
        missing = [name for name in COLUMNS if name not in rows.columns]
        if missing:
            raise DataError(f"the rows of the markets lack the column '{missing[0]}' (needed: {', '.join(COLUMNS)})")
        if rows.height == 0 or sum(rows.select(COLUMNS).null_count().row(0)):
            raise DataError("the rows of the markets are none, or hold empty values; drop or fill those first")
        rows = rows.with_row_index("_at").sort([*_SENDER, "day", "_at"])
        customer = rows.select(pl.struct(_SENDER).rle_id()).to_series().to_numpy().astype(np.int64)
        names = rows.select(_SENDER).unique(maintain_order=True)
        pairs = rows.select("market", "product_id")
        if catalogue is not None:
            pairs = pl.concat([pairs, catalogue.select("market", "product_id")])
        market_names, market = np.unique(pairs["market"].to_numpy().astype(str), return_inverse=True)
        products, product = np.unique(pairs["product_id"].to_numpy().astype(str), return_inverse=True)
        sold = np.zeros((len(market_names), len(products)), np.bool_)
        sold[market, product] = True
        home = np.zeros(names.height, np.int64)
        home[customer] = market[: rows.height]
        day = rows["day"].cast(pl.Date).to_physical().to_numpy().astype(np.int64)
        rating = rows["rating"].to_numpy().astype(np.float32)
        return cls(market_names.tolist(), names, products, sold, home, customer, product[: rows.height], day, rating)

    @property
    def shape(self) -> tuple[int, int]:
        """Customers and products."""
        return len(self.home), len(self.products)

    def without_last(self) -> tuple[MarketHistory, Codes]:
        """The history without each customer's last row, and that row's product (customers,); -1 where no row is."""
        last = np.r_[self.customer[1:] != self.customer[:-1], True][: len(self.customer)]
        target = np.full(len(self.home), -1, np.int64)
        target[self.customer[last]] = self.product[last]
        kept = {name: getattr(self, name)[~last] for name in ("customer", "product", "day", "rating")}
        return replace(self, **kept), target

    def matrix(self, weight: NDArray[Any] | None = None) -> Matrix:
        """(customers, products) float32: the largest weight of a customer's rows of a product; 1 without weights."""
        value = np.ones(len(self.customer), np.float32) if weight is None else weight.astype(np.float32)
        key = self.customer * len(self.products) + self.product
        order = np.lexsort((-value, key))
        first = order[np.r_[True, np.diff(key[order]) > 0][: len(order)]]
        return sp.csr_matrix((value[first], (self.customer[first], self.product[first])), shape=self.shape)

    def back(self) -> Codes:
        """How many rows of the customer come after each row (rows,)."""
        end = np.searchsorted(self.customer, self.customer, side="right")
        return np.asarray(end - 1 - np.arange(len(self.customer)))

    def last_day(self) -> Codes:
        """The customers' last days (customers,); the history's first day where there is no row."""
        found = np.full(len(self.home), self.day.min(initial=0), np.int64)
        np.maximum.at(found, self.customer, self.day)
        return found

    def rows(self) -> pl.DataFrame:
        """The frame of ``COLUMNS`` that this was read from, sorted."""
        return self.names[self.customer].with_columns(
            pl.Series("product_id", self.products[self.product]),
            pl.Series("day", self.day.astype(np.int32)).cast(pl.Date),
            pl.Series("rating", self.rating),
        )

    def catalogue(self) -> pl.DataFrame:
        """What each market sells: market, product_id."""
        market, product = np.nonzero(self.sold)
        return pl.DataFrame({"market": np.array(self.markets)[market], "product_id": self.products[product]})
