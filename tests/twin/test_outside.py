import datetime as dt
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from danggol.errors import UsageError
from danggol.shop import Shop
from danggol.twin import MarketFile
from danggol.twin.clock import Clock
from danggol.twin.countries import countries
from danggol.twin.outside import CLIMATE, Outside, make_outside, signals_table
from danggol.twin.sections import Shock

DEFAULT = MarketFile.load("default").parameters
CODES = tuple(DEFAULT.countries)
SHOCK = Shock(week=20, weeks=10, traffic=0.5, season=-0.5, delay_days=4.0, categories={"makeup": 0.4, "bedding": 2.0})


def _market(weeks: int = 52, shocks: tuple[Shock, ...] = (), **signals):
    changes = {
        "size": DEFAULT.size.model_copy(update={"weeks": weeks}),
        "signals": DEFAULT.signals.model_copy(update=signals),
        "shock": list(shocks),
    }
    return DEFAULT.model_copy(update=changes)


def _both(market, seed: int = 0) -> tuple[Outside, pl.DataFrame]:
    clock = Clock.of(market)
    outside = make_outside(market, clock, CODES, seed)
    return outside, signals_table(outside, market, clock, CODES, seed)


@pytest.fixture(scope="module")
def usual():
    return _both(_market())


@pytest.fixture(scope="module")
def shocked():
    return _both(_market(shocks=(SHOCK,)))


def _first(signals: pl.DataFrame, signal: str) -> pl.DataFrame:
    """The values of a signal as first published."""
    rows = signals.filter(pl.col("signal").str.starts_with(signal))
    return rows.group_by("signal", "region", "ts").agg(pl.col("value", "known_at").sort_by("known_at").first())


def _revised(signals: pl.DataFrame, signal: str) -> pl.DataFrame:
    """The values that were published twice, both times."""
    rows = signals.filter(pl.col("signal").str.starts_with(signal)).sort("known_at")
    twice = rows.group_by("signal", "region", "ts").agg("value", "known_at").filter(pl.col("value").list.len() > 1)
    parts = [pl.col(name).list.get(at).alias(f"{name}_{at}") for name in ("value", "known_at") for at in (0, 1)]
    return twice.with_columns(parts)


def test_demand_is_stationary_persistent_and_half_shared_between_countries():
    market = _market(weeks=500)
    level = make_outside(market, Clock.of(market), CODES, 0).level
    settings = market.signals
    assert level.shape == (500 + settings.lead_weeks, len(market.goods.category), len(CODES))
    assert level.std() == pytest.approx(settings.sd, rel=0.1)
    assert level[:50].std() == pytest.approx(level[-50:].std(), rel=0.25)
    assert (level[1:] * level[:-1]).mean() / (level**2).mean() == pytest.approx(settings.persistence, abs=0.03)
    between = np.mean([np.corrcoef(level[:, kind].T)[np.triu_indices(len(CODES), 1)] for kind in range(15)])
    assert between == pytest.approx(0.5, abs=0.1)
    across = np.corrcoef(level[:, :, 0].T)[np.triu_indices(15, 1)]
    assert abs(across.mean()) < 0.1


@pytest.mark.parametrize("lead", [0, 2, 5])
def test_the_index_of_searches_runs_ahead_of_demand_by_the_lead(lead):
    market = _market(weeks=200, lead_weeks=lead, persistence=0.5)
    outside, signals = _both(market)
    rows = _first(signals, "search:tea").filter(pl.col("region") == "KR").sort("ts")
    index = np.log(rows["value"].to_numpy())
    place = list(outside.categories).index("tea")
    demand = np.log([outside.interest(week)[0, place] for week in range(200)])
    lags = range(-2, 9)
    found = [np.corrcoef(index[5 : len(index) - 12], demand[5 + lag : len(index) - 12 + lag])[0, 1] for lag in lags]
    assert lags[int(np.argmax(found))] == lead
    assert max(found) > 0.8


