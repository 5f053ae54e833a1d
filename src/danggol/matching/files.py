"""Files that come in and go out: known groups, and matches in the form of Shopee's contest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from danggol.errors import DataError, UsageError
from danggol.matching.matches import shopee_form

if TYPE_CHECKING:
    from danggol.shop import Shop

_IDS, _GROUPS = ("product_id", "posting_id"), ("group", "label_group", "group_id")


def read_labels(path: Path) -> dict[str, str]:
    """The known group of each listing from a CSV of product_id (or posting_id) and group (or label_group, group_id).

    UsageError: there is no such file. DataError: a column is missing, or a listing stands in two groups.
    """
    if not path.is_file():
        raise UsageError(f"there is no file {path}; give a CSV of product_id,group")
    try:
        frame = pl.read_csv(_text(path).encode(), infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path} cannot be read as CSV: {str(error).splitlines()[0][:80]}") from error
    names = [next((name for name in wanted if name in frame.columns), None) for wanted in (_IDS, _GROUPS)]
    if names[0] is None or names[1] is None:
        raise DataError(f"{path} needs the columns product_id and group; it has {', '.join(frame.columns)[:80]}")
    found = frame.select(product_id=names[0], group=names[1]).drop_nulls().unique(maintain_order=True)
    twice = found.filter(pl.col("product_id").is_duplicated())
    if twice.height:
        raise DataError(f"in {path} the listing {twice['product_id'][0]!r} stands in two groups; keep one")
    return dict(found.rows())


def _text(path: Path) -> str:
    """The file's text, in UTF-8 or CP949 (as Excel writes it in Korea)."""
    content = path.read_bytes()
    for encoding in ("utf-8-sig", "cp949"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise DataError(f"{path} is neither UTF-8 nor CP949 text; save it as CSV UTF-8")


def write_shopee(shop: Shop, path: Path) -> int:
    """Write ``product_matches`` as posting_id,matches (ids with a space between, itself first); how many listings."""
    shop.require("product_matches")
    rows = shopee_form(shop.read("product_matches", ["product_id", "other_id", "rank"]))
    part = path.with_name(f"{path.name}.part")
    try:
        rows.write_csv(part)
        part.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror or 'no such folder'})") from error
    return rows.height
