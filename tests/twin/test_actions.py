"""Actions: what is not known is refused in one sentence that names it, and what is asked for happens."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from danggol.errors import UsageError
from danggol.twin import Actions, Broadcast, Market, MarketFile, Week

SMALL = MarketFile.load("small").parameters
QUIET = MarketFile(SMALL.model_copy(update={"social": SMALL.social.model_copy(update={"accounts": 5})}), "few posts")
C, P = "C0000001", "P000061"


def promoted(**columns: object) -> Actions:
    return Actions(promotions=pl.DataFrame({"customer_id": [C], "offer": ["coupon10"]} | columns))


def priced(price: object, product: str = P, country: str = "KR") -> Actions:
    return Actions(prices=pl.DataFrame({"product_id": [product], "country": [country], "price": [price]}))


def aired(**changes: object) -> Actions:
    return Actions(broadcasts=[Broadcast(**({"product_id": P, "country": "KR"} | changes))])  # type: ignore[arg-type]


REFUSED = {
    "unknown customer": (promoted(customer_id=["C?"]), "'C\\?', which is none of the market's customers"),
    "customer not said": (promoted(customer_id=[None]), "None, which is none of the market's customers"),
    "unknown offer": (promoted(offer=["coupon1"]), "no offer 'coupon1'; did you mean 'coupon10'"),
    "no offer said": (promoted(offer=pl.Series([None], dtype=pl.String)), "no offer None"),
    "two promotions": (promoted(customer_id=[C, C], offer=["coupon10", "apology"]), f"'{C}' two promotions"),
    "promotions without offers": (Actions(promotions=pl.DataFrame({"customer_id": [C]})), "lack the column offer"),
    "promotions without customers": (
        Actions(promotions=pl.DataFrame({"offer": ["apology"]})),
        "promotions lack the column customer_id",
    ),
    "probability 0": (promoted(probability=[0.0]), f"'{C}' with probability 0"),
    "probability 1.5": (promoted(probability=[1.5]), f"'{C}' with probability 1.5"),
    "probability not said": (promoted(probability=pl.Series([None], dtype=pl.Float64)), f"'{C}' with probability nan"),
    "probability in words": (promoted(probability=["half"]), "numbers in the column probability, not String"),
    "treated in words": (promoted(treated=["no"]), "true or false in the column treated, not String"),
    "treated not said": (promoted(treated=pl.Series([None], dtype=pl.Boolean)), "an empty treated"),
    "shelf of nowhere": (Actions(curations={"XX": [P]}), "'XX', which is none of the market's countries"),
    "empty shelf of nowhere": (Actions(curations={"XX": []}), "'XX', which is none of the market's countries"),
    "shelf of unknown": (Actions(curations={"KR": [P, "P?"]}), "'P\\?', which is none of the market's products"),
    "long shelf": (
        Actions(curations={"KR": [f"P{number:06d}" for number in range(1, 22)]}),
        "shelf of KR holds 21 products; a shelf holds at most 20",
    ),
    "price of unknown": (priced(1.0, product="P?"), "'P\\?', which is none of the market's products"),
    "price in nowhere": (priced(1.0, country="XX"), "'XX', which is none of the market's countries"),
    "price 0": (priced(0.0), f"price of '{P}' to 0"),
    "price below 0": (priced(-3.0), f"price of '{P}' to -3"),
    "endless price": (priced(float("inf")), f"price of '{P}' to inf"),
    "price in words": (priced("much"), "numbers in the column price, not String"),
    "prices without price": (
        Actions(prices=pl.DataFrame({"product_id": [P], "country": ["KR"]})),
        "prices lack the column price",
    ),
    "stock of unknown": (Actions(stock={"P?": 1}), "'P\\?', which is none of the market's products"),
    "stock below 0": (Actions(stock={P: -1}), f"orders -1 of '{P}'"),
    "half a unit": (Actions(stock={P: 1.5}), f"orders 1.5 of '{P}'"),  # type: ignore[dict-item]
    "more than there is": (Actions(stock={P: 10**20}), "orders 10{20} of"),
    "broadcast of unknown": (aired(product_id="P?"), "'P\\?', which is none of the market's products"),
    "broadcast to nowhere": (aired(country="XX"), "'XX', which is none of the market's countries"),
    "unknown host": (aired(host_id="H?"), "'H\\?', which is none of the market's hosts"),
    "hour 30": (aired(hour=30), f"broadcast of '{P}': .*hour in 0 to 24"),
    "hour nan": (aired(hour=float("nan")), f"broadcast of '{P}'"),
    "day 7": (aired(day=7), f"broadcast of '{P}': day lies in 0 to 6"),
    "no minutes": (aired(minutes=0), f"broadcast of '{P}': .*minutes in 0 to 600"),
    "given away": (aired(discount=1.0), f"broadcast of '{P}': .*discount in 0 to 1"),
}


@pytest.fixture(scope="module")
def waiting() -> Market:
    """A market after its first week; refusals leave it there."""
    market = Market(QUIET, seed=0)
    market.step()
    return market


@pytest.mark.parametrize("wrong", list(REFUSED))
def test_what_is_wrong_is_refused_in_one_sentence_that_names_it(wrong, waiting):
    actions, sentence = REFUSED[wrong]
    with pytest.raises(UsageError, match=sentence) as refused:
        waiting.step(actions)
    assert "\n" not in str(refused.value)
    assert waiting.week == 1


@pytest.mark.parametrize(
    "nothing",
    [
        Actions(promotions=pl.DataFrame({"customer_id": [], "offer": []})),
        Actions(prices=pl.DataFrame({"product_id": [], "country": [], "price": []})),
        Actions(curations={"KR": []}),
        Actions(stock={P: 0}),
    ],
    ids=["promotions", "prices", "shelf", "stock"],
)
def test_empty_actions_are_as_none(nothing):
    asked, idle = Market(QUIET, 1), Market(QUIET, 1)
    for _ in range(2):
        assert asked.step(nothing).tables["events"].equals(idle.step().tables["events"])


def steps(market: Market, actions: list[Actions]) -> list[Week]:
    return [market.step(one) for one in actions]


def joined(weeks: list[Week], table: str) -> pl.DataFrame:
    return pl.concat([week.tables[table] for week in weeks])


def test_promotions_stand_in_campaigns_as_they_were_made():
    market = Market(QUIET, 1)
    here = market.people.ids.filter(pl.Series(market.people.first_week <= 0))[:300]
    rows = pl.DataFrame({"customer_id": here, "offer": ["coupon20", "free_shipping", "newsletter"] * 100})
    weeks = steps(market, [Actions(promotions=rows, own_campaigns=False), *[Actions(own_campaigns=False)] * 2])
    assert [len(week.tables["campaigns"]) for week in weeks] == [0, 300, 0]
    found = weeks[1].tables["campaigns"].join(rows, on=["customer_id", "offer"])
    assert len(found) == 300
    assert found["treated"].all()
    assert (found["assignment_probability"] == 1).all()
    assert found["campaign_id"].unique().to_list() == ["action-000"]
    assert (found["window_days"] == 14).all()
    assert (found["ts"] == pl.Series([market.clock.start(0)]).cast(pl.Datetime("us", "UTC"))[0]).all()
    assert (found["cost"] > 0).all()


def test_held_out_people_stand_there_untreated():
    market = Market(QUIET, 1)
    here = market.people.ids.filter(pl.Series(market.people.first_week <= 0))[:300]
    rows = pl.DataFrame(
        {"customer_id": here, "offer": ["coupon20"] * 300, "treated": [True, False, True] * 100}
    ).with_columns(probability=pl.lit(2 / 3))
    weeks = steps(market, [Actions(promotions=rows, own_campaigns=False), Actions(own_campaigns=False)])
    found = weeks[1].tables["campaigns"].join(rows, on="customer_id", suffix="_given")
    assert len(found) == 300
    assert (found["treated"] == found["treated_given"]).all()
    assert (found["assignment_probability"] == 2 / 3).all()
    assert (found.filter(~pl.col("treated"))["cost"] == 0).all()
    assert (found.filter("treated")["cost"] > 0).all()


def test_nobody_is_under_two_offers_and_those_to_come_are_passed_over():
    market = Market(QUIET, 1)
    everyone = pl.DataFrame({"customer_id": market.people.ids, "offer": ["apology"] * len(market.people)})
    weeks = steps(market, [Actions(promotions=everyone)] * 5)
    rows = joined(weeks, "campaigns")
    assert rows.select("campaign_id", "customer_id").is_duplicated().sum() == 0
    spans = rows.sort("customer_id", "ts").with_columns(
        gap=(pl.col("ts").diff().over("customer_id").dt.total_seconds() / 86_400)
    )
    assert spans["gap"].min() >= 14
    known = rows.join(
        pl.DataFrame({"customer_id": market.people.ids, "first": market.people.first_week}), on="customer_id"
    )
    start = pl.Series([market.clock.start(int(week)) for week in known["first"]]).cast(pl.Datetime("us", "UTC"))
    assert (known["ts"] >= start).all()
    assert (known["first"] > 0).any()


def sold(weeks: list[Week], products: pl.Series) -> float:
    bought = joined(weeks, "events").filter(pl.col("kind") == "purchase")
    return float(bought.filter(pl.col("product_id").is_in(products.implode()))["quantity"].sum())


def test_what_costs_more_sells_less_and_what_costs_less_sells_more():
    change = {"dearer": [], "as it was": [], "cheaper": []}
    for seed in range(2):
        for name, times in (("dearer", 1.4), ("as it was", 1.0), ("cheaper", 0.7)):
            market = Market(QUIET, seed, 1.5)
            market.step()
            some = market.goods.ids.gather_every(2)
            rows = market.offers().filter(pl.col("product_id").is_in(some.implode()))
            prices = rows.select("product_id", "country", price=pl.col("list_price") * times)
            change[name].append(sold(steps(market, [Actions(prices=prices), *[Actions()] * 5]), some))
    dearer, usual, cheaper = (np.array(change[name]) for name in ("dearer", "as it was", "cheaper"))
    assert (dearer < usual).all()
    assert (usual < cheaper).all()
    assert dearer.sum() < 0.9 * usual.sum() < 0.9 * 0.9 * cheaper.sum()


def price_in_korea(market: Market, product: str) -> tuple[float, dt.datetime]:
    rows = market.offers().filter((pl.col("product_id") == product) & (pl.col("country") == "KR"))
    assert len(rows) == 1
    return rows["price"][0], rows["valid_from"][0]


def test_a_price_holds_from_its_week_on_until_it_is_given_back():
    market, idle = Market(QUIET, 2), Market(QUIET, 2)
    steps(market, [Actions()] * 2)
    product = market.offers().filter(pl.col("country") == "KR").sort("stock")["product_id"][-1]
    before, _ = price_in_korea(market, product)
    weeks = steps(market, [priced(before + 4000, product), Actions()])
    price, since = price_in_korea(market, product)
    assert price == before + 4000
    assert since <= weeks[1].tables["sessions"]["ts"].min()
    shown = joined(weeks, "events").filter(
        (pl.col("product_id") == product) & (pl.col("country") == "KR") & (pl.col("kind") == "impression")
    )
    ordinary = shown.filter(pl.col("channel") != "live")
    assert len(ordinary) > 0
    assert np.allclose(ordinary["price"], before + 4000)
    steps(market, [priced(None, product)])
    steps(idle, [Actions()] * 5)
    assert price_in_korea(market, product)[0] == price_in_korea(idle, product)[0]


@pytest.fixture(scope="module")
def shelves() -> tuple[list[str], list[Week], list[Week]]:
    """A shelf of five that do not run out, in Korea for eight weeks, and the same weeks without."""
    market, idle = Market(QUIET, 3, 3.0), Market(QUIET, 3, 3.0)
    plenty = [Actions(stock=dict.fromkeys(market.goods.ids, 1000)), *[Actions()] * 2]
    steps(market, plenty)
    steps(idle, plenty)
    ids = market.offers().filter(pl.col("country") == "KR").sort("product_id")["product_id"][::20][:5].to_list()
    return ids, steps(market, [Actions(curations={"KR": ids})] * 8), steps(idle, [Actions()] * 8)


def in_korea(weeks: list[Week], table: str, *channels: str) -> pl.DataFrame:
    return joined(weeks, table).filter((pl.col("country") == "KR") & pl.col("channel").is_in(channels))


def test_what_stands_on_a_shelf_is_shown_more_in_its_country_alone(shelves):
    ids, curated, idle = shelves

    def share(weeks: list[Week], here: bool) -> float:
        shown = joined(weeks, "events").filter((pl.col("kind") == "impression") & (pl.col("channel") != "live"))
        shown = shown.filter((pl.col("country") == "KR") == here)
        return float(shown["product_id"].is_in(ids).mean())

    assert share(curated, True) > 2 * share(idle, True)
    assert share(curated, False) < 1.3 * share(idle, False)
    top = in_korea(curated, "events", "app", "web").filter((pl.col("kind") == "impression") & (pl.col("position") == 0))
    assert SMALL.curation.seen * 0.9 < top["product_id"].is_in(ids).mean() < SMALL.curation.seen + 0.15


def test_logged_propensities_stay_those_of_being_shown(shelves):
    # Each visit shows a product with the probability logged when it does, so the inverse of what is logged, added up
    # over its showings, counts the visits.
    ids, curated, _ = shelves
    visits = len(in_korea(curated, "sessions", "app", "web"))
    shown = in_korea(curated, "events", "app", "web").filter(pl.col("kind") == "impression")
    counted = {one: float((1 / shown.filter(pl.col("product_id") == one)["propensity"]).sum()) / visits for one in ids}
    assert visits > 1500
    assert all(abs(value - 1) < 0.15 for value in counted.values())
    assert abs(np.mean(list(counted.values())) - 1) < 0.06
    assert (shown.filter(pl.col("product_id").is_in(ids))["propensity"] >= SMALL.curation.seen / 5 - 1e-9).all()


def test_ordering_stock_ends_a_stock_out():
    forgetful = SMALL.model_copy(
        update={
            "stock": SMALL.stock.model_copy(update={"careless": 1.0, "cover_weeks": 1.0}),
            "social": SMALL.social.model_copy(update={"accounts": 5}),
        }
    )
    lead = SMALL.stock.lead_weeks
    ordering, idle = (Market(MarketFile(forgetful, "forgetful"), 4, 2.0) for _ in range(2))
    steps(ordering, [Actions()] * 4)
    steps(idle, [Actions()] * 4)
    gone = ordering.offers().filter(pl.col("stock") == 0)["product_id"].unique(maintain_order=True)
    assert len(gone) > 5
    places = np.flatnonzero(ordering.goods.ids.is_in(gone.implode()))

    def weeks_out(market: Market) -> list[int]:
        out = []
        for _ in range(SMALL.size.weeks - market.week):
            market.step()
            assert market.now is not None
            out.append(int((market.now.stock[places] == 0).sum()))
        return out

    steps(ordering, [Actions(stock=dict.fromkeys(gone, 500))])
    steps(idle, [Actions()])
    ordered, left_alone = weeks_out(ordering), weeks_out(idle)
    assert sum(ordered[lead - 1 :]) == 0
    assert sum(left_alone[lead - 1 :]) > 5


def test_an_asked_broadcast_is_held():
    market = Market(QUIET, 5, 2.0)
    market.step()
    product = market.offers().filter(pl.col("country") == "KR").sort("stock")["product_id"][-1]
    slot = Broadcast(product, "KR", host_id="H005", day=4, hour=20.0, minutes=60.0, discount=0.2)
    week = market.step(Actions(broadcasts=[slot], own_broadcasts=False))
    price, _ = price_in_korea(market, product)
    rows, events = week.tables["broadcasts"], week.tables["events"].filter(pl.col("channel") == "live")
    assert rows.select("product_id", "host_id", "minutes").rows() == [(product, "H005", 60.0)]
    local = rows["ts"].dt.convert_time_zone("Asia/Seoul")[0]
    assert (local.weekday(), local.hour, local.minute) == (4, 20, 0)
    assert rows["price"][0] == pytest.approx(0.8 * price)
    assert rows["viewers"][0] == (week.tables["sessions"]["channel"] == "live").sum() > 5
    assert events["product_id"].unique().to_list() == [product]
    assert events["country"].unique().to_list() == ["KR"]
    assert np.allclose(events["price"], 0.8 * price)
    bought = events.filter(pl.col("kind") == "purchase")
    assert rows["sales"][0] == pytest.approx((bought["price"] * bought["quantity"]).sum())
    assert events["ts"].is_between(rows["ts"][0], rows["ts"][0] + dt.timedelta(minutes=120)).all()
    silent = market.step(Actions(own_broadcasts=False))
    assert len(silent.tables["broadcasts"]) == 0
