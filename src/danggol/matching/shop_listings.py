"""A shop's listings: titles, details, each one's first picture and its hash, and the latest price."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from danggol.encoders.pictures import read
from danggol.errors import DataError
from danggol.matching.details import placeholders, trusted
from danggol.matching.hashes import picture_hash
from danggol.matching.listings import Listings
from danggol.matching.looks import SIDE, Pixels, picture_pixels
from danggol.matching.titles import cleaned
from danggol.progress import track

if TYPE_CHECKING:
    from danggol.shop import Shop


def read_listings(shop: Shop) -> tuple[Listings, datetime]:
    """All listings, and the latest time that went in (now, where the tables hold none).

    DataError: there are no products. A picture on the web, or one that cannot be read, gives no hash.
    """
    shop.require("products")
    products = shop.read("products", ["product_id", "title", "brand", "category", "attributes", "listed_at"])
    prices, latest = _prices(shop)
    products = products.join(prices, on="product_id", how="left").sort("product_id")
    hashes, pixels = _pictures(shop, products["product_id"].to_list())
    titles = cleaned(products["title"].to_list())
    if pixels is not None:
        for row in np.flatnonzero(placeholders(titles, pixels)).tolist():
            hashes[row], pixels[row] = None, 0
    details = trusted(_details(products), titles, pixels)
    products = products.with_columns(pl.Series("image_phash", hashes, dtype=pl.String))
    now = datetime.now(UTC)
    times = [time for time in (products["listed_at"].max(), latest) if isinstance(time, datetime)]
    return Listings.from_frame(products, details=details, pictures=pixels), min(max(times, default=now), now)


def _pictures(shop: Shop, ids: list[str]) -> tuple[list[str | None], Pixels | None]:
    """Hash and pixels (listings, 32, 32, 3) of each listing's first picture that is not a review's.

    None and zeros where there is none; no pixels at all where not one picture can be read.
    """
    hashes: list[str | None] = [None] * len(ids)
    if not shop.has("product_images"):
        return hashes, None
    images = shop.read("product_images", ["product_id", "image", "position", "role"])
    first = (
        images.filter(pl.col("role").fill_null("thumbnail") != "review")
        .sort("product_id", "position", "image", nulls_last=True)
        .unique("product_id", keep="first", maintain_order=True)
    )
    row = {name: place for place, name in enumerate(ids)}
    pixels = np.zeros((len(ids), SIDE, SIDE, 3), np.uint8)
    for name, image in track(first.select("product_id", "image").rows(), "pictures"):
        picture = read(_path(shop, image), draft=(4 * SIDE, 4 * SIDE))
        if picture is not None and name in row:
            hashes[row[name]], pixels[row[name]] = picture_hash(picture), picture_pixels(picture)
    return hashes, pixels if pixels.any() else None


def _path(shop: Shop, name: str | None) -> Path | None:
    if name is None or "://" in name:
        return None
    try:
        return shop.resolve(name)
    except DataError:
        return None


def _details(products: pl.DataFrame) -> dict[str, list[str | None]]:
    """Brand, category and each attribute, by name."""
    found: dict[str, list[str | None]] = {name: products[name].to_list() for name in ("brand", "category")}
    for row, told in enumerate(products["attributes"].to_list()):
        for name, value in dict(told or ()).items():
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
