"""Which listings are the same product: how many groups there are, and some of them with their listings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from danggol.report.queries import ask, rows
from danggol.report.sections.goods import Good, goods

if TYPE_CHECKING:
    from danggol.report.pictures import Pictures
    from danggol.shop import Shop

_SHOWN = 6


@dataclass(frozen=True)
class Group:
    """A product and its listings."""

    listings: int
    similarity: float | None
    """lowest of the pairs that were matched within"""
    goods: list[Good]


@dataclass(frozen=True)
class Same:
    """What the section shows."""

    products: int
    """groups, those of one listing too"""
    listings: int
    grouped: int
    """listings that share a product with another"""
    sizes: list[tuple[int, int]]
    """(listings of a group, groups), smallest first"""
    groups: list[Group]


def gather(shop: Shop, pictures: Pictures) -> Same | None:
    """None where nothing was matched."""
    if not (shop.has("product_groups") and shop.has("product_matches")):
        return None
    listings = shop.read("product_groups", ["group_id"])
    found = ask(shop, "groups")
    sizes = found.group_by("listings").len().sort("listings")
    return Same(
        products=listings["group_id"].n_unique(),
        listings=listings.height,
        grouped=int(found["listings"].sum()),
        sizes=[(size, count) for size, count in sizes.iter_rows()],
        groups=_groups(shop, pictures, _varied(found)),
    )


def _varied(found: pl.DataFrame) -> pl.DataFrame:
    """Groups over the whole range of sizes, not the largest alone, which are the oddest."""
    if found.height <= _SHOWN:
        return found
    places = [round(nth * (found.height - 1) / (_SHOWN - 1)) for nth in range(_SHOWN)]
    return found[places]


def _groups(shop: Shop, pictures: Pictures, chosen: pl.DataFrame) -> list[Group]:
    if not chosen.height:
        return []
    members: dict[str, list[str]] = {}
    for row in rows(shop, "members", chosen.select("group_id")):
        members.setdefault(row["group_id"], []).append(row["product_id"])
    known = goods(shop, pictures, [one for ids in members.values() for one in ids])
    return [
        Group(row["listings"], row["lowest"], [known[one] for one in members[row["group_id"]]])
        for row in chosen.iter_rows(named=True)
    ]
