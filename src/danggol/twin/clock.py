"""Simulated time: weeks that begin on Mondays in the shop's time zone, as UTC microseconds."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from danggol.twin.parameters import Parameters

SECOND = 1_000_000
DAY = 86_400 * SECOND
WEEK = 7 * DAY


@dataclass(frozen=True)
class Clock:
    """When the simulated weeks are."""

    first: dt.date
    weeks: int
    zone: ZoneInfo

    @classmethod
    def of(cls, parameters: Parameters) -> Clock:
        """The clock of a market."""
        size = parameters.size
        return cls(size.end - dt.timedelta(weeks=size.weeks), size.weeks, ZoneInfo(parameters.shop.timezone))

    def monday(self, week: int) -> dt.date:
        """The first day of a week (0 is the first; negative ones lie before the simulation)."""
        return self.first + dt.timedelta(weeks=week)

    def start(self, week: int) -> int:
        """When a week begins, in UTC microseconds since 1970."""
        monday = self.monday(week)
        local = dt.datetime(monday.year, monday.month, monday.day, tzinfo=self.zone)
        return round(local.timestamp()) * SECOND

    def starts(self) -> NDArray[np.int64]:
        """The beginnings ``(weeks + 1,)`` of all weeks, the end of the last one included."""
        return np.array([self.start(week) for week in range(self.weeks + 1)], dtype=np.int64)

    def offset_hours(self, week: int) -> float:
        """The shop's hours ahead of UTC at the start of a week."""
        monday = self.monday(week)
        ahead = dt.datetime(monday.year, monday.month, monday.day, tzinfo=self.zone).utcoffset()
        return ahead.total_seconds() / 3600 if ahead else 0.0

    def month(self, week: int) -> float:
        """The month (1 to 12, with a fraction) of the middle of a week."""
        middle = self.monday(week) + dt.timedelta(days=3)
        return middle.month + (middle.day - 1) / 30.5

    def in_week(self, week: int, month: int, day: int, length: int) -> bool:
        """Whether the ``length`` weeks from the week of that day of the year hold this week."""
        return any(
            0 <= (self.monday(week) - (date - dt.timedelta(days=date.weekday()))).days < 7 * length
            for date in (dt.date(self.monday(week).year + shift, month, day) for shift in (-1, 0, 1))
        )
