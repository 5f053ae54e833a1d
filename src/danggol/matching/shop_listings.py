"""A shop's listings: titles and brands, the hash of each one's first picture, and its latest price."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

from danggol.errors import DataError
from danggol.matching.hashes import picture_hash
from danggol.matching.listings import Listings
from danggol.progress import track

if TYPE_CHECKING:
    from danggol.shop import Shop


def read_listings(shop: Shop) -> tuple[Listings, datetime]:
    """All listings, and the latest time that went in (now, where the tables hold none).

    DataError: there are no products. A picture on the web, or one that cannot be read, gives no hash.
    """
    shop.require("products")
    products = shop.read("products", ["product_id", "title", "brand", "listed_at"])
    products = products.join(_hashes(shop), on="product_id", how="left")
    prices, latest = _prices(shop)
    products = products.join(prices, on="product_id", how="left")
    times = [time for time in (products["listed_at"].max(), latest) if isinstance(time, datetime)]
    return Listings.from_frame(products), max(times, default=datetime.now(UTC))


def _hashes(shop: Shop) -> pl.DataFrame:
    """product_id, image_phash of the first picture that is not a review's."""
    empty = pl.DataFrame(schema={"product_id": pl.String, "image_phash": pl.String})
    if not shop.has("product_images"):
        return empty
    images = shop.read("product_images", ["product_id", "image", "position", "role"])
    first = (
        images.filter(pl.col("role").fill_null("thumbnail") != "review")
        .sort("product_id", "position", "image", nulls_last=True)
        .unique("product_id", keep="first", maintain_order=True)
    )
    found = [_hash_of(shop, name) for name in track(first["image"].to_list(), "picture hashes")]
    return first.select("product_id").with_columns(pl.Series("image_phash", found, dtype=pl.String))


def _hash_of(shop: Shop, name: str) -> str | None:
    if name.startswith(("http://", "https://")):
        return None
    try:
        return picture_hash(shop.resolve(name))
    except DataError:
        return None


def _prices(shop: Shop) -> tuple[pl.DataFrame, datetime | None]:
    """product_id and price by the latest offer in the currency that most offers are in; and the latest time."""
    empty = pl.DataFrame(schema={"product_id": pl.String, "price": pl.Float64})
    if not shop.has("offers"):
        return empty, None
    offers = shop.read("offers", ["product_id", "valid_from", "price", "currency", "country"])
    latest = offers["valid_from"].max()
    offers = offers.filter(pl.col("price") > 0)
    often = offers.group_by("currency").len().sort("len", "currency", descending=[True, False])
    if often.height:
        offers = offers.filter(pl.col("currency").eq_missing(often["currency"][0]))
    found = offers.sort("product_id", "valid_from", "country").group_by("product_id", maintain_order=True).last()
    return found.select("product_id", "price"), latest if isinstance(latest, datetime) else None
