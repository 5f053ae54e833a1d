"""The pictures that tables name: which one shows a listing, and whether they can be opened safely."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from PIL import Image

from danggol.errors import DataError
from danggol.progress import stage
from danggol.shop.run import inside

if TYPE_CHECKING:
    from danggol.shop.shop import Shop

_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF", "ICO", "JPEG2000")
_VIDEO = frozenset((".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi", ".mpg", ".mpeg", ".3gp", ".ts"))
_MOST_PIXELS = 89_478_485
"""What Pillow itself warns at."""


def first_pictures(shop: Shop, local: bool = False) -> pl.DataFrame:
    """product_id and image of the picture that shows each listing: its first thumbnail, else its first picture that is
    not a reviewer's; pictures on the web are passed over where they must be ``local``. In order of product_id; listings
    without a picture have no row."""
    if not shop.has("product_images"):
        return pl.DataFrame(schema={"product_id": pl.String, "image": pl.String})
    images = shop.read("product_images", ["product_id", "image", "position", "role"])
    if local:
        images = images.filter(~pl.col("image").str.contains("^https?://"))
    place = pl.when(role="thumbnail").then(0).when(pl.col("role").is_null()).then(1).otherwise(2)
    return (
        images.filter(pl.col("role").fill_null("") != "review")
        .sort("product_id", place, pl.col("position").fill_null(0), "image")
        .unique("product_id", keep="first", maintain_order=True)
        .select("product_id", "image")
    )


def picture_file(shop: Shop, image: str | None) -> Path | None:
    """The file of a picture that a table names; None where it lies on the web or outside the shop."""
    if image is None or is_url(image):
        return None
    try:
        return shop.resolve(image)
    except DataError:
        return None


def is_url(name: str) -> bool:
    """Whether a picture lies on the web, where it is not looked at."""
    return name.startswith(("https://", "http://"))


def fault(root: Path, name: str) -> str | None:
    """The rule that a picture inside the shop at ``root`` breaks, or none.

    Pictures are decoded, since a truncated file shows only then; JPEG at an eighth of its size, which is quick.
    """
    try:
        path = inside(root, name)
    except DataError:
        return "outside_shop"
    try:
        if not path.is_file():
            return "missing_picture"
        return None if path.suffix.lower() in _VIDEO else _open(path)
    except OSError:
        return "missing_picture"


def _open(path: Path) -> str | None:
    whole = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=_FORMATS) as picture:
                if picture.width * picture.height > _MOST_PIXELS:
                    return "oversized_picture"
                whole = True
                picture.draft("RGB", (1, 1))
                picture.load()
    except Image.DecompressionBombError:
        return "oversized_picture"
    except Exception:  # Pillow's readers raise errors of many kinds on damaged bytes
        return "truncated_picture" if whole else "not_a_picture"
    return None


def faults(root: Path, names: Iterable[str]) -> dict[str, str]:
    """The rule that each faulty picture breaks, by name; URLs are passed over; each name is looked at once."""
    found: dict[str, str] = {}
    local = [name for name in dict.fromkeys(names) if not is_url(name)]
    with stage("check pictures", len(local)) as bar, ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for start in range(0, len(local), 1024):
            part = local[start : start + 1024]
            rules = zip(part, pool.map(partial(fault, root), part), strict=True)
            found |= {name: rule for name, rule in rules if rule is not None}
            bar.advance(len(part))
    return found
