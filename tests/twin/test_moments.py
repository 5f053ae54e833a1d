"""Each moment on tables of known truth; what tables cannot tell is None; the markets keep to the bounds."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from danggol.shop import Shop
from danggol.twin import MarketFile, simulate
from danggol.twin.market import names
from danggol.twin.moments import BOUNDS, MOMENTS, gini, moments, out_of_bounds, tail_exponent

from .conftest import Simulated

START = datetime(2024, 1, 1, tzinfo=UTC)
PEOPLE = 600
"""So many customers a market gets in the test of the bounds."""
OTHER_MARKETS = [name for name in names() if name != "small"]


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def shop_of(path: Path, timezone: str = "UTC", **tables: Sequence[dict[str, Any]] | pl.DataFrame) -> Shop:
    shop = Shop.create(path / "shop", timezone=timezone)
    for name, rows in tables.items():
        shop.write(name, rows if isinstance(rows, pl.DataFrame) else pl.DataFrame(rows, infer_schema_length=None))
    return shop


def events(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    usual = {"ts": START, "product_id": "p", "session_id": None, "customer_id": None, "order_id": None}
    return [{"event_id": f"e{number}", **usual, **row} for number, row in enumerate(rows)]


def test_an_empty_shop_tells_nothing(tmp_path: Path) -> None:
    found = moments(Shop.create(tmp_path / "shop"))
    assert list(found) == list(MOMENTS)
    assert set(found.values()) == {None}
    assert set(BOUNDS) < set(MOMENTS)


def test_visits_are_sessions_whether_they_buy_or_not(tmp_path: Path) -> None:
    rows = events(
        *({"kind": "impression", "session_id": s, "customer_id": c} for s, c in zip("abcde", "kkkl-", strict=True)),
        {"kind": "view", "session_id": "a", "customer_id": "k"},
        {"kind": "view", "session_id": "a", "customer_id": "k"},
        {"kind": "view", "session_id": "b", "customer_id": "k"},
        {"kind": "purchase", "session_id": "a", "customer_id": "k"},
        {"kind": "return", "session_id": "a", "customer_id": "k"},
    )
    for row in rows:
        row["customer_id"] = None if row["customer_id"] == "-" else row["customer_id"]
    found = moments(shop_of(tmp_path, events=rows))
    assert found["conversion"] == pytest.approx(1 / 5)
    assert found["events_per_visit"] == pytest.approx(9 / 5)
    assert found["views_per_visit"] == pytest.approx(3 / 2)
    assert found["visits_gini"] == pytest.approx(1 / 4)


def test_purchases_alone_do_not_tell_how_many_visits_end_in_one(tmp_path: Path) -> None:
    found = moments(shop_of(tmp_path, events=events({"kind": "purchase", "session_id": "a", "customer_id": "k"})))
    assert found["conversion"] is found["events_per_visit"] is found["visits_gini"] is None


def test_views_alone_tell_no_conversion(tmp_path: Path) -> None:
    found = moments(shop_of(tmp_path, events=events({"kind": "view", "session_id": "a"})))
    assert found["conversion"] is None
    assert found["views_per_visit"] == 1


def test_visits_known_by_their_sums_tell_the_conversion(tmp_path: Path) -> None:
    rows = [{"session_id": str(number), "converted": number < 2} for number in range(8)]
    assert moments(shop_of(tmp_path, sessions=rows))["conversion"] == pytest.approx(0.25)


def test_orders_tell_who_comes_back_and_when(tmp_path: Path) -> None:
    when = {"k": (0, 2, 10), "l": (5,), "m": (1, 5)}
    rows = [
        {"order_id": f"{who}{at}", "customer_id": who, "ts": day(at + 0.2)} for who, days in when.items() for at in days
    ]
    found = moments(shop_of(tmp_path, orders=rows))
    gaps = np.array([2, 8, 4])
    assert found["repeat_orders"] == pytest.approx(1 - 3 / 6)
    assert found["orders_gini"] == pytest.approx(gini(np.array([3.0, 1.0, 2.0])))
    assert found["gap_median"] == 4
    assert found["gap_mean"] == pytest.approx(gaps.mean())
    assert found["gap_cv"] == pytest.approx(gaps.std() / gaps.mean())


def test_orders_of_one_local_day_are_one_for_the_gaps(tmp_path: Path) -> None:
    # 23:00 and 01:00 in Seoul are two days there, though one in UTC; 01:00 and 08:00 are one.
    rows = [
        {"order_id": f"o{number}", "customer_id": "k", "ts": START + timedelta(hours=hour)}
        for number, hour in enumerate((14, 16, 23))
    ]
    found = moments(shop_of(tmp_path, timezone="Asia/Seoul", orders=rows))
    assert (found["gap_median"], found["gap_mean"], found["gap_cv"]) == (1, 1, 0)
    assert found["repeat_orders"] == pytest.approx(2 / 3)


def test_without_a_table_of_orders_the_events_tell_them(tmp_path: Path) -> None:
    bought = {"kind": "purchase", "customer_id": "k"}
    rows = events(
        {**bought, "order_id": "a"},
        {**bought, "order_id": "a", "ts": day(0.01)},
        {**bought, "ts": day(3)},
        {**bought, "customer_id": "l", "order_id": "b"},
    )
    found = moments(shop_of(tmp_path, events=rows))
    assert found["repeat_orders"] == pytest.approx(1 / 3)
    assert found["gap_median"] == 3


def test_lines_tell_repeats_and_returns(tmp_path: Path) -> None:
    lines = [("k", "a", "p"), ("k", "a", "p"), ("k", "b", "p"), ("k", "b", "q"), ("l", "c", "p"), (None, "d", "p")]
    bought = [{"kind": "purchase", "customer_id": c, "order_id": o, "product_id": p} for c, o, p in lines]
    back = {"kind": "return", "customer_id": "k", "order_id": "a"}
    found = moments(shop_of(tmp_path, events=events(*bought, back)))
    # (k, p) in two orders, (k, q) and (l, p) in one: one of four is a repeat; twice in an order is not.
    assert found["repeat_products"] == pytest.approx(1 / 4)
    assert found["lines_per_order"] == pytest.approx(6 / 4)
    assert found["return_rate"] == pytest.approx(1 / 6)


def test_a_shop_without_any_return_does_not_write_them_down(tmp_path: Path) -> None:
    assert moments(shop_of(tmp_path, events=events({"kind": "purchase"})))["return_rate"] is None


def test_stars(tmp_path: Path) -> None:
    ratings = [1.0] * 3 + [2.0] + [4.0] * 4 + [5.0] * 11 + [4.6] + [None]
    rows = [{"review_id": str(n), "text": "good", "rating": rating} for n, rating in enumerate(ratings)]
    found = moments(shop_of(tmp_path, reviews=rows))
    assert [found[f"stars_{stars}"] for stars in range(1, 6)] == pytest.approx([0.15, 0.05, 0, 0.2, 0.6])
    assert found["stars_5_lead"] == pytest.approx(0.4)
    assert found["stars_1_lead"] == pytest.approx(0.1)


@pytest.mark.parametrize("exponent", [1.8, 2.3, 3.0])
def test_the_exponent_of_a_power_law_is_found(exponent: float) -> None:
    drawn = np.random.default_rng(0).zipf(exponent, 5000)
    assert tail_exponent(*np.unique(drawn, return_counts=True)) == pytest.approx(exponent, abs=0.15)


def test_only_the_tail_needs_to_follow_a_power_law() -> None:
    rng = np.random.default_rng(1)
    tail = np.floor(20 * (1 - rng.random(2000)) ** (-1 / 1.4)).astype(np.int64)
    body = rng.integers(1, 20, 4000)
    sizes, times = np.unique(np.concatenate([body, tail]), return_counts=True)
    assert tail_exponent(sizes, times) == pytest.approx(2.4, abs=0.2)
    assert tail_exponent(sizes, np.where(sizes == 1, 49, 0)) is None


def test_the_best_selling_tenth_and_the_most_viewed(tmp_path: Path) -> None:
    sold = {f"p{number}": 1 for number in range(19)} | {"best": 21}
    seen = {f"p{number}": 2 for number in range(20)}
    rows = [{"kind": "purchase", "product_id": p} for p, times in sold.items() for _ in range(times)]
    rows += [{"kind": "view", "product_id": p} for p, times in seen.items() for _ in range(times)]
    found = moments(shop_of(tmp_path, events=events(*rows)))
    assert found["best_tenth"] == pytest.approx(22 / 40)
    assert found["viewed_tenth"] == pytest.approx(0.1)
    assert found["popularity_exponent"] is None, "twenty products say nothing of a tail"


def test_gini_of_known_amounts() -> None:
    assert gini(np.array([])) is None
    assert gini(np.array([2.0, 2.0, 2.0])) == pytest.approx(0)
    assert gini(np.array([0.0, 0.0, 0.0, 5.0])) == pytest.approx(0.75)
    assert gini(np.array([1.0, 3.0])) == pytest.approx(0.25)


def priced_impressions(elasticity: float, discount_effect: float) -> pl.DataFrame:
    """Impressions and purchases: dear products sell better, dear countries too, and reductions come in bad weeks."""
    rng = np.random.default_rng(3)
    number = 60_000
    product, country, week = (rng.integers(0, high, number) for high in (40, 3, 10))
    appeal, level, mood = rng.normal(size=40), np.array([0.0, 0.5, 1.0]), rng.normal(size=(3, 10))
    scatter = 0.15 * rng.normal(size=(40, 3))
    reduced = rng.random((40, 3, 10)) < (0.2 + 0.4 * (mood < 0))
    discount = np.where(reduced, rng.choice([0.1, 0.2, 0.3], reduced.shape), 0.0)[product, country, week]
    log_price = appeal[product] + level[country] + scatter[product, country] + np.log(1 - discount)
    answer = elasticity * (log_price - appeal[product] - level[country]) + discount_effect * discount
    chance = 0.04 * np.exp(0.5 * appeal[product] + 0.5 * level[country] + 0.5 * mood[country, week] + answer)
    bought = rng.random(number) < chance
    shown = pl.DataFrame(
        {
            "session_id": [f"s{n}" for n in range(number)],
            "product_id": pl.Series(product).cast(pl.String),
            "country": pl.Series(["KR", "JP", "US"]).gather(country),
            "ts": pl.Series([day(7 * w) for w in range(10)]).gather(week),
            "price": np.exp(log_price),
            "discount_rate": discount,
            "channel": "web",
        }
    )
    happened = [
        shown.with_columns(kind=pl.lit("impression")),
        shown.filter(bought).with_columns(kind=pl.lit("purchase")),
    ]
    return pl.concat(happened).with_row_index("event_id").with_columns(pl.col("event_id").cast(pl.String))


def test_elasticities_are_found_where_a_plain_look_misleads(tmp_path: Path) -> None:
    table = priced_impressions(-1.2, 1.5)
    found: dict[str, Any] = moments(shop_of(tmp_path, events=table))
    paid = table.filter(kind="purchase")["price"].log().mean()
    shown = table.filter(kind="impression")["price"].log().mean()
    assert isinstance(paid, float) and isinstance(shown, float) and paid > shown, (
        "what sells is dearer than what does not"
    )
    for name, truth in (("list_elasticity", -1.2), ("discount_effect", 1.5)):
        assert abs(found[name] - truth) < 3 * found[f"{name}_se"]
        assert 0.05 < found[f"{name}_se"] < 0.7
    assert found["price_elasticity"] + 3 * found["price_elasticity_se"] < found["list_elasticity"] < 0


def test_live_shows_do_not_pass_for_reductions(tmp_path: Path) -> None:
    table = priced_impressions(-1.2, 1.5)
    show = (
        table.filter(kind="impression")
        .head(2000)
        .with_columns(channel=pl.lit("live"), discount_rate=pl.lit(0.3), session_id="live" + pl.col("session_id"))
    )
    live = [
        show.with_columns(event_id="i" + pl.col("event_id")),
        show.with_columns(event_id="p" + pl.col("event_id"), kind=pl.lit("purchase")),
    ]
    with_shows = moments(shop_of(tmp_path / "b", events=pl.concat([table, *live])))
    without = moments(shop_of(tmp_path / "a", events=table))
    assert with_shows["discount_effect"] == pytest.approx(without["discount_effect"])


def test_prices_that_never_move_tell_no_elasticity(tmp_path: Path) -> None:
    table = priced_impressions(-1.2, 1.5).with_columns(price=pl.lit(2.0), discount_rate=pl.lit(None, pl.Float64))
    found = moments(shop_of(tmp_path, events=table))
    assert {
        found[name] for name in ("price_elasticity", "list_elasticity", "discount_effect", "weekly_elasticity")
    } == {None}


def test_without_reductions_the_price_still_tells(tmp_path: Path) -> None:
    table = priced_impressions(-1.2, 0.0).with_columns(discount_rate=pl.lit(None, pl.Float64))
    found: dict[str, Any] = moments(shop_of(tmp_path, events=table))
    assert abs(found["price_elasticity"] + 1.2) < 3 * found["price_elasticity_se"]
    assert found["list_elasticity"] is found["discount_effect"] is None


def test_without_impressions_weekly_units_tell(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    product, week = (axis.ravel() for axis in np.meshgrid(np.arange(30), np.arange(12), indexing="ij"))
    appeal, mood = rng.normal(size=30), rng.normal(size=12)
    log_price = appeal[product] + 0.2 * rng.normal(size=len(product))
    units = np.exp(3 + 2 * appeal[product] + mood[week] - 1.7 * (log_price - appeal[product]))
    table = pl.DataFrame(
        {
            "event_id": [f"e{n}" for n in range(len(product))],
            "kind": "purchase",
            "product_id": pl.Series(product).cast(pl.String),
            "ts": pl.Series([day(7 * w) for w in range(12)]).gather(week),
            "price": np.exp(log_price),
            "quantity": units,
        }
    )
    found = moments(shop_of(tmp_path, events=table))
    assert found["weekly_elasticity"] == pytest.approx(-1.7, abs=1e-4)
    assert found["price_elasticity"] is None


def test_what_lies_outside_the_bounds_is_named() -> None:
    inside = {name: (low + high) / 2 for name, (low, high) in BOUNDS.items()}
    assert out_of_bounds({**inside, "stars_5": None}) == []
    (fault,) = out_of_bounds({**inside, "conversion": 0.4})
    assert fault == "conversion (visits that end in a purchase) is 0.4; it should lie in 0.01 to 0.05"


def test_the_small_market_keeps_to_the_bounds(small: Simulated) -> None:
    found: dict[str, Any] = moments(small.shop)
    assert out_of_bounds(found) == []
    silent = {name for name, value in found.items() if value is None}
    assert silent <= {name for name in MOMENTS if name.startswith("stars_")}
    assert all(value is None or type(value) is float for value in found.values())
    assert found["conversion"] == pytest.approx(small.figures["conversion"], abs=1e-5)
    assert found["price_elasticity"] < -3 * found["price_elasticity_se"]


@pytest.mark.parametrize("name", OTHER_MARKETS)
def test_every_market_that_comes_with_the_package_keeps_to_the_bounds(name: str, tmp_path: Path) -> None:
    customers = MarketFile.load(name).parameters.size.customers
    simulate(tmp_path / "shop", name, scale=min(1.0, PEOPLE / customers))
    found = moments(Shop.open(tmp_path / "shop"))
    assert out_of_bounds(found) == []
    assert found["conversion"] is not None and found["price_elasticity"] is not None
