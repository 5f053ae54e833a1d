"""Of which scale grades are, such as 1 to 5 or 0 to 100: by the heading, by what the grades say, by their values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import gcd

import polars as pl

_USUAL = (5.0, 10.0, 100.0)
_ROUND = (20.0, 50.0)
"""Highest grades that are told where all values stay below 100."""
_FEW_STRAY = 0.95
"""Of the grades, the share that a scale must hold: one slip of the pen shall not stretch it."""
_SOME, _MANY = 20, 50
"""Grades from which their steps, and the highest of them, tell something."""
_TOPS = frozenset((3, 4, 5, 6, 7, 10, 20, 50, 100))
"""Highest grades that a heading is believed; of others it numbers a question."""
_OF_ENDS = r"(?<![\d.,A-Za-z])([01])\s*점?\s*(?:[-~–∼～〜]|to)\s*(\d{1,3})(?!\d)"
_OF_TOP = r"(\d{1,3})\s*점\s*만점|out\s*of\s*(\d{1,3})|/\s*(\d{1,3})(?!\d)"


@dataclass(frozen=True)
class Scale:
    """The lowest and the highest grade, how sure that is (0 to 1), and why."""

    low: float
    high: float
    sure: float
    why: str


def find_scale(heading: str, grades: pl.Series, tops: pl.Series) -> Scale:
    """The scale of ``grades`` (numbers, some null); ``tops``: the highest that could be given, where a text says it.

    What cannot be told is taken as the usual scale of stars, 1 to 5, and the reason says what to look at.
    """
    given = grades.drop_nulls()
    if not len(given):
        return Scale(1.0, 5.0, 1.0, "no grades in the first rows")
    low, top = _said(heading, given)
    if top is None:
        top, sure, why = _top(given, tops.filter(tops >= 1))
    else:
        stray = int((given > top).sum())
        sure, why = 1.0, "the heading says so"
        if stray:
            sure, why = 0.7, f"{why}, but {stray:,} of {len(given):,} grades {'is' if stray == 1 else 'are'} above it"
    told = low is not None
    low = _low(given.filter(given <= top), top) if low is None else low
    why = f"from {low:g} to {top:g}: {why}"
    if low == 0 and top < 100 and not told:
        sure, why = 0.6 * sure, f"{why}; 0 is taken as the lowest grade: if it stands for none, begin the range at 1"
    return Scale(low, top, sure, why)


def _said(heading: str, given: pl.Series) -> tuple[float | None, float | None]:
    """The ends of the scale as the heading tells them, unless most of the values are others."""
    if ends := re.search(_OF_ENDS, heading, re.IGNORECASE):
        low, top = float(ends[1]), float(ends[2])
    elif highest := re.search(_OF_TOP, heading, re.IGNORECASE):
        low, top = None, float(next(filter(None, highest.groups())))
    else:
        return None, None
    return (low, top) if top in _TOPS and _share(given <= top) > 0.5 else (None, None)


def _top(given: pl.Series, tops: pl.Series) -> tuple[float, float, str]:
    """The highest grade, how sure, and why."""
    if len(tops) * 2 > len(given):
        return float(tops.mode().sort()[0]), 1.0, "the grades say of how many they are"
    usual = next((top for top in _USUAL if _share(given <= top) >= _FEW_STRAY), None)
    if usual is None:
        return 5.0, 0.5, "no scale that is known holds the grades"
    seen = given.filter(given <= usual)
    most = float(seen.max() or usual)  # type: ignore[arg-type]
    if len(given) < _MANY or most == usual or given.is_sorted() or given.is_sorted(descending=True):
        return usual, 1.0, f"{usual:g} is the first usual end that holds them"
    if usual == 100:
        return (
            (most, 0.9, "that is the highest of many grades")
            if most in _ROUND
            else (usual, 1.0, "the grades are up to 100")
        )
    grid = {float(n) for n in range(1, int(most) + 1)}
    if grid <= set(seen.unique()) <= grid | {0.0} and _share(given == most) >= 0.5:
        return most, 0.6, f"none of {len(given):,} grades is above {most:g}, and most are that"
    return (
        usual,
        0.6,
        f"none of {len(given):,} grades is above {most:g}: if that is the best there is, end the range at it",
    )


def _low(given: pl.Series, top: float) -> float:
    """The lowest grade: 0 where it occurs, one step of a scale of five steps, else 1, or 0 of long scales."""
    least = float(given.filter(given >= 0).min() or 0)  # type: ignore[arg-type]
    if least == 0:
        return 0.0
    whole = given.filter(given == given.round()).cast(pl.Int64)
    step = gcd(*whole.unique()) if len(whole) == len(given) else 0
    if len(given) >= _SOME and step * 5 == top:
        return float(step)
    if least < 1:
        return 0.5 if ((given * 2) == (given * 2).round()).all() else 0.0
    return 1.0 if 1 < top <= 10 else 0.0


def _share(true: pl.Series) -> float:
    return float(true.mean() or 0)  # type: ignore[arg-type]
