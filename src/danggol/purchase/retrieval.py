"""Our own scorers: they find candidates and their scores are features of the ranker."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, Self

import numpy as np
import polars as pl
import scipy.linalg as sl
import scipy.sparse as sp
from numpy.typing import NDArray

from danggol.purchase.baselines import ALS, EASE, ItemToItem, Rows, Scorer, Scores, ease, gram
from danggol.purchase.history import History, Matrix
from danggol.purchase.kernel import NextKernel
from danggol.purchase.samples import Times
from danggol.purchase.settings import PurchaseSettings

_ROOM = 6000
"""Products whose cosines with one another are kept between moments: the square of it, times 4 bytes."""


class Content:
    """How alike products are in words and groups: cosine of TF-IDF over the tokens of title, category and brand.

    A shop's table of products bears no times of change, so its words are taken as they are.
    """

    name = "content"

    def __init__(self, products: pl.DataFrame, halved_by: float = 3.0) -> None:
        self.tokens = token_matrix(products)
        self._alike: Scores | None = None
        self.halved_by = halved_by

    def fit(self, history: History) -> Self:
        """Sum up each customer's latest purchases; the weight halves every ``halved_by`` later orders."""
        pairs = history.pairs
        profile = pairs.matrix(np.exp2(-pairs.orders_since / self.halved_by)) @ self.tokens
        self._profile = sp.csr_matrix(profile, dtype=np.float32)
        self._by_token = self.tokens.T.tocsr()
        return self

    def alike(self, products: NDArray[np.integer[Any]]) -> Scores:
        """Cosines of these products, (n, n); those of all products are kept where they take little room."""
        if self.tokens.shape[0] > _ROOM:
            return gram(self.tokens[products].T.tocsr())
        if self._alike is None:
            self._alike = gram(self.tokens.T.tocsr())
        return np.asarray(self._alike[np.ix_(products, products)])

    def score(self, customers: Rows) -> Scores:
        """Scores (n, products)."""
        return np.asarray((self._profile[customers] @ self._by_token).toarray(), np.float32)


def token_matrix(products: pl.DataFrame) -> Matrix:
    """TF-IDF rows of length 1 (products, tokens) of title, category and brand, without tokens of one product only."""
    texts = products.select(pl.concat_str(["title", "category", "brand"], separator=" ", ignore_nulls=True)).to_series()
    words = [sorted(set(re.findall(r"\w+", (text or "").lower()))) for text in texts.to_list()]
    seen = Counter(word for found in words for word in found)
    place = {word: n for n, word in enumerate(sorted(word for word, times in seen.items() if times > 1))}
    columns = [[place[word] for word in found if word in place] for found in words]
    weight = np.zeros(max(len(place), 1), np.float32)
    weight[: len(place)] = [np.log(len(words) / seen[word]) for word in place]
    flat = np.array([column for found in columns for column in found], np.int64)
    starts = np.concatenate([[0], np.cumsum([len(found) for found in columns], dtype=np.int64)])
    matrix = sp.csr_matrix((weight[flat], flat, starts), shape=(len(words), len(weight)))
    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    scale = np.divide(1.0, length, out=np.zeros_like(length), where=length > 0)
    return sp.csr_matrix(sp.diags_array(scale) @ matrix, dtype=np.float32)


class ContentEASE(EASE):
    """EASE whose Gram matrix also counts shared words: ``X'X + words T T'``, T the TF-IDF rows of the products."""

    def __init__(self, content: Content, max_products: int, ridge: float = 300.0, words: float = 20.0) -> None:
        super().__init__(ridge, max_products)
        self._content, self.words = content, words

    def weights(self, history: History, rows: Matrix) -> Scores:  # noqa: ARG002
        """Closed form, as EASE."""
        return ease(gram(rows) + np.float32(self.words) * self._content.alike(self.kept), self.ridge)


class Rising:
    """The scores of a fitted EASE times how far a product sells above its long-term rate.

    Never-bought products that a customer buys next are mostly those that everybody has begun to buy. ``half_life``
    weighs the customers' rows by recency, with a shorter rise.
    """

    def __init__(self, name: str, fitted: ItemToItem, half_life: float | None = None) -> None:
        self.name, self.fitted, self.half_life = name, fitted, half_life

    def fit(self, history: History) -> Self:
        """Take the rise; the EASE must be fitted to the same past."""
        pairs = history.pairs
        if self.half_life is None:
            rise = (history.buyers_since(14) + 1.0) / (0.1 * pairs.buyers + 1.0)
            rows = pairs.matrix()
        else:
            lately = history.buyers_since(7) + 0.5 * history.buyers_since(30)
            rise = (lately + 1.0) / (0.15 * pairs.buyers + 1.0)
            rows = pairs.faded(self.half_life)
        self._rise = rise.astype(np.float32)
        self._rows = rows[:, self.fitted.kept].tocsr()
        return self

    def score(self, customers: Rows) -> Scores:
        """Scores (n, products)."""
        return self.fitted.spread(self._rows[customers]) * self._rise[None, :]


