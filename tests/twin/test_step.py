"""A market under way: its weeks put together are what simulate writes, and a refusal leaves no trace."""

import math
from collections.abc import Iterator
from itertools import combinations

import numpy as np
import polars as pl
import pytest

from danggol.errors import UsageError
from danggol.shop import Shop
from danggol.twin import Actions, Broadcast, Market, MarketFile, Week, simulate
from danggol.twin.offers import fx_table
from danggol.twin.policies import do_nothing
from danggol.twin.simulate import HAPPENING, TRUTHS

SMALL = MarketFile.load("small").parameters
# Pictures and posts take half of the time of simulate and change none of its figures.
QUICK = MarketFile(
    SMALL.model_copy(
        update={
            "goods": SMALL.goods.model_copy(update={"picture_pixels": 32}),
            "social": SMALL.social.model_copy(update={"accounts": 5}),
            "size": SMALL.size.model_copy(update={"weeks": 10}),
        }
    ),
    "small, short, with few pictures and posts",
)


def together(weeks: list[Week], name: str) -> pl.DataFrame:
    return pl.concat([week.tables[name] for week in weeks])


@pytest.fixture(scope="module")
def stepped() -> tuple[Market, list[Week]]:
    """A market of the seed of ``small``, to its end."""
    market = Market("small", seed=0)
    return market, [market.step() for _ in range(market.clock.weeks)]


def same_rows(one: pl.DataFrame, other: pl.DataFrame, key: list[str]) -> bool:
    columns = sorted(one.columns)
    return set(one.columns) == set(other.columns) and bool(
        one.select(columns).sort(key).equals(other.select(columns).sort(key))
    )


KEYS = {
    "events": ["event_id"],
    "orders": ["order_id"],
    "sessions": ["session_id"],
    "offers": ["product_id", "country", "valid_from"],
    "reviews": ["review_id"],
    "posts": ["post_id"],
    "broadcasts": ["broadcast_id"],
    "signals": ["signal", "region", "ts", "known_at"],
    "campaigns": ["campaign_id", "customer_id"],
}


@pytest.mark.parametrize("name", HAPPENING)
def test_the_weeks_together_are_what_simulate_writes(name, small, stepped):
    market, weeks = stepped
    rows, written = together(weeks, name), small.shop.read(name)
    if name == "offers":
        rows = pl.concat([rows, market.offers()])
    rows = rows.with_columns(pl.lit(None, dtype=written[c].dtype).alias(c) for c in written.columns if c not in rows)
    rows = rows.cast({column: written[column].dtype for column in rows.columns})
    assert len(rows) > 0
    assert same_rows(rows, written, KEYS[name])


@pytest.mark.parametrize("name", TRUTHS)
def test_the_truth_of_the_weeks_together_is_what_simulate_keeps(name, small, stepped):
    _, weeks = stepped
    kept = pl.read_parquet(small.truth(name))
    assert pl.concat([week.truth[name] for week in weeks]).equals(kept)


def test_the_figures_of_a_week_are_those_of_its_tables(stepped):
    market, weeks = stepped
    for week in weeks:
        assert week.figures["visits"] == len(week.tables["sessions"])
        assert week.figures["orders"] == len(week.tables["orders"])
        bought = week.tables["events"].filter(pl.col("kind") == "purchase")
        assert week.figures["revenue"] == pytest.approx((bought["price"] * bought["quantity"]).sum())
        kept = market.parameters.campaigns.margin * week.figures["revenue"]
        assert week.figures["gain"] == pytest.approx(kept - week.figures["cost"])
    left = sum(week.figures["left"] for week in weeks)
    assert left == len(market.feelings.frame(market.people.ids))


def test_a_market_ends(stepped):
    market, _ = stepped
    assert market.done
    with pytest.raises(UsageError, match="the market 'small' ends after 20 weeks; start another one"):
        market.step()


def busy_actions(market: Market) -> Actions:
    """A bit of everything."""
    ids, goods = market.people.ids, market.goods.ids
    return Actions(
        promotions=pl.DataFrame({"customer_id": ids[:200], "offer": ["coupon20"] * 200}),
        curations={"KR": goods[:5].to_list()},
        prices=pl.DataFrame({"product_id": goods[:3], "country": ["KR"] * 3, "price": [9000.0, 12000.0, None]}),
        stock={goods[0]: 40},
        broadcasts=[Broadcast(goods[1], "KR"), Broadcast(goods[2], "JP", host_id="H002", day=0, hour=12.0)],
    )


def run(weeks: int, *, asked: bool = False, acting: bool = True) -> Iterator[Week]:
    market = Market("small", seed=5)
    for _ in range(weeks):
        if asked:
            refuse(market)
        yield market.step(busy_actions(market) if acting else None)


def refuse(market: Market) -> None:
    """Ask for a week in which all is right but one thing, for every kind of action."""
    right, goods, ids = busy_actions(market), market.goods.ids, market.people.ids
    wrongs = [
        {"promotions": pl.DataFrame({"customer_id": [ids[0], "C?"], "offer": ["coupon10", "coupon10"]})},
        {"curations": {"KR": [goods[0]], "JP": ["P?"]}},
        {"prices": pl.DataFrame({"product_id": goods[:2], "country": ["KR", "KR"], "price": [1.0, -1.0]})},
        {"stock": {goods[0]: 5, "P?": 5}},
        {"broadcasts": [Broadcast(goods[0], "KR"), Broadcast(goods[0], "KR", hour=30)]},
    ]
    for wrong in wrongs:
        with pytest.raises(UsageError):
            market.step(Actions(**{**vars(right), **wrong}))


