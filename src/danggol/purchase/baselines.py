"""The models that ours is measured against, behind one face: ``fit`` on a past, then ``score`` customers.

Every score is a (customers, products) array of float32; a higher one comes first. Products never bought score 0.
"""

from __future__ import annotations

from typing import Any, Protocol, Self

import numpy as np
import scipy.linalg as sl
import scipy.sparse as sp
from numpy.typing import NDArray

from danggol.purchase.history import History, Matrix

Scores = NDArray[np.float32]

_BLOCK = 1000
"""Rows whose normal equations are held at once: ``block * factors ** 2`` numbers a side."""
Rows = NDArray[np.integer[Any]]


class Scorer(Protocol):
    """A model that scores every product for a customer."""

    name: str

    def fit(self, history: History) -> Self:
        """Learn from a past."""

    def score(self, customers: Rows) -> Scores:
        """Scores (n, products) of the customers with these codes."""


class Popularity:
    """Distinct customers who bought a product in the last ``days``, older sales breaking ties.

    ``by_country``: those of the customer's country first, all others breaking ties.
    """

    def __init__(self, days: float = 30, by_country: bool = False) -> None:
        self.days, self.by_country = days, by_country
        self.name = "popularity_by_country" if by_country else "popularity"

    def fit(self, history: History) -> Self:
        """Count."""
        purchases = history.purchases
        recent = history.bought_since(self.days)
        shape = (len(purchases.countries), history.products)
        place = (purchases.country[recent // history.products], recent % history.products)
        self._by_country = sp.coo_array((np.ones(len(recent), np.float32), place), shape=shape).toarray()
        self._overall = self._by_country.sum(axis=0) + history.pairs.buyers * 1e-4
        self._country = purchases.country
        return self

    def score(self, customers: Rows) -> Scores:
        """Scores (n, products)."""
        overall = self._overall.astype(np.float32)
        if not self.by_country:
            return np.tile(overall, (len(customers), 1))
        scale = 1.0 / (1.0 + float(overall.max(initial=0.0)))
        return np.asarray(self._by_country[self._country[customers]] + overall * scale, np.float32)


class Frequency:
    """How many orders of the customer held the product; recent popularity breaks ties and ranks the rest."""

    name = "frequency"

    def fit(self, history: History) -> Self:
        """Count."""
        self._count = history.pairs.matrix(history.pairs.count)
        self._popularity = Popularity().fit(history)
        return self

    def score(self, customers: Rows) -> Scores:
        """Scores (n, products)."""
        popular = self._popularity.score(customers)
        return np.asarray(self._count[customers].toarray() + popular / (1.0 + popular.max(initial=0.0)), np.float32)


class ItemToItem:
    """Scores ``X @ B``: the customers' rows X times an item-to-item matrix B over the most bought products."""

    name = "item-to-item"

    def __init__(self, max_products: int = 10_000) -> None:
        self.max_products = max_products

    def fit(self, history: History) -> Self:
        """Build the matrix."""
        self._products = history.products
        self.kept, _ = history.kept(self.max_products)
        self._rows = self.rows(history)[:, self.kept].tocsr()
        self.item_weights: Scores = self.weights(history, self._rows)
        return self

    def rows(self, history: History) -> Matrix:
        """Rows (customers, products) that are multiplied; 1 where bought."""
        return history.pairs.matrix()

    def weights(self, history: History, rows: Matrix) -> Scores:
        """Item-to-item matrix (kept, kept)."""
        raise NotImplementedError

    def score(self, customers: Rows) -> Scores:
        """Scores (n, products)."""
        return self.spread(self._rows[customers])

    def spread(self, rows: Matrix) -> Scores:
        """``rows @ B`` for any rows over the kept products, as scores (n, products)."""
        found = np.asarray(rows @ self.item_weights, np.float32)
        if len(self.kept) == self._products:
            return found
        out = np.zeros((rows.shape[0], self._products), np.float32)
        out[:, self.kept] = found
        return out


class ItemKNN(ItemToItem):
    """Cosine of the products' customers, the ``neighbours`` nearest products of each (Deshpande & Karypis 2004)."""

    name = "itemknn"

    def __init__(self, neighbours: int = 100, max_products: int = 10_000) -> None:
        super().__init__(max_products)
        self.neighbours = neighbours

    def weights(self, history: History, rows: Matrix) -> Scores:  # noqa: ARG002
        """Cosines, all but the nearest set to 0."""
        together = gram(rows)
        length = np.sqrt(np.maximum(np.diag(together), 1.0))
        cosine = together / length[:, None] / length[None, :]
        np.fill_diagonal(cosine, 0.0)
        if self.neighbours < len(cosine):
            edge = np.partition(cosine, -self.neighbours, axis=0)[-self.neighbours]
            cosine[cosine < edge[None, :]] = 0.0
        return np.asarray(cosine, np.float32)


class EASE(ItemToItem):
    """The linear autoencoder with a zero diagonal, in closed form (Steck 2019).

    ``B = I - P diag(P)^-1`` with ``P = (X'X + ridge I)^-1``.
    """

    name = "ease"

    def __init__(self, ridge: float = 200.0, max_products: int = 10_000) -> None:
        super().__init__(max_products)
        self.ridge = ridge

    def weights(self, history: History, rows: Matrix) -> Scores:  # noqa: ARG002
        """Closed form."""
        return ease(gram(rows), self.ridge)


class ALS:
    """Implicit-feedback matrix factorisation by alternating least squares (Hu, Koren & Volinsky 2008).

    Minimises ``sum_ui c_ui (1[r_ui > 0] - x_u y_i)^2 + penalty (|X|^2 + |Y|^2)`` with ``c_ui = 1 + confidence r_ui``,
    r being the number of orders that held the product.
    """

    name = "als"

    def __init__(
        self, factors: int = 96, penalty: float = 30.0, confidence: float = 1.0, sweeps: int = 4, seed: int = 0
    ) -> None:
        self.factors, self.penalty, self.confidence, self.sweeps, self.seed = factors, penalty, confidence, sweeps, seed

    def fit(self, history: History) -> Self:
        """Alternate."""
        return self.factorise(history.pairs.matrix(history.pairs.count))

    def factorise(self, counts: Matrix) -> Self:
        """Fit to a CSR matrix (customers, products) of r."""
        draw = np.random.default_rng(self.seed)
        self.right = draw.normal(0, 0.1, (counts.shape[1], self.factors)).astype(np.float32)
        by_customer = sp.csr_matrix(counts, dtype=np.float32)
        by_product = by_customer.T.tocsr()
        self.left = np.zeros((counts.shape[0], self.factors), np.float32)
        for _ in range(self.sweeps):
            self.left = self._half(by_customer, self.right)
            self.right = self._half(by_product, self.left)
        return self

    def _half(self, counts: Matrix, fixed: Scores) -> Scores:
        """Solve every row for the other side held fixed: a batch of normal equations at a time."""
        rows, size = counts.shape[0], self.factors
        out = np.zeros((rows, size), np.float32)
        shared = (fixed.T @ fixed + self.penalty * np.eye(size)).astype(np.float32)
        some = np.flatnonzero(np.diff(counts.indptr))
        for start in range(0, len(some), _BLOCK):
            chosen = some[start : start + _BLOCK]
            part = counts[chosen]
            weight = part * np.float32(self.confidence)
            normal = np.zeros((part.shape[0], size * size), np.float32)
            for other in range(0, len(fixed), _BLOCK):
                block = fixed[other : other + _BLOCK]
                squares = (block[:, :, None] * block[:, None, :]).reshape(len(block), -1)
                normal += weight[:, other : other + _BLOCK] @ squares
            wanted = np.asarray(weight @ fixed + (part > 0).astype(np.float32) @ fixed)
            solved = np.linalg.solve(normal.reshape(-1, size, size) + shared, wanted[:, :, None])
            out[chosen] = solved[:, :, 0]
        return out

    def score(self, customers: Rows) -> Scores:
        """Scores (n, products)."""
        return np.asarray(self.left[customers] @ self.right.T, np.float32)


class Blend:
    """``share`` of one scorer and the rest of another, each scaled to [0, 1] within the customer."""

    def __init__(self, first: Scorer, second: Scorer, share: float = 0.5) -> None:
        self.first, self.second, self.share = first, second, share
        self.name = f"{first.name}+{second.name}"

    def fit(self, history: History) -> Self:
        """Fit both."""
        self.first.fit(history)
        self.second.fit(history)
        return self

    def score(self, customers: Rows) -> Scores:
        """Scores (n, products)."""
        return blend(self.first.score(customers), self.second.score(customers), self.share)


def blend(first: Scores, second: Scores, share: float) -> Scores:
    """``share * first + (1 - share) * second``, each row scaled to [0, 1]."""
    return np.asarray(share * _scaled(first) + (1 - share) * _scaled(second), np.float32)


def gram(rows: Matrix) -> Scores:
    """``X'X`` as a dense float32 array."""
    return np.asarray((rows.T @ rows).toarray(), np.float32)


def ease(together: Scores, ridge: float) -> Scores:
    """EASE's item-to-item matrix from ``X'X`` (left unchanged)."""
    if len(together) == 0:
        return together.copy()
    inverse = together + ridge * np.eye(len(together), dtype=np.float32)
    inverse, failed = sl.lapack.spotrf(inverse, lower=1, overwrite_a=1)
    inverse, failed_too = sl.lapack.spotri(inverse, lower=1, overwrite_c=1)
    if failed or failed_too:
        raise np.linalg.LinAlgError("X'X + ridge I is not positive definite")
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    weights = inverse / -np.diag(inverse)[None, :]
    np.fill_diagonal(weights, 0.0)
    return np.asarray(weights, np.float32)


def _scaled(scores: Scores) -> Scores:
    low = scores.min(axis=1, keepdims=True)
    width = scores.max(axis=1, keepdims=True) - low
    return np.asarray(np.divide(scores - low, width, out=np.zeros_like(scores), where=width > 0), np.float32)
