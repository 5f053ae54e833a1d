"""Policies to play a market with: doing nothing, and yardsticks that know the truth.

A policy takes the market before a week and gives the week's :class:`Actions`. The yardsticks read what no shop can see
(each person's answer to each offer, tastes, bad experiences still felt), so that a policy learnt from tables can be
compared with what could be had at all. They are the best of their kind up to the approximations named in each.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from danggol.twin.actions import Actions
from danggol.twin.campaigns import NONE
from danggol.twin.choice import logistic, utility
from danggol.twin.lists import Shown, Visits
from danggol.twin.market import MarketFile
from danggol.twin.people import Floats, Ints
from danggol.twin.randomness import stream
from danggol.twin.sections import CAUSES
from danggol.twin.step import Market

Policy = Callable[[Market], Actions]
_PEOPLE = 60
"""People of a country whose tastes a shelf is made from."""


def play(
    file: str | MarketFile, policy: Policy, seed: int = 0, scale: float = 1.0, weeks: int | None = None
) -> pl.DataFrame:
    """Play a market under a policy; one row a week with its figures (``Week.figures``)."""
    market = Market(file, seed, scale)
    rows = []
    for _ in range(min(weeks or market.clock.weeks, market.clock.weeks)):
        week = market.step(policy(market))
        rows.append({"week": week.number, **week.figures})
    return pl.DataFrame(rows)


def do_nothing(market: Market) -> Actions:  # noqa: ARG001
    """Let the market go on as its file says."""
    return Actions()


def stay_out(market: Market) -> Actions:  # noqa: ARG001
    """No offers to single customers at all."""
    return Actions(own_campaigns=False)


def best_promotions(market: Market) -> Actions:
    """Each person the offer with the highest expected gain, if that is above nothing.

    Gain = margin x goods bought more in the window - coupon, shipping and message - what tiring the person costs, and
    what making good saves, in later margin. Approximations: a person's visits buy at the file's conversion shifted by
    the person's propensity; a basket is the country's usual one; one offer at a time.
    """
    gain = promotion_gains(market)
    offer = gain.argmax(axis=1)
    chosen = np.flatnonzero(gain[np.arange(len(gain)), offer] > 0)
    names = pl.Series(market.campaigns.names)
    rows = pl.DataFrame({"customer_id": market.people.ids.gather(chosen), "offer": names.gather(offer[chosen])})
    return Actions(promotions=rows, own_campaigns=False)


def promotion_gains(market: Market) -> Floats:
    """(people, offers) expected gain of each offer over none, in the reporting currency; -inf where impossible now."""
    campaigns, people, settings = market.campaigns, market.people, market.parameters.campaigns
    everyone = np.arange(len(people))
    usual = market.parameters.choice.conversion
    lean = np.log(usual / (1 - usual)) + people.propensity
    basket, fee = _basket(market), _fee(market)
    worth = basket[people.country] * people.visits * settings.window_weeks
    now = logistic(lean)[:, None]
    then = logistic(lean[:, None] + campaigns.effect_now(market.feelings.felt, everyone))
    more = np.exp([offer.visits for offer in campaigns.offers]) * then
    coupon = np.array([offer.coupon for offer in campaigns.offers])
    free = np.array([float(offer.free_shipping) for offer in campaigns.offers])
    usd = float(market.rates.rate[7 * market.week, market.rates.currencies.index("USD")])
    message = np.array([offer.message_cost for offer in campaigns.offers]) * usd
    orders = more * (people.visits * settings.window_weeks)[:, None]
    later = _later(market, settings.margin * basket[people.country] * people.visits * now[:, 0])
    tires = np.array([offer.tires for offer in campaigns.offers]) * settings.window_weeks
    saved = _saved(market)
    gain = settings.margin * worth[:, None] * (more - now) - worth[:, None] * coupon * more
    gain += later[:, None] * (saved - tires) - message - free * fee[people.country][:, None] * orders
    able = market.present(market.week) & (campaigns.offer == NONE) & ~campaigns.waiting()
    return np.where(able[:, None], gain, -np.inf)


def _later(market: Market, weekly: Floats) -> Floats:
    """(people,) margin still to come from each who is there: a week's, over the weeks the person will stay."""
    rate = max(market.parameters.people.leave_per_week, 1e-6)
    left = market.clock.weeks - market.week
    total: Floats = weekly * (1 - np.exp(-rate * left)) / rate
    return total


