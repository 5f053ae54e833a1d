"""A file's listings (a supplier's, a competitor's) against a shop: which of the shop's products are these?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from danggol.errors import DataError
from danggol.matching.files import IDS, named
from danggol.matching.inputs.details import plain
from danggol.matching.inputs.listings import Listings
from danggol.matching.inputs.shop_pictures import picture_rows
from danggol.shop.run import inside
from danggol.shop.sources.reading.tables import read_rows

if TYPE_CHECKING:
    from danggol.matching.matcher import Matched, Matcher

_MARK = "\x00file:"
"""Before the ids of the file, which may be the shop's as well; no id of a table begins with it."""
_COMPARED = ("title", "image", "image_phash")


def read_offered(path: Path, listings: Listings) -> Listings:
    """The listings of a CSV, XLSX, JSON Lines or Parquet file, described as the shop's ``listings`` are.

    Columns: product_id (or posting_id), and of title, brand, price, image (a picture's path, from the file's folder
    on), image_phash and the shop's details (category, colour) whatever is there. UsageError: there is no such file.
    DataError: it cannot be read, has no ids or one twice, or nothing that the shop's listings have as well.
    """
    table = read_rows(path)
    own = named(table, IDS)
    hashed = bool(listings.hashes.any())
    told = [name for name in _COMPARED if name in table.columns and (name == "title" or hashed)]
    if own is None or not told:
        wanted = "a column title, image or image_phash" if hashed else "a column title, as the shop has no pictures"
        lacks = "the column product_id" if own is None else wanted
        raise DataError(f"{path} needs {lacks}; it has {', '.join(table.columns)[:80]}")
    if not table.height:
        raise DataError(f"{path} has no listings; give a row for each")
    ids = table[own]
    if ids.null_count():
        raise DataError(f"in {path} {ids.null_count()} listings have no {own}; give each one")
    if ids.n_unique() < len(ids):
        raise DataError(f"in {path} the listing {ids.filter(ids.is_duplicated())[0]!r} is there twice; give each once")
    columns = [name for name in ("title", "image_phash", "brand", "price") if name in table.columns]
    described = table.select(product_id=_MARK + ids).with_columns(table.select(columns))
    details = {
        name: [plain(value) for value in table[name].to_list()] if name in table.columns else [None] * len(ids)
        for name in listings.details
    }
    pixels = None
    if listings.pictures is not None:
        hashes, pixels = picture_rows(_pictures(table, path), None)
        if "image_phash" not in columns:
            texts = [f"{one:016x}" if one else None for one in hashes.tolist()]
            described = described.with_columns(image_phash=pl.Series(texts, dtype=pl.String))
    try:
        found = Listings.from_frame(described, details=details, pictures=pixels)
    except DataError as error:
        raise DataError(f"in {path}: {error}") from error
    return replace(found, details={name: found.details[name] for name in listings.details})


def against(matcher: Matcher, state: Matched, offered: Listings) -> pl.DataFrame:
    """listing, product_id, group_id, similarity, by, rank: which of the shop's each of the file's is, best first."""
    found = matcher.join(state, offered).matches
    size = len(state.evidence.listings)
    kept = np.flatnonzero((found.left >= size) & (found.right < size))
    groups = pl.Series(state.matches.group, dtype=pl.String)
    rows = pl.DataFrame(
        {
            "listing": found.ids[found.left[kept]],
            "product_id": found.ids[found.right[kept]],
            "group_id": groups.gather(found.right[kept]),
            "similarity": found.similarity[kept].astype(np.float64),
            "by": pl.Series(found.by[kept]).replace("", None),
            "place": found.rank[kept],
        }
    )
    rows = rows.with_columns(pl.col("listing").str.strip_prefix(_MARK)).sort("listing", "place")
    return rows.select(pl.exclude("place"), rank=pl.col("place").rank("ordinal").over("listing").cast(pl.Int64))


def _pictures(table: pl.DataFrame, path: Path) -> list[Path | None]:
    """The file of each listing's picture; None where it is none below the table's folder."""
    found: list[Path | None] = []
    for name in table["image"].to_list() if "image" in table.columns else [None] * table.height:
        try:
            found.append(None if not name else inside(path.parent, name))
        except (DataError, ValueError):
            found.append(None)
    return found
