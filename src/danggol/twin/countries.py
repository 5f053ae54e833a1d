"""The countries that a market can have: languages, currency, price level, and Hofstede's six dimensions.

The scores are facts from Geert Hofstede's dimension data matrix, version 2015-12-08 (free for research). Money, price
levels and transit times are round figures of 2025 and assumed.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = ("pdi", "idv", "mas", "uai", "lto", "ivr")
"""Power distance, individualism, masculinity, uncertainty avoidance, long-term orientation, indulgence."""


@dataclass(frozen=True)
class Country:
    """A country; ``per_usd`` units of its currency are one US dollar, prices are rounded to ``step``."""

    code: str
    name: str
    languages: tuple[str, ...]
    currency: str
    per_usd: float
    step: float
    utc_offset: float
    price_level: float
    transit_days: float
    scores: tuple[float, ...]


@cache
def countries() -> dict[str, Country]:
    """Every country that a market can have, by its ISO 3166-1 code."""
    text = files("danggol.twin").joinpath("countries.csv").read_text("utf8")
    return {
        row["code"]: Country(
            code=row["code"],
            name=row["name"],
            languages=tuple(row["languages"].split()),
            currency=row["currency"],
            per_usd=float(row["per_usd"]),
            step=float(row["step"]),
            utc_offset=float(row["utc_offset"]),
            price_level=float(row["price_level"]),
            transit_days=float(row["transit_days"]),
            scores=tuple(float(row[name]) for name in DIMENSIONS),
        )
        for row in csv.DictReader(text.splitlines())
    }


def currencies() -> dict[str, float]:
    """Units per US dollar of every currency of the countries."""
    return {country.currency: country.per_usd for country in countries().values()}


def standard_scores(codes: Sequence[str]) -> NDArray[np.float64]:
    """Scores ``(len(codes), 6)`` standardised over all the countries of the table, whichever a market uses."""
    table = np.array([country.scores for country in countries().values()])
    chosen = np.array([countries()[code].scores for code in codes])
    scaled: NDArray[np.float64] = (chosen - table.mean(axis=0)) / table.std(axis=0)
    return scaled
