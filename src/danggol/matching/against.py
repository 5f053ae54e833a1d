"""A file's listings (a supplier's, a competitor's) against a shop: which of the shop's products are these?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from danggol.errors import DataError
from danggol.matching.details import plain
from danggol.matching.files import IDS, named, read_table
from danggol.matching.listings import Listings
from danggol.matching.shop_pictures import picture_rows

if TYPE_CHECKING:
    from danggol.matching.matcher import Matched, Matcher
    from danggol.shop import Shop

_MARK = "file:"
"""Before the ids of the file, which may be the shop's as well."""


def read_offered(path: Path, shop: Shop, listings: Listings) -> Listings:
    """The listings of a CSV or Parquet file, described as the shop's ``listings`` are.

    Columns: product_id (or posting_id), and of title, brand, price, image (a picture's path, from the file's folder
    on), image_phash and the shop's details (category, colour) whatever is there. UsageError: there is no such file.
    DataError: it cannot be read, has no ids, or none of title, image and image_phash.
    """
    table = read_table(path, "product_id,title")
    own = named(table, IDS)
    told = [name for name in ("title", "image", "image_phash") if name in table.columns]
    if own is None or not told:
        lacks = "the column product_id" if own is None else "a column title, image or image_phash"
        raise DataError(f"{path} needs {lacks}; it has {', '.join(table.columns)[:80]}")
    if not table.height:
        raise DataError(f"{path} has no listings; give a row for each")
    ids = table[own].cast(pl.String)
    if ids.null_count():
        raise DataError(f"in {path} {ids.null_count()} listings have no {own}; give each one")
    details = {
        name: [plain(value) for value in table[name].cast(pl.String).to_list()]
        for name in listings.details
        if name in table.columns
    }
    hashes, pixels = None, None
    if listings.pictures is not None:
        files = table["image"].cast(pl.String).to_list() if "image" in table.columns else [None] * table.height
        seen, pixels = picture_rows([None if one is None else path.parent / one for one in files], shop.path / "cache")
        hashes = pl.Series([f"{one:016x}" if one else None for one in seen.tolist()], dtype=pl.String)
    if hashes is not None and "image_phash" not in table.columns:
        table = table.with_columns(image_phash=hashes)
    table = table.with_columns(product_id=pl.lit(_MARK) + ids)
    found = Listings.from_frame(table, details=details, pictures=pixels)
    every = {name: found.details.get(name, [None] * len(found)) for name in listings.details}
    return replace(found, details=every)


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
