"""A shop's listings: titles, details, each one's first picture and its hash, and the latest price."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from danggol.matching.inputs.details import placeholders, trusted
from danggol.matching.inputs.listings import Listings
from danggol.matching.inputs.looks import Pixels
from danggol.matching.inputs.shop_pictures import picture_rows
from danggol.matching.inputs.titles import cleaned
from danggol.matching.search.index import Hashes
from danggol.shop.pictures import first_pictures, picture_file

if TYPE_CHECKING:
    from danggol.shop import Shop


@dataclass(frozen=True)
class ShopListings:
    """All listings of a shop, and what is to be said of them."""

    listings: Listings
    pictured: int
    """listings with a picture by the tables, whether or not it can be read"""
    readable: int
    """listings with a picture that can be read and shows more than one shade"""
    as_of: datetime
    """the latest time that went in; now, where the tables hold none"""


def read_listings(shop: Shop) -> ShopListings:
    """All listings of a shop by id.

    DataError: there are no products. A picture on the web, or one that cannot be read, gives no hash.
    """
    shop.require("products")
    products = shop.read("products", ["product_id", "title", "brand", "category", "attributes", "listed_at"])
    prices, latest = _prices(shop)
    products = products.join(prices, on="product_id", how="left").sort("product_id")
    hashes, pixels, pictured = _pictures(shop, products["product_id"].to_list())
    titles = cleaned(products["title"].to_list())
    readable = int((hashes != 0).sum())
    if pixels is not None:
        for row in np.flatnonzero(placeholders(titles, pixels)).tolist():
            hashes[row], pixels[row] = 0, 0
    details = trusted(_details(products), titles, pixels)
    products = products.with_columns(image_phash=pl.Series([f"{one:016x}" for one in hashes.tolist()], dtype=pl.String))
    now = datetime.now(UTC)
    times = [time for time in (products["listed_at"].max(), latest) if isinstance(time, datetime)]
    listings = Listings.from_frame(products, details=details, pictures=pixels)
    return ShopListings(listings, pictured, readable, min(max(times, default=now), now))


def _pictures(shop: Shop, ids: list[str]) -> tuple[Hashes, Pixels | None, int]:
    """Hash and pixels of the picture that shows each listing, zeros where there is none; and how many have one.

    No pixels at all where not one picture can be read.
    """
    shown, local = (dict(first_pictures(shop, one).rows()) for one in (False, True))
    files = [picture_file(shop, local.get(name)) for name in ids]
    hashes, pixels = picture_rows(files, shop.path / "cache")
    return hashes, pixels if pixels.any() else None, sum(name in shown for name in ids)


def _details(products: pl.DataFrame) -> dict[str, list[str | None]]:
    """Brand, category and each attribute, by name; an attribute that bears the name of a column is passed over."""
    found: dict[str, list[str | None]] = {name: products[name].to_list() for name in ("brand", "category")}
    for row, told in enumerate(products["attributes"].to_list()):
        for name, value in dict(told or ()).items():
            if name not in ("brand", "category"):
                found.setdefault(str(name), [None] * products.height)[row] = value
    return found


def _prices(shop: Shop) -> tuple[pl.DataFrame, datetime | None]:
    """product_id and price by the latest offer in the currency that most offers are in; and the latest time."""
    empty = pl.DataFrame(schema={"product_id": pl.String, "price": pl.Float64})
    if not shop.has("offers"):
        return empty, None
    offers = shop.read("offers", ["product_id", "valid_from", "price", "currency", "country"])
    offers = offers.filter(pl.col("valid_from") <= datetime.now(UTC))
    latest = offers["valid_from"].max()
    offers = offers.filter(pl.col("price") > 0)
    often = offers.group_by("currency").len().sort("len", "currency", descending=[True, False])
    if often.height:
        offers = offers.filter(pl.col("currency").eq_missing(often["currency"][0]))
    found = (
        offers.sort("product_id", "valid_from", "country", "price").group_by("product_id", maintain_order=True).last()
    )
    return found.select("product_id", "price"), latest if isinstance(latest, datetime) else None
