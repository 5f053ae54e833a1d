"""What comes in: listings with titles, picture hashes, prices, and any vectors that describe them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from danggol.errors import DataError, UsageError
from danggol.matching.search.index import Floats, Hashes

_TAKEN = frozenset(
    ("words", "characters", "hash", "details", "looks", "jaccard", "surprise", "price_ratio", "brand_same")
)
"""Names of what is known of listings without vectors."""


@dataclass(frozen=True)
class Listings:
    """Listings in order of their id; whatever is missing is None, zero (hash) or nan."""

    ids: NDArray[np.str_]
    """(listings,) distinct"""
    titles: list[str | None]
    hashes: Hashes
    """(listings,) 64-bit perceptual hash of the picture, 0 where there is none"""
    prices: NDArray[np.float64]
    """(listings,) in one currency, nan where not known"""
    brands: list[str | None]
    vectors: Mapping[str, Floats] = field(default_factory=dict)
    """by name, (listings, d) each, rows of length one"""
    details: Mapping[str, list[str | None]] = field(default_factory=dict)
    """by name, facts of which one product has one value, such as its colour; made comparable"""
    pictures: NDArray[np.uint8] | None = None
    """(listings, 32, 32, 3) the picture, zeros where there is none"""

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def of(
        cls,
        ids: Sequence[str | int],
        titles: Sequence[Any] | None = None,
        hashes: Sequence[Any] | None = None,
        prices: Sequence[float | None] | None = None,
        brands: Sequence[Any] | None = None,
        vectors: Mapping[str, Floats] | None = None,
        details: Mapping[str, Sequence[str | None]] | None = None,
        pictures: NDArray[np.uint8] | None = None,
    ) -> Self:
        """Listings from columns in any order of rows; ``hashes`` as 16 hexadecimal digits.

        Titles, hashes and brands that are no text, such as numbers, are taken as they are written; None and nan are
        missing. DataError: an id twice, or a hash, price or vector that is none. UsageError: columns of unequal length,
        or vectors with the name of other evidence, such as "words".
        """
        names = np.array([str(one) for one in ids], dtype=np.str_)
        order = np.argsort(names, kind="stable")
        if len(np.unique(names)) != len(names):
            twice = names[order][:-1][names[order][1:] == names[order][:-1]][0]
            raise DataError(f"the listing {str(twice)!r} is there twice; give each once")
        told = (titles, hashes, prices, brands, pictures, *(vectors or {}).values(), *(details or {}).values())
        lengths = {len(one) for one in told if one is not None}
        if lengths - {len(names)}:
            raise UsageError(f"{len(names)} ids, but columns of {sorted(lengths)} rows; give each listing one row")
        return cls(
            names[order],
            _texts(titles, order),
            parse_hashes(_texts(hashes, order)),
            _prices([None] * len(names) if prices is None else prices)[order],
            _texts(brands, order),
            {name: _unit(name, one)[order] for name, one in (vectors or {}).items()},
            {name: _ordered(one, order) for name, one in (details or {}).items()},
            None if pictures is None else pictures[order],
        )

    @classmethod
    def from_frame(
        cls,
        frame: pl.DataFrame,
        vectors: Mapping[str, Floats] | None = None,
        details: Mapping[str, Sequence[str | None]] | None = None,
        pictures: NDArray[np.uint8] | None = None,
    ) -> Self:
        """Listings from a table: ``posting_id`` or ``product_id``, and of ``title``, ``image_phash``, ``price``,
        ``brand`` whatever is there."""
        known = [name for name in ("product_id", "posting_id") if name in frame.columns]
        if not known:
            raise DataError(f"the listings have no product_id or posting_id (columns: {', '.join(frame.columns)})")
        column = {
            name: frame[name].to_list() if name in frame.columns else None
            for name in ("title", "image_phash", "price", "brand")
        }
        return cls.of(
            frame[known[0]].cast(pl.String).to_list(),
            column["title"],
            column["image_phash"],
            column["price"],
            column["brand"],
            vectors,
            details,
            pictures,
        )

    def extended(self, more: Listings) -> Listings:
        """These listings and further ones after them; DataError where one is there already, or has other vectors."""
        known = np.intersect1d(self.ids, more.ids)
        if len(known):
            raise DataError(f"the listing {str(known[0])!r} is matched already; join only new ones")
        if set(self.vectors) != set(more.vectors):
            raise DataError(f"the new listings have other vectors ({sorted(more.vectors)}, not {sorted(self.vectors)})")
        if (self.pictures is None) != (more.pictures is None):
            raise DataError("the new listings have pictures and the others have none, or the other way round")
        for name, one in self.vectors.items():
            if one.shape[1:] != more.vectors[name].shape[1:]:
                wide = f"{more.vectors[name].shape[1]} numbers each, and {one.shape[1]} before"
                raise DataError(f"the vectors {name!r} of the new listings have {wide}; describe both by one encoder")
        return Listings(
            np.concatenate([self.ids, more.ids]),
            self.titles + more.titles,
            np.concatenate([self.hashes, more.hashes]),
            np.concatenate([self.prices, more.prices]),
            self.brands + more.brands,
            {name: np.concatenate([one, more.vectors[name]]) for name, one in self.vectors.items()},
            {name: one + more.details.get(name, [None] * len(more)) for name, one in self.details.items()},
            None if self.pictures is None or more.pictures is None else np.concatenate([self.pictures, more.pictures]),
        )

    def take(self, rows: NDArray[np.int64]) -> Listings:
        """Some of the listings, in this order."""
        return Listings(
            self.ids[rows],
            [self.titles[row] for row in rows],
            self.hashes[rows],
            self.prices[rows],
            [self.brands[row] for row in rows],
            {name: one[rows] for name, one in self.vectors.items()},
            {name: [one[row] for row in rows] for name, one in self.details.items()},
            None if self.pictures is None else self.pictures[rows],
        )


def parse_hashes(texts: Sequence[str | None]) -> Hashes:
    """Hashes (listings,) from up to 16 hexadecimal digits, 0 where missing; DataError where one is not a hash."""
    try:
        return np.array([int(text, 16) if text else 0 for text in texts], np.uint64)
    except (ValueError, OverflowError) as error:
        raise DataError(f"a picture hash is not 16 hexadecimal digits: {error}") from error


def _ordered(values: Sequence[str | None], order: NDArray[np.int64]) -> list[str | None]:
    return [values[row] for row in order]


def _texts(values: Sequence[Any] | None, order: NDArray[np.int64]) -> list[str | None]:
    """Values as texts (listings,) in this order; None and nan are missing."""
    if values is None:
        return [None] * len(order)
    told = [values[row] for row in order.tolist()]
    missing = [one is None or (isinstance(one, float) and math.isnan(one)) for one in told]
    return [None if none else str(one) for one, none in zip(told, missing, strict=True)]


def _prices(values: Sequence[Any]) -> NDArray[np.float64]:
    """Prices (listings,), nan where there is none above 0; DataError where one is no number."""
    try:
        price = np.array([_price(one) for one in values], np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"a price of the listings is no number ({str(error)[:80]}); write 12900 or 12,900") from error
    return np.where(price > 0, price, np.nan)


def _price(value: Any) -> float:
    """A price; as a text it may have thousands set apart by commas, and be empty."""
    if isinstance(value, str):
        value = re.sub(r",(?=\d{3}(\D|$))", "", value.strip()) or None
    return math.nan if value is None else float(value)


def _unit(name: str, vectors: Any) -> Floats:
    """Vectors (listings, d) of length one; UsageError: the name is taken, DataError: they are no vectors."""
    if name in _TAKEN:
        raise UsageError(f"vectors cannot be named {name!r}, which is other evidence; name them image or text")
    rows = np.asarray(vectors, np.float32)
    if rows.ndim != 2:
        raise DataError(f"the vectors {name!r} have the shape {rows.shape}; give rows of numbers, one a listing")
    if not np.isfinite(rows).all():
        raise DataError(f"the vectors {name!r} hold what is not a number; leave those listings out or give zeros")
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(length > 0, length, 1)).astype(np.float32)
