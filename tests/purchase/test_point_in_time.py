"""Rows at or after t change no feature at t: they are altered, shuffled and deleted, and the features stay."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.purchase.conftest import QUICK, START, events, fill, offers

from danggol.purchase import PurchaseSettings
from danggol.purchase.moments import Moment
from danggol.purchase.retrieval import Content
from danggol.purchase.samples import moment, read
from danggol.shop import Shop

AT = "2024-04-10"
CHANGES: dict[str, Callable[[pl.DataFrame, int], pl.DataFrame]] = {
    "delete": lambda rows, seed: rows.head(0),
    "thin out": lambda rows, seed: rows.sample(fraction=0.5, seed=seed),
    "shuffle products": lambda rows, seed: rows.with_columns(pl.col("product_id").shuffle(seed)),
    "shuffle customers": lambda rows, seed: rows.with_columns(pl.col("customer_id").shuffle(seed)),
    "shuffle kinds": lambda rows, seed: rows.with_columns(pl.col("kind").shuffle(seed)),
    "other prices": lambda rows, seed: rows.with_columns(pl.col("price") * 100, pl.col("quantity") + 7),
    "twice as many": lambda rows, seed: pl.concat([rows, rows.with_columns(pl.col("event_id") + "-again")]),
}


def features(shop: Shop) -> pl.DataFrame:
    """All features of all candidates of all customers with a past, by ids, in order."""
    at = moment(shop, AT)
    assert at is not None
    purchases = read(shop)
    found = Moment(purchases, at, PurchaseSettings.of(QUICK), Content(purchases.products))
    customers = np.flatnonzero(found.history.order_count > 0)
    batch = found.batch(customers)
    frame = pl.DataFrame(batch.values, schema=batch.names, orient="row")
    ids = {
        "customer_id": purchases.customers["customer_id"].gather(customers[batch.row]),
        "product_id": purchases.products["product_id"].gather(batch.product),
    }
    return frame.with_columns(**ids).sort("customer_id", "product_id")


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    return features(fill(tmp_path_factory.mktemp("before") / "shop", events()))


def altered(path: Path, change: str, seed: int) -> Shop:
    rows = events()
    cut = pl.lit(AT).str.to_datetime(time_zone="Asia/Seoul").dt.convert_time_zone("UTC").cast(pl.Datetime("us", "UTC"))
    before, after = rows.filter(pl.col("ts") < cut), rows.filter(pl.col("ts") >= cut)
    terms = offers()
    later = pl.col("valid_from") >= pl.lit(START) + pl.duration(days=110)
    terms = pl.concat([terms.filter(~later), terms.filter(later).with_columns(pl.col("price") * 3, free_shipping=True)])
    return fill(path, pl.concat([before, CHANGES[change](after, seed)]), offers=terms)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(change=st.sampled_from(sorted(CHANGES)), seed=st.integers(0, 10_000))
def test_rows_after_t_change_no_feature_at_t(
    expected: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory, change: str, seed: int
) -> None:
    found = features(altered(tmp_path_factory.mktemp("after") / "shop", change, seed))
    assert found.select("customer_id", "product_id").equals(expected.select("customer_id", "product_id"))
    for name in expected.columns[:-2]:
        np.testing.assert_allclose(
            found[name].to_numpy(), expected[name].to_numpy(), rtol=1e-5, atol=1e-6, err_msg=name
        )


def test_a_row_before_t_does_change_a_feature(expected: pl.DataFrame, tmp_path: Path) -> None:
    fewer = features(fill(tmp_path / "shop", events().filter(pl.col("ts") > START.replace(month=2))))
    assert not fewer.equals(expected)


def test_a_purchase_at_t_itself_is_not_before_t(shop: Shop) -> None:
    purchases = read(shop)
    at = int(purchases.lines.ts[100])
    assert (purchases.before(at).lines.ts < at).all()
    assert len(purchases.before(at + 1).lines) > len(purchases.before(at).lines)
