"""Stock: what is out is not sold, forgotten orders run out, and no unit is lost or made up."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from danggol.twin import Market, MarketFile
from danggol.twin.randomness import stream
from danggol.twin.sections import Stock
from danggol.twin.stock import Store

SMALL = MarketFile.load("small").parameters


def market_with(seed: int = 0, scale: float = 1.0, **stock: float) -> Market:
    changed = SMALL.model_copy(
        update={
            "stock": SMALL.stock.model_copy(update=stock),
            "social": SMALL.social.model_copy(update={"accounts": 5}),
        }
    )
    return Market(MarketFile(changed, "stock"), seed, scale)


@pytest.fixture(scope="module")
def forgetful() -> tuple[Market, pl.DataFrame, pl.DataFrame, list[np.ndarray]]:
    """A market that forgets half of its reorders: events and offers to the end, and the units of each week."""
    market, events, offers, units = market_with(scale=2.0, careless=0.5, cover_weeks=5.0), [], [], []
    while not market.done:
        tables = market.step().tables
        events.append(tables["events"])
        offers.append(tables["offers"])
        assert market.now is not None
        units.append(market.now.stock)
    return market, pl.concat(events), pl.concat([*offers, market.offers()]), units


def test_what_is_out_of_stock_is_not_shown_and_not_sold(forgetful):
    market, events, offers, units = forgetful
    out = np.array(units) == 0
    assert out.sum() > 50
    starts = pl.Series(market.clock.starts()).cast(pl.Datetime("us", "UTC"))
    week, product = np.nonzero(out)
    gone = pl.DataFrame({"week": week, "product_id": market.goods.ids.gather(product)})
    shown = events.filter(pl.col("kind") == "impression").with_columns(
        week=pl.Series(np.searchsorted(starts, events.filter(pl.col("kind") == "impression")["ts"], side="right") - 1)
    )
    assert len(shown.join(gone, on=["week", "product_id"], how="semi")) == 0
    # As a shop sees it: no showing while an offer says that there is nothing.
    empty = offers.filter(pl.col("stock") == 0).select("product_id", "country", "valid_from", "valid_to")
    met = shown.join(empty, on=["product_id", "country"]).filter(
        (pl.col("ts") >= pl.col("valid_from")) & (pl.col("valid_to").is_null() | (pl.col("ts") < pl.col("valid_to")))
    )
    assert len(empty) > 100
    assert len(met) == 0


def test_offers_say_that_there_is_nothing_while_it_is_out(forgetful):
    market, _, offers, units = forgetful
    starts = market.clock.starts()
    rows = offers.select(
        "product_id",
        "stock",
        begin=pl.col("valid_from").dt.epoch("us"),
        end=pl.col("valid_to").dt.epoch("us").fill_null(int(starts[-1])),
    )
    for week in range(market.clock.weeks):
        holds = rows.filter((pl.col("begin") <= int(starts[week])) & (pl.col("end") > int(starts[week])))
        said = holds.group_by("product_id").agg(none=(pl.col("stock") == 0).all(), some=(pl.col("stock") > 0).all())
        place = {one: number for number, one in enumerate(market.goods.ids)}
        there = np.array([units[week][place[one]] > 0 for one in said["product_id"]], dtype=bool)
        assert (said["none"].to_numpy() == ~there).all()
        assert (said["some"].to_numpy() == there).all()


def test_forgotten_orders_lead_to_stock_outs():
    def weeks_out(careless: float) -> int:
        market, out = market_with(seed=1, scale=2.0, careless=careless), 0
        for _ in range(13):
            market.step()
            assert market.now is not None
            out += int((market.now.stock == 0).sum())
        return out

    assert weeks_out(0.8) > 2 * weeks_out(0.0) + 10


def test_most_listings_that_ran_out_come_back_and_are_shown_again(forgetful):
    market, events, _, units = forgetful
    out, last = np.array(units) == 0, market.clock.weeks - 1
    ran_out = out[: last - 3].any(axis=0)
    assert ran_out.sum() > 20
    assert (~out[-4:, ran_out]).any(axis=0).mean() > 0.9
    ended = market.clock.start(last - 3)
    late = events.filter((pl.col("kind") == "impression") & (pl.col("ts").dt.epoch("us") >= ended))
    assert market.goods.ids.filter(pl.Series(ran_out)).is_in(late["product_id"].implode()).mean() > 0.9


class Watched(Store):
    """A store that notes its orders."""

    def order(self, week: int, units: np.ndarray) -> None:
        self.noted = getattr(self, "noted", [])
        self.noted.append((week, units.copy()))
        super().order(week, units)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    lead=st.integers(0, 5),
    cover=st.floats(0.5, 20),
    careless=st.floats(0, 1),
    busy=st.floats(0.1, 6),
    asks=st.booleans(),
)
def test_no_unit_is_lost_or_made_up(seed, lead, cover, careless, busy, asks):
    rng = stream(seed, "a store")
    size, weeks = 12, 25
    store = Watched(Stock(cover_weeks=cover, lead_weeks=lead, careless=careless), rng.gamma(1.0, 3.0, size))
    begun, sold_so_far = store.units.copy(), np.zeros(size, dtype=np.int64)
    for week in range(weeks):
        if asks:
            store.order(week - 1, rng.integers(0, 4, size))
        before = store.units.copy()
        arriving = store.on_the_way()
        store.receive(week)
        assert (store.units - before + store.on_the_way() == arriving).all()
        sold = np.where(store.there(), rng.poisson(busy, size), 0)
        store.sell(week, sold, rng)
        sold_so_far += sold
        ordered = sum((units for _, units in store.noted), np.zeros(size, dtype=np.int64))
        assert (store.units + store.on_the_way() == begun + ordered - sold_so_far).all()
        due = sum((units for when, units in store.noted if when + 1 + lead <= week), np.zeros(size, dtype=np.int64))
        assert (store.units == begun + due - sold_so_far).all()
    assert all((units >= 0).all() for _, units in store.noted)
    if not careless and not asks:
        # Without forgetting, what is sold and owed is ordered again: nothing stays out for good.
        for week in range(weeks, weeks + lead + 2):
            store.receive(week)
            store.sell(week, np.zeros(size, dtype=np.int64), rng)
        assert store.there().all()
