"""Offers to single customers: drawn at random, answered differently by different people, counted as orders say."""

import numpy as np
import polars as pl
import pytest

from danggol.twin import Actions, Market, MarketFile, Week
from danggol.twin.sections import CAUSES

SMALL = MarketFile.load("small").parameters
QUIET = SMALL.model_copy(update={"social": SMALL.social.model_copy(update={"accounts": 5})})
OFFERS = [offer.name for offer in SMALL.campaigns.offer]


def together(weeks: list[Week], name: str, kind: str = "tables") -> pl.DataFrame:
    return pl.concat([getattr(week, kind)[name] for week in weeks])


def to_the_end(market: Market) -> list[Week]:
    return [market.step() for _ in range(market.clock.weeks - market.week)]


@pytest.fixture(scope="module")
def own() -> tuple[Market, list[Week]]:
    """The market's own campaigns, one every second week among half of the people."""
    settings = SMALL.campaigns.model_copy(update={"every_weeks": 2, "share": 0.5})
    market = Market(MarketFile(QUIET.model_copy(update={"campaigns": settings}), "campaigns"), 1, 5.0)
    return market, to_the_end(market)


def test_assignment_is_random(own):
    market, weeks = own
    truth = together(weeks, "campaigns", "truth")
    size = len(truth)
    assert size > 10_000
    assert abs(truth["treated"].mean() - SMALL.campaigns.treated) < 4 * 0.5 / size**0.5
    assert (together(weeks, "campaigns")["assignment_probability"] == SMALL.campaigns.treated).all()
    shares = truth["offer"].value_counts()["count"] / size
    assert len(shares) == len(OFFERS)
    assert abs(shares - 1 / len(OFFERS)).max() < 4 * 0.4 / size**0.5
    # Whether one is treated has to do with nothing that moves people: their answer to the offer, how often they come …
    people = pl.DataFrame(
        {
            "customer_id": market.people.ids,
            "visits": market.people.visits,
            "propensity": market.people.propensity,
            "country": market.people.country == 0,
        }
    )
    known = truth.join(people, on="customer_id")
    for column in ("effect", "visits", "propensity", "country"):
        assert abs(np.corrcoef(known["treated"], known[column])[0, 1]) < 4 / size**0.5, column


def test_people_answer_differently_partly_not_at_all_and_partly_the_other_way(own):
    market, _ = own
    effects = market.campaigns.frame()
    assert effects["customer_id"].equals(market.people.ids)
    for offer in SMALL.campaigns.offer:
        effect = effects[offer.name].to_numpy()
        answering = effect[effect != 0]
        assert abs((effect == 0).mean() - offer.none) < 0.03
        assert abs(answering.mean() - offer.effect) < 0.03
        assert abs(answering.std() - offer.spread) < 0.03
        assert (effect < -0.1).mean() > 0.01
    answers = effects.select(OFFERS).to_numpy()
    best = answers.argmax(axis=1)
    assert (np.bincount(best, minlength=len(OFFERS)) > 0).all()


def test_rows_appear_when_their_windows_are_over(own):
    market, weeks = own
    length = SMALL.campaigns.window_weeks
    for week in weeks:
        rows = week.tables["campaigns"]
        if len(rows):
            since = week.number - length + 1
            assert (rows["ts"].dt.epoch("us") == market.clock.start(since)).all() or week.number == len(weeks) - 1
            ends = rows["ts"].dt.epoch("us") + (rows["window_days"] * 86_400e6).cast(pl.Int64)
            assert (ends == market.clock.start(week.number + 1)).all()
    ended = together(weeks, "campaigns")
    assert set(ended.filter(pl.col("window_days") != 7 * length)["window_days"]) <= {7.0}
    assert ended.select("campaign_id", "customer_id").is_duplicated().sum() == 0


def test_revenue_cost_and_conversion_are_what_the_orders_say(own):
    market, weeks = own
    rows, orders, events = (together(weeks, name) for name in ("campaigns", "orders", "events"))
    paid = events.filter(pl.col("kind") == "purchase").with_columns(
        value=pl.col("price") * pl.col("quantity"), free="free_shipping"
    )
    paid = paid.group_by("order_id").agg(pl.col("value").sum(), pl.col("free").all(), pl.col("country").first())
    orders = orders.join(paid, on="order_id").with_columns(placed="ts").drop("ts")
    in_window = (
        rows.join(orders, on="customer_id")
        .filter(
            (pl.col("placed") >= pl.col("ts"))
            & (pl.col("placed") < pl.col("ts") + pl.duration(days=pl.col("window_days").cast(pl.Int64)))
        )
        .with_columns(
            coupon=pl.col("offer").replace_strict({o.name: o.coupon for o in SMALL.campaigns.offer}) * pl.col("treated")
        )
    )
    said = in_window.group_by("campaign_id", "customer_id").agg(
        value=pl.col("value").sum(), off=(pl.col("value") * pl.col("coupon")).sum(), some=pl.lit(True).first()
    )
    joined = rows.join(said, on=["campaign_id", "customer_id"], how="left").with_columns(
        pl.col("value", "off").fill_null(0.0), pl.col("some").fill_null(value=False)
    )
    assert (joined["converted"] == joined["some"]).all()
    assert joined["converted"].sum() > 500
    assert np.allclose(joined["revenue"], joined["value"], atol=0.01)
    usd = float(market.rates.rate[:, market.rates.currencies.index("USD")].mean())
    message = joined["offer"].replace_strict({o.name: o.message_cost for o in SMALL.campaigns.offer}) * usd
    treated = joined["treated"].to_numpy()
    assert (joined["cost"].to_numpy()[~treated] == 0).all()
    # The rate of the dollar moves by a per cent or two.
    beyond = (joined["cost"] - joined["off"] - message).to_numpy()
    shipping = (joined["offer"] == "free_shipping").to_numpy()
    assert (np.abs(beyond[treated & ~shipping]) < 0.1 * message.to_numpy()[treated & ~shipping] + 0.01).all()
    waived = beyond[treated & shipping & joined["converted"].to_numpy()]
    fee = SMALL.offers.shipping_fee * usd
    assert (waived > -0.1 * 0.02 * usd - 0.01).all()
    assert 0.1 * fee < waived.mean() < 2 * fee


