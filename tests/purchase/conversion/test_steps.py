"""Sessions under way: only what was known at the moment counts, and bought sessions are not there any more."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from danggol.errors import DataError, UsageError
from danggol.purchase.conversion.steps import sums_after
from danggol.shop import Shop

START = datetime(2026, 1, 1, tzinfo=UTC)
# session, seconds since its begin, kind, product, price
EVENTS = [
    ("a", 0, "impression", "p1", 10.0),
    ("a", 5, "view", "p1", 10.0),
    ("a", 20, "cart", "p1", 10.0),
    ("a", 30, "purchase", "p1", 10.0),
    ("a", 40, "view", "p2", 99.0),
    ("b", 0, "search", None, None),
    ("b", 8, "view", "p1", 10.0),
    ("b", 9, "view", "p2", 30.0),
    ("c", 0, "view", "p2", 30.0),
    (None, 0, "view", "p2", 30.0),
]


def shop_of(folder: Path, events: list[tuple]) -> Shop:
    rows = [
        {
            "event_id": f"e{nth}",
            "session_id": session,
            "ts": START + timedelta(seconds=after),
            "kind": kind,
            "product_id": product,
            "price": price,
        }
        for nth, (session, after, kind, product, price) in enumerate(events)
    ]
    shop = Shop.create(folder)
    shop.write("events", pl.DataFrame(rows))
    return shop


def test_sums_are_those_of_the_moment(tmp_path: Path) -> None:
    found = sums_after(shop_of(tmp_path / "shop", EVENTS), 2)
    assert found["session_id"].to_list() == ["a", "b"]
    assert found["converted"].to_list() == [True, False]
    first, second = found.to_dicts()
    assert (first["impressions"], first["views"], first["carts"], first["seconds"]) == (1, 1, 1, 20.0)
    assert (first["last_act"], first["price"]) == ("cart", 10.0)
    assert (second["searches"], second["views"], second["last_price"]) == (1, 1, 10.0)


def test_what_comes_later_changes_only_whether_it_converted(tmp_path: Path) -> None:
    whole = sums_after(shop_of(tmp_path / "whole", EVENTS), 1)
    cut = sums_after(shop_of(tmp_path / "cut", [row for row in EVENTS if row[1] <= 8]), 1)
    assert whole["session_id"].to_list() == ["a", "b", "c"]
    assert whole.drop("converted").equals(cut.drop("converted"))
    assert whole["converted"].to_list() == [True, False, False]
    assert not cut["converted"].any()


def test_mistakes_are_one_sentence(tmp_path: Path) -> None:
    shop = shop_of(tmp_path / "shop", EVENTS)
    with pytest.raises(UsageError, match="at least 1"):
        sums_after(shop, 0)
    with pytest.raises(DataError, match="no session of the shop has 4"):
        sums_after(shop, 4)
