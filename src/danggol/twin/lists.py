"""What visitors are shown: a list of listings for each visit, with the logged probability of being in it.

A visitor of country c looks at category g. Each of the d places that the visitor scrolls to is filled independently,

    pi(j) = (1 - wander) e_j / sum of e over g  +  wander e_j / sum of e over all,      e_j = exposure, where offered

and a listing drawn twice is shown once, so P(j is shown) = 1 - (1 - pi(j))^d. With probability ``reminder`` the first
place goes instead to something the person has bought before and uses up. Where an action has filled a shelf for the
country, a further place at the top shows one of it, drawn evenly, with probability ``seen``. The number logged is
exact, reminders and shelves included. Who watches a broadcast is shown its product alone, and no probability
is logged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

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
    slot: Ints
    """The broadcast watched, as its place in the week's plan; -1 in an ordinary visit."""
    begin: Ints
    """When a broadcast is tuned in to, in microseconds; 0 in an ordinary visit."""

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
    cut: Single
    """Share off the price of the week, in a broadcast."""

    def __len__(self) -> int:
        return len(self.visit)


def seasons(parameters: Parameters, clock: Clock, week: int) -> Floats:
    """How much each category is wanted in a week, as a multiple of the usual: a wave that peaks in its month."""
    categories = parameters.goods.category
    strength = np.array([category.season for category in categories])
    peak = np.array([category.peak_month for category in categories])
    multiple: Floats = 1 + strength * np.cos(2 * np.pi * (clock.month(week) - 0.5 - peak) / 12)
    return multiple


def draw_visits(people: People, rate: Floats, wanted: Floats, rng: np.random.Generator) -> Visits:
    """Who comes in a week, and the category each looks at.

    ``rate`` (people,): visits expected of each, 0 for those who are not there; ``wanted`` (countries, categories): how
    much each category is wanted, as a multiple of the usual.
    """
    customer = np.repeat(np.arange(len(people)), rng.poisson(rate))
    customer = customer[rng.permutation(len(customer))]
    country = people.country[customer]
    share = np.cumsum(people.interests[customer] * wanted[country], axis=1)
    category = (rng.random((len(customer), 1)) * share[:, -1:] >= share).sum(axis=1)
    nothing = np.full(len(customer), -1)
    return Visits(customer, country, np.minimum(category, wanted.shape[1] - 1), nothing, nothing + 1)


def show(
    visits: Visits,
    goods: Goods,
    terms: WeekTerms,
    habits: Habits,
    parameters: Parameters,
    rng: np.random.Generator,
    shelves: Mapping[int, Ints] | None = None,
) -> Shown:
    """Fill a list for each visit; ``shelves``: country -> products that an action put on its shelf."""
    settings = parameters.visits
    drawing = _Drawing(goods, terms, visits, settings.wander)
    product = drawing.draw((len(visits), settings.list_length), rng)
    depth = np.minimum(rng.geometric(settings.stop, len(visits)), settings.list_length)
    remembered = habits.product[visits.customer]
    there = (remembered >= 0) & terms.there[remembered, visits.country[:, None]]
    known = there.sum(axis=1)
    reminded = (rng.random(len(visits)) < settings.reminder) & (known > 0)
    nth = (rng.random(len(visits)) * known).astype(np.int64) + 1
    slot = (np.cumsum(there, axis=1) >= nth[:, None]).argmax(axis=1)
    product[reminded, 0] = remembered[reminded, slot[reminded]]
    seen = np.arange(product.shape[1]) < depth[:, None]
    shelf = _Shelf(shelves or {}, terms, visits, parameters.curation.seen)
    if shelf.filled:
        top, there_on_top = shelf.draw(rng.spawn(1)[0])
        product = np.concatenate([top[:, None], product], axis=1)
        seen = np.concatenate([there_on_top[:, None], seen], axis=1)
    for column in range(1, product.shape[1]):
        same = (product[:, :column] == product[:, [column]]) & seen[:, :column]
        seen[:, column] &= ~same.any(axis=1)
    product, place = product[seen], (np.cumsum(seen, axis=1) - 1)[seen]
    visit = np.repeat(np.arange(len(visits)), seen.sum(axis=1))
    matches = (remembered[visit] == product[:, None]) & there[visit]
    chance = np.where(known > 0, settings.reminder, 0.0)[visit]
    first = matches.sum(axis=1) / np.maximum(known[visit], 1)
    absent = 1 - drawing.probability(visit, product)
    others = 1 - absent ** (depth[visit] - 1)
    propensity = chance * (first + (1 - first) * others) + (1 - chance) * (1 - absent ** depth[visit])
    propensity = 1 - (1 - propensity) * (1 - shelf.probability(visit, product))
    held = (remembered[visit] == product[:, None]) & (remembered[visit] >= 0)
    last = np.where(held, habits.week[visits.customer][visit], -1).max(axis=1)
    has_second = goods.backgrounds[product, 1] >= 0
    return Shown(
        visit=visit,
        place=place,
        product=product,
        second_picture=has_second & (rng.random(len(visit)) < settings.other_picture),
        propensity=np.clip(propensity, 1e-12, 1.0),
        gap=np.where(last >= 0, terms.week - last, np.nan).astype(np.float32),
        cut=np.zeros(len(visit), dtype=np.float32),
    )


