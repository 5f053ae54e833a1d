"""Whose title a column named ``title`` holds, where rows are reviews: the product's, or the review's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from danggol.shop.sources.guess.evidence import Found, find_meanings
from danggol.shop.sources.mapping.values import tidy_word

_EITHER = frozenset({"title", "タイトル", "标题", "標題"})
_OF_A_REVIEW = ("review_id", "written_at", "rating", "customer_id")
_OF_A_PRODUCT = ("unit_price", "list_price", "stock", "description")
_SURE = 0.9


def settle_title(sample: pl.DataFrame, columns: Sequence[str], found: dict[str, Found]) -> dict[str, Found]:
    """The meanings of a file's columns, with ``title`` as the review's where it is.

    It is where one product has different ones, which its own title would not be; and where no product tells, if rows
    look like reviews and not like products. Orders and lists of products stay as they are.
    """
    if "review_text" not in found or "quantity" in found:
        return found
    heading = next((name for name in columns if tidy_word(name.rsplit(".", 1)[-1]) in _EITHER), None)
    if heading is None or "review_title" in found:
        return found
    why = _why(sample, heading, found)
    title = find_meanings(sample, [heading]).get("title")
    if not why or title is None:
        return found
    rest = find_meanings(sample, [name for name in columns if name != heading])
    name = rest.get("title")
    if name and tidy_word(name.heading) == "name" and _differs(sample, name.heading, rest):
        del rest["title"]  # it is the reviewer's
    return rest | {"review_title": replace(title, meaning="review_title", confidence=_SURE, reason=why)}


def _why(sample: pl.DataFrame, heading: str, found: dict[str, Found]) -> str:
    """Why the column is the review's title; empty where it is the product's."""
    differs = _differs(sample, heading, found)
    if differs is None:
        review = any(name in found for name in _OF_A_REVIEW) and not any(name in found for name in _OF_A_PRODUCT)
        return "it stands beside a review's text" if review else ""
    return "it stands beside a review's text, and one product has different ones" if differs else ""


def _differs(sample: pl.DataFrame, heading: str, found: dict[str, Found]) -> bool | None:
    """Whether most products with several rows have several values; None where no product has several rows."""
    product = found.get("product_id")
    if product is None or product.heading == heading:
        return None
    pairs = sample.select(product=product.heading, said=heading).drop_nulls()
    told = pairs.group_by("product").agg(pl.len(), pl.col("said").n_unique().alias("several"))
    told = told.filter(pl.col("len") > 1)
    return float((told["several"] > 1).mean() or 0) > 0.5 if told.height else None  # type: ignore[arg-type]