def test_what_is_published_is_known_only_after_what_it_is_about(usual):
    _, signals = usual
    clock, settings = Clock.of(_market()), DEFAULT.signals
    assert (signals["known_at"] > signals["ts"]).all()
    end = dt.datetime.fromtimestamp(clock.start(52) / 1e6, dt.UTC)
    assert signals["known_at"].max() < end
    assert signals["known_at"].is_sorted()
    search = _first(signals, "search:")
    late = (search["known_at"] - search["ts"]).dt.total_seconds() / 86400
    assert late.to_numpy() == pytest.approx(np.full(len(late), 7 + settings.publish_days))
    local = search["ts"].dt.convert_time_zone("Asia/Seoul")
    assert set(local.dt.weekday()) == {1}
    assert set(local.dt.hour()) == {0}
    weeks = search.group_by("signal", "region").len()
    assert len(weeks) == 15 * 24
    assert set(weeks["len"]) == {51}, "the last week's index comes out after the end"


def test_the_first_value_is_revised_later_towards_the_truth():
    market = _market(weeks=200)
    outside, signals = _both(market)
    settings = market.signals
    rows = _revised(signals, "search:")
    later = (rows["known_at_1"] - rows["known_at_0"]).dt.total_seconds() / 86400
    assert later.to_numpy() == pytest.approx(np.full(len(rows), settings.revision_days))
    change = np.log(rows["value_1"] / rows["value_0"])
    assert change.std() == pytest.approx(settings.revision, rel=0.05)
    starts = {start: week for week, start in enumerate(Clock.of(market).starts().tolist())}
    week = np.array([starts[ts] for ts in rows["ts"].dt.epoch("us").to_list()])
    kind = np.array([outside.categories.index(name.removeprefix("search:")) for name in rows["signal"]])
    code = np.array([CODES.index(region) for region in rows["region"]])
    truth = outside.level[week + settings.lead_weeks, kind, code]
    wrong = [(np.log(rows[f"value_{at}"].to_numpy() / 100) - truth).std() for at in (0, 1)]
    assert wrong[0] == pytest.approx(settings.noise, rel=0.05)
    assert wrong[1] == pytest.approx(np.sqrt(settings.noise**2 - settings.revision**2), rel=0.05)


def test_without_a_shock_nothing_is_broken(usual):
    outside, _ = usual
    for week in range(52):
        assert outside.traffic(week) == outside.season(week) == 1
        assert outside.delay_days(week) == 0
        assert outside.interest(week) == pytest.approx(np.exp(outside.level[week].T))
    assert outside.interest(0).shape == (24, 15)


def test_a_shock_moves_visits_seasons_deliveries_and_its_categories_while_it_lasts(usual, shocked):
    calm, broken = usual[0], shocked[0]
    makeup, bedding, tea = (calm.categories.index(name) for name in ("makeup", "bedding", "tea"))
    for week in (0, 19, 20, 29, 30):
        inside = 20 <= week < 30
        assert broken.traffic(week) == (0.5 if inside else 1)
        assert broken.season(week) == (-0.5 if inside else 1)
        assert broken.delay_days(week) == (4 if inside else 0)
        ratio = broken.interest(week) / calm.interest(week)
        assert ratio[:, makeup] == pytest.approx(0.4 if inside else 1)
        assert ratio[:, bedding] == pytest.approx(2.0 if inside else 1)
        assert ratio[:, tea] == pytest.approx(1)


def test_shocks_that_meet_multiply():
    second = SHOCK.model_copy(update={"week": 25, "traffic": 0.8, "categories": {"makeup": 0.5}})
    market = _market(shocks=(SHOCK, second))
    outside = make_outside(market, Clock.of(market), CODES, 0)
    assert outside.traffic(26) == pytest.approx(0.4)
    assert outside.delay_days(26) == 8
    assert outside.broken(26)[outside.categories.index("makeup")] == pytest.approx(0.2)


