import numpy as np
import polars as pl
import pytest

from danggol.twin import MarketFile
from danggol.twin.clock import Clock
from danggol.twin.goods import make_goods
from danggol.twin.trends import ATTRIBUTES, KINDS, make_trends, trends_frame
from danggol.twin.words import STYLES


@pytest.fixture(scope="module")
def parameters():
    return MarketFile.load("default").parameters


@pytest.fixture(scope="module")
def clock(parameters):
    return Clock.of(parameters)


@pytest.fixture(scope="module")
def goods(parameters, clock):
    return make_goods(parameters, clock, seed=0)


@pytest.fixture(scope="module")
def drawn(parameters, goods, clock):
    """Draw trends, with other settings where asked."""

    def draw(seed=0, **changes):
        settings = parameters.trends.model_copy(update=changes)
        return make_trends(settings, goods, clock, tuple(parameters.countries), seed)

    return draw


@pytest.fixture(scope="module")
def trends(drawn):
    return drawn()


def test_there_are_as_many_trends_and_hypes_as_the_market_says(trends, parameters):
    assert (~trends.hype).sum() == parameters.trends.real
    assert trends.hype.sum() == parameters.trends.hypes
    assert set(trends.kind) == set(KINDS)
    assert trends.hype[: parameters.trends.real].any()


def test_the_same_seed_gives_the_same_trends_and_another_seed_others(drawn, trends):
    again, other = drawn(), drawn(seed=1)
    assert (again.key == trends.key).all()
    assert (again.start == trends.start).all()
    assert (other.start != trends.start).all()


def test_a_level_rises_falls_and_comes_later_in_other_countries(trends, parameters):
    weeks = np.arange(-60, 200)
    levels = np.stack([trends.levels(week) for week in weeks])
    assert (levels >= 0).all()
    assert (levels <= 1).all()
    top = levels.max(axis=0)
    assert (top > 0.85).all()
    assert (np.abs(weeks[levels.argmax(axis=0)] - trends.peak) <= 1).all()
    first = trends.start.min(axis=1, keepdims=True)
    delay = trends.start - first
    assert (delay == 0).sum() == len(trends)
    assert delay[delay > 0].mean() == pytest.approx(parameters.trends.country_delay_weeks, rel=0.2)


def test_a_level_takes_the_weeks_of_the_market_to_rise_and_fall(trends):
    start, rise = trends.start, trends.rise[:, None]
    country = np.arange(start.shape[1])
    everyone = np.arange(len(trends))

    def at(when):
        return np.stack([trends.seen(country, when[one], everyone)[:, one] for one in everyone])

    assert at(start) == pytest.approx(0.1)
    assert at(start + rise) == pytest.approx(0.9)
    later = trends.peak + trends.fall[:, None]
    assert at(later) / at(trends.peak) == pytest.approx(np.exp(-1), rel=0.02)


def test_starts_are_spread_over_the_time_and_some_lie_before_it(trends, clock):
    for rows in (trends.hype, ~trends.hype):
        first = trends.start[rows].min(axis=1)
        assert (first < 0).any()
        assert (trends.peak[rows].max(axis=1) > clock.weeks).any()
        assert ((first > 0) & (first < clock.weeks / 2)).any()
        assert (first < clock.weeks).all()


def test_hypes_move_nothing_and_trends_move_what_carries_them(drawn, trends, parameters):
    only_hypes = drawn(real=0)
    assert only_hypes.levels(20).max() > 0.5
    for week in range(0, 52, 5):
        assert not only_hypes.lift(week).any()
        assert (only_hypes.interest(week) == 1).all()
        lift, interest = trends.lift(week), trends.interest(week)
        real = ~trends.hype
        assert (interest >= 1).all()
        untouched = trends.carries[real].max(axis=0) == 0
        assert not lift[untouched].any()
        expected = trends.carries.T @ (trends.strength[:, None] * trends.levels(week))
        assert np.allclose(lift, expected, atol=1e-4)
        shown = trends.carries[real].T @ trends.levels(week)[real] * parameters.trends.interest
        assert np.allclose(np.log(interest), shown, atol=1e-4)


def test_what_carries_a_trend_is_what_it_is_about(drawn, goods):
    trends = drawn(real=60)
    assert (trends.carries[trends.kind == "product"].sum(axis=1) > 1).any()
    for kind, key, carries in zip(trends.kind, trends.key, trends.carries, strict=True):
        if kind == "product":
            original = goods.ids.to_list().index(key)
            assert goods.real[original] == original
            assert ((carries == 1) == (goods.real == original)).all()
        elif kind == "style":
            assert np.corrcoef(carries, goods.style[:, STYLES.index(key)])[0, 1] > 0.7
            assert 0.1 < carries.mean() < 0.25
        else:
            column = {"color": goods.color, "pattern": goods.pattern}[kind]
            assert ((carries == 1) == (column == ATTRIBUTES[kind].index(key))).all()


def test_no_two_trends_are_about_the_same_while_there_is_something_left(drawn):
    many = drawn(real=200, hypes=200)
    assert len(set(zip(many.kind, many.key, strict=True))) == 400
    assert sum(kind != "product" for kind in many.kind) == sum(map(len, ATTRIBUTES.values()))


def test_trendy_products_are_no_more_popular_than_others(drawn, goods):
    many = drawn(real=200, hypes=200)
    standing = np.array([(goods.exposure[goods.category == one] < x).mean() for one, x in _popularity(many, goods)])
    assert standing.mean() == pytest.approx(0.5, abs=0.05)
    counts = np.bincount([one for one, _ in _popularity(many, goods)], minlength=len(goods.starts) - 1)
    assert counts.max() < 2.5 * counts.min()


def _popularity(trends, goods):
    place = {product: row for row, product in enumerate(goods.ids)}
    rows = [place[key] for kind, key in zip(trends.kind, trends.key, strict=True) if kind == "product"]
    return [(goods.category[row], goods.exposure[row]) for row in rows]


def test_more_trends_than_there_are_things_still_work(parameters, clock):
    size = parameters.size.model_copy(update={"products": 30})
    few = make_goods(parameters.model_copy(update={"size": size}), clock, 0)
    settings = parameters.trends.model_copy(update={"real": 60, "hypes": 10})
    assert make_trends(settings, few, clock, ("KR", "US"), 0).carries.shape == (70, 30)


def test_a_market_without_trends_has_none(drawn, goods, clock, parameters):
    none = drawn(real=0, hypes=0)
    codes = tuple(parameters.countries)
    assert len(none) == 0
    assert none.lift(3).shape == (len(goods), len(codes))
    assert not none.lift(3).any()
    assert (none.interest(3) == 1).all()
    assert none.levels(3).shape == (0, len(codes))
    empty = trends_frame(none, codes, clock)
    assert empty.is_empty()
    assert empty.schema == trends_frame(drawn(), codes, clock).schema


def test_the_truth_has_a_row_for_each_trend_and_country(trends, parameters, clock):
    codes = tuple(parameters.countries)
    frame = trends_frame(trends, codes, clock)
    assert len(frame) == len(trends) * len(codes)
    assert frame.select("trend_id", "country").is_unique().all()
    assert (frame.filter(pl.col("hype"))["strength"] == 0).all()
    assert (frame.filter(~pl.col("hype"))["strength"] > 0).all()
    assert (frame["peak_week"] > frame["start_week"]).all()
    assert (frame["started_on"].dt.weekday() == 1).all()
