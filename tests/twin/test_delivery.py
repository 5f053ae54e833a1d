"""What happens after a purchase: late when it says so, faults where they can be, and what follows from them."""

import numpy as np
import polars as pl
import pytest

from danggol.twin import Market, MarketFile
from danggol.twin.clock import DAY
from danggol.twin.countries import countries
from danggol.twin.delivery import COLOR, DAMAGED, LATE, PRICE, SERVICE, SIZE, Bought, Deliveries, Outcome
from danggol.twin.randomness import stream
from danggol.twin.sections import CAUSES

SMALL = MarketFile.load("small").parameters
LINES, A_LINE = 60_000, 1.5


@pytest.fixture(scope="module")
def market() -> Market:
    changed = SMALL.goods.model_copy(update={"sellers": 40})
    return Market(MarketFile(SMALL.model_copy(update={"goods": changed}), "many sellers"), 3)


def bought_at_random(market: Market, busy: float = 1.0, shock_days: float = 0.0, dearness: float = 0.0) -> Bought:
    """Orders of one line and a half on average, by anyone, of anything."""
    rng = stream(0, "purchases at random")
    order = np.sort(rng.integers(0, int(LINES / A_LINE), LINES))
    _, line = np.unique(order, return_inverse=True)
    customer = rng.integers(0, len(market.people), LINES)[line]
    return Bought(
        order=order,
        customer=customer,
        product=rng.integers(0, len(market.goods), LINES),
        country=market.people.country[customer],
        ts=market.clock.start(0) + (order * 60_000_000),
        dearness=np.full(LINES, dearness),
        busy=np.full(LINES, busy),
        shock_days=shock_days,
    )


@pytest.fixture(scope="module")
def delivered(market) -> tuple[Bought, Outcome]:
    bought = bought_at_random(market)
    return bought, market.orders.deliveries.deliver(bought, stream(0, "outcome"))


def again(market: Market, **changes: float) -> Outcome:
    return market.orders.deliveries.deliver(bought_at_random(market, **changes), stream(0, "outcome"))


def test_late_is_what_came_after_the_promise(delivered):
    _, outcome = delivered
    late = outcome.delivered > outcome.promised
    assert 0.03 < late.mean() < 0.3
    assert (outcome.causes[:, LATE] == late).all()
    assert ((outcome.late_days > 0) == late).all()
    assert np.allclose(outcome.late_days[late], ((outcome.delivered - outcome.promised) / DAY)[late])


def test_late_is_what_came_after_the_promise_in_the_tables(small):
    orders = small.shop.read("orders")
    lines = small.shop.read("events").filter(pl.col("kind") == "purchase").select("event_id", "order_id")
    truth = pl.read_parquet(small.truth("purchases")).join(lines, on="event_id").join(orders, on="order_id")
    came = truth.filter(pl.col("delivered_at").is_not_null())
    assert len(came) > 300
    assert (came["cause_late"] == (came["delivered_at"] > came["promised_at"])).all()
    assert (came["cause_late"] == (came["late_days"] > 0)).all()
    assert came["cause_late"].any()
    assert (orders["delivered_at"].is_null() == (orders["status"] == "shipped")).all()
    assert (came["delivered_at"] > came["ts"]).all()


def test_lines_of_one_order_arrive_together(delivered):
    bought, outcome = delivered
    lines = pl.DataFrame({"order": bought.order, "delivered": outcome.delivered, "promised": outcome.promised})
    orders = lines.group_by("order").agg(pl.len(), pl.col("delivered", "promised").n_unique())
    assert (orders["len"] > 1).sum() > 1000
    assert (orders["delivered"] == 1).all()
    assert (orders["promised"] == 1).all()


def test_far_countries_wait_longer_and_are_promised_so(market, delivered):
    bought, outcome = delivered
    days = (outcome.delivered - bought.ts) / DAY
    promised = (outcome.promised - bought.ts) / DAY
    for place, code in enumerate(market.codes):
        here = bought.country == place
        transit = countries()[code].transit_days
        assert abs(np.median(days[here]) / transit - 1) < 0.1
        assert np.allclose(promised[here], transit + SMALL.delivery.promise_slack_days)


def test_sales_and_shocks_delay(market, delivered):
    bought, outcome = delivered
    busy, shock = again(market, busy=2.0), again(market, shock_days=3.0)
    for slow in (busy, shock):
        assert (slow.delivered >= outcome.delivered).all()
        assert slow.causes[:, LATE].mean() > outcome.causes[:, LATE].mean() + 0.02
        assert (slow.promised == outcome.promised).all()
    more = (busy.delivered - bought.ts) / (outcome.delivered - bought.ts)
    assert np.allclose(more, 1 + SMALL.delivery.busy_delay, atol=1e-3)


