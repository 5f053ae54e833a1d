"""Showings: what is known at the moment, and nothing that came later."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from danggol.errors import DataError
from danggol.purchase.multimodal.inputs import inputs
from danggol.purchase.multimodal.showings import BEHAVIOUR, CUSTOMER, OFFER, showings
from danggol.purchase.multimodal.tastes import Tastes, plan
from danggol.shop import Shop
from danggol.twin import simulate


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("showings")
    file = folder / "tiny.toml"
    file.write_text(
        'format = 1\nbase = "small"\nname = "tiny"\n[size]\ncustomers = 250\nproducts = 60\nweeks = 8\n', "utf8"
    )
    simulate(folder / "shop", file, seed=3)
    return Shop.open(folder / "shop")


def test_rows_are_the_impressions_and_the_label_is_the_purchase_of_the_visit(market: Shop) -> None:
    seen, events = showings(market), market.read("events")
    shown = events.filter(pl.col("kind") == "impression")
    assert seen.frame["event_id"].to_list() == shown.sort("ts", "event_id")["event_id"].to_list()
    bought = events.filter(pl.col("kind") == "purchase").select("session_id", "product_id", hit=True)
    hit = seen.frame.join(bought, on=["session_id", "product_id"], how="left", maintain_order="left")["hit"]
    assert (hit.fill_null(value=False).to_numpy() == seen.bought).all()
    assert seen.bought.sum() == len(bought)


def test_nothing_later_changes_a_row(market: Shop) -> None:
    whole = inputs(market)
    ts = whole.showings.frame["ts"].to_numpy()
    cut = int(ts[len(ts) // 2])
    half = inputs(market, until=cut, words=whole.words)
    rows = len(half)
    assert 0 < rows < len(whole)
    for name in ("offer", "behaviour", "customer"):
        early, late = getattr(half.showings, name), getattr(whole.showings, name)[:rows]
        assert np.array_equal(early, late, equal_nan=True), name
    assert np.array_equal(half.events, whole.events[:rows])
    plans = plan([*whole.text_kinds, "title"], list(whole.image_kinds))
    tastes = Tastes.learn(half.showings, half.kinds, plans, np.arange(rows))
    early, late = tastes.of(half.showings, half.kinds, plans), tastes.of(whole.showings, whole.kinds, plans)
    assert np.allclose(early, late[:rows], atol=1e-5, equal_nan=True)
    assert np.nanstd(early, axis=0).min() > 0
    assert np.array_equal(half.text[half.listing], whole.text[whole.listing[:rows]])
    assert np.array_equal(half.regions[half.picture], whole.regions[whole.picture[:rows]], equal_nan=True)


def test_behaviour_is_counted_from_earlier_visits_only(market: Shop) -> None:
    seen, events = showings(market), market.read("events")
    place = {name: n for n, name in enumerate(BEHAVIOUR)}
    known = seen.frame.with_row_index("row").filter(pl.col("customer_id").is_not_null())
    starts = dict(seen.frame.group_by("session_id").agg(pl.col("ts").min()).iter_rows())
    deeds = events.with_columns(at=pl.col("ts").dt.epoch("us"))
    for row in known.sample(40, seed=1).iter_rows(named=True):
        before = deeds.filter(
            (pl.col("customer_id") == row["customer_id"]) & (pl.col("at") < starts[row["session_id"]])
        )
        views = before.filter(pl.col("kind") == "view")
        own = views.filter(pl.col("product_id") == row["product_id"])
        told = np.expm1(seen.behaviour[row["row"]])
        assert round(told[place["person_views"]]) == len(views)
        assert round(told[place["own_views"]]) == len(own)
        assert round(told[place["person_purchases"]]) == (before["kind"] == "purchase").sum()


def test_terms_are_those_of_the_showing(market: Shop) -> None:
    seen = showings(market)
    shown = market.read("events").filter(pl.col("kind") == "impression").sort("ts", "event_id")
    place = {name: n for n, name in enumerate(OFFER)}
    assert np.allclose(seen.offer[:, place["price"]], np.log(shown["price"].to_numpy()), atol=1e-4)
    assert np.allclose(seen.offer[:, place["discount"]], shown["discount_rate"].to_numpy(), atol=1e-6)
    live = (shown["channel"] == "live").to_numpy()
    assert (seen.offer[~live, place["list_price"]] >= -1e-6).all()
    assert set(np.unique(seen.offer[:, place["best_seller"]])) == {0.0, 1.0}
    assert np.isnan(seen.customer[:, CUSTOMER.index("age")]).mean() < 0.5


def test_a_shop_of_events_alone_is_enough(tmp_path: Path) -> None:
    shop = Shop.create(tmp_path / "bare")
    rows = pl.DataFrame(
        {
            "event_id": ["a", "b", "c"],
            "ts": [datetime(2024, 1, 1, 10, minute, tzinfo=UTC) for minute in (0, 1, 2)],
            "kind": ["impression", "impression", "purchase"],
            "session_id": "s",
            "product_id": ["P1", "P2", "P2"],
        }
    )
    shop.write("events", rows)
    shop.write("products", pl.DataFrame({"product_id": ["P1", "P2"], "title": ["빨간 가방", None]}))
    data = inputs(shop)
    assert data.label.tolist() == [False, True]
    assert np.isnan(data.regions[data.picture]).all()
    assert (data.events == 0).all()


def at(minute: int, day: int = 1) -> datetime:
    return datetime(2024, 1, day, 10, minute, tzinfo=UTC)


def bare(folder: Path, rows: list[tuple], **offers: list) -> Shop:
    """A shop of events (ts, kind, session, product, price) of one customer, and offers."""
    shop = Shop.create(folder)
    names = ["ts", "kind", "session_id", "product_id", "price"]
    events = pl.DataFrame(rows, schema=names, orient="row").with_columns(customer_id=pl.lit("c"), country=pl.lit("KR"))
    shop.write("events", events.with_columns(event_id=pl.format("e{}", pl.int_range(pl.len()))))
    shop.write(
        "products", pl.DataFrame({"product_id": ["P1", "P2"], "title": ["가방", "신발"], "category": ["a", "b"]})
    )
    if offers:
        shop.write("offers", pl.DataFrame(offers))
    return shop


def test_a_purchase_before_the_first_showing_of_the_visit_is_not_known_to_it(tmp_path: Path) -> None:
    rows = [(at(0), "purchase", "s", "P1", 9.0), (at(1), "impression", "s", "P1", 9.0)]
    rows += [(at(0, 2), "impression", "t", "P1", 9.0)]
    seen = showings(bare(tmp_path / "shop", rows))
    bought = seen.behaviour[:, BEHAVIOUR.index("own_purchases")]
    assert bought.tolist() == pytest.approx([0.0, np.log(2)])


def test_a_deed_on_a_listing_that_was_never_shown_counts_for_its_category(tmp_path: Path) -> None:
    rows = [(at(0), "view", "s", "P2", None), (at(0, 2), "impression", "t", "P1", 9.0)]
    later = [*rows, (at(0, 3), "impression", "u", "P2", 9.0)]
    shop, more = bare(tmp_path / "one", rows), bare(tmp_path / "two", later)
    assert np.array_equal(showings(shop).behaviour[0], showings(more).behaviour[0], equal_nan=True)


def test_offers_that_hold_everywhere_count_and_ended_ones_do_not(tmp_path: Path) -> None:
    rows = [(at(0, 2), "impression", "s", "P1", 8.0), (at(0, 9), "impression", "t", "P1", 8.0)]
    shop = bare(
        tmp_path / "shop",
        rows,
        product_id=["P1"],
        valid_from=[at(0)],
        valid_to=[at(0, 5)],
        price=[8.0],
        list_price=[10.0],
    )
    told = showings(shop).offer[:, OFFER.index("list_price")]
    assert told[0] == pytest.approx(np.log(10 / 8), abs=1e-6)
    assert np.isnan(told[1])


def test_a_price_of_zero_or_none_spoils_no_other_row(tmp_path: Path) -> None:
    prices = [10.0, 0.0, None, 10.0, 20.0]
    rows = [(at(n), "impression", f"s{n}", "P1", price) for n, price in enumerate(prices)]
    usual = showings(bare(tmp_path / "shop", rows)).offer[:, OFFER.index("price_to_usual")]
    assert usual[3:].tolist() == pytest.approx([0.0, np.log(2)], abs=1e-6)
    assert np.isnan(usual[:3]).all()


def test_a_shop_without_impressions_says_so(tmp_path: Path) -> None:
    shop = Shop.create(tmp_path / "none")
    shop.write(
        "events", pl.DataFrame({"event_id": ["a"], "ts": [datetime(2024, 1, 1, tzinfo=UTC)], "kind": ["purchase"]})
    )
    with pytest.raises(DataError, match="no events of kind 'impression'; log what is shown"):
        showings(shop)
