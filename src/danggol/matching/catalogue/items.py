"""What comes in: listings with a title, a picture, both, or neither."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from danggol.encoders.pictures import Picture
from danggol.errors import DataError, UsageError
from danggol.shop.pictures import first_pictures, picture_file

if TYPE_CHECKING:
    from danggol.shop import Shop

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Items:
    """Listings, one a row; whatever is missing is None."""

    ids: list[str]
    titles: list[str | None]
    pictures: list[Picture]
    """bytes of a picture file, or its path"""

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def of(cls, table: pl.DataFrame, key: str = "product_id", title: str = "title", picture: str = "image") -> Self:
        """Listings from a table. A column of titles or pictures that is not there is a modality that is missing.

        DataError: there is no column of ids, or an id is missing or there twice.
        """
        if key not in table.columns:
            raise DataError(f"the listings have no column {key!r} (columns: {', '.join(table.columns)})")
        ids = table[key].cast(pl.String)
        if ids.null_count() or ids.n_unique() != len(ids):
            raise DataError(f"ids in column {key!r} are missing or there twice; give each listing one row")
        column = {
            name: table[name].to_list() if name in table.columns else [None] * table.height for name in (title, picture)
        }
        titles = [text if text and text.strip() else None for text in column[title]]
        return cls(ids.to_list(), titles, [one or None for one in column[picture]])

    @classmethod
    def from_shop(cls, shop: Shop) -> Self:
        """All listings of a shop in order of their id, each with the picture that shows it, of those that are files."""
        table = shop.read("products", ["product_id", "title"]).sort("product_id")
        table = table.join(first_pictures(shop, local=True), on="product_id", how="left", maintain_order="left")
        files = [picture_file(shop, one) for one in table["image"].to_list()]
        paths = [None if one is None else str(one) for one in files]
        return cls.of(table.with_columns(image=pl.Series(paths, dtype=pl.String)))

    def rows(self, chosen: Sequence[int] | Rows) -> Items:
        """Some of the listings."""
        places = [int(one) for one in chosen]
        return Items(
            [self.ids[nth] for nth in places],
            [self.titles[nth] for nth in places],
            [self.pictures[nth] for nth in places],
        )

    def without(self, modality: str) -> Items:
        """The same listings without their ``title`` or ``picture``. UsageError: no such modality."""
        if modality not in ("title", "picture"):
            raise UsageError(f"there is no modality {modality!r}; say title or picture")
        if modality == "title":
            return Items(self.ids, [None] * len(self), self.pictures)
        return Items(self.ids, self.titles, [None] * len(self))