def test_causes_strike_at_their_rates(market, delivered):
    bought, outcome = delivered
    share = outcome.causes.mean(axis=0)
    rate = SMALL.delivery.rate
    assert abs(share[COLOR] - rate.color) < 0.005
    assert abs(share[PRICE] - rate.price) < 0.005
    sized = market.orders.deliveries.sized[market.goods.category[bought.product]]
    assert abs(outcome.causes[sized, SIZE].mean() - rate.size) < 0.01
    for cause, usual in ((DAMAGED, rate.damaged), (SERVICE, rate.service)):
        assert 0.7 * usual < share[cause] < 2 * usual
    dear = again(market, dearness=0.7)
    assert dear.causes[:, PRICE].mean() > 1.5 * share[PRICE]


def test_only_what_has_a_size_has_the_wrong_one(market, delivered, small):
    bought, outcome = delivered
    names = np.array([category.name for category in SMALL.goods.category])[market.goods.category[bought.product]]
    struck = set(names[outcome.causes[:, SIZE]])
    assert {"tops", "dresses", "shoes"} & set(names) <= struck
    assert not struck & {"bags", "skincare", "headphones", "tea", "coffee", "cookware", "toys"}
    lines = small.shop.read("events").filter(pl.col("kind") == "purchase").select("event_id", "product_id")
    products = small.shop.read("products", ["product_id", "category"])
    truth = pl.read_parquet(small.truth("purchases")).join(lines, on="event_id").join(products, on="product_id")
    wrong = truth.filter("cause_size")
    assert len(wrong) > 0
    assert wrong["category"].str.starts_with("Fashion").all()


def test_careless_sellers_damage_more_and_are_later(market, delivered):
    bought, outcome = delivered
    care = market.orders.deliveries.care[market.goods.seller[bought.product]]
    careless, careful = care > np.median(care), care <= np.median(care)
    for cause in (DAMAGED, SERVICE):
        more, less = outcome.causes[careless, cause].mean(), outcome.causes[careful, cause].mean()
        assert more > 1.3 * less
    # The seller of the first line sends the whole order.
    _, first = np.unique(bought.order, return_index=True)
    days = outcome.late_days[first] > 0
    assert days[careless[first]].mean() > 1.1 * days[careful[first]].mean()
    for cause in (COLOR, PRICE):
        assert outcome.causes[careless, cause].mean() < 1.2 * outcome.causes[careful, cause].mean()
    told = market.orders.deliveries.frame()
    assert len(told) == 40
    assert np.allclose(told["carelessness"], market.orders.deliveries.care)


def test_each_cause_takes_from_satisfaction_what_the_file_says(delivered):
    _, outcome = delivered
    design = np.column_stack([np.ones(LINES), outcome.causes])
    fitted, *_ = np.linalg.lstsq(design, outcome.satisfaction, rcond=None)
    hurt = np.array([getattr(SMALL.delivery.hurt, cause) for cause in CAUSES])
    assert np.allclose(-fitted[1:], hurt, atol=0.15)
    assert (outcome.satisfaction[outcome.causes.sum(axis=1) == 0]).mean() > 1


def test_faults_raise_returns(delivered):
    _, outcome = delivered
    p = outcome.p_return
    assert ((p > 0) & (p < 1)).all()
    fault = outcome.causes[:, [DAMAGED, SIZE, COLOR]].sum(axis=1)
    means = [p[fault == number].mean() for number in range(3)]
    assert means[0] < means[1] < means[2]
    odds = np.log(p / (1 - p))
    rise = odds[fault == 1].mean() - odds[fault == 0].mean()
    # Sizes are wrong in fashion, which comes back more often anyway.
    assert rise > SMALL.returns.fault
    damaged = outcome.causes[:, DAMAGED] & (fault == 1)
    assert odds[damaged].mean() - odds[fault == 0].mean() == pytest.approx(SMALL.returns.fault, abs=0.15)
    usual = p[fault == 0]
    assert abs(usual[outcome.causes[fault == 0, SERVICE]].mean() / usual.mean() - 1) < 0.15


def test_the_same_purchases_have_the_same_outcome(market, delivered):
    _, outcome = delivered
    fresh = Deliveries(market.parameters, market.people, market.goods, market.seed)
    same = fresh.deliver(bought_at_random(market), stream(0, "outcome"))
    assert (same.delivered == outcome.delivered).all()
    assert (same.causes == outcome.causes).all()
    assert (same.satisfaction == outcome.satisfaction).all()


def test_nothing_bought_has_no_outcome(market):
    nothing = np.zeros(0, dtype=np.int64)
    bought = Bought(nothing, nothing, nothing, nothing, nothing, np.zeros(0), np.zeros(0), 0.0)
    outcome = market.orders.deliveries.deliver(bought, stream(0, "nothing"))
    assert len(outcome.satisfaction) == len(outcome.delivered) == 0
    assert outcome.causes.shape == (0, len(CAUSES))
