"""Leaving: for good, for causes that were met, more where they weigh more."""

import numpy as np
import polars as pl
import pytest

from danggol.twin import Actions, Market, MarketFile, Week
from danggol.twin.leaving import REASONS
from danggol.twin.sections import CAUSES

SMALL = MarketFile.load("small").parameters
QUIET = SMALL.model_copy(update={"social": SMALL.social.model_copy(update={"accounts": 5})})


def market_with(seed: int, scale: float, times: float = 1.0, **people: float) -> Market:
    """A market whose causes drive people away ``times`` as much."""
    hazard = SMALL.leaving.hazard
    hazard = hazard.model_copy(update={cause: times * getattr(hazard, cause) for cause in CAUSES})
    changed = QUIET.model_copy(
        update={
            "leaving": SMALL.leaving.model_copy(update={"hazard": hazard}),
            "people": SMALL.people.model_copy(update=people),
        }
    )
    return Market(MarketFile(changed, "leaving"), seed, scale)


def played(market: Market) -> list[Week]:
    return [market.step() for _ in range(market.clock.weeks - market.week)]


@pytest.fixture(scope="module")
def over() -> tuple[Market, list[Week]]:
    """A market at its end, in which nobody stays anonymous."""
    market = market_with(1, 3.0, times=3.0, anonymous=0.0)
    return market, played(market)


def left(market: Market) -> pl.DataFrame:
    return market.feelings.frame(market.people.ids)


def starts(market: Market, weeks: pl.Series) -> pl.Series:
    return pl.Series([market.clock.start(week) for week in weeks]).cast(pl.Datetime("us", "UTC"))


def test_who_has_left_never_comes_again(over):
    market, weeks = over
    gone = left(market).with_columns(since=starts(market, left(market)["week"]))
    sessions = pl.concat([week.tables["sessions"] for week in weeks])
    assert sessions["customer_id"].null_count() == 0
    assert len(sessions.join(gone, on="customer_id")) > 1000
    assert (sessions.join(gone, on="customer_id").filter(pl.col("ts") >= pl.col("since"))).is_empty()
    acts = pl.concat([week.tables["events"] for week in weeks]).filter(~pl.col("kind").is_in(["return"]))
    assert acts.join(gone, on="customer_id").filter(pl.col("ts") >= pl.col("since")).is_empty()


def test_nobody_comes_before_joining(over):
    market, weeks = over
    sessions = pl.concat([week.tables["sessions"] for week in weeks])
    first = pl.DataFrame({"customer_id": market.people.ids, "joined": market.people.joined_at})
    assert (sessions.join(first, on="customer_id").select(pl.col("ts").dt.epoch("us") > pl.col("joined")))["ts"].all()


def test_the_truth_says_who_left_when_and_why(over):
    market, weeks = over
    gone = left(market)
    assert gone["customer_id"].is_unique().all()
    assert set(gone["cause"]) == set(REASONS)
    assert gone["week"].is_between(1, market.clock.weeks).all()
    by_week = np.bincount(gone["week"].to_numpy(), minlength=len(weeks) + 1)[1:]
    assert by_week.tolist() == [int(week.figures["left"]) for week in weeks]


def test_people_leave_only_for_what_they_met(over):
    market, weeks = over
    bought = pl.concat([week.tables["events"] for week in weeks]).filter(pl.col("kind") == "purchase")
    truth = pl.concat([week.truth["purchases"] for week in weeks])
    orders = pl.concat([week.tables["orders"] for week in weeks]).select("order_id", "delivered_at")
    met = bought.join(truth, on="event_id").join(orders, on="order_id")
    gone = left(market).with_columns(since=starts(market, left(market)["week"]))
    for cause in CAUSES:
        leavers = gone.filter(pl.col("cause") == cause)
        struck = met.filter(pl.col(f"cause_{cause}")).join(leavers, on="customer_id")
        before = struck.filter(pl.col("delivered_at") < pl.col("since"))
        assert len(leavers) > 0
        assert set(before["customer_id"]) == set(leavers["customer_id"]), cause
    promised = pl.concat([week.tables["campaigns"] for week in weeks]).filter("treated")
    tiring = [offer.name for offer in SMALL.campaigns.offer if offer.tires > 0]
    tired = gone.filter(pl.col("cause") == "tired").join(
        promised.filter(pl.col("offer").is_in(tiring)), on="customer_id"
    )
    # A window lasts two weeks, and who leaves at its end leaves with it.
    during = tired.filter((pl.col("ts") < pl.col("since")) & (pl.col("since") <= pl.col("ts") + pl.duration(days=14)))
    assert set(during["customer_id"]) == set(gone.filter(pl.col("cause") == "tired")["customer_id"])


def test_twice_the_hazard_drives_more_people_away():
    count = {}
    for times in (1.0, 2.0):
        market = market_with(2, 3.0, times)
        played(market)
        count[times] = int(left(market)["cause"].is_in(CAUSES).sum())
    assert count[1.0] > 40
    # Those who leave earlier meet less afterwards, so it is somewhat less than double.
    assert 1.4 * count[1.0] < count[2.0] < 2.2 * count[1.0]


def test_without_faults_people_leave_at_the_rate_of_the_file():
    market = market_with(4, 3.0, times=0.0, leave_per_week=0.02)
    present = left_in_all = 0.0
    for _ in range(market.clock.weeks):
        figures = market.step(Actions(own_campaigns=False)).figures
        present, left_in_all = present + figures["customers"], left_in_all + figures["left"]
    expected = present * (1 - np.exp(-0.02))
    assert abs(left_in_all - expected) < 4 * expected**0.5
    assert set(left(market)["cause"]) == {"own"}


@pytest.mark.parametrize("window", [1, 2])
def test_offers_tire_in_every_week_of_their_window(window):
    offers = [offer.model_copy(update={"tires": 0.2}) for offer in SMALL.campaigns.offer]
    changed = SMALL.campaigns.model_copy(update={"offer": offers, "window_weeks": window})
    market = Market(MarketFile(QUIET.model_copy(update={"campaigns": changed}), "tiring"), 5, 2.0)
    here = market.people.ids.filter(pl.Series(market.present(0)))
    rows = pl.DataFrame({"customer_id": here, "offer": ["newsletter"] * len(here)})
    market.step(Actions(promotions=rows, own_campaigns=False))
    for _ in range(3):
        market.step(Actions(own_campaigns=False))
    tired = left(market).filter(pl.col("cause") == "tired")
    assert set(tired["week"]) == set(range(1, window + 1))
    expected = len(here) * (1 - np.exp(-0.2 * window))
    assert abs(len(tired) - expected) < 0.12 * expected


def test_a_bad_experience_fades_by_half(over):
    market, _ = over
    fresh = Market(MarketFile(QUIET, "fading"), 0)
    feelings, half_life = fresh.feelings, int(SMALL.leaving.half_life_weeks)
    causes = np.zeros((2, len(CAUSES)), dtype=bool)
    causes[0, 1] = True
    feelings.expect(np.array([3, 3]), np.array([7, 8]), causes)
    for week in range(4):
        feelings.arrive(week)
        assert feelings.felt[7, 1] == (1.0 if week == 3 else 0.0)
    assert feelings.felt.sum() == 1
    for week in range(4, 4 + half_life):
        feelings.arrive(week)
    assert feelings.felt[7, 1] == pytest.approx(0.5, rel=1e-5)
    assert (market.feelings.felt <= 1).all()
