"""Scores and features of customer and product from the purchases of several markets.

Item-to-item models are fitted to all markets together, so that small markets borrow from large ones, and once for each
market with its own rows weighing more. EASE: Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019.
Weighting the last items: after Ludewig & Jannach, "Evaluation of session-based recommendation algorithms", UMUAI 2018.
Similar customers: Sarwar et al., "Analysis of recommendation algorithms for e-commerce", EC 2000, with weights for rare
products.

What a market's customers buy after the customer's last day is used, as in the literature's leave-one-out protocol;
``later=False`` in the settings leaves the windows of later sales out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from pydantic import Field

from danggol.purchase.baselines import ease, gram
from danggol.purchase.markets.history import Codes, MarketHistory, Matrix
from danggol.settings import Settings

Scores = NDArray[np.float32]
CANDIDATES = ("ease_last", "ease_market", "ease_wide", "neighbours")
SOLD = ("sold_market", "sold_all", "before_90", "before_360", "after_90", "after_360", "after_180_all")
"""More of these never lowers a score: what a protocol hides of a rare product must not be read off its count."""
NAMES = (
    *("ease_narrow", "ease_wide", "ease_last", "ease_recent", "ease_market", "ease_market_last"),
    *("day_last", "day_all", "day_best", "cosine", "cosine_best", "next", "neighbours", "neighbours_market"),
    *SOLD,
    *("age", "ends", "rating", "history", "last_size", "last_day", "market", "range"),
)
_BIN = 30
"""Days of a step of the sales windows."""


class MarketSettings(Settings):
    """Settings of the model of several markets; chosen on the validation items of XMarket."""

    narrow: float = Field(default=30.0, gt=0, description="ridge of the EASE that follows single products")
    wide: float = Field(default=400.0, gt=0, description="ridge of the EASE that follows broad taste")
    market_ridge: float = Field(default=100.0, gt=0, description="ridge of the markets' own EASE")
    market_weight: float = Field(default=4.0, ge=0, description="weight of the own market's rows there, others 1")
    decay: float = Field(default=0.6, gt=0, le=1, description="weight of an item against the one bought after it")
    later: bool = Field(default=True, description="use sales after a customer's last day, as leave-one-out does")
    candidates: int = Field(default=30, ge=1, description="products taken from each of four scorers")
    spread: int = Field(default=60, ge=0, description="products drawn from the market to learn from, beside those")
    spread_weight: float = Field(default=0.3, gt=0, description="weight of the rows of drawn products, candidates 1")
    rounds: int = Field(default=150, ge=1, description="trees of the ranker")
    learning_rate: float = Field(default=0.1, gt=0, le=1, description="of the ranker")
    leaves: int = Field(default=15, ge=2, le=1024, description="of the ranker's tree")
    threads: int = Field(default=1, ge=1, description="threads of the ranker")
    seed: int = Field(default=0, ge=0, lt=2**31, description="seed of everything random")


@dataclass(frozen=True)
class Block:
    """Some customers of one market: ``scores`` (customers, products of the market) by name, and what is bought."""

    customers: Codes
    scores: dict[str, Scores]
    bought: NDArray[np.bool_]

    def candidates(self, first: int) -> NDArray[np.bool_]:
        """The ``first`` products of each scorer among those not bought (customers, products)."""
        chosen = np.zeros_like(self.bought)
        first = min(first, chosen.shape[1])
        for name in CANDIDATES:
            open_to = np.where(self.bought, -np.inf, self.scores[name])
            top = np.argpartition(-open_to, first - 1, axis=1)[:, :first]
            np.put_along_axis(chosen, top, True, axis=1)
        return chosen & ~self.bought

    def values(self, row: Codes, column: Codes) -> Scores:
        """Features (pairs, ``NAMES``) of the pairs of a row and a column of this block."""
        return np.column_stack([np.broadcast_to(self.scores[name], self.bought.shape)[row, column] for name in NAMES])


class MarketFeatures:
    """Everything that is fitted to a history, before the ranker."""

    def __init__(self, history: MarketHistory, settings: MarketSettings) -> None:
        self.history, self.settings = history, settings
        self.bought = history.matrix()
        self.last = history.last_day()
        of_last = history.day == self.last[history.customer]
        self._last_rows = history.matrix(of_last.astype(np.float32))
        self._last_rows.eliminate_zeros()
        self._recent_rows = history.matrix(settings.decay ** history.back())
        together = gram(self.bought)
        self._narrow, self._wide = ease(together, settings.narrow), ease(together, settings.wide)
        size = np.diag(together).astype(np.float32)
        self._cosine = together / np.sqrt((size + 3)[:, None] * (size + 3)[None, :])
        np.fill_diagonal(self._cosine, 0.0)
        self._same_day = _same_day(history)
        self._next = _following(history, size)
        rare = np.log(len(history.home) / (size + 1)).astype(np.float32)
        weighted = self.bought @ sp.diags(rare)
        length = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
        self._alike = sp.csr_matrix(sp.diags(1 / np.maximum(length, 1e-6)) @ weighted, dtype=np.float32)
        self._count_sales()

    def _count_sales(self) -> None:
        """Sales (markets, steps, products) summed over time, first and last days, and mean ratings."""
        history = self.history
        self._start = int(history.day.min(initial=0))
        steps = (int(history.day.max(initial=0)) - self._start) // _BIN + 2
        market = history.home[history.customer]
        self._sales = np.zeros((len(history.markets), steps + 1, len(history.products)), np.float32)
        np.add.at(self._sales, (market, (history.day - self._start) // _BIN + 1, history.product), 1)
        self._sales = self._sales.cumsum(axis=1)
        self._first = np.full(history.sold.shape, np.iinfo(np.int32).max, np.int64)
        self._final = np.zeros(history.sold.shape, np.int64)
        np.minimum.at(self._first, (market, history.product), history.day)
        np.maximum.at(self._final, (market, history.product), history.day)
        count = np.bincount(history.product, minlength=len(history.products))
        total = np.bincount(history.product, history.rating, minlength=len(history.products))
        self._rating = (total / np.maximum(count, 1)).astype(np.float32)

    def market(self, market: int) -> MarketView:
        """The features of one market's customers and products."""
        return MarketView(self, market)


