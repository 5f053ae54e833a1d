"""What visitors are shown: a list of listings for each visit, with the logged probability of being in it.

A visitor of country c looks at category g. Each of the d places that the visitor scrolls to is filled independently,

    pi(j) = (1 - wander) e_j / sum of e over g  +  wander e_j / sum of e over all,      e_j = exposure, where offered

and a listing drawn twice is shown once, so P(j is shown) = 1 - (1 - pi(j))^d. With probability ``reminder`` the first
place goes instead to something the person has bought before and uses up. The number logged is exact, reminders
included.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from danggol.twin.clock import Clock
from danggol.twin.goods import Goods
from danggol.twin.offers import WeekTerms
from danggol.twin.parameters import Parameters
from danggol.twin.people import Bools, Floats, Ints, People, Single

MEMORY = 8
"""How many consumables the shop remembers of each customer."""


@dataclass
class Habits:
    """The consumables that each person bought last: a ring of :data:`MEMORY` slots, -1 where empty."""

    product: NDArray[np.int32]
    week: NDArray[np.int32]
    next_slot: NDArray[np.int32]

    @classmethod
    def none(cls, people: int) -> Habits:
        """Nobody has bought anything yet."""
        ring = np.full((people, MEMORY), -1, dtype=np.int32)
        return cls(ring, ring.copy(), np.zeros(people, dtype=np.int32))

    def bought(self, customer: Ints, product: Ints, week: int) -> None:
        """Remember purchases of consumables."""
        pairs = np.unique(np.stack([customer, product], axis=1), axis=0)
        who, what = pairs[:, 0], pairs[:, 1]
        known = self.product[who] == what[:, None]
        again = known.any(axis=1)
        self.week[who[again], known[again].argmax(axis=1)] = week
        who, what = who[~again], what[~again]
        order = np.arange(len(who)) - np.searchsorted(who, who)
        slot = (self.next_slot[who] + order) % MEMORY
        self.product[who, slot], self.week[who, slot] = what, week
        np.add.at(self.next_slot, who, 1)


@dataclass(frozen=True)
class Visits:
    """The visits of a week, one row each; what each was shown is a row of :class:`Shown`."""

    customer: Ints
    country: Ints
    category: Ints

    def __len__(self) -> int:
        return len(self.customer)


@dataclass(frozen=True)
class Shown:
    """The listings shown, one row each, by visit and place."""

    visit: Ints
    place: Ints
    product: Ints
    second_picture: Bools
    propensity: Floats
    gap: Single
    """Weeks since the person bought this consumable; NaN where never."""

    def __len__(self) -> int:
        return len(self.visit)


def seasons(parameters: Parameters, clock: Clock, week: int) -> Floats:
    """How much each category is wanted in a week, as a multiple of the usual: a wave that peaks in its month."""
    categories = parameters.goods.category
    strength = np.array([category.season for category in categories])
    peak = np.array([category.peak_month for category in categories])
    multiple: Floats = 1 + strength * np.cos(2 * np.pi * (clock.month(week) - 0.5 - peak) / 12)
    return multiple


def draw_visits(people: People, week: int, traffic: Floats, season: Floats, rng: np.random.Generator) -> Visits:
    """Who comes in a week, and the category each looks at: by interest times season."""
    present = (people.first_week <= week) & (week < people.left_week)
    times = rng.poisson(np.where(present, people.visits * traffic[people.country], 0.0))
    customer = np.repeat(np.arange(len(people)), times)
    customer = customer[rng.permutation(len(customer))]
    wanted = np.cumsum(people.interests[customer] * season, axis=1)
    category = (rng.random((len(customer), 1)) * wanted[:, -1:] >= wanted).sum(axis=1)
    return Visits(customer, people.country[customer], np.minimum(category, len(season) - 1))


def show(
    visits: Visits, goods: Goods, terms: WeekTerms, habits: Habits, parameters: Parameters, rng: np.random.Generator
) -> Shown:
    """Fill a list for each visit."""
    settings = parameters.visits
    shape = (len(visits), settings.list_length)
    drawing = _Drawing(goods, terms, visits, settings.wander)
    product = drawing.draw(shape, rng)
    depth = np.minimum(rng.geometric(settings.stop, len(visits)), settings.list_length)
    remembered = habits.product[visits.customer]
    known = (remembered >= 0).sum(axis=1)
    reminded = (rng.random(len(visits)) < settings.reminder) & (known > 0)
    slot = (rng.random(len(visits)) * known).astype(np.int64)
    product[reminded, 0] = remembered[reminded, slot[reminded]]
    seen = np.arange(shape[1]) < depth[:, None]
    for column in range(1, shape[1]):
        seen[:, column] &= (product[:, :column] != product[:, [column]]).all(axis=1)
    product, place = product[seen], (np.cumsum(seen, axis=1) - 1)[seen]
    visit = np.repeat(np.arange(len(visits)), seen.sum(axis=1))
    matches = remembered[visit] == product[:, None]
    chance = np.where(known > 0, settings.reminder, 0.0)[visit]
    first = matches.sum(axis=1) / np.maximum(known[visit], 1)
    absent = 1 - drawing.probability(visit, product)
    others = 1 - absent ** (depth[visit] - 1)
    propensity = chance * (first + (1 - first) * others) + (1 - chance) * (1 - absent ** depth[visit])
    last = np.where(matches, habits.week[visits.customer][visit], -1).max(axis=1)
    has_second = goods.backgrounds[product, 1] >= 0
    return Shown(
        visit=visit,
        place=place,
        product=product,
        second_picture=has_second & (rng.random(len(visit)) < settings.other_picture),
        propensity=np.clip(propensity, 1e-12, 1.0),
        gap=np.where(last >= 0, terms.week - last, np.nan).astype(np.float32),
    )


class _Drawing:
    """Draws listings by exposure from slices of one long cumulative sum: country by country, category by category."""

    def __init__(self, goods: Goods, terms: WeekTerms, visits: Visits, wander: float) -> None:
        self.weight = np.where(terms.there, goods.exposure[:, None], 0.0).T
        number = self.weight.shape[1]
        self.cumulative = np.concatenate([[0.0], np.cumsum(self.weight)])
        row = visits.country * number
        self.low_all, self.high_all = self.cumulative[row], self.cumulative[row + number]
        self.low = self.cumulative[row + goods.starts[visits.category]]
        self.high = self.cumulative[row + goods.starts[visits.category + 1]]
        self.wander = np.where(self.high > self.low, wander, 1.0)
        self.visits, self.goods, self.number = visits, goods, number

    def draw(self, shape: tuple[int, int], rng: np.random.Generator) -> Ints:
        """Listings ``(visits, places)``."""
        anywhere = rng.random(shape) < self.wander[:, None]
        low = np.where(anywhere, self.low_all[:, None], self.low[:, None])
        high = np.where(anywhere, self.high_all[:, None], self.high[:, None])
        point = low + rng.random(shape) * (high - low) * (1 - 1e-9)
        found = np.searchsorted(self.cumulative, point.ravel(), side="right").reshape(shape) - 1
        product: Ints = found - self.visits.country[:, None] * self.number
        return product

    def probability(self, visit: Ints, product: Ints) -> Floats:
        """pi(j) of one place, for listings shown in visits."""
        weight = self.weight[self.visits.country[visit], product]
        within = self.goods.category[product] == self.visits.category[visit]
        own = np.where(within, weight / np.maximum(self.high - self.low, 1e-300)[visit], 0.0)
        wander = self.wander[visit]
        chance: Floats = (1 - wander) * own + wander * weight / (self.high_all - self.low_all)[visit]
        return np.clip(chance, 0.0, 1.0)
