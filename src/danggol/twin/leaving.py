"""Who leaves for good, and why.

A bad experience is felt fully when the order arrives and fades by half every ``half_life_weeks``. In each week

    hazard_i = leave_per_week + sum_k hazard_k felt_ik + tires of an offer under way,    P(leaves) = 1 - exp(-hazard_i),

and the cause of leaving is drawn in proportion to the parts of the hazard ("own" is the part that is nobody's fault).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from danggol.twin.parameters import Parameters
from danggol.twin.people import Bools, Floats, Ints, Single
from danggol.twin.sections import CAUSES

STAYS = 1_000_000
"""The leaving week of those who have not left."""
REASONS = ("own", *CAUSES, "tired")


@dataclass
class Feelings:
    """What each person still feels of each cause, and who has left."""

    parameters: Parameters
    felt: Single
    """(people, causes) in [0, 1]"""
    left_week: Ints
    reason: Ints
    """Place in REASONS; -1 for those who have not left."""
    due: dict[int, list[tuple[Ints, Bools]]] = field(default_factory=dict)

    @classmethod
    def none(cls, parameters: Parameters, people: int) -> Feelings:
        """Nobody has met anything bad yet."""
        felt = np.zeros((people, len(CAUSES)), np.float32)
        return cls(parameters, felt, np.full(people, STAYS), np.full(people, -1))

    def expect(self, week: Ints, customer: Ints, causes: Bools) -> None:
        """Note what people will meet, and in which week."""
        bad = causes.any(axis=1)
        for one in np.unique(week[bad]).tolist():
            rows = bad & (week == one)
            self.due.setdefault(one, []).append((customer[rows], causes[rows]))

    def arrive(self, week: int) -> None:
        """Fade by a week, then feel what arrives in this one."""
        self.felt *= np.float32(0.5 ** (1 / self.parameters.leaving.half_life_weeks))
        for earlier in [one for one in self.due if one <= week]:
            for customer, causes in self.due.pop(earlier):
                np.maximum.at(self.felt, customer, causes.astype(np.float32))

    def comfort(self, customer: Ints, causes: Bools) -> None:
        """Make good what these people feel of these causes: (people asked for, causes)."""
        self.felt[customer] = np.where(causes, np.float32(0), self.felt[customer])

    def hazards(self, tired: Floats) -> Floats:
        """(people, reasons): the parts of each person's hazard this week."""
        settings = self.parameters.leaving.hazard
        weight = np.array([getattr(settings, cause) for cause in CAUSES])
        own = np.full((len(self.felt), 1), self.parameters.people.leave_per_week)
        return np.concatenate([own, self.felt * weight, tired[:, None]], axis=1)

    def leave(self, week: int, present: Bools, tired: Floats, rng: np.random.Generator) -> int:
        """Let people leave at the end of a week; how many did."""
        parts = self.hazards(tired)
        total = parts.sum(axis=1)
        draws = rng.random((2, len(total)))
        goes = present & (draws[0] < 1 - np.exp(-total))
        self.left_week[goes] = week + 1
        reached = np.cumsum(parts[goes], axis=1) >= (draws[1, goes] * total[goes])[:, None]
        self.reason[goes] = reached.argmax(axis=1)
        return int(goes.sum())

    def frame(self, ids: pl.Series) -> pl.DataFrame:
        """Rows of ``truth/leaving.parquet``: who left, when, why."""
        gone = np.flatnonzero(self.reason >= 0)
        return pl.DataFrame(
            {
                "customer_id": ids.gather(gone),
                "week": self.left_week[gone],
                "cause": pl.Series(REASONS).gather(self.reason[gone]),
            }
        )
