"""Which products are ranked for a customer."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.purchase.conftest import QUICK, START, catalogue, events

from danggol.purchase.candidates import own_history
from danggol.purchase.moments import Batch, Moment, member, targets
from danggol.purchase.retrieval import Content
from danggol.purchase.samples import DAY, moment, read
from danggol.purchase.settings import PurchaseSettings
from danggol.shop import Shop


@pytest.fixture(scope="module")
def built(shop: Shop) -> Moment:
    at, purchases = moment(shop, "2024-05-01"), read(shop)
    assert at is not None
    return Moment(purchases, at, PurchaseSettings.of(QUICK), Content(purchases.products))


def pairs(batch: Batch) -> set[tuple[int, int]]:
    return set(zip(batch.customers[batch.row].tolist(), batch.product.tolist(), strict=True))


@settings(max_examples=15)
@given(chosen=st.lists(st.integers(0, 79), min_size=1, max_size=20, unique=True))
def test_the_own_history_is_always_among_the_candidates(built: Moment, chosen: list[int]) -> None:
    customers = np.array(sorted(chosen))
    batch = built.batch(customers)
    known = built.history.pairs
    own = {(c, p) for c, p in zip(known.customer.tolist(), known.product.tolist(), strict=True) if c in set(chosen)}
    assert own <= pairs(batch)
    assert (np.diff(batch.key) > 0).all()
    assert (
        batch.values[:, batch.names.index("bought")]
        == [pair in own for pair in zip(batch.customers[batch.row].tolist(), batch.product.tolist(), strict=True)]
    ).all()


def test_a_row_is_the_same_whoever_is_scored_beside_it(built: Moment) -> None:
    alone, together = built.batch(np.array([7])), built.batch(np.array([2, 7, 30]))
    np.testing.assert_allclose(together.values[together.row == 1], alone.values, rtol=1e-4, atol=1e-5)


def test_the_history_is_cut_at_the_latest(built: Moment) -> None:
    row, product = own_history(built.history, np.array([3, 4]), 2)
    known = built.history.pairs
    for place, customer in enumerate((3, 4)):
        mine = known.customer == customer
        latest = np.sort(known.since[mine])[:2]
        kept = known.since[mine][np.isin(known.product[mine], product[row == place])]
        np.testing.assert_allclose(np.sort(kept), latest)


def test_new_listings_are_candidates_from_their_date_on(make_shop) -> None:  # type: ignore[no-untyped-def]
    fresh = pl.DataFrame(
        {
            "product_id": ["new", "later", "undated"],
            "title": ["red tin 0"] * 3,
            "category": ["group 0"] * 3,
            "listed_at": [START, START.replace(month=5, day=20), None],
        }
    )
    shop = make_shop(events(), products=pl.concat([catalogue(), fresh], how="diagonal_relaxed"))
    at, purchases = moment(shop, "2024-05-01"), read(shop)
    assert at is not None

    def offered(undated: bool) -> set[str]:
        built = Moment(purchases, at, PurchaseSettings.of(QUICK), Content(purchases.products), undated)
        batch = built.batch(np.arange(80))
        return set(purchases.products["product_id"].gather(np.unique(batch.product)).to_list())

    assert offered(False) & {"new", "later", "undated"} == {"new"}
    assert offered(True) & {"new", "undated"} == {"new", "undated"}


def test_targets_are_the_distinct_products_bought_within_the_days(shop: Shop) -> None:
    purchases = read(shop)
    at = moment(shop, "2024-05-01")
    assert at is not None
    lines = purchases.lines
    inside = (lines.ts >= at) & (lines.ts < at + 10 * DAY) & (lines.customer >= 0)
    expected = set(
        (lines.customer[inside].astype(np.int64) * purchases.products.height + lines.product[inside]).tolist()
    )
    found = targets(purchases, at, 10)
    assert set(found.tolist()) == expected
    assert member(np.array([found[0], -1]), found).tolist() == [True, False]
    assert not member(np.array([1, 2]), np.array([], np.int64)).any()
