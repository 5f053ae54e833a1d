"""What happens after a purchase: the delivery, what goes wrong, how pleased the person is, and what comes back.

An order with transit time T of its country is delivered after

    (T (1 + busy_delay (traffic - 1)) + shock's delay) exp(delay_sd N(0, 1) + seller_sd care / 3)   days,

with ``care`` ~ N(0, 1) the carelessness of the seller of its first line, and is late beyond T + promise_slack_days.
Damage and bad service strike with log-odds logit(rate) + seller_sd care, a wrong size where goods have sizes, a colour
unlike the picture at its rate, regret of the price with log-odds logit(rate) + log(price / usual price). Then

    satisfaction = pleased + match z_i . s_j / sqrt(6) + quality (rating_j - 4.2) / 0.35 - sum of hurt + N(0, noise)
    P(return)    = logistic(logit(return_rate) + misfit (-0.5 match - (rating - 4.2)) + fault [damaged, size, colour])
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from danggol.twin.choice import logistic
from danggol.twin.clock import DAY, SECOND
from danggol.twin.countries import countries
from danggol.twin.goods import Goods
from danggol.twin.parameters import Parameters
from danggol.twin.people import Bools, Floats, Ints, People
from danggol.twin.randomness import stream
from danggol.twin.sections import CAUSES
from danggol.twin.words import CATEGORIES

LATE, DAMAGED, SIZE, COLOR, PRICE, SERVICE = range(len(CAUSES))
_USUAL_RATING, _RATING_SD = 4.2, 0.35


@dataclass(frozen=True)
class Bought:
    """The lines bought in a week, one row each, by order."""

    order: Ints
    customer: Ints
    product: Ints
    country: Ints
    ts: Ints
    dearness: Floats
    """log(price paid / usual price of the category)."""
    busy: Floats
    """Visits of the week as a multiple of the usual."""
    shock_days: float

    def __len__(self) -> int:
        return len(self.order)


@dataclass(frozen=True)
class Outcome:
    """What became of each line of :class:`Bought`."""

    promised: Ints
    delivered: Ints
    late_days: Floats
    causes: Bools
    """(lines, causes) in the order of CAUSES."""
    satisfaction: Floats
    p_return: Floats


class Deliveries:
    """Delivers what is bought; sellers keep their carelessness."""

    def __init__(self, parameters: Parameters, people: People, goods: Goods, seed: int) -> None:
        self.parameters, self.people, self.goods = parameters, people, goods
        self.care = stream(seed, "sellers").normal(size=parameters.goods.sellers)
        self.transit = np.array([countries()[code].transit_days for code in parameters.countries])
        sized = [CATEGORIES[category.name]["path"].startswith("Fashion") for category in parameters.goods.category]
        bags = [category.name == "bags" for category in parameters.goods.category]
        self.sized = np.array(sized) & ~np.array(bags)

    def deliver(self, bought: Bought, rng: np.random.Generator) -> Outcome:
        """Draw the outcome of each line; lines of one order come together."""
        settings = self.parameters.delivery
        care = self.care[self.goods.seller[bought.product]]
        promised, delivered = self._arrive(bought, care, rng)
        late = delivered > promised
        causes = self._go_wrong(bought, care, late, rng)
        hurt = np.array([getattr(settings.hurt, cause) for cause in CAUSES])
        match = self._match(bought)
        rating = self.goods.rating[bought.product].astype(np.float64) - _USUAL_RATING
        mood = settings.noise * rng.normal(size=len(bought))
        pleased = settings.pleased + settings.match * match + settings.quality * rating / _RATING_SD + mood
        usual = np.array([category.return_rate for category in self.parameters.goods.category])
        usual = usual[self.goods.category[bought.product]]
        misfit = self.parameters.returns.misfit * (-0.5 * match - rating)
        faults = causes[:, [DAMAGED, SIZE, COLOR]].sum(axis=1)
        return Outcome(
            promised=promised,
            delivered=delivered,
            late_days=np.where(late, (delivered - promised) / DAY, 0.0),
            causes=causes,
            satisfaction=pleased - causes @ hurt,
            p_return=logistic(_log_odds(usual) + misfit + self.parameters.returns.fault * faults),
        )

    def frame(self) -> pl.DataFrame:
        """Rows of ``truth/sellers.parquet``."""
        ids = [f"V{number + 1:04d}" for number in range(len(self.care))]
        return pl.DataFrame({"seller_id": ids, "carelessness": self.care})

    def _arrive(self, bought: Bought, care: Floats, rng: np.random.Generator) -> tuple[Ints, Ints]:
        settings = self.parameters.delivery
        _, first, line = np.unique(bought.order, return_index=True, return_inverse=True)
        transit = self.transit[bought.country[first]]
        usual = transit * (1 + settings.busy_delay * (bought.busy[first] - 1)) + bought.shock_days
        spread = settings.delay_sd * rng.normal(size=len(first)) + settings.seller_sd / 3 * care[first]
        wait = (np.maximum(usual, 0.2) * np.exp(spread) * 86_400).astype(np.int64) * SECOND
        promise = ((transit + settings.promise_slack_days) * DAY).astype(np.int64)
        return (bought.ts[first] + promise)[line], (bought.ts[first] + wait)[line]

    def _go_wrong(self, bought: Bought, care: Floats, late: Bools, rng: np.random.Generator) -> Bools:
        settings = self.parameters.delivery
        sized = np.where(self.sized[self.goods.category[bought.product]], 1.0, 0.0)
        careless = settings.seller_sd * care
        chance = np.zeros((len(bought), len(CAUSES)))
        chance[:, DAMAGED] = logistic(_log_odds(settings.rate.damaged) + careless)
        chance[:, SIZE] = settings.rate.size * sized
        chance[:, COLOR] = settings.rate.color
        chance[:, PRICE] = logistic(_log_odds(settings.rate.price) + bought.dearness)
        chance[:, SERVICE] = logistic(_log_odds(settings.rate.service) + careless)
        struck = rng.random(chance.shape) < chance
        struck[:, LATE] = late
        return struck

    def _match(self, bought: Bought) -> Floats:
        style = self.goods.style
        product = np.einsum("nk,nk->n", self.people.style[bought.customer], style[bought.product])
        matched: Floats = product.astype(np.float64) / np.sqrt(style.shape[1])
        return matched


def outcomes_frame(event_ids: pl.Series, outcome: Outcome) -> pl.DataFrame:
    """Rows of ``truth/purchases.parquet``."""
    columns = {f"cause_{cause}": outcome.causes[:, place] for place, cause in enumerate(CAUSES)}
    return pl.DataFrame(
        {
            "event_id": event_ids,
            "p_return": outcome.p_return,
            "satisfaction": outcome.satisfaction,
            "late_days": outcome.late_days,
            **columns,
        }
    )


def _log_odds(share: float | Floats) -> Floats:
    bounded = np.clip(share, 1e-12, 1 - 1e-12)
    return np.asarray(np.log(bounded / (1 - bounded)))
