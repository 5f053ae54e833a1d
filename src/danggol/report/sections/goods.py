"""Products as the report shows them: title, language, picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from danggol.report.queries import rows
from danggol.report.words import shortened

if TYPE_CHECKING:
    from danggol.report.pictures import Pictures
    from danggol.shop import Shop

LONGEST_TITLE = 140


@dataclass(frozen=True)
class Good:
    """A product to show; ``picture`` is a data URI, ``address`` the first picture's address where it is on the web."""

    product_id: str
    title: str
    language: str
    category: str
    picture: str | None
    address: str
    listed: bool = True


def goods(shop: Shop, pictures: Pictures, ids: Iterable[str | None]) -> dict[str, Good]:
    """The products of these ids, by id; a product without a listing is shown by its id."""
    wanted = sorted({product for product in ids if product})
    if not wanted:
        return {}
    asked = pl.DataFrame({"product_id": wanted}, schema={"product_id": pl.String})
    found = {}
    for row in rows(shop, "goods", asked):
        found[row["product_id"]] = Good(
            row["product_id"],
            shortened(row["title"] or "", LONGEST_TITLE) or shortened(row["product_id"], LONGEST_TITLE),
            row["language"] or "",
            row["category"] or "",
            pictures.uri(row["image"]),
            web_address(row["image"]),
            listed=row["listed"],
        )
    return found


def web_address(image: str | None) -> str:
    """Where a picture that is not in the shop would be; empty for one in the shop."""
    if not image or "://" not in image:
        return ""
    return image if len(image) <= 80 else image[:79] + "…"