class NextPurchases(ItemToItem):
    """Ridge regression of what customers bought next on what they had bought, over several past moments.

    ``W = (sum_j g^j X_j'X_j + ridge I)^-1 sum_j g^j X_j'Y_j`` where X_j are the customers' rows before a moment and Y_j
    what they bought within ``days`` of it; all Y_j end before the moment of the fit. ``only_new`` leaves out of Y what
    the customer had bought before; ``half_life`` weighs X by recency.
    """

    def __init__(
        self,
        name: str,
        max_products: int,
        *,
        days: float,
        step: float,
        moments: int,
        fade: float,
        ridge: float,
        half_life: float | None = None,
        only_new: bool = False,
        customers: int = 10_000,
        seed: int = 0,
    ) -> None:
        super().__init__(max_products)
        self.name, self.days, self.step, self.moments, self.fade = name, days, step, moments, fade
        self.ridge, self.half_life, self.only_new, self.customers, self.seed = (
            ridge,
            half_life,
            only_new,
            customers,
            seed,
        )

    def rows(self, history: History) -> Matrix:
        """The rows as of the moment of the fit."""
        pairs = history.pairs
        return pairs.faded(self.half_life) if self.half_life else pairs.matrix()

    def weights(self, history: History, rows: Matrix) -> Scores:  # noqa: ARG002
        """Solve the regression."""
        size = len(self.kept)
        left = np.zeros((size, size), np.float32)
        right = np.zeros((size, size), np.float32)
        first = history.lines.ts[0] / 86_400e6 if len(history.lines) else history.now
        for nth in range(self.moments):
            then = history.now - self.days - self.step * nth
            if nth and then - first < 30:
                break
            before, after = self._moment(history, then)
            weight = np.float32(self.fade**nth)
            left += weight * gram(before)
            right += weight * np.asarray((before.T @ after).toarray(), np.float32)
        left[np.diag_indices_from(left)] += self.ridge
        if size == 0:
            return left
        factor = sl.cho_factor(left, lower=True, overwrite_a=True, check_finite=False)
        return np.asarray(sl.cho_solve(factor, right, overwrite_b=True, check_finite=False), np.float32)

    def _moment(self, history: History, then: float) -> tuple[Matrix, Matrix]:
        """Rows before and after a past moment of the customers who bought after it."""
        cells = history.cells
        key, since = _latest(cells.key, cells.days, then)
        bought = np.unique(cells.key[(cells.days >= then) & (cells.days < then + self.days)])
        buyers = np.unique(bought // history.products)
        if len(buyers) > self.customers:
            buyers = np.random.default_rng(self.seed).choice(buyers, self.customers, replace=False)
        chosen = np.zeros(history.customers, np.bool_)
        chosen[buyers] = True
        bought = bought[chosen[bought // history.products]]
        if self.only_new:
            bought = bought[~np.isin(bought, key, assume_unique=True)]
        there = chosen[key // history.products]
        values = np.exp2(-since[there] / self.half_life) if self.half_life else None
        before = history.matrix(key[there], values)[:, self.kept].tocsr()
        return before, history.matrix(bought)[:, self.kept].tocsr()


class Neighbours:
    """What similar customers bought in the last ``days``: squared cosine of recency-weighted rows (user-based kNN)."""

    name = "neighbours"

    def __init__(self, most: int, half_life: float = 60.0, days: float = 30.0, seed: int = 0) -> None:
        self.most, self.half_life, self.days, self.seed = most, half_life, days, seed

    def fit(self, history: History) -> Self:
        """Keep the rows of the customers who bought lately."""
        rows = history.pairs.faded(self.half_life)
        length = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
        scale = np.divide(1.0, length, out=np.zeros_like(length), where=length > 0)
        self._rows = sp.csr_matrix(sp.diags_array(scale) @ rows, dtype=np.float32)
        recent = history.bought_since(self.days)
        active = np.unique(recent // history.products)
        if len(active) > self.most:
            active = np.sort(np.random.default_rng(self.seed).choice(active, self.most, replace=False))
        self._active = active
        self._likes = self._rows[active].T.tocsr()
        self._bought = history.matrix(recent)[active].tocsr()
        return self

    def score(self, customers: Rows) -> Scores:
        """Scores (n, products)."""
        alike = np.asarray((self._rows[customers] @ self._likes).toarray())
        alike[customers[:, None] == self._active[None, :]] = 0.0
        return np.asarray((self._bought.T @ (alike**2).T).T, np.float32)


def our_scorers(settings: PurchaseSettings, content: Content) -> list[Scorer]:
    """The scorers that make candidates and features."""
    most = settings.max_products
    fitted = ContentEASE(content, most)
    return [
        fitted,
        Rising("rising", fitted),
        Rising("recent", fitted, half_life=45.0),
        NextPurchases("next_new", most, days=14, step=14, moments=5, fade=0.7, ridge=2000, only_new=True),
        NextPurchases("next_any", most, days=30, step=15, moments=6, fade=0.85, ridge=100, half_life=90),
        NextKernel(),
        Neighbours(settings.neighbours),
        ALS(32, sweeps=3),
        content,
    ]


def _latest(key: Times, days: NDArray[Any], then: float) -> tuple[Times, NDArray[Any]]:
    """Distinct keys bought before a moment, and how many days before it each was last bought."""
    there = days < then
    key, days = key[there], days[there]
    last = np.concatenate([key[1:] != key[:-1], np.ones(min(len(key), 1), np.bool_)])
    return key[last], then - days[last]
