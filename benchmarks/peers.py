"""Peers of the purchase model that a shop does not get with the package: ``implicit``'s ALS and a plain LambdaRank.

Both were chosen by nDCG@10 on Online Retail's cuts 2011-09-10 and 2011-10-10: LambdaRank from five settings, ALS from
23 of factors, regularisation, confidence, sweeps and weighting (counts, logarithms, squares, BM25).
"""

from __future__ import annotations

from typing import Self

import lightgbm as lgb
import numpy as np
from implicit.als import AlternatingLeastSquares

from danggol.purchase.baselines import Popularity, Rows, Scorer, Scores
from danggol.purchase.evaluate import Blended
from danggol.purchase.history import History
from danggol.purchase.moments import member, targets
from danggol.purchase.samples import DAY, Floats, Times

HORIZON_DAYS = 30


class ImplicitALS:
    """ALS of the library ``implicit`` on how many orders held the product."""

    name = "implicit-als"

    def __init__(self, factors: int = 128, regularization: float = 30.0, alpha: float = 2.0, sweeps: int = 15) -> None:
        self.settings = {"factors": factors, "regularization": regularization, "alpha": alpha, "iterations": sweeps}

    def fit(self, history: History) -> Self:
        """Factorise."""
        model = AlternatingLeastSquares(**self.settings, random_state=0, num_threads=1)
        model.fit(history.pairs.matrix(history.pairs.count), show_progress=False)
        self.left, self.right = np.asarray(model.user_factors), np.asarray(model.item_factors)
        return self

    def score(self, customers: Rows) -> Scores:
        """Scores (n, products)."""
        return np.asarray(self.left[customers] @ self.right.T, np.float32)


class PlainLambdaRank:
    """LightGBM LambdaRank with ALS scores: the usual two steps, candidates and a ranker, in the fewest lines.

    Candidates: the own history, the ``first`` products by ALS and the ``first`` by recent popularity. Features: scores
    of ALS and of recent popularity, buyers ever, and of the pair its orders, days since, and share of the customer's
    orders. Learns from ``windows`` moments, a horizon apart.
    """

    name = "lambdarank"

    def __init__(self, windows: int = 5, first: int = 100, rounds: int = 200) -> None:
        self.windows, self.first, self.rounds = windows, first, rounds

    def fit(self, history: History) -> Self:
        """Train on past moments, and take the present one's past."""
        values, labels, groups = [], [], []
        for nth in range(1, self.windows + 1):
            at = history.at - nth * HORIZON_DAYS * DAY
            past = _Past(History(history.purchases, at), self.first)
            wanted = targets(history.purchases, at, HORIZON_DAYS)
            known = np.flatnonzero(past.history.order_count)
            buyers = np.intersect1d(np.unique(wanted // history.products), known)
            key, rows = past.rows(buyers)
            values.append(rows)
            labels.append(member(buyers[key // history.products] * history.products + key % history.products, wanted))
            groups.append(np.bincount(key // history.products, minlength=len(buyers)))
        data = lgb.Dataset(np.concatenate(values), np.concatenate(labels), group=np.concatenate(groups))
        chosen = {"objective": "lambdarank", "learning_rate": 0.05, "num_leaves": 31, "min_data_in_leaf": 100}
        chosen |= {"lambdarank_truncation_level": 30, "num_threads": 2, "seed": 0, "deterministic": True, "verbose": -1}
        self.booster = lgb.train(chosen, data, self.rounds)
        self.past = _Past(history, self.first)
        return self

    def score(self, customers: Rows) -> Scores:
        """Scores (n, products): candidates by the ranker, below them the others by popularity."""
        key, rows = self.past.rows(customers)
        size = self.past.history.products
        predicted = np.asarray(self.booster.predict(rows))
        popular = self.past.popular[customers * 0].astype(np.float64)
        dense = popular / (1.0 + popular.max()) - 2.0 - np.abs(predicted).max(initial=0.0)
        dense[key // size, key % size] = predicted
        return np.asarray(dense, np.float32)


class _Past:
    """What candidates and features are read from at one moment."""

    def __init__(self, history: History, first: int) -> None:
        self.history, self.first = history, first
        self.als = ImplicitALS().fit(history)
        self.popular = Popularity().fit(history).score(np.zeros(1, np.int64))

    def rows(self, customers: Rows) -> tuple[Times, Floats]:
        """Sorted keys ``row * products + product`` of the candidates, and their features."""
        history, size = self.history, self.history.products
        pairs, score = history.pairs, self.als.score(customers)
        row = np.full(history.customers, -1, np.int64)
        row[customers] = np.arange(len(customers))
        own = row[pairs.customer] >= 0
        by_als = np.argpartition(-score, self.first, axis=1)[:, : self.first]
        by_sales = np.argsort(-self.popular[0], kind="stable")[: self.first]
        start = np.arange(len(customers), dtype=np.int64)[:, None] * size
        found = [row[pairs.customer[own]] * size + pairs.product[own], start + by_als, start + by_sales[None, :]]
        key = np.unique(np.concatenate([part.ravel() for part in found]))
        place, product = key // size, key % size
        pair = customers[place].astype(np.int64) * size + product
        at = np.minimum(np.searchsorted(pairs.key, pair), len(pairs.key) - 1)
        bought = pairs.key[at] == pair
        orders = np.where(bought, pairs.count[at], 0)
        columns = (
            score[place, product],
            self.popular[0, product],
            pairs.buyers[product],
            orders,
            np.where(bought, pairs.since[at], np.nan),
            orders / history.order_count[customers[place]],
            history.order_count[customers[place]],
        )
        return key, np.column_stack([np.asarray(column, np.float64) for column in columns])


def extra_peers() -> list[Scorer]:
    """The peers in the order of the table; ALS is fitted once and blended with the personal frequency."""
    als = ImplicitALS()
    return [als, Blended(als), PlainLambdaRank()]
