"""What comes in: moments, codes, and nothing from later."""

from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest
from tests.purchase.conftest import START, events

from danggol.errors import DataError, UsageError
from danggol.purchase.samples import DAY, as_datetime, moment, read, span
from danggol.shop import Shop


def test_a_day_means_its_start_in_the_shops_time_zone(shop: Shop) -> None:
    midnight_in_seoul = datetime(2024, 2, 29, 15, tzinfo=UTC)
    for value in ("2024-03-01", date(2024, 3, 1), datetime(2024, 3, 1), midnight_in_seoul, "2024-02-29T15:00:00+00:00"):
        at = moment(shop, value)
        assert at is not None
        assert as_datetime(at) == midnight_in_seoul
    assert moment(shop, None) is None


@pytest.mark.parametrize("text", ["yesterday", "2024-13-01", ""])
def test_what_is_no_day_is_said(shop: Shop, text: str) -> None:
    with pytest.raises(UsageError, match="is not a day such as"):
        moment(shop, text)


def test_lines_keep_ids_amounts_and_order(shop: Shop) -> None:
    purchases, lines = read(shop), read(shop).lines
    bought = events().filter(pl.col("kind") == "purchase")
    assert len(lines) == bought.height
    assert (np.diff(lines.ts) >= 0).all()
    ids = purchases.products["product_id"].to_numpy()[lines.product]
    assert sorted(ids.tolist()) == sorted(bought["product_id"].to_list())
    assert (lines.customer == -1).sum() == bought["customer_id"].null_count()
    assert lines.quantity.sum() == bought["quantity"].sum()


def test_reading_until_a_moment_equals_cutting_there(shop: Shop) -> None:
    at = moment(shop, "2024-04-01")
    assert at is not None
    cut, whole = read(shop, at), read(shop).before(at)
    for name in ("ts", "quantity", "price"):
        np.testing.assert_array_equal(getattr(cut.lines, name), getattr(whole.lines, name))
    assert cut.last < at


def test_a_country_that_was_not_stated_is_that_of_the_first_event(make_shop) -> None:  # type: ignore[no-untyped-def]
    rows = events(4).with_columns(
        pl.when(pl.col("ts") > START.replace(month=3)).then(pl.lit("FR")).otherwise(pl.col("country")).alias("country")
    )
    shop = make_shop(rows, customers=pl.DataFrame())
    early, late = read(shop, moment(shop, "2024-02-15")), read(shop)
    for customer, country in early.customers.iter_rows():
        assert late.customers.filter(pl.col("customer_id") == customer)["country"][0] == country


def test_span_is_that_of_known_customers_purchases(shop: Shop) -> None:
    first, last = span(shop)
    assert last - first > 100 * DAY


def test_a_shop_without_purchases_says_so(make_shop) -> None:  # type: ignore[no-untyped-def]
    empty = make_shop(events(2).filter(pl.col("kind") == "view"))
    for call in (read, span):
        with pytest.raises(DataError, match="no purchase of a known customer"):
            call(empty)


def test_lines_without_an_order_are_grouped_by_customer_and_time(make_shop) -> None:  # type: ignore[no-untyped-def]
    rows = events(3).with_columns(pl.lit(None, pl.String).alias("order_id"))
    lines = read(make_shop(rows)).lines
    known = lines.customer >= 0
    groups = set(zip(lines.customer[known].tolist(), lines.ts[known].tolist(), strict=True))
    assert len(np.unique(lines.order[known])) == len(groups)
