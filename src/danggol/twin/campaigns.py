"""Offers to single customers: the market's own randomised campaigns, and promotions that an action makes.

Every ``every_weeks`` a share of the present customers who are under no offer is drawn; each is assigned one of the
offers, evenly, and gets it with probability ``treated``. While the window lasts, a treated person's log-odds of buying
change by ``effect_io`` (0 for a share ``none`` of people, else normal) plus ``comfort`` times the most that the person
still feels of a cause the offer comforts, and visits are multiplied by exp(visits). The coupon comes off the order, the
shipping may be free, ``tires`` adds to the hazard of leaving, and what the offer comforts is made good.

``revenue`` is what the goods bought in the window cost at the shop's prices, before the coupon; ``cost`` is the
message, the coupon and the shipping not paid: the gain is margin x revenue - cost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from danggol.twin.clock import Clock
from danggol.twin.parameters import Parameters
from danggol.twin.people import Bools, Floats, Ints, People, Single, timestamps
from danggol.twin.randomness import stream
from danggol.twin.sections import CAUSES

NONE = -1


@dataclass(frozen=True)
class Assigned:
    """Who is assigned what in a week, one row a person."""

    customer: Ints
    offer: Ints
    treated: Bools
    probability: Floats
    campaign: str


@dataclass(frozen=True)
class _Open:
    """An assignment whose window is still open."""

    assigned: Assigned
    since: int
    lift: Floats


class Campaigns:
    """The offers under way; arrays over people."""

    def __init__(self, parameters: Parameters, people: People, clock: Clock, seed: int) -> None:
        self.settings, self.people, self.clock, self.seed = parameters.campaigns, people, clock, seed
        self.offers = self.settings.offer
        self.names = [offer.name for offer in self.offers]
        self.effect = self._effects()
        size = len(people)
        self.offer = np.full(size, NONE)
        self.lift = np.zeros(size)
        self.spent, self.given, self.orders = np.zeros(size), np.zeros(size), np.zeros(size, dtype=np.int64)
        self.open: list[_Open] = []
        self.comforts = np.array([[cause in offer.comforts for cause in CAUSES] for offer in self.offers])

    def _effects(self) -> Single:
        rng, size = stream(self.seed, "offer effects"), len(self.people)
        columns = []
        for offer in self.offers:
            drawn = offer.effect + offer.spread * rng.normal(size=size)
            columns.append(np.where(rng.random(size) < offer.none, 0.0, drawn))
        return np.stack(columns, axis=1).astype(np.float32)

    def effect_now(self, felt: Single, customer: Ints) -> Floats:
        """(customers, offers): the log-odds that each offer would add for these people, given what they feel."""
        comfort = np.array([offer.comfort for offer in self.offers])
        soothed = np.where(self.comforts[None], felt[customer][:, None, :], 0.0).max(axis=2)
        return np.asarray(self.effect[customer] + comfort * soothed, np.float64)

    def draw(self, week: int, present: Bools) -> Assigned | None:
        """The market's own campaign of a week, if there is one."""
        settings = self.settings
        if week % settings.every_weeks != settings.every_weeks - 1:
            return None
        rng = stream(self.seed, "campaign", week)
        free = np.flatnonzero(present & (self.offer == NONE) & ~self.waiting())
        chosen = free[rng.random(len(free)) < settings.share]
        offer = rng.integers(0, len(self.offers), len(chosen))
        treated = rng.random(len(chosen)) < settings.treated
        return Assigned(chosen, offer, treated, np.full(len(chosen), settings.treated), f"own-{week:03d}")

    def waiting(self) -> Bools:
        """People in an open window, treated or not."""
        busy = np.zeros(len(self.people), dtype=bool)
        for one in self.open:
            busy[one.assigned.customer] = True
        return busy

    def free(self, assigned: Assigned, joined: Bools) -> Assigned:
        """Those of an assignment who have joined (people,) and are in no open window: nobody is under two offers."""
        kept = (joined & ~self.waiting())[assigned.customer]
        return Assigned(
            assigned.customer[kept],
            assigned.offer[kept],
            assigned.treated[kept],
            assigned.probability[kept],
            assigned.campaign,
        )

    def messages(self, week: int) -> float:
        """What the messages sent in a week cost, in US dollars."""
        price = np.array([offer.message_cost for offer in self.offers])
        sent = [one.assigned.offer[one.assigned.treated] for one in self.open if one.since == week]
        return float(sum(price[offer].sum() for offer in sent))

    def begin(self, week: int, assigned: Assigned, felt: Single) -> tuple[Ints, Bools]:
        """Open the windows; the people whose bad experiences are made good, and which causes."""
        effect = self.effect_now(felt, assigned.customer)
        lift = effect[np.arange(len(assigned.customer)), assigned.offer]
        who, what = assigned.customer[assigned.treated], assigned.offer[assigned.treated]
        self.offer[who], self.lift[who] = what, lift[assigned.treated]
        every = assigned.customer
        self.spent[every] = self.orders[every] = self.given[every] = 0
        self.open.append(_Open(assigned, week, lift))
        return who, self.comforts[what]

    def visits(self) -> Floats:
        """(people,) visits as a multiple of the usual."""
        return self._of_offer([np.exp(offer.visits) for offer in self.offers], 1.0)

    def tired(self) -> Floats:
        """(people,) what the offers under way add to the hazard of leaving."""
        return self._of_offer([offer.tires for offer in self.offers], 0.0)

    def coupon(self) -> Floats:
        """(people,) share off an order."""
        return self._of_offer([offer.coupon for offer in self.offers], 0.0)

    def ships_free(self) -> Bools:
        """(people,) whether shipping is free."""
        return self._of_offer([float(offer.free_shipping) for offer in self.offers], 0.0) > 0

    def _of_offer(self, values: list[float], usual: float) -> Floats:
        found: Floats = np.array([*values, usual])[self.offer]
        return found

    def bought(self, customer: Ints, spent: Floats, given: Floats) -> None:
        """Count orders of the week: their goods, and coupon and shipping given away, in the reporting currency."""
        np.add.at(self.spent, customer, spent)
        np.add.at(self.given, customer, given)
        np.add.at(self.orders, customer, 1)

    def close(self, week: int, usd: float, last: bool = False) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Rows of ``campaigns`` whose windows end with this week, and their truth; ``usd`` is the rate of a dollar.

        ``last``: the simulated time ends, and with it every window.
        """
        over = week if last else week - self.settings.window_weeks + 1
        ended = [one for one in self.open if one.since <= over]
        self.open = [one for one in self.open if one.since > over]
        tables = [self._rows(one, week, usd) for one in ended]
        for one in ended:
            self.offer[one.assigned.customer], self.lift[one.assigned.customer] = NONE, 0.0
        if not tables:
            return _EMPTY.clone(), _EMPTY_TRUTH.clone()
        return pl.concat([rows for rows, _ in tables]), pl.concat([true for _, true in tables])

    def _rows(self, one: _Open, week: int, usd: float) -> tuple[pl.DataFrame, pl.DataFrame]:
        assigned, who = one.assigned, one.assigned.customer
        message = np.array([offer.message_cost for offer in self.offers])[assigned.offer] * usd
        start = np.full(len(who), self.clock.start(one.since))
        rows = pl.DataFrame(
            {
                "campaign_id": [assigned.campaign] * len(who),
                "customer_id": self.people.ids.gather(who),
                "ts": timestamps(start),
                "offer": pl.Series(self.names).gather(assigned.offer),
                "treated": assigned.treated,
                "assignment_probability": assigned.probability,
                "window_days": np.full(len(who), 7.0 * (week - one.since + 1)),
                "cost": np.where(assigned.treated, message + self.given[who], 0.0).round(4),
                "converted": self.orders[who] > 0,
                "revenue": self.spent[who].round(4),
            },
            schema=_EMPTY.schema,
        )
        truth = rows.select("campaign_id", "customer_id", "offer", "treated").with_columns(
            effect=pl.Series(one.lift, dtype=pl.Float64)
        )
        return rows, truth

    def frame(self) -> pl.DataFrame:
        """Rows of ``truth/offer_effects.parquet``: what each offer does to each person who feels nothing bad."""
        columns: dict[str, pl.Series | NDArray[np.float32]] = {"customer_id": self.people.ids}
        columns |= {name: self.effect[:, place] for place, name in enumerate(self.names)}
        return pl.DataFrame(columns)


_EMPTY = pl.DataFrame(
    schema={
        "campaign_id": pl.String,
        "customer_id": pl.String,
        "ts": pl.Datetime("us", "UTC"),
        "offer": pl.String,
        "treated": pl.Boolean,
        "assignment_probability": pl.Float64,
        "window_days": pl.Float64,
        "cost": pl.Float64,
        "converted": pl.Boolean,
        "revenue": pl.Float64,
    }
)
_EMPTY_TRUTH = pl.DataFrame(
    schema={
        "campaign_id": pl.String,
        "customer_id": pl.String,
        "offer": pl.String,
        "treated": pl.Boolean,
        "effect": pl.Float64,
    }
)