def test_a_shock_shows_in_what_is_published_of_its_own_weeks_and_not_before(usual, shocked):
    begins = Clock.of(_market()).starts()[[19, 20, 30]].tolist()

    def ratio(signal: str) -> list[float]:
        key = ["signal", "region", "ts"]
        both = _first(usual[1], signal).join(_first(shocked[1], signal), on=key, suffix="_shocked")
        at = both.with_columns(pl.col("ts").dt.epoch("us"), ratio=pl.col("value_shocked") / pl.col("value"))
        return [at.filter(pl.col("ts") == begin)["ratio"].mean() for begin in begins]

    assert ratio("search:makeup") == pytest.approx([1, 0.4, 1])
    assert ratio("search:tea") == pytest.approx([1, 1, 1])
    assert ratio("mobility") == pytest.approx([1, 0.5, 1])
    assert ratio("temperature") == pytest.approx([1, 1, 1])
    confidence = [_first(one, "consumer_confidence").sort("ts") for _, one in (usual, shocked)]
    fall = (confidence[0]["value"] - confidence[1]["value"]).to_numpy().reshape(-1, 24).mean(axis=1)
    assert fall.max() > 10
    assert (fall[:4] == 0).all()


def test_mobility_falls_in_a_shock_that_sends_people_to_the_shop_too():
    _, signals = _both(_market(shocks=(SHOCK.model_copy(update={"traffic": 1.5}),)))
    value = _first(signals, "mobility").sort("ts")["value"].to_numpy().reshape(-1, 24).mean(axis=1)
    assert value[20:30].mean() == pytest.approx(100 / 1.5, rel=0.02)


def test_temperature_has_the_seasons_of_its_hemisphere(usual):
    rows = usual[1].filter(pl.col("signal") == "temperature").with_columns(month=pl.col("ts").dt.month())
    mean = {code: rows.filter(pl.col("region") == code).group_by("month").agg(pl.col("value").mean()) for code in CODES}
    warm = {code: frame.sort("value")["month"][-1] for code, frame in mean.items()}
    assert warm["KR"] in {7, 8}
    assert warm["AU"] in {12, 1, 2}
    assert set(CLIMATE) == set(countries())


def test_consumer_confidence_is_monthly_four_weeks_late_and_revised(usual):
    first = _first(usual[1], "consumer_confidence")
    local = first["ts"].dt.convert_time_zone("Asia/Seoul")
    assert set(local.dt.day()) == {1}
    days = (first["known_at"] - first["ts"]).dt.total_days()
    assert days.min() >= 28 + 28
    assert days.max() <= 31 + 28
    rows = _revised(usual[1], "consumer_confidence")
    assert len(rows) > 8 * 24
    assert (rows["value_0"] != rows["value_1"]).all()


def test_an_unknown_category_in_a_shock_is_refused_with_the_nearest():
    market = _market(shocks=(SHOCK.model_copy(update={"categories": {"makup": 0.5}}),))
    with pytest.raises(UsageError, match="'makup' is no category of the market; did you mean 'makeup'"):
        make_outside(market, Clock.of(market), CODES, 0)


def test_the_same_seed_gives_the_same_outside(usual):
    again, other = _both(_market()), _both(_market(), seed=1)
    assert (again[0].level == usual[0].level).all()
    assert again[1].equals(usual[1])
    assert not (other[0].level == usual[0].level).any()


def test_a_market_of_two_weeks_has_signals_too():
    _, signals = _both(_market(weeks=2))
    assert set(signals["signal"].str.split(":").list.first()) == {"search", "temperature", "mobility"}


def test_the_table_keeps_to_the_shops_rules(tmp_path, shocked):
    shop = Shop.create(tmp_path / "shop", timezone="Asia/Seoul", currency="KRW", languages=("ko",), name="Test")
    assert shop.write("signals", shocked[1]) == len(shocked[1]) > 30_000
    assert shop.check() == []


def test_a_course_without_swing_or_noise_is_flat():
    market = _market(sd=0.0, noise=0.0)
    outside, signals = _both(market)
    assert (outside.interest(3) == 1).all()
    assert (_first(signals, "search:")["value"] == 100).all()
    assert replace(outside, shocks=(SHOCK,)).traffic(20) == 0.5