def test_the_cost_of_the_weeks_is_that_of_the_campaigns(own):
    _, weeks = own
    assert sum(week.figures["cost"] for week in weeks) == pytest.approx(
        together(weeks, "campaigns")["cost"].sum(), rel=0.002
    )


@pytest.fixture(scope="module")
def tried() -> pl.DataFrame:
    """Half of the people get what they answer to most, half what they answer to least; of each, half are treated."""
    found = []
    market = Market(MarketFile(QUIET, "quiet"), 11, 20.0)
    effects = market.campaigns.frame()
    answers = effects.select(OFFERS).to_numpy()
    helped = np.arange(len(answers)) % 2 == 0
    offer = pl.Series(OFFERS).gather(np.where(helped, answers.argmax(axis=1), answers.argmin(axis=1)))
    treated = np.random.default_rng(11).random((len(answers), 12)) < 0.5
    for week in range(12):
        rows = pl.DataFrame({"customer_id": effects["customer_id"], "offer": offer, "treated": treated[:, week]})
        rows = rows.with_columns(probability=pl.lit(0.5))
        done = market.step(Actions(promotions=rows, own_campaigns=False))
        true = done.truth["campaigns"].select("customer_id", "effect")
        found.append(done.tables["campaigns"].join(true, on="customer_id"))
    return pl.concat(found)


def test_treated_people_buy_more_or_less_as_their_true_effect_says(tried):
    differences = {}
    for name, low, high in (("more", 0.3, 9.0), ("none", -1e-9, 1e-9), ("less", -9.0, -0.25)):
        rows = tried.filter(pl.col("effect").is_between(low, high))
        treated, held = rows.filter("treated")["converted"], rows.filter(~pl.col("treated"))["converted"]
        spread = (treated.mean() * (1 - treated.mean()) / len(treated) + held.mean() / len(held)) ** 0.5
        differences[name] = ((treated.mean() - held.mean()), spread)
    more, none, less = (differences[name] for name in ("more", "none", "less"))
    assert more[0] > 3 * more[1]
    assert less[0] < -2 * less[1]
    assert abs(none[0]) < 4 * none[1]


def test_what_makes_good_helps_those_who_met_it(own):
    market, _ = own
    campaigns = market.campaigns
    nothing = np.zeros((len(market.people), len(CAUSES)), np.float32)
    everyone = np.arange(len(market.people))
    usual = campaigns.effect_now(nothing, everyone)
    for place, offer in enumerate(SMALL.campaigns.offer):
        for cause in CAUSES:
            felt = nothing.copy()
            felt[:, CAUSES.index(cause)] = 0.5
            more = campaigns.effect_now(felt, everyone)[:, place] - usual[:, place]
            assert np.allclose(more, 0.5 * offer.comfort if cause in offer.comforts else 0.0, atol=1e-6)


def test_an_apology_ends_the_bad_feeling():
    market = Market(MarketFile(QUIET, "quiet"), 2, 5.0)
    for _ in range(6):
        market.step(Actions(own_campaigns=False))
    late = CAUSES.index("late")
    hurt = np.flatnonzero((market.feelings.felt[:, late] > 0.3) & market.present(market.week))
    assert len(hurt) > 20
    half = hurt[::2]
    rows = pl.DataFrame({"customer_id": market.people.ids.gather(half), "offer": ["apology"] * len(half)})
    market.step(Actions(promotions=rows, own_campaigns=False))
    assert (market.feelings.felt[half, late] == 0).all()
    assert (market.feelings.felt[hurt[1::2], late] > 0).all()


def test_a_coupon_comes_off_the_order_and_free_shipping_is_free():
    def orders(offer: str | None) -> pl.DataFrame:
        market = Market(MarketFile(QUIET, "quiet"), 3, 3.0)
        everyone = market.people.ids
        rows = None if offer is None else pl.DataFrame({"customer_id": everyone, "offer": [offer] * len(everyone)})
        week = market.step(Actions(promotions=rows, own_campaigns=False))
        bought = week.tables["events"].filter(pl.col("kind") == "purchase")
        value = bought.group_by("order_id").agg(goods=(pl.col("price") * pl.col("quantity")).sum())
        return week.tables["orders"].join(value, on="order_id").filter(pl.col("currency") == "KRW")

    plain, coupon, free = orders(None), orders("coupon20"), orders("free_shipping")
    assert min(len(plain), len(coupon), len(free)) > 10
    assert (plain["total"] >= plain["goods"] - 0.01).all()
    fee = (plain["total"] - plain["goods"]).max()
    assert fee > 0
    extra = (coupon["total"] - 0.8 * coupon["goods"]).to_numpy()
    assert (np.isclose(extra, 0, atol=0.02) | np.isclose(extra, fee, atol=0.02)).all()
    assert np.allclose(free["total"], free["goods"], atol=0.02)