def show_live(visits: Visits, product: Ints, cut: Floats, terms: WeekTerms, habits: Habits) -> Shown:
    """What the viewers of broadcasts see: the slot's product, one row a visit."""
    remembered = habits.product[visits.customer]
    held = (remembered == product[:, None]) & (remembered >= 0)
    last = np.where(held, habits.week[visits.customer], -1).max(axis=1) if len(visits) else np.zeros(0)
    return Shown(
        visit=np.arange(len(visits)),
        place=np.zeros(len(visits), dtype=np.int64),
        product=product,
        second_picture=np.zeros(len(visits), dtype=bool),
        propensity=np.full(len(visits), np.nan),
        gap=np.where(last >= 0, terms.week - last, np.nan).astype(np.float32),
        cut=cut.astype(np.float32),
    )


def join_visits(visits: Visits, shown: Shown, live: Visits, watched: Shown) -> tuple[Visits, Shown]:
    """Ordinary visits and those to broadcasts as one."""
    both = Visits(**{f.name: np.concatenate([getattr(visits, f.name), getattr(live, f.name)]) for f in fields(Visits)})
    watched = replace(watched, visit=watched.visit + len(visits))
    rows = {f.name: np.concatenate([getattr(shown, f.name), getattr(watched, f.name)]) for f in fields(Shown)}
    return both, Shown(**rows)


class _Shelf:
    """The shelves of the countries that have one, of what is there."""

    def __init__(self, shelves: Mapping[int, Ints], terms: WeekTerms, visits: Visits, seen: float) -> None:
        self.there = {country: products[terms.there[products, country]] for country, products in shelves.items()}
        self.there = {country: products for country, products in self.there.items() if len(products)}
        self.filled = bool(self.there)
        self.chance = np.zeros(terms.there.shape, dtype=np.float64) if self.filled else None
        self.visits, self.seen = visits, seen
        for country, products in self.there.items():
            assert self.chance is not None
            self.chance[products, country] = seen / len(products)

    def draw(self, rng: np.random.Generator) -> tuple[Ints, Bools]:
        """The listing at the top of each visit's list, and whether there is one."""
        number = len(self.visits)
        top, on_top = np.zeros(number, dtype=np.int64), rng.random(number) < self.seen
        point = rng.random(number)
        for country, products in self.there.items():
            rows = self.visits.country == country
            top[rows] = products[(point[rows] * len(products)).astype(np.int64)]
        on_top &= np.isin(self.visits.country, list(self.there))
        return top, on_top

    def probability(self, visit: Ints, product: Ints) -> Floats:
        """Chance that each listing shown stands at the top of its visit's list."""
        if self.chance is None:
            return np.zeros(len(visit))
        chance: Floats = self.chance[product, self.visits.country[visit]]
        return chance


class _Drawing:
    """Draws listings by exposure from slices of one long cumulative sum: country by country, category by category."""

    def __init__(self, goods: Goods, terms: WeekTerms, visits: Visits, wander: float) -> None:
        self.weight = terms.weight.T
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
