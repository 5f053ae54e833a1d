"""Live commerce: hosts show one product for some minutes to the customers of one country.

The market's own plan has Poisson(per_week) slots a week in its largest countries, at noon or in the evening. A host has
a fame f ~ N(0, 1) and a skill ~ N(0, skill_sd), independent of it. The goods that hosts are given favour the famous:
weight of product j for host h = exp(easy f_h e_j), with e_j the standardised sum of quality and log exposure. So what a
host sells says more of the goods than of the host. Each present customer of the country watches with probability
reach x minutes / 60 x pull of the hour; who watches sees that product alone, at the slot's price, and is readier to buy
by ``lift`` plus the host's skill (log-odds).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from danggol.twin.clock import Clock
from danggol.twin.countries import countries
from danggol.twin.goods import Goods
from danggol.twin.offers import WeekTerms
from danggol.twin.parameters import Parameters
from danggol.twin.people import Bools, Floats, Ints, People, timestamps
from danggol.twin.randomness import stream

_HOURS = np.array([12.0, 20.0, 21.0, 22.0])
_NOON_PULL = 0.5


@dataclass(frozen=True)
class Slot:
    """A slot of a week: ``day`` from 0 (Monday), ``hour`` local to the country, ``discount`` off the price."""

    product: int
    country: int
    host: int
    day: int
    hour: float
    minutes: float
    discount: float


@dataclass(frozen=True)
class Audience:
    """Who watches which slot, one row a viewer."""

    slot: Ints
    customer: Ints
    begin: Ints
    """When each starts to watch, in microseconds."""


class Studio:
    """The hosts, and the plan of slots."""

    def __init__(self, parameters: Parameters, goods: Goods, people: People, clock: Clock, seed: int) -> None:
        self.settings, self.goods, self.people = parameters.broadcasts, goods, people
        self.clock, self.seed = clock, seed
        rng = stream(seed, "hosts")
        self.fame = rng.normal(size=self.settings.hosts)
        self.skill = self.settings.skill_sd * rng.normal(size=self.settings.hosts)
        self.hosts = [f"H{number:03d}" for number in range(1, self.settings.hosts + 1)]
        merit = goods.quality / max(float(goods.quality.std()), 1e-6) + np.log(goods.exposure)
        self.ease = (merit - merit.mean()) / max(float(merit.std()), 1e-6)
        codes = people.by_country.codes
        share = np.array(list(parameters.countries.values()))
        self.places = np.argsort(-share, kind="stable")[: self.settings.countries]
        self.offset = np.array([countries()[code].utc_offset for code in codes])
        self.count = 0

    def plan(self, week: int, terms: WeekTerms) -> list[Slot]:
        """The market's own slots of a week."""
        rng, slots = stream(self.seed, "broadcasts", week), []
        for _ in range(rng.poisson(self.settings.per_week)):
            country, host = int(rng.choice(self.places)), int(rng.integers(len(self.hosts)))
            wish = self.settings.easy * self.fame[host] * self.ease + rng.gumbel(size=len(self.goods))
            slot = Slot(
                product=int(np.where(terms.there[:, country], wish, -np.inf).argmax()),
                country=country,
                host=host,
                day=int(rng.integers(7)),
                hour=float(rng.choice(_HOURS)),
                minutes=float(rng.choice(np.array(self.settings.minutes))),
                discount=self.settings.discount,
            )
            if terms.there[slot.product, country]:
                slots.append(slot)
        return slots

    def watch(self, week: int, slots: list[Slot], present: Bools) -> Audience:
        """Draw the viewers of each slot."""
        rng = stream(self.seed, "viewers", week)
        parts: list[tuple[Ints, Ints, Ints]] = []
        for number, slot in enumerate(slots):
            pull = _NOON_PULL if slot.hour < 18 else 1.0
            chance = min(1.0, self.settings.reach * slot.minutes / 60 * pull)
            there = np.flatnonzero(present & (self.people.country == slot.country))
            viewers = there[rng.random(len(there)) < chance]
            late = (rng.random(len(viewers)) * slot.minutes * 0.8 * 60e6).astype(np.int64)
            parts.append((np.full(len(viewers), number), viewers, self.starts(week, slot) + late))
        nobody = (np.array([], np.int64),) * 3
        slot_of, customer, begin = (np.concatenate(columns) for columns in zip(*(parts or [nobody]), strict=True))
        return Audience(slot_of, customer, begin)

    def starts(self, week: int, slot: Slot) -> int:
        """When a slot starts, in microseconds: early enough for all that its viewers do to lie in its week."""
        shift = self.clock.offset_hours(week) - float(self.offset[slot.country])
        length = (self.clock.start(week + 1) - self.clock.start(week)) / 3600e6
        hours = min((slot.day * 24 + slot.hour + shift) % 168.0, length - 1 - slot.minutes / 60)
        return self.clock.start(week) + int(hours * 3600) * 1_000_000

    def table(self, week: int, slots: list[Slot], audience: Audience, sales: Floats, price: Floats) -> pl.DataFrame:
        """Rows of ``broadcasts``; sales and price (slots,) in the reporting currency."""
        order = np.argsort([self.starts(week, slot) for slot in slots], kind="stable").tolist()
        numbers = [self.count + place for place in range(1, len(slots) + 1)]
        self.count += len(slots)
        viewers = np.bincount(audience.slot, minlength=len(slots))
        chosen = [slots[place] for place in order]
        return pl.DataFrame(
            {
                "broadcast_id": [f"B{number:06d}" for number in numbers],
                "ts": timestamps(np.array([self.starts(week, slot) for slot in chosen], np.int64)),
                "product_id": [self.goods.ids[slot.product] for slot in chosen],
                "minutes": [slot.minutes for slot in chosen],
                "price": [round(float(price[place]), 4) for place in order],
                "host_id": [self.hosts[slot.host] for slot in chosen],
                "sales": [round(float(sales[place]), 4) for place in order],
                "viewers": [int(viewers[place]) for place in order],
            },
            schema=BROADCASTS,
        )

    def frame(self) -> pl.DataFrame:
        """Rows of ``truth/hosts.parquet``."""
        return pl.DataFrame({"host_id": self.hosts, "fame": self.fame, "skill": self.skill})


BROADCASTS: dict[str, pl.DataType | type[pl.DataType]] = {
    "broadcast_id": pl.String,
    "ts": pl.Datetime("us", "UTC"),
    "product_id": pl.String,
    "minutes": pl.Float64,
    "price": pl.Float64,
    "host_id": pl.String,
    "sales": pl.Float64,
    "viewers": pl.Int64,
}
