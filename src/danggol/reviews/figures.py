"""Figures with their intervals, as they are written down and shown."""

from __future__ import annotations

from collections.abc import Mapping

from danggol.metrics import Interval


def shown(one: Mapping[str, float], form: str = ".3f") -> str:
    """A figure with its interval."""
    return f"{one['value']:{form}} [{one['low']:{form}}, {one['high']:{form}}]"


def interval(found: Interval) -> dict[str, float]:
    """An interval as it is written down."""
    return {"value": round(found.value, 4), "low": round(found.low, 4), "high": round(found.high, 4)}