def test_the_same_actions_give_the_same_tables_and_a_refused_one_leaves_no_trace():
    first, again, refused = list(run(5)), list(run(5)), list(run(5, asked=True))
    for one, two, three in zip(first, again, refused, strict=True):
        for name, table in {**one.tables, **one.truth}.items():
            assert table.equals(({**two.tables, **two.truth})[name]), name
            assert table.equals(({**three.tables, **three.truth})[name]), name
        assert one.figures == two.figures == three.figures
    idle = list(run(5, acting=False))
    assert not together(first, "events").equals(together(idle, "events"))


# Do-nothing against simulate, eight seeds and five, none in common. Each seed has goods, people and tastes of its own,
# so rows of one seed resemble one another and a plain Kolmogorov-Smirnov test of the pooled rows would refuse any two
# sets of seeds. The seed is what is drawn independently: so the distance of the pooled distributions is compared with
# what it would be had the thirteen seeds been dealt to the two sides in any other way, all 1287 of them (an exact
# permutation test of whole seeds; its smallest p is 1/1287).
STEPPED, SIMULATED = range(100, 108), range(200, 205)


def facts(orders: pl.DataFrame, reviews: pl.DataFrame, sessions: pl.DataFrame, events: pl.DataFrame, usd: pl.DataFrame):
    """What is compared: numbers of customers, orders, reviews and weeks of one seed."""
    priced = orders.with_columns(date=pl.col("ts").dt.convert_time_zone("Asia/Seoul").dt.date()).join(
        usd, on=["date", "currency"]
    )
    days = (pl.col("delivered_at") - pl.col("ts")).dt.total_seconds() / 86_400
    gaps = orders.sort("customer_id", "ts").select(pl.col("ts").diff().over("customer_id").dt.total_seconds() / 86_400)
    late = (pl.col("delivered_at") - pl.col("promised_at")).dt.total_seconds() / 86_400
    bought = events.filter(pl.col("kind") == "purchase").with_columns(paid=pl.col("price") * pl.col("quantity"))
    week = pl.col("ts").dt.convert_time_zone("Asia/Seoul").dt.truncate("1w")
    return {
        "orders of a customer": orders["customer_id"].value_counts()["count"],
        "total of an order in KRW": (priced["total"] * priced["rate"]).log(),
        "days between orders": gaps["ts"].drop_nulls(),
        "stars": reviews["rating"],
        "days to deliver": orders.select(days).to_series().drop_nulls(),
        "days late": orders.select(late).to_series().drop_nulls(),
        "seconds of a visit": sessions["seconds"],
        "visits of a week": sessions.group_by(week).len()["len"],
        "orders of a week": orders.group_by(week).len()["len"],
        "revenue of a week": bought.group_by(week).agg(pl.col("paid").sum())["paid"],
    }


@pytest.fixture(scope="module")
def sides(tmp_path_factory) -> tuple[list[dict[str, pl.Series]], list[dict[str, pl.Series]]]:
    stepped, simulated = [], []
    names = ("orders", "reviews", "sessions", "events")
    for seed in STEPPED:
        market = Market(QUICK, seed)
        weeks = [market.step(do_nothing(market)) for _ in range(market.clock.weeks)]
        stepped.append(facts(*(together(weeks, name) for name in names), fx_table(market.rates, market.clock)))
    for seed in SIMULATED:
        shop = tmp_path_factory.mktemp("sides") / str(seed)
        simulate(shop, QUICK, seed)
        opened = Shop.open(shop)
        simulated.append(facts(*(opened.read(name) for name in names), opened.read("fx")))
    return stepped, simulated


def chance_of_such_a_distance(left: list[np.ndarray], right: list[np.ndarray]) -> float:
    """p of the Kolmogorov-Smirnov distance under every way to deal whole seeds to the sides."""
    both = [*left, *right]
    grid = np.quantile(np.concatenate(both), np.linspace(0, 1, 301))
    below = np.array([np.searchsorted(np.sort(one), grid, side="right") for one in both], dtype=float)
    size = np.array([len(one) for one in both], dtype=float)
    deals = np.zeros((math.comb(len(both), len(left)), len(both)))
    for row, chosen in enumerate(combinations(range(len(both)), len(left))):
        deals[row, chosen] = 1
    one = deals @ below / (deals @ size)[:, None]
    other = (1 - deals) @ below / ((1 - deals) @ size)[:, None]
    distance = np.abs(one - other).max(axis=1)
    return float((distance >= distance[0] - 1e-12).mean())  # the first deal is the one that was


WHAT = (
    "orders of a customer",
    "total of an order in KRW",
    "days between orders",
    "stars",
    "days to deliver",
    "days late",
    "seconds of a visit",
    "visits of a week",
    "orders of a week",
    "revenue of a week",
)


@pytest.mark.parametrize("what", WHAT)
def test_doing_nothing_is_simulate_in_distribution(what, sides):
    left, right = ([one[what].to_numpy().astype(float) for one in side] for side in sides)
    assert min(len(one) for one in left + right) >= 10
    assert chance_of_such_a_distance(left, right) > 0.001


def test_the_comparison_would_see_a_difference(sides):
    left, right = sides
    for what, change in (("days to deliver", 1.0), ("seconds of a visit", 5.0), ("days late", 1.0)):
        moved = [one[what].to_numpy() + change for one in right]
        assert chance_of_such_a_distance([one[what].to_numpy() for one in left], moved) <= 0.001