def _saved(market: Market) -> Floats:
    """(people, offers) chance of leaving that making good takes away."""
    settings = market.parameters.leaving
    hazard = np.array([getattr(settings.hazard, cause) for cause in CAUSES])
    weeks = 1 / (1 - 0.5 ** (1 / settings.half_life_weeks))
    saved: Floats = (market.feelings.felt * hazard * weeks) @ market.campaigns.comforts.T.astype(np.float64)
    return np.minimum(saved, 1.0)


def _basket(market: Market) -> Floats:
    """(countries,) usual value of an order in the reporting currency, from the terms of the last week."""
    now = market.now if market.now is not None else market.terms.week(market.week)
    rate = market.rates.rate[7 * market.week, market.rates.of_country]
    weight = now.weight * np.exp(-0.9 * now.dearness)
    value: Floats = (now.price * weight).sum(axis=0) / np.maximum(weight.sum(axis=0), 1e-12) * rate
    return value


def _fee(market: Market) -> Floats:
    """(countries,) what free shipping costs on an order, in the reporting currency."""
    rate = market.rates.rate[7 * market.week, market.rates.of_country]
    fee: Floats = market.terms.fee * rate
    return fee


def best_shelves(market: Market) -> Actions:
    """Each country the shelf with the highest expected margin: what sells best there, by price, to its own people.

    The mean of exp(u) over people of the country, drawn by how often they come, times the price. Approximation:
    listings on a shelf do not compete.
    """
    now = market.now
    if now is None:
        return Actions()
    rate = market.rates.rate[7 * market.week, market.rates.of_country]
    trend = market.trend(market.week, now)
    shelves = {}
    for place, code in enumerate(market.codes):
        products = np.flatnonzero(now.there[:, place])
        people = _drawn(market, place)
        if len(products) and len(people):
            appeal = _appeal(market, people, products, place) + trend[products, place]
            value = np.exp(appeal).mean(axis=0) * now.price[products, place] * rate[place]
            best = products[np.argsort(-value, kind="stable")[: market.parameters.curation.length]]
            shelves[code] = market.goods.ids.gather(best).to_list()
    return Actions(curations=shelves)


def _drawn(market: Market, place: int) -> Ints:
    """Some people of a country who are there, drawn by how often they come."""
    there = np.flatnonzero(market.present(market.week) & (market.people.country == place))
    if len(there) <= _PEOPLE:
        return there
    often = market.people.visits[there]
    rng = stream(market.seed, "shelf", market.week, place)
    return rng.choice(there, _PEOPLE, p=often / often.sum())


def _appeal(market: Market, people: Ints, products: Ints, place: int) -> Floats:
    """(people, products) utility of each listing to each person, at this week's terms."""
    number = len(people)
    visits = Visits(
        customer=people,
        country=np.full(number, place),
        category=np.zeros(number, dtype=np.int64),
        slot=np.full(number, -1),
        begin=np.zeros(number, dtype=np.int64),
    )
    size = number * len(products)
    shown = Shown(
        visit=np.repeat(np.arange(number), len(products)),
        place=np.zeros(size, dtype=np.int64),
        product=np.tile(products, number),
        second_picture=np.zeros(size, dtype=bool),
        propensity=np.ones(size),
        gap=np.full(size, np.nan, dtype=np.float32),
        cut=np.zeros(size, dtype=np.float32),
    )
    assert market.now is not None
    u = utility(visits, shown, market.people, market.goods, market.now, market.parameters)
    return np.asarray(u, np.float64).reshape(number, len(products)) - market.level.centre


def best(market: Market) -> Actions:
    """Both yardsticks at once."""
    promotions, shelves = best_promotions(market), best_shelves(market)
    return Actions(promotions=promotions.promotions, curations=shelves.curations, own_campaigns=False)
