"""Files that come in and go out: known groups, and matches in the form of Shopee's contest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from danggol.errors import DataError, UsageError
from danggol.matching.matches import shopee_form
from danggol.shop.sources.reading.tables import read_rows

if TYPE_CHECKING:
    from danggol.shop import Shop

IDS = ("product_id", "posting_id")
"""What a listing's id is called."""
_GROUPS = ("group", "label_group", "group_id")


def read_labels(path: Path) -> dict[str, str]:
    """The known group of each listing, from a CSV, XLSX, JSON Lines or Parquet file.

    Columns: product_id (or posting_id) and group (or label_group, group_id).

    UsageError: there is no such file. DataError: a column is missing, or a listing stands in two groups.
    """
    frame = read_rows(path)
    listing, group = named(frame, IDS), named(frame, _GROUPS)
    if listing is None or group is None:
        raise DataError(f"{path} needs the columns product_id and group; it has {', '.join(frame.columns)[:80]}")
    found = frame.select(listing, group).rename({listing: "product_id", group: "group"})
    found = found.drop_nulls().unique(maintain_order=True)
    twice = found.filter(pl.col("product_id").is_duplicated())
    if twice.height:
        raise DataError(f"in {path} the listing {twice['product_id'][0]!r} stands in two groups; keep one")
    return dict(found.rows())


def named(frame: pl.DataFrame, names: Sequence[str]) -> str | None:
    """The first of the names that is a column."""
    return next((name for name in names if name in frame.columns), None)


def write_shopee(shop: Shop, path: Path) -> int:
    """Write ``product_matches`` as posting_id,matches (ids with a space between, itself first); how many listings."""
    shop.require("product_matches")
    rows = shopee_form(shop.read("product_matches", ["product_id", "other_id", "rank"]))
    write_csv(rows, path)
    return rows.height


def write_csv(rows: pl.DataFrame, path: Path) -> None:
    """Write a table as CSV, whole; UsageError where that cannot be."""
    if not path.name or path.is_dir():
        raise UsageError(f"{str(path)!r} is no file to write to; give a file's name")
    part = path.with_name(f"{path.name}.part")
    try:
        rows.write_csv(part)
        part.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror or 'no such folder'})") from error
