"""The baselines against slow references written from their formulas."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from danggol.purchase.baselines import ALS, EASE, Blend, Frequency, ItemKNN, Popularity, blend, ease, gram
from danggol.purchase.history import History
from danggol.purchase.retrieval import NextPurchases
from danggol.purchase.samples import DAY, moment, read
from danggol.shop import Shop


@pytest.fixture(scope="module")
def history(shop: Shop) -> History:
    at = moment(shop, "2024-05-01")
    assert at is not None
    return History(read(shop), at)


def dense(history: History) -> np.ndarray:
    return history.pairs.matrix().toarray().astype(np.float64)


def slow_ease(rows: np.ndarray, ridge: float) -> np.ndarray:
    """Each column solved as its own regression on all other columns, which is what the zero diagonal means."""
    size = rows.shape[1]
    out = np.zeros((size, size))
    for column in range(size):
        others = [n for n in range(size) if n != column]
        left = rows[:, others].T @ rows[:, others] + ridge * np.eye(size - 1)
        out[others, column] = np.linalg.solve(left, rows[:, others].T @ rows[:, column])
    return out


def slow_als(counts: np.ndarray, model: ALS) -> tuple[np.ndarray, np.ndarray]:
    """Hu et al.'s alternation, one row at a time."""
    right = np.random.default_rng(model.seed).normal(0, 0.1, (counts.shape[1], model.factors))
    left = np.zeros((counts.shape[0], model.factors))

    def solve(row: np.ndarray, fixed: np.ndarray) -> np.ndarray:
        weight = np.diag(1 + model.confidence * row)
        penalty = model.penalty * np.eye(model.factors)
        return np.linalg.solve(fixed.T @ weight @ fixed + penalty, fixed.T @ weight @ (row > 0))

    for _ in range(model.sweeps):
        left = np.array([solve(row, right) for row in counts])
        right = np.array([solve(row, left) for row in counts.T])
    return left, right


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), ridge=st.floats(0.5, 100))
def test_ease_is_the_closed_form_of_its_regressions(seed: int, ridge: float) -> None:
    rows = (np.random.default_rng(seed).random((15, 6)) < 0.4).astype(np.float32)
    np.testing.assert_allclose(ease(gram(sp.csr_matrix(rows)), ridge), slow_ease(rows, ridge), atol=1e-4)


def test_ease_scores_the_customers_rows(history: History) -> None:
    rows = dense(history)
    found = EASE(ridge=20).fit(history).score(np.arange(10))
    np.testing.assert_allclose(found, rows[:10] @ slow_ease(rows, 20), atol=2e-3)


@settings(max_examples=8)
@given(seed=st.integers(0, 1000))
def test_als_equals_the_slow_alternation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.poisson(0.6, (12, 9)).astype(np.float64)
    model = ALS(factors=4, penalty=2.0, confidence=3.0, sweeps=3, seed=seed).factorise(sp.csr_matrix(counts))
    left, right = slow_als(counts, model)
    np.testing.assert_allclose(model.left @ model.right.T, left @ right.T, atol=2e-3)


def test_itemknn_is_the_cosine_of_the_nearest(history: History) -> None:
    rows = dense(history)
    length = np.sqrt((rows**2).sum(axis=0))
    cosine = rows.T @ rows / np.maximum(np.outer(length, length), 1e-9)
    np.fill_diagonal(cosine, 0)
    for column in range(cosine.shape[1]):
        edge = np.sort(cosine[:, column])[-5]
        cosine[cosine[:, column] < edge, column] = 0
    found = ItemKNN(neighbours=5).fit(history).score(np.arange(8))
    np.testing.assert_allclose(found, rows[:8] @ cosine, atol=1e-4)


def test_popularity_counts_recent_buyers(history: History) -> None:
    known = history.known
    recent = known.ts >= history.at - 30 * DAY
    pairs = set(zip(known.customer[recent].tolist(), known.product[recent].tolist(), strict=True))
    count = np.bincount([product for _, product in pairs], minlength=history.products)
    score = Popularity().fit(history).score(np.array([0, 1]))
    assert (score[0] == score[1]).all()
    np.testing.assert_array_equal(np.floor(score[0]), count)


def test_popularity_by_country_puts_the_own_country_first(history: History) -> None:
    score = Popularity(by_country=True).fit(history).score(np.array([0, 1]))
    recent = history.bought_since(30)
    for row, customer in enumerate((0, 1)):
        country = history.purchases.country
        own = recent[country[recent // history.products] == country[customer]]
        np.testing.assert_array_equal(
            np.floor(score[row]), np.bincount(own % history.products, minlength=history.products)
        )


def test_frequency_counts_orders_and_breaks_ties_by_popularity(history: History) -> None:
    score = Frequency().fit(history).score(np.arange(5))
    cells = history.cells
    for customer in range(5):
        own = cells.key[cells.key // history.products == customer] % history.products
        np.testing.assert_array_equal(np.floor(score[customer]), np.bincount(own, minlength=history.products))
    assert len(np.unique(score[0])) > len(np.unique(np.floor(score[0])))


def test_a_blend_lies_between_its_parts(history: History) -> None:
    first, second = Popularity().fit(history).score(np.arange(4)), Frequency().fit(history).score(np.arange(4))
    both = Blend(Popularity(), Frequency(), 0.5).fit(history).score(np.arange(4))
    np.testing.assert_allclose(both, (blend(first, first, 1.0) + blend(second, second, 1.0)) / 2, atol=1e-6)
    assert (both >= 0).all()
    assert (both <= 1).all()


def test_a_product_beyond_the_most_bought_scores_nothing(history: History) -> None:
    scorer = EASE(max_products=10).fit(history)
    assert len(scorer.kept) == 10
    score = scorer.score(np.arange(5))
    outside = np.setdiff1d(np.arange(history.products), scorer.kept)
    assert score.shape == (5, history.products)
    assert (score[:, outside] == 0).all()


def test_next_purchases_equals_a_ridge_regression(history: History) -> None:
    model = NextPurchases("x", 1000, days=20, step=10, moments=2, fade=0.5, ridge=3.0).fit(history)
    cells, size = history.cells, history.products
    left, right = 3.0 * np.eye(size), np.zeros((size, size))
    for nth in range(2):
        then = history.now - 20 - 10 * nth
        before, after = np.zeros((2, history.customers, size))
        for key, day in zip(cells.key, cells.days, strict=True):
            if day < then:
                before[key // size, key % size] = 1
            elif day < then + 20:
                after[key // size, key % size] = 1
        buyers = after.any(axis=1)
        left += 0.5**nth * before[buyers].T @ before[buyers]
        right += 0.5**nth * before[buyers].T @ after[buyers]
    kept = model.kept
    expected = np.linalg.solve(left[np.ix_(kept, kept)], right[np.ix_(kept, kept)])
    np.testing.assert_allclose(model.item_weights, expected, atol=1e-3)
