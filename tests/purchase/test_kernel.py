"""The kernel regression of the next purchases, against its formula written out and against what is known."""

import numpy as np
import pytest

from danggol.purchase.history import History
from danggol.purchase.kernel import NextKernel
from danggol.purchase.samples import DAY, moment, read
from danggol.shop import Shop


@pytest.fixture(scope="module")
def history(shop: Shop) -> History:
    at = moment(shop, "2024-05-01")
    assert at is not None
    return History(read(shop), at)


def unit(rows: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)


def views(history: History, then: float) -> list[np.ndarray]:
    """Rows of every customer before a moment: bought or not, and two fading ones."""
    since = np.full((history.customers, history.products), np.inf)
    cells = history.cells
    for key, day in zip(cells.key, cells.days, strict=True):
        if day < then:
            place = divmod(int(key), history.products)
            since[place] = min(since[place], then - day)
    return [unit(np.isfinite(since) * 1.0), unit(np.exp2(-since / 90)), unit(np.exp2(-since / 20))]


def test_it_is_the_ridge_regression_of_its_kernel(history: History) -> None:
    model = NextKernel(days=20, step=15, moments=2, fade=0.5, penalty=3.0).fit(history)
    before: list[list[np.ndarray]] = []
    after, weight = [], []
    cells = history.cells
    for nth in range(2):
        then = history.now - 20 - 15 * nth
        rows = np.zeros((history.customers, history.products))
        inside = (cells.days >= then) & (cells.days < then + 20)
        rows[cells.key[inside] // history.products, cells.key[inside] % history.products] = 1
        past = views(history, then)
        some = np.flatnonzero((rows.sum(axis=1) > 0) & (past[0].sum(axis=1) > 0))
        before.append([view[some] for view in past])
        after.append(rows[some] / np.sqrt(rows[some].sum(axis=1, keepdims=True)))
        weight += [0.5**nth] * len(some)
    then_rows = [np.concatenate(parts) for parts in zip(*before, strict=True)]
    now_rows = views(history, history.now)

    def kernel(others: list[np.ndarray]) -> np.ndarray:
        like = sum(
            share * left @ right.T for share, left, right in zip((0.6, 0.3, 0.1), then_rows, others, strict=True)
        )
        return np.asarray(like + like**2)

    solved = np.linalg.solve(kernel(then_rows) + np.diag(3.0 / np.array(weight)), kernel(now_rows))
    wanted = (np.concatenate(after).T @ solved).T
    np.testing.assert_allclose(model.score(np.arange(history.customers)), wanted, atol=1e-4)


def test_it_learns_what_customers_buy_again(history: History) -> None:
    scores = NextKernel(days=14, step=14).fit(history).score(np.arange(history.customers))
    rows = history.pairs.matrix().toarray() > 0
    again = history.pairs.matrix(history.pairs.count).toarray() >= 4
    assert scores[again].mean() > 2 * scores[~rows].mean()


def test_with_no_past_every_score_is_zero(shop: Shop) -> None:
    purchases = read(shop)
    model = NextKernel().fit(History(purchases, int(purchases.lines.ts[0]) - DAY))
    assert not model.score(np.arange(3)).any()
