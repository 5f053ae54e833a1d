"""Which modality carries purchase prediction: each one's share, alone and missed, for everybody and by country."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from danggol.report import charts
from danggol.report.queries import rows
from danggol.report.words import Both, country, day, say, term

if TYPE_CHECKING:
    from danggol.shop import Shop

ORDER = ("text", "image", "offer", "behaviour", "customer")
FIGURES = ("auc", "share", "without")


@dataclass(frozen=True)
class Ranged:
    """A figure with its interval."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Place:
    """A country (or everybody): its joined AUC, and the share of each modality in the order of the page."""

    name: Both
    showings: int
    joined: Ranged
    shares: list[Ranged | None]


@dataclass(frozen=True)
class Modalities:
    """What the section shows."""

    until: datetime
    showings: int
    joined: Ranged
    names: list[Both]
    table: list[tuple[Both, list[Ranged | None]]]
    """of each modality: alone, share, missed"""
    adds: list[Both]
    """modalities that add nothing that can be told from chance"""
    places: list[Place]
    chart: charts.Chart


def gather(shop: Shop) -> Modalities | None:
    """None where nothing was measured."""
    if not shop.has("modality_worth"):
        return None
    told = rows(shop, "modalities")
    if not told:
        return None
    held = {(row["part"], row["figure"], row["modality"]): row for row in told}
    present = [name for name in ORDER if ("all", "share", name) in held]
    named = {name: term("modality", name) for name in present}
    parts = list(dict.fromkeys(row["part"] for row in told))
    whole = held["all", "auc", "joined"]
    without = {name: _ranged(held.get(("all", "without", name))) for name in present}
    return Modalities(
        until=whole["until"],
        showings=whole["showings"],
        joined=_known(whole),
        names=[named[name] for name in present],
        table=[(named[name], [_ranged(held.get(("all", one, name))) for one in FIGURES]) for name in present],
        adds=[named[name] for name, one in without.items() if one and one.low is not None and one.low <= 0],
        places=[_place(held, part, present) for part in parts if (part, "auc", "joined") in held],
        chart=_chart(held, present, named, whole["until"]),
    )


def _place(held: dict[Any, dict[str, Any]], part: str, present: list[str]) -> Place:
    whole = held[part, "auc", "joined"]
    shares = [_ranged(held.get((part, "share", name))) for name in present]
    return Place(say("all_countries") if part == "all" else country(part), whole["showings"], _known(whole), shares)


def _chart(
    held: dict[Any, dict[str, Any]], present: list[str], named: dict[str, Both], until: datetime
) -> charts.Chart:
    shares = [held["all", "share", name] | {"name": name} for name in present]
    frame = pl.DataFrame([{key: row[key] for key in ("name", "value", "low", "high")} for row in shares])
    frame = frame.sort("value", descending=True).with_columns(role=pl.lit("ours"))
    make = charts.intervals(frame, say("modalities.axis"), named)
    return charts.draw(make, "modalities", say("modalities.chart"), say("modalities.chart_words", until=day(until)))


def _ranged(row: dict[str, Any] | None) -> Ranged | None:
    return None if row is None else _known(row)


def _known(row: dict[str, Any]) -> Ranged:
    return Ranged(row["value"], row["low"], row["high"])
