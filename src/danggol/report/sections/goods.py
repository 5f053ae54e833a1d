"""Products as the report shows them: title, language, picture."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from danggol.report.queries import rows

if TYPE_CHECKING:
    from danggol.report.pictures import Pictures
    from danggol.shop import Shop

LONGEST_TITLE = 140

_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffe\uffff]")
"""Control characters, which HTML does not allow."""


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
        title = " ".join(_UNSEEN.sub(" ", row["title"] or "").split()) or row["product_id"]
        found[row["product_id"]] = Good(
            row["product_id"],
            title if len(title) <= LONGEST_TITLE else title[: LONGEST_TITLE - 1].rstrip() + "…",
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
