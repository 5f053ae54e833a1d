"""Live commerce: slots at their hours, viewers of their country, sales that tell of the goods more than of the host."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from danggol.twin import Actions, Broadcast, Market, MarketFile, Week
from danggol.twin.broadcasts import Slot, Studio
from danggol.twin.countries import countries

SMALL = MarketFile.load("small").parameters


def market_with(seed: int = 0, scale: float = 1.0, **broadcasts: float) -> Market:
    changed = SMALL.model_copy(
        update={
            "broadcasts": SMALL.broadcasts.model_copy(update=broadcasts),
            "social": SMALL.social.model_copy(update={"accounts": 5}),
        }
    )
    return Market(MarketFile(changed, "live"), seed, scale)


@pytest.fixture(scope="module")
def aired() -> tuple[Market, list[Week]]:
    market = market_with(seed=1, scale=3.0)
    return market, [market.step() for _ in range(12)]


def live(week: Week, kind: str) -> pl.DataFrame:
    return week.tables["events"].filter((pl.col("channel") == "live") & (pl.col("kind") == kind))


def test_sales_and_viewers_are_those_of_the_events(aired):
    _, weeks = aired
    total = 0.0
    for week in weeks:
        rows = week.tables["broadcasts"]
        bought = live(week, "purchase").with_columns(value=pl.col("price") * pl.col("quantity"))
        of_product = rows.group_by("product_id").agg(pl.col("sales").sum(), pl.col("viewers").sum()).sort("product_id")
        seen = (
            live(week, "impression")
            .group_by("product_id")
            .agg(viewers=pl.len(), countries=pl.col("country").n_unique())
        )
        events = seen.join(bought.group_by("product_id").agg(pl.col("value").sum()), on="product_id", how="left")
        both = of_product.join(events, on="product_id", how="left", suffix="_seen").fill_null(0)
        assert np.allclose(both["sales"], both["value"], atol=0.01)
        assert (both["viewers"] == both["viewers_seen"]).all()
        assert rows["viewers"].sum() == (week.tables["sessions"]["channel"] == "live").sum()
        total += float(rows["sales"].sum())
    assert total > 0


def test_slots_lie_in_their_week_and_are_numbered_in_order(aired):
    market, weeks = aired
    rows = pl.concat([week.tables["broadcasts"] for week in weeks])
    assert rows["broadcast_id"].is_unique().all()
    assert rows.sort("broadcast_id")["ts"].is_sorted()
    assert 0.6 * 6 < len(rows) / len(weeks) < 1.4 * 6
    for week in weeks:
        begin, end = market.clock.start(week.number), market.clock.start(week.number + 1)
        for table in (week.tables["broadcasts"], week.tables["events"], week.tables["sessions"]):
            at = table.filter(pl.col("kind") != "return") if "kind" in table.columns else table
            assert at["ts"].dt.epoch("us").is_between(begin, end, closed="left").all()


def test_viewers_are_people_of_the_largest_countries_at_the_price_of_the_slot(aired):
    market, weeks = aired
    events = pl.concat([live(week, "impression") for week in weeks])
    assert set(events["country"]) <= {market.codes[place] for place in market.studio.places}
    assert len(market.studio.places) == SMALL.broadcasts.countries
    assert events["propensity"].null_count() == len(events)
    assert (events["position"] == 0).all()
    rows = pl.concat([week.tables["broadcasts"] for week in weeks]).sort("ts")
    near = events.sort("ts").join_asof(
        rows.select("product_id", "ts", "minutes", slot="price", starts="ts"),
        on="ts",
        by="product_id",
        check_sortedness=False,
    )
    since = (near["ts"] - near["starts"]).dt.total_seconds() / 60
    assert since.is_between(0, 60).all()
    # A broadcast over midnight has the price of its first day.
    assert np.allclose(near["price"], near["slot"], rtol=0.03)
    assert np.isclose(near["price"], near["slot"], rtol=1e-6).mean() > 0.8


@pytest.mark.parametrize("code", ["KR", "US", "DE"])
def test_a_slot_begins_at_the_local_hour_that_was_asked_for(code, aired):
    market, _ = aired
    place = market.codes.index(code)
    zone = dt.timezone(dt.timedelta(hours=countries()[code].utc_offset))
    for day in range(7):
        for hour in (0.0, 9.5, 12.0, 20.0, 23.0):
            slot = Slot(product=0, country=place, host=0, day=day, hour=hour, minutes=60, discount=0.0)
            start = market.studio.starts(3, slot)
            local = dt.datetime.fromtimestamp(start / 1e6, zone)
            into = (start - market.clock.start(3)) / 3600e6
            assert 0 <= into <= 166
            if into < 166:
                assert (local.weekday(), local.hour + local.minute / 60) == (day, hour)


def test_the_longest_slot_at_the_end_of_the_week_stays_in_it():
    market = market_with(seed=2, scale=2.0, reach=1.0)
    market.step()
    rows = market.offers().filter((pl.col("country") == "KR") & (pl.col("stock") > 0)).sort("stock")
    asked = Broadcast(rows["product_id"][-1], "KR", day=6, hour=23.9, minutes=600)
    week = market.step(Actions(broadcasts=[asked], own_broadcasts=False))
    seen = live(week, "impression")
    assert len(seen) > 100
    assert (week.tables["events"]["ts"].dt.epoch("us") < market.clock.start(2)).all()
    assert week.tables["broadcasts"]["viewers"].to_list() == [len(seen)]


def test_longer_slots_and_evenings_have_more_viewers(aired):
    market, _ = aired
    present = market.present(market.week)

    def viewers(hour: float, minutes: float) -> int:
        slot = Slot(product=0, country=0, host=0, day=2, hour=hour, minutes=minutes, discount=0.0)
        return len(market.studio.watch(market.week, [slot] * 5, present).customer)

    assert viewers(20.0, 20.0) < viewers(20.0, 60.0)
    assert viewers(12.0, 60.0) < 0.7 * viewers(20.0, 60.0)


def slope(market: Market, easy: float) -> float:
    """How much easier the goods are that a more famous host is given (sd per sd)."""
    settings = SMALL.broadcasts.model_copy(update={"easy": easy, "per_week": 200.0, "hosts": 100})
    parameters = market.parameters.model_copy(update={"broadcasts": settings})
    studio = Studio(parameters, market.goods, market.people, market.clock, 7)
    assert market.now is not None
    slots = [slot for week in range(5) for slot in studio.plan(week, market.now)]
    fame = studio.fame[[slot.host for slot in slots]]
    return float(np.polyfit(fame, studio.ease[[slot.product for slot in slots]], 1)[0])


def test_famous_hosts_are_given_the_goods_that_sell_themselves(aired):
    market, _ = aired
    assert slope(market, easy=1.5) > 0.5
    assert abs(slope(market, easy=0.0)) < 0.12
    told = market.studio.frame()
    assert told["host_id"].to_list() == [f"H{number:03d}" for number in range(1, SMALL.broadcasts.hosts + 1)]


def test_a_skilled_host_sells_more_of_the_same():
    sold = {}
    for skilled in (True, False):
        market = market_with(seed=3, scale=5.0, reach=0.5, skill_sd=1.0)
        host = int(market.studio.skill.argmax() if skilled else market.studio.skill.argmin())
        market.step()
        rows = market.offers().filter((pl.col("country") == "KR") & (pl.col("stock") > 0)).sort("stock")
        asked = [
            Broadcast(one, "KR", host_id=market.studio.hosts[host], day=day)
            for day, one in enumerate(rows["product_id"][-6:])
        ]
        week = market.step(Actions(broadcasts=asked, own_broadcasts=False))
        assert week.tables["broadcasts"]["host_id"].n_unique() == 1
        sold[skilled] = len(live(week, "purchase")), int(week.tables["broadcasts"]["viewers"].sum())
    assert sold[True][1] == sold[False][1] > 500
    assert sold[True][0] > 2 * sold[False][0]


def test_a_broadcast_of_what_is_not_there_is_not_held():
    market = market_with(seed=4)
    market.step()
    offered = market.offers().filter(pl.col("country") == "JP")["product_id"]
    missing = next(one for one in market.goods.ids if one not in offered)
    week = market.step(Actions(broadcasts=[Broadcast(missing, "JP")], own_broadcasts=False))
    assert len(week.tables["broadcasts"]) == 0
    assert (week.tables["sessions"]["channel"] != "live").all()
