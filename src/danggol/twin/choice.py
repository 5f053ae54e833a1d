"""What visitors choose: a nested logit over the list, with everything that is viewed, carted and bought following it.

Person i sees listing j in place k. With X the terms of the offer,

    u_ij = theta_i . X_ij + weight * z_i . s_j / sqrt(6) + quality_j + trend_jc + habit * due(weeks since) - centre
    V_j  = u_ij - position * log(1 + k)
    P(buy)         = logistic(nest * I + intercept + propensity_i + lift_i),    I = log sum_j exp(V_j / nest)
    P(first = j)   = P(buy) exp(V_j / nest - I)
    P(also buy j)  = logistic(add_on + V_j), given that something else was bought first
    P(bought j)    = P(first = j) + (P(buy) - P(first = j)) P(also buy j)       (the truth that is kept)
    P(viewed, not bought) = logistic(view + view_weight * u_ij - position * log(1 + k))

``lift`` is what an offer to the person or the host of a broadcast adds; ``trend`` is what is in fashion. The noise of
the logit is what keeps shoppers from being transparent. ``centre`` (the mean of u) and ``intercept`` (so that the
aimed-at share of visits buys) are set once from a pilot week without sales and habits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from danggol.twin.goods import SCENES, Goods
from danggol.twin.lists import Shown, Visits
from danggol.twin.offers import WeekTerms
from danggol.twin.parameters import Parameters
from danggol.twin.people import Bools, Floats, Ints, People, Single

_NEW_WEEKS = 8
_LONGEST_LOOK = 600.0


@dataclass(frozen=True)
class Level:
    """What the pilot week sets: the mean of u, and the intercept of buying."""

    centre: float
    intercept: float


@dataclass(frozen=True)
class Chosen:
    """What became of each listing shown; arrays over :class:`Shown`."""

    p_view: Floats
    p_buy: Floats
    """True probability of being bought in this visit, before anything is known of it."""
    viewed: Bools
    carted: Bools
    bought: Bools
    quantity: Ints
    dwell: Floats


def logistic(x: NDArray[np.floating[Any]]) -> Floats:
    """1 / (1 + exp(-x)), without overflow."""
    y: Floats = 0.5 * (1 + np.tanh(0.5 * x.astype(np.float64)))
    return y


def due(gap: Single, cycle: Single) -> Single:
    """How much a consumable is wanted again: 1 when just used up, below 0 right after buying, 0 if never bought."""
    late = gap / np.maximum(cycle, 1e-6)
    wanted = np.exp(-0.5 * ((late - 1.0) / 0.45) ** 2) - 0.8 * (late < 0.3)
    return np.where(np.isnan(gap) | (cycle <= 0), 0.0, wanted).astype(np.float32)


def offer_terms(visits: Visits, shown: Shown, people: People, goods: Goods, terms: WeekTerms) -> Single:
    """X: the terms of each listing shown ``(shown, terms)``, in the order of people.TERMS."""
    product, customer, country = shown.product, visits.customer[shown.visit], visits.country[shown.visit]
    cell = (product, country)
    background = goods.backgrounds[product, shown.second_picture.astype(np.int64)]
    liking = (
        people.color_liking[customer, goods.color[product]] + people.pattern_liking[customer, goods.pattern[product]]
    )
    origin = np.array([goods.origin == code for code in people.by_country.codes]).T
    columns = (
        terms.dearness[cell] + np.log1p(-shown.cut),
        1 - (1 - terms.discount[cell]) * (1 - shown.cut),
        terms.free_shipping[cell],
        goods.rating[product] - 4.0,
        goods.standing[product],
        terms.badge[cell],
        liking,
        np.isin(background, SCENES),
        terms.week - goods.listed_week[product] <= _NEW_WEEKS,
        origin[cell],
    )
    return np.stack([np.asarray(column, dtype=np.float32) for column in columns], axis=1)


def utility(
    visits: Visits, shown: Shown, people: People, goods: Goods, terms: WeekTerms, parameters: Parameters
) -> Single:
    """u before centring, one number a listing shown."""
    customer = visits.customer[shown.visit]
    offer = np.einsum("nk,nk->n", people.weights[customer], offer_terms(visits, shown, people, goods, terms))
    match = np.einsum("nk,nk->n", people.style[customer], goods.style[shown.product])
    match *= np.float32(parameters.taste.weight / np.sqrt(goods.style.shape[1]))
    habit = np.float32(parameters.choice.habit) * due(shown.gap, goods.cycle[shown.product])
    total: Single = offer + match + goods.quality[shown.product] + habit
    return total


def settle(u: Single, visits: Visits, shown: Shown, people: People, parameters: Parameters) -> Level:
    """The centre and the intercept at which the pilot's visits convert as often as the market says."""
    if not len(u):
        return Level(0.0, float(np.log(parameters.choice.conversion / (1 - parameters.choice.conversion))))
    centre = float(u.mean())
    value = u - centre - parameters.choice.position * np.log1p(shown.place)
    lean = people.propensity[visits.customer]
    inclusive = _inclusive(value, shown.visit, len(visits), parameters.choice.nest)
    low, high = -40.0, 40.0
    for _ in range(60):
        middle = (low + high) / 2
        if logistic(parameters.choice.nest * inclusive + middle + lean).mean() < parameters.choice.conversion:
            low = middle
        else:
            high = middle
    return Level(centre, (low + high) / 2)


