"""The outside: how demand for categories moves, shocks that break it, and what is published of all that.

The log multiple of interest in category k in country c and week t is

    level = sqrt(1/2) shared_k(t) + sqrt(1/2) own_kc(t),

with ``shared`` and ``own`` stationary AR(1) of standard deviation ``sd`` and lag-one correlation ``persistence``: half
of the variance is common to all countries. Shocks multiply traffic, the seasons' strength and the interest in named
categories while they last, and lengthen deliveries; where shocks meet, multiples multiply and days add up.

What is published (table ``signals``):

- ``search:<category>``, weekly: 100 exp(level(t + lead_weeks) + noise), times what a shock does to the category in
  week t itself, since nobody foresees a shock. Revised once; the revision takes a part of the noise away.
- ``mobility``, weekly: 100 exp(-abs(log of a shock's traffic) + noise). It falls in a shock whether visits to the shop
  fall too or, as when people stay at home, rise.
- ``temperature``, weekly: has the course of the seasons and, apart from it, nothing to do with demand.
- ``consumer_confidence``, monthly, published four weeks late and revised: a decoy. It sinks in a shock and else drifts
  on its own.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, prod

import numpy as np
import polars as pl

from danggol.errors import UsageError
from danggol.twin.clock import DAY, SECOND, Clock
from danggol.twin.parameters import Parameters, unknown
from danggol.twin.people import Floats, Ints, timestamps
from danggol.twin.randomness import stream
from danggol.twin.sections import Shock

_SHARED = 0.5
"""Part of the variance of demand that all countries share; assumed."""
_CONFIDENCE_LATE = 28 * DAY
_CONFIDENCE_SD, _CONFIDENCE_STAYS, _CONFIDENCE_NOISE, _CONFIDENCE_FALL = 3.0, 0.9, 1.0, 20.0
_TEMPERATURE_NOISE, _MOBILITY_NOISE = 2.0, 0.03

CLIMATE: dict[str, tuple[float, float, int]] = {
    "AU": (18, 6, 1),
    "BR": (24, 3, 1),
    "CA": (7, 14, 7),
    "CN": (14, 13, 7),
    "DE": (10, 9, 7),
    "ES": (15, 9, 7),
    "FR": (12, 8, 7),
    "GB": (10, 6, 7),
    "HK": (23, 6, 7),
    "ID": (27, 1, 1),
    "IN": (25, 6, 5),
    "IT": (15, 9, 7),
    "JP": (16, 11, 8),
    "KR": (13, 13, 8),
    "MX": (18, 4, 5),
    "MY": (27, 1, 5),
    "NL": (10, 7, 7),
    "PH": (27, 2, 5),
    "SE": (7, 10, 7),
    "SG": (27, 1, 5),
    "TH": (28, 2, 4),
    "TW": (23, 6, 7),
    "US": (13, 11, 7),
    "VN": (25, 4, 6),
}
"""Mean temperature of the year in degrees Celsius, half the range between seasons, warmest month; round, assumed."""


@dataclass(frozen=True)
class Outside:
    """How demand moves and what breaks it."""

    level: Floats
    """``(weeks + lead_weeks, categories, countries)``: log multiple of interest, without shocks."""
    shocks: tuple[Shock, ...]
    categories: tuple[str, ...]

    def interest(self, week: int) -> Floats:
        """Interest ``(countries, categories)`` in a week as a multiple of the usual, shocks included."""
        multiple: Floats = np.exp(self.level[week].T) * self.broken(week)
        return multiple

    def broken(self, week: int) -> Floats:
        """What shocks multiply the interest in each category ``(categories,)`` by."""
        return np.array(
            [prod(shock.categories.get(name, 1.0) for shock in self._present(week)) for name in self.categories]
        )

    def traffic(self, week: int) -> float:
        """What shocks multiply visits by in a week."""
        return prod(shock.traffic for shock in self._present(week))

    def season(self, week: int) -> float:
        """What shocks multiply the strength of the seasons by: 1 without a shock, negative turns them round."""
        return prod(shock.season for shock in self._present(week))

    def delay_days(self, week: int) -> float:
        """How many days longer deliveries take for shocks."""
        return sum(shock.delay_days for shock in self._present(week))

    def _present(self, week: int) -> list[Shock]:
        return [shock for shock in self.shocks if shock.week <= week < shock.week + shock.weeks]


def make_outside(parameters: Parameters, clock: Clock, codes: tuple[str, ...], seed: int) -> Outside:
    """Draw the course of demand in the countries ``codes``; UsageError if a shock names an unknown category."""
    settings, rng = parameters.signals, stream(seed, "outside")
    categories = tuple(category.name for category in parameters.goods.category)
    for name in (name for shock in parameters.shock for name in shock.categories):
        if name not in categories:
            raise UsageError(f"parameter 'shock': {unknown(name, categories, 'category of the market')}")
    weeks = clock.weeks + settings.lead_weeks
    fresh = rng.normal(size=(weeks, len(categories), 1 + len(codes)))
    paths = settings.sd * _autoregressive(fresh, settings.persistence)
    level = np.sqrt(_SHARED) * paths[:, :, :1] + np.sqrt(1 - _SHARED) * paths[:, :, 1:]
    return Outside(level, tuple(parameters.shock), categories)


def _autoregressive(fresh: Floats, stays: float) -> Floats:
    """Stationary AR(1) of variance 1 along the first axis, from standard normal numbers."""
    path = np.empty_like(fresh)
    for step in range(len(fresh)):
        path[step] = fresh[step] if step == 0 else stays * path[step - 1] + np.sqrt(1 - stays**2) * fresh[step]
    return path


def signals_table(
    outside: Outside, parameters: Parameters, clock: Clock, codes: tuple[str, ...], seed: int
) -> pl.DataFrame:
    """What is published in the simulated time, by time of publication: the table ``signals``.

    ``ts`` is the beginning of the week or month that is measured. A revised value is a further row of the same signal,
    region and ``ts``, with a later ``known_at``.
    """
    starts = clock.starts()
    published = starts[1:] + round(parameters.signals.publish_days * DAY)
    frames = [
        *_searches(outside, parameters, clock, codes, seed),
        _rows(["temperature"], codes, starts[:-1], starts[1:], _temperature(clock, codes, seed)),
        _rows(["mobility"], codes, starts[:-1], published, _mobility(outside, clock, codes, seed)),
        *_confidence(outside, parameters, clock, codes, seed),
    ]
    until = timestamps(np.array([clock.start(clock.weeks)]))[0]
    told = pl.concat(frames).filter(pl.col("known_at") < until)
    return told.sort("known_at", "signal", "region", "ts")


def _rows(signals: Sequence[str], codes: tuple[str, ...], ts: Ints, known: Ints, values: Floats) -> pl.DataFrame:
    """Values ``(times, signals, countries)`` as rows."""
    number, width = len(ts), len(signals) * len(codes)
    return pl.DataFrame(
        {
            "signal": pl.Series(np.tile(np.repeat(list(signals), len(codes)), number), dtype=pl.String),
            "region": pl.Series(np.tile(list(codes), number * len(signals)), dtype=pl.String),
            "ts": timestamps(np.repeat(ts, width)),
            "value": values.reshape(-1),
            "known_at": timestamps(np.repeat(known, width)),
        }
    )


def _searches(
    outside: Outside, parameters: Parameters, clock: Clock, codes: tuple[str, ...], seed: int
) -> list[pl.DataFrame]:
    """The index of searches, as first published and as revised.

    The revision takes away a part of standard deviation ``revision`` of the noise (all of the noise, where that is
    less), so that on average the revised value is no further from the truth.
    """
    settings, rng = parameters.signals, stream(seed, "searches")
    starts = clock.starts()
    ahead = outside.level[settings.lead_weeks :][: clock.weeks]
    removed = min(settings.revision, settings.noise)
    passing = removed * rng.normal(size=ahead.shape)
    lasting = np.sqrt(settings.noise**2 - removed**2) * rng.normal(size=ahead.shape)
    broken = np.array([outside.broken(week) for week in range(clock.weeks)])[:, :, None]
    revised = 100 * np.exp(ahead + lasting) * broken
    first = starts[1:] + round(settings.publish_days * DAY)
    again = first + round(settings.revision_days * DAY)
    names = [f"search:{name}" for name in outside.categories]
    return [
        _rows(names, codes, starts[:-1], first, revised * np.exp(passing)),
        _rows(names, codes, starts[:-1], again, revised),
    ]


def _temperature(clock: Clock, codes: tuple[str, ...], seed: int) -> Floats:
    """Degrees Celsius ``(weeks, countries)``."""
    months = [clock.month(week) - 0.5 for week in range(clock.weeks)]
    climate = [CLIMATE[code] for code in codes]
    course = np.array(
        [[mean + half * cos(2 * pi * (month - warmest) / 12) for mean, half, warmest in climate] for month in months]
    )
    degrees: Floats = course + _TEMPERATURE_NOISE * stream(seed, "temperature").normal(size=course.shape)
    return degrees.round(1)


def _mobility(outside: Outside, clock: Clock, codes: tuple[str, ...], seed: int) -> Floats:
    """How much people are on the move ``(weeks, countries)``; 100 is usual."""
    traffic = np.array([outside.traffic(week) for week in range(clock.weeks)])
    noise = _MOBILITY_NOISE * stream(seed, "mobility").normal(size=(clock.weeks, len(codes)))
    moving: Floats = 100 * np.exp(noise - np.abs(np.log(traffic))[:, None])
    return moving


def _confidence(
    outside: Outside, parameters: Parameters, clock: Clock, codes: tuple[str, ...], seed: int
) -> list[pl.DataFrame]:
    """The monthly index of consumer confidence, as first published and as revised; 100 is usual."""
    months = _months(clock)
    rng, shape = stream(seed, "confidence"), (len(months), len(codes))
    drift = _CONFIDENCE_SD * _autoregressive(rng.normal(size=shape), _CONFIDENCE_STAYS)
    slip = _CONFIDENCE_NOISE * rng.normal(size=shape)
    fall = np.zeros((len(months), 1))
    for row, (first, last) in enumerate(months):
        weeks = range((first - clock.first).days // 7, ((last - clock.first).days - 1) // 7 + 1)
        fall[row] = _CONFIDENCE_FALL * np.mean([abs(np.log(outside.traffic(week))) for week in weeks])
    revised = 100 + drift - fall
    begins, ends = (np.array([_midnight(pair[side], clock) for pair in months], dtype=np.int64) for side in (0, 1))
    known = ends + _CONFIDENCE_LATE
    again = known + round(parameters.signals.revision_days * DAY)
    signal = ["consumer_confidence"]
    return [_rows(signal, codes, begins, known, revised + slip), _rows(signal, codes, begins, again, revised)]


def _months(clock: Clock) -> list[tuple[dt.date, dt.date]]:
    """The calendar months within the simulated time: first day, and first day of the next."""
    end = clock.monday(clock.weeks)
    found: list[tuple[dt.date, dt.date]] = []
    first = clock.first.replace(day=1)
    while True:
        following = (first + dt.timedelta(days=32)).replace(day=1)
        if following > end:
            return found
        if first >= clock.first:
            found.append((first, following))
        first = following


def _midnight(day: dt.date, clock: Clock) -> int:
    """The beginning of a day in the shop's time zone, in UTC microseconds since 1970."""
    return round(dt.datetime(day.year, day.month, day.day, tzinfo=clock.zone).timestamp()) * SECOND
