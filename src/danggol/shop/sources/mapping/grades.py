"""Grades as shops write them: ``4``, ``4점``, ``4/5``, ``4.5 out of 5 stars``, ``5점 만점에 4점``, ``★★★★☆``."""

from __future__ import annotations

import polars as pl

from danggol.shop.sources.mapping.values import read_numbers

GRADED = frozenset({"rating"})
"""Columns that hold grades."""

_FULL, _EMPTY, _HALF = "★⭐🌟", "☆✩", "½"
_NUMBER = r"\d+(?:[.,]\d+)?"
_UNIT = r"\s*(?:점|点|分|개|stars?)?\s*"
_OUT_OF = rf"(?i)^({_NUMBER}){_UNIT}(?:/|out of|of){_UNIT}(\d+){_UNIT}$"
_KOREAN = rf"^(\d+)\s*점\s*만점\s*(?:에서|에|중|기준)?\s*({_NUMBER})\s*점?$"
_AROUND = rf"(?i)^(?:별점|평점|별|rating)?\s*:?\s*({_NUMBER})\s*(?:점|点|分|개|stars?)?$"


def read_grades(text: pl.Series, decimal: str = ".") -> tuple[pl.Series, pl.Series]:
    """The grades, null where a text is none, and the highest that could be given, where the text says it.

    Stars are counted; empty ones tell how many there could be. ``decimal`` as in :func:`read_numbers`.
    """
    numbers = read_numbers(text, decimal)
    if numbers.null_count() == text.null_count():
        return numbers, pl.Series(text.name, [None], dtype=pl.Float64).new_from_index(0, len(text))
    frame = pl.DataFrame({"text": text, "number": numbers}).with_columns(_shown())
    bare, top = _parts()
    frame = frame.with_columns(bare.alias("bare"), top.cast(pl.Float64).alias("top"))
    said = pl.coalesce("number", pl.Series("bare", read_numbers(frame["bare"], decimal)))
    read = frame.select(grade=pl.coalesce(said, _counted(_FULL) + _counted(_HALF) / 2), top="top")
    return read["grade"], read["top"]


def _shown() -> pl.Expr:
    """The text without what cannot be seen, and without the stars beside digits."""
    text = pl.col("text").str.replace_all("\ufe0f", "").str.strip_chars()
    digits = text.str.normalize("NFKC").str.replace_all(f"[{_FULL}{_EMPTY}]", "").str.strip_chars()
    return pl.when(text.str.contains(r"[0-9０-９]")).then(digits).otherwise(text).alias("text")


def _parts() -> tuple[pl.Expr, pl.Expr]:
    """The text of the grade alone, where there is one in digits, and of the highest, or how many stars there are."""
    text = pl.col("text")
    bare = pl.coalesce(text.str.extract(_OUT_OF), text.str.extract(_KOREAN, 2), text.str.extract(_AROUND))
    signs = (_counted(_FULL) + _counted(_EMPTY) + _counted(_HALF)).cast(pl.String)
    stars = pl.when(text.str.contains(f"[{_EMPTY}]") & ~text.str.contains(r"\d")).then(signs)
    return bare, pl.coalesce(text.str.extract(_OUT_OF, 2), text.str.extract(_KOREAN), stars)


def _counted(signs: str) -> pl.Expr:
    """How many of these signs stand in a text of nothing but stars; null elsewhere."""
    only = pl.col("text").str.contains(rf"^[{_FULL}{_EMPTY}{_HALF}\s]+$")
    return pl.when(only).then(pl.col("text").str.count_matches(f"[{signs}]").cast(pl.Float64))