class MarketView:
    """One market's part of the features: the matrices' columns of its products, and its own EASE."""

    def __init__(self, features: MarketFeatures, market: int) -> None:
        self._of, self.market = features, market
        history, settings = features.history, features.settings
        self.customers = np.flatnonzero(history.home == market)
        self.products = np.flatnonzero(history.sold[market])
        self.column = np.full(len(history.products), -1, np.int64)
        self.column[self.products] = np.arange(len(self.products))
        here = features.bought[:, self.products]
        self._rows = here
        own = here[self.customers]
        self._own_alike, self._own = features._alike[self.customers].T.tocsr(), own
        self._all_alike = features._alike.T.tocsr()
        self._ease = ease(gram(here) + settings.market_weight * gram(own), settings.market_ridge)
        for name in ("_narrow", "_wide", "_cosine", "_same_day", "_next"):
            setattr(self, name, np.ascontiguousarray(getattr(features, name)[:, self.products]))
        self._sold = features._sales[market][:, self.products]
        self._sold_all = features._sales[:, :, self.products].sum(axis=0)

    _narrow: Scores
    _wide: Scores
    _cosine: Scores
    _same_day: Scores
    _next: Scores

    def block(self, customers: Codes) -> Block:
        """Scores of some of the market's customers (codes) for all of its products."""
        of = self._of
        rows, last, recent = of.bought[customers], of._last_rows[customers], of._recent_rows[customers]
        found = {
            "ease_narrow": rows @ self._narrow,
            "ease_wide": rows @ self._wide,
            "ease_last": last @ self._narrow,
            "ease_recent": recent @ self._narrow,
            "ease_market": rows[:, self.products] @ self._ease,
            "ease_market_last": last[:, self.products] @ self._ease,
            "day_last": last @ self._same_day,
            "day_all": rows @ self._same_day,
            "day_best": _best(recent, self._same_day),
            "cosine": recent @ self._cosine,
            "cosine_best": _best(rows, self._cosine),
            "next": recent @ self._next,
        }
        bought = self._rows[customers].toarray()
        alike = of._alike[customers]
        # each customer is the own nearest neighbour, with weight 1
        found["neighbours"] = ((alike @ self._all_alike).power(2) @ self._rows).toarray() - bought
        found["neighbours_market"] = ((alike @ self._own_alike).power(2) @ self._own).toarray() - bought
        found |= self._sales(customers) | self._facts(customers, rows, last)
        return Block(customers, {name: np.asarray(found[name], np.float32) for name in NAMES}, bought > 0)

    def _sales(self, customers: Codes) -> dict[str, Any]:
        """Sales in windows of days before and after the customers' last days."""
        most = self._sold.shape[0] - 1
        now = (self._of.last[customers] - self._of._start) // _BIN + 1

        def window(sold: Scores, first: int, last: int) -> Scores:
            return np.asarray(sold[np.clip(now + last, 0, most)] - sold[np.clip(now + first, 0, most)])

        after = 1.0 if self._of.settings.later else 0.0
        whole = [np.log1p(sold[-1])[None, :] for sold in (self._sold, self._sold_all)]
        return {
            "sold_market": whole[0],
            "sold_all": whole[1],
            "before_90": window(self._sold, -4, 0),
            "before_360": window(self._sold, -13, 0),
            "after_90": after * window(self._sold, -1, 3),
            "after_360": after * window(self._sold, -1, 12),
            "after_180_all": after * window(self._sold_all, -1, 6),
        }

    def _facts(self, customers: Codes, rows: Matrix, last: Matrix) -> dict[str, Any]:
        """Age of products at the customers' last days, their ratings, and the customers' sizes."""
        of, days = self._of, self._of.last[customers][:, None]
        ends = of._final[self.market][self.products][None, :] - days
        return {
            "age": days - of._first[self.market][self.products][None, :],
            "ends": ends if of.settings.later else np.minimum(ends, 0),
            "rating": of._rating[self.products][None, :],
            "history": np.diff(rows.indptr)[:, None],
            "last_size": np.diff(last.indptr)[:, None],
            "last_day": days,
            "market": np.array([[self.market]]),
            "range": np.array([[len(self.products)]]),
        }