def _inclusive(value: Floats, visit: Ints, number: int, nest: float) -> Floats:
    """I: the log of the sum of exp(V / nest) over each visit's list."""
    scaled = value / nest
    top = np.full(number, -np.inf)
    np.maximum.at(top, visit, scaled)
    total = np.bincount(visit, np.exp(scaled - top[visit]), minlength=number)
    inclusive: Floats = np.log(total) + top
    return inclusive


def choose(
    u: Single,
    visits: Visits,
    shown: Shown,
    people: People,
    goods: Goods,
    parameters: Parameters,
    level: Level,
    lift: Floats,
    rng: np.random.Generator,
) -> Chosen:
    """Let every visitor choose; ``u`` is the utility before centring, ``lift`` (visits,) the log-odds of offers."""
    settings, number = parameters.choice, len(shown)
    u = u - np.float32(level.centre)
    drop = settings.position * np.log1p(shown.place)
    value: Floats = (u - drop).astype(np.float64)
    inclusive = _inclusive(value, shown.visit, len(visits), settings.nest)
    lean = people.propensity[visits.customer] + lift
    p_any = logistic(settings.nest * inclusive + level.intercept + lean)
    p_first = p_any[shown.visit] * np.exp(value / settings.nest - inclusive[shown.visit])
    p_also = logistic(settings.add_on + value)
    p_buy = p_first + (p_any[shown.visit] - p_first) * p_also
    buys = rng.random(len(visits)) < p_any
    first = _first(value / settings.nest + rng.gumbel(size=number), shown.visit, buys)
    bought = first | (buys[shown.visit] & (rng.random(number) < p_also))
    p_look = logistic(settings.view + settings.view_weight * u - drop)
    viewed = bought | (rng.random(number) < p_look)
    carted = bought | (viewed & (rng.random(number) < logistic(settings.cart + 0.5 * u)))
    look = np.log(settings.dwell) + settings.dwell_weight * u + settings.dwell_spread * rng.normal(size=number)
    more = rng.geometric(1 - settings.more_than_one, number)
    return Chosen(
        p_view=p_buy + (1 - p_buy) * p_look,
        p_buy=p_buy,
        viewed=viewed,
        carted=carted,
        bought=bought,
        quantity=np.where(goods.cycle[shown.product] > 0, more, 1),
        dwell=np.clip(np.exp(look), 1.0, _LONGEST_LOOK).round(1),
    )


def _first(score: Floats, visit: Ints, buys: Bools) -> Bools:
    """The listing with the highest score in each visit that buys (rows are ordered by visit)."""
    rows = np.flatnonzero(buys[visit])
    order = rows[np.lexsort((-score[rows], visit[rows]))]
    lead = np.ones(len(order), dtype=bool)
    lead[1:] = visit[order[1:]] != visit[order[:-1]]
    chosen = np.zeros(len(score), dtype=bool)
    chosen[order[lead]] = True
    return chosen
