"""Policies: doing nothing, and yardsticks that know the truth and must beat it."""

import numpy as np
import polars as pl
import pytest

from danggol.twin import Actions, Market, MarketFile
from danggol.twin.policies import best, best_promotions, best_shelves, do_nothing, play, promotion_gains, stay_out

SMALL = MarketFile.load("small").parameters
# Posts change no figure of a week, and take a third of its time.
QUIET = MarketFile(SMALL.model_copy(update={"social": SMALL.social.model_copy(update={"accounts": 5})}), "few posts")
SEEDS, WEEKS, SCALE = range(4), 8, 1.5


def coupons_for_all(market: Market) -> Actions:
    rows = pl.DataFrame({"customer_id": market.people.ids, "offer": ["coupon20"] * len(market.people)})
    return Actions(promotions=rows, own_campaigns=False)


@pytest.fixture(scope="module")
def gains() -> dict[str, np.ndarray]:
    """(seeds,) what each policy gains, in the reporting currency."""
    policies = (do_nothing, best_promotions, best_shelves, best, coupons_for_all)
    played = {one.__name__: [play(QUIET, one, seed, SCALE, WEEKS) for seed in SEEDS] for one in policies}
    return {name: np.array([weeks["gain"].sum() for weeks in runs]) for name, runs in played.items()}


@pytest.mark.parametrize(
    ("policy", "least"), [("best_promotions", 0.05), ("best_shelves", 0.05), ("best", 0.2)], ids=str
)
def test_whoever_knows_the_truth_gains_more_than_who_does_nothing(policy, least, gains):
    more = gains[policy] / gains["do_nothing"] - 1
    assert (more > 0).all()
    assert more.mean() > least


def test_both_yardsticks_at_once_gain_more_than_either(gains):
    assert gains["best"].mean() > max(gains["best_promotions"].mean(), gains["best_shelves"].mean())


def test_coupons_for_all_cost_more_than_they_bring(gains):
    assert (gains["coupons_for_all"] < gains["best_promotions"]).all()
    assert (gains["coupons_for_all"] < gains["do_nothing"]).all()


def test_playing_gives_the_figures_of_every_week():
    played = play("small", do_nothing, seed=3, weeks=4)
    market = Market("small", 3)
    alone = pl.DataFrame([{"week": week, **market.step().figures} for week in range(4)])
    assert played.equals(alone)
    assert len(play(QUIET, stay_out, seed=3, scale=0.1, weeks=1000)) == SMALL.size.weeks


def test_staying_out_makes_no_offers():
    market = Market(QUIET, 1)
    campaigns = pl.concat([market.step(stay_out(market)).tables["campaigns"] for _ in range(6)])
    assert len(campaigns) == 0
    market = Market(QUIET, 1)
    assert sum(len(market.step(do_nothing(market)).tables["campaigns"]) for _ in range(6)) > 50


def test_promotions_go_to_those_who_can_take_them_and_gain_by_it():
    market = Market(QUIET, 2)
    market.step()
    gain = promotion_gains(market)
    rows = best_promotions(market).promotions
    assert 0 < len(rows) < len(market.people)
    able = {one for one, here in zip(market.people.ids, market.present(market.week), strict=True) if here}
    assert set(rows["customer_id"]) <= able
    taken = pl.Series(market.people.ids).is_in(rows["customer_id"].implode()).to_numpy()
    assert (gain[taken].max(axis=1) > 0).all()
    assert (gain[~taken].max(axis=1) <= 0).all()
    market.step(Actions(promotions=rows, own_campaigns=False))
    again = best_promotions(market).promotions
    assert not set(again["customer_id"]) & set(rows["customer_id"])


def test_shelves_hold_what_is_there_in_each_country():
    market = Market(QUIET, 2)
    assert best_shelves(market).curations == {}
    market.step()
    shelves = best_shelves(market).curations
    assert set(shelves) == set(market.codes)
    there = market.offers().filter(pl.col("stock") > 0).select("country", "product_id").rows()
    for country, products in shelves.items():
        assert len(set(products)) == len(products) <= SMALL.curation.length
        assert {(country, one) for one in products} <= set(there)
