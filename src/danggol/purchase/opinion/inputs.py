"""What comes in: reviews as title, body, features and picture, each of which may be missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from danggol.encoders.image import Patches, read_regions
from danggol.errors import DataError

if TYPE_CHECKING:
    from danggol.shop import Shop

MODALITIES = ("text", "features", "picture")
Texts = list[str | None]
Regions = NDArray[np.float32]


@dataclass(frozen=True)
class Opinions:
    """Reviews, row by row."""

    title: Texts
    body: Texts
    features: pl.DataFrame
    """(rows, columns) of numbers, texts and flags; no column where there are none"""
    regions: Regions | None = None
    """(rows, regions, pixels) of the pictures, nan where a review has none"""

    @classmethod
    def of(
        cls,
        table: pl.DataFrame,
        body: str | None = "text",
        title: str | None = None,
        features: Sequence[str] = (),
        regions: Regions | None = None,
    ) -> Opinions:
        """Read the named columns of a table; a text that is blank counts as missing.

        DataError: a named column is not there, or the pictures are not one a row.
        """
        absent = [name for name in (title, body, *features) if name is not None and name not in table.columns]
        if absent:
            raise DataError(f"the table has no column {', '.join(absent)}; there are {', '.join(table.columns)}")
        if regions is not None and (regions.ndim != 3 or len(regions) != table.height):
            raise DataError(f"pictures of shape {regions.shape} for {table.height} rows; give (rows, regions, pixels)")
        return cls(_texts(table, title), _texts(table, body), table.select(features), regions)

    def __len__(self) -> int:
        return len(self.body)

    def rows(self, chosen: NDArray[Any]) -> Opinions:
        """Some of the rows, by number."""
        return Opinions(
            [self.title[one] for one in chosen],
            [self.body[one] for one in chosen],
            self.features[chosen] if self.features.width else self.features,
            None if self.regions is None else self.regions[chosen],
        )

    def there(self) -> dict[str, NDArray[np.bool_]]:
        """Of each modality, which rows (rows,) have it; modalities that no row has are left out."""
        text = np.array([bool(a or b) for a, b in zip(self.title, self.body, strict=True)], np.bool_)
        found = {"text": text, "features": np.full(len(self), self.features.width > 0)}
        if self.regions is not None:
            found["picture"] = np.asarray(~np.isnan(self.regions).any(axis=(1, 2)), np.bool_)
        return {name: rows for name, rows in found.items() if rows.any()}


def opinions_of(shop: Shop) -> tuple[Opinions, pl.DataFrame]:
    """The reviews of a shop with title, text, picture, the product's category and brand, and a table of their keys.

    The second table holds review_id and rating (null where unknown), row by row.
    """
    reviews = shop.read("reviews").sort("review_id")
    absent = [name for name in ("title", "text", "rating", "image", "product_id") if name not in reviews.columns]
    reviews = reviews.with_columns(pl.lit(None).alias(name) for name in absent)
    features: list[str] = []
    if shop.has("products") and "product_id" not in absent:
        products = shop.read("products")
        features = [name for name in ("category", "brand", "origin_country") if name in products.columns]
        kinds = products.select("product_id", *features)
        reviews = reviews.join(kinds, on="product_id", how="left", maintain_order="left")
        features = [name for name in features if reviews[name].null_count() < reviews.height]
    found = Opinions.of(reviews, "text", "title", features, _pictures(shop, reviews["image"]))
    return found, reviews.select("review_id", pl.col("rating").cast(pl.Float64))


def _pictures(shop: Shop, image: pl.Series) -> Regions | None:
    """Regions of each review's picture; None where no review has one inside the shop."""
    names = [name if name and "://" not in name else None for name in image.to_list()]
    local = sorted({name for name in names if name})
    if not local:
        return None
    patches = Patches()
    found, _ = read_regions([shop.resolve(name) for name in local], patches, shop.path / "cache")
    nothing = np.full((1, patches.regions, patches.pixels), np.nan, np.float32)
    place = {name: nth for nth, name in enumerate(local)}
    regions: Regions = np.concatenate([found, nothing])[[place[name] if name else len(local) for name in names]]
    return regions


def _texts(table: pl.DataFrame, name: str | None) -> Texts:
    if name is None:
        return [None] * table.height
    return [text if text and text.strip() else None for text in table[name].cast(pl.String).to_list()]
