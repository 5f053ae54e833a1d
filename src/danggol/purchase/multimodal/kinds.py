"""What a listing is, in few words: its category, brand and attributes, and visual words of its picture.

Tastes and trends are told by such kinds ("stripes are rising in Korea", "she looks at red ones"), so that a listing
without a past has one through its likes. Visual words are clusters of colours and textures of picture regions, learnt
without labels (as the bag of visual words of Csurka et al., ECCV workshop 2004).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2, vq

Codes = NDArray[np.int64]
_MOST_ATTRIBUTES, _MOST_VALUES = 6, 200
_COVERED = 0.2
"""An attribute that fewer of the listings have is left out."""
_WORDS = {"centre": 14, "edge": 6, "texture": 8}
"""Number of visual words of each kind."""


@dataclass(frozen=True)
class Kinds:
    """The kinds of words and their values; code 0 is unknown."""

    known: Mapping[str, Sequence[str]]
    """of each kind of text: its values, most frequent first"""
    centres: Mapping[str, Sequence[Sequence[float]]]
    """of each kind of picture: the centres of its clusters"""

    @property
    def text(self) -> list[str]:
        """Names of the kinds that the catalogue's words tell."""
        return list(self.known)

    @property
    def image(self) -> list[str]:
        """Names of the kinds that the picture tells."""
        return list(self.centres)

    @classmethod
    def learn(cls, listings: pl.DataFrame, regions: NDArray[np.float32], seed: int = 0) -> Self:
        """From ``category``, ``brand`` and ``attributes`` of listings and regions (pictures, regions, pixels)."""
        told = _told(listings)
        counts = told.group_by("kind", "value").len().sort(["len", "value"], descending=[True, False])
        least = _COVERED * max(listings.height, 1)
        kinds = counts.group_by("kind").agg(pl.col("len").sum(), values=pl.len())
        # a value that hardly comes twice is a serial number, not a kind
        repeated = 2 * pl.col("values") <= pl.col("len")
        fit = kinds.filter((pl.col("len") >= least) & pl.col("values").is_between(2, _MOST_VALUES) & repeated)
        attributes = fit.filter(~pl.col("kind").is_in(["brand", "category"])).sort(
            ["len", "kind"], descending=[True, False]
        )["kind"]
        # brands may be many: the most frequent are kept
        first = [name for name in ("category", "brand") if name in kinds["kind"].to_list()]
        known = {
            name: counts.filter(pl.col("kind") == name)["value"].head(_MOST_VALUES).to_list()
            for name in [*first, *attributes.head(_MOST_ATTRIBUTES)]
        }
        centres: dict[str, list[list[float]]] = {}
        for name, rows in _looks(regions).items():
            there = rows[~np.isnan(rows).any(axis=1)]
            if len(there) >= 2 * _WORDS[name]:
                found, _ = kmeans2(there, _WORDS[name], minit="++", seed=np.random.default_rng(seed))
                centres[name] = found.tolist()
        return cls(known, centres)

    def of_listings(self, listings: pl.DataFrame) -> dict[str, Codes]:
        """Code (listings,) of each kind of text."""
        told = _told(listings)
        found = {}
        for name, values in self.known.items():
            own = told.filter(pl.col("kind") == name)
            code = {value: place + 1 for place, value in enumerate(values)}
            codes = np.zeros(listings.height, np.int64)
            codes[own["place"].to_numpy()] = own["value"].replace_strict(code, default=0, return_dtype=pl.Int64)
            found[name] = codes
        return found

    def of_pictures(self, regions: NDArray[np.float32]) -> dict[str, Codes]:
        """Code (pictures,) of each kind of picture; 0 where there is none."""
        looks, found = _looks(regions), {}
        for name, centres in self.centres.items():
            rows = looks[name]
            there = ~np.isnan(rows).any(axis=1)
            codes = np.zeros(len(rows), np.int64)
            if there.any():
                codes[there] = vq(rows[there], np.array(centres))[0] + 1
            found[name] = codes
        return found

    def sizes(self) -> dict[str, int]:
        """Number of codes of each kind."""
        return {name: len(values) + 1 for name, values in {**self.known, **self.centres}.items()}

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"known": dict(self.known), "centres": dict(self.centres)}


def _told(listings: pl.DataFrame) -> pl.DataFrame:
    """place, kind, value: what the catalogue says of each listing in words; numbers are left out."""
    numbered = listings.with_columns(place=pl.int_range(pl.len(), dtype=pl.Int64))
    parts = [
        numbered.select("place", kind=pl.lit(name), value=pl.col(name).cast(pl.String))
        for name in ("category", "brand")
    ]
    said = [
        (place, f"attribute {name}", str(value))
        for place, given in enumerate(listings["attributes"].to_list())
        for name, value in _pairs(given)
    ]
    parts.append(pl.DataFrame(said, schema={"place": pl.Int64, "kind": pl.String, "value": pl.String}, orient="row"))
    told = pl.concat(parts).drop_nulls("value").unique(["place", "kind"], keep="first", maintain_order=True)
    return told.filter(pl.col("value").cast(pl.Float64, strict=False).is_null())


def _pairs(given: Any) -> list[tuple[str, Any]]:
    """The pairs of a map, however the engine hands it over."""
    if not given:
        return []
    if isinstance(given, Mapping):
        return [(name, value) for name, value in given.items() if value is not None]
    return [(one["key"], one["value"]) for one in given if one["value"] is not None]


def _looks(regions: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
    """Colour of the centre, colour of the corners, and roughness of each picture, as rows of numbers."""
    pictures, count, pixels = regions.shape
    grid = max(1, round(count**0.5))
    if pictures == 0 or pixels % 3:
        return {name: np.full((pictures, 1), np.nan) for name in _WORDS}
    colours = regions.reshape(pictures, count, -1, 3).astype(np.float64)
    mean, rough = colours.mean(axis=2), colours.std(axis=2).mean(axis=2)
    middle = (grid // 2) * grid + grid // 2
    return {
        "centre": mean[:, middle],
        "edge": mean[:, [0, grid - 1]].reshape(pictures, -1),
        "texture": np.column_stack([rough[:, middle], rough.mean(axis=1), rough[:, 0]]),
    }