def _best(rows: Matrix, weights: Scores) -> Scores:
    """The largest of a row's products' weighted rows of ``weights`` (rows, columns); 0 where a row is empty."""
    out = np.zeros((rows.shape[0], weights.shape[1]), np.float32)
    some = np.flatnonzero(np.diff(rows.indptr))
    if len(some):
        out[some] = np.maximum.reduceat(weights[rows.indices] * rows.data[:, None], rows.indptr[some], axis=0)
    return out


def _same_day(history: MarketHistory) -> Scores:
    """Share of a product's customer-days on which another was bought too (products, products), shrunk."""
    key = history.customer * (int(history.day.max(initial=0)) + 1) + history.day
    visits, visit = np.unique(key, return_inverse=True)
    rows = sp.csr_matrix(
        (np.ones(len(visit), np.float32), (visit, history.product)), shape=(len(visits), len(history.products))
    )
    rows.sum_duplicates()
    rows.data[:] = 1
    together = gram(rows)
    share = together / (np.diag(together)[:, None] + 2)
    np.fill_diagonal(share, 0.0)
    return np.asarray(share, np.float32)


def _following(history: MarketHistory, size: Scores) -> Scores:
    """How often a product followed another on a later day, within four rows (products, products), shrunk."""
    products = len(history.products)
    found = sp.csr_matrix((products, products), dtype=np.float32)
    for step in range(1, 5):
        ours, theirs = slice(None, -step), slice(step, None)
        later = (history.customer[ours] == history.customer[theirs]) & (history.day[ours] < history.day[theirs])
        place = (history.product[ours][later], history.product[theirs][later])
        found = found + sp.csr_matrix(
            (np.full(int(later.sum()), 0.7 ** (step - 1), np.float32), place), shape=(products, products)
        )
    dense = found.toarray() / (size[:, None] + 5)
    np.fill_diagonal(dense, 0.0)
    return np.asarray(dense, np.float32)
