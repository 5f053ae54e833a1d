"""Grades as shops write them: ``4``, ``4점``, ``4/5``, ``4.5 out of 5 stars``, ``5점 만점에 4점``, ``★★★★☆``."""

from __future__ import annotations

import polars as pl

from danggol.shop.sources.mapping.values import read_numbers

GRADED = frozenset({"rating"})
"""Columns that hold grades."""

_FULL, _EMPTY, _HALF = "★⭐🌟", "☆✩", "½"
_NUMBER, _TOP = r"\d+(?:[.,]\d+)?", r"\d+(?:[.,]0+)?"
_UNIT = r"\s*(?:점|点|分|개|つ星|stars?|sterne?n?|étoiles?|estrellas?|estrelas?)?\s*"
_AHEAD = r"(?i)^(?:별점|평점|별|rating|rated)?\s*:?\s*"
_OF = r"/|out of|of|von|sur|de"
_OUT_OF = rf"{_AHEAD}({_NUMBER}){_UNIT}(?:{_OF}){_UNIT}({_TOP}){_UNIT}$"
_NOTED = rf"{_AHEAD}({_NUMBER})\s*점?\s*[(/]\s*({_TOP})\s*점\s*만점\s*\)?$"
_KOREAN = rf"^({_TOP})\s*점\s*만점\s*(?:에서|에|중|기준)?\s*({_NUMBER})\s*점?$"
_JAPANESE = rf"^({_TOP})つ星のうち\s*({_NUMBER})$"
_AROUND = rf"{_AHEAD}({_NUMBER}){_UNIT}$"
_FORMS = ((_OUT_OF, 1, 2), (_NOTED, 1, 2), (_KOREAN, 2, 1), (_JAPANESE, 2, 1))
"""Ways to write a grade with the highest that could be given, and which group is which."""


def read_grades(text: pl.Series, decimal: str = ".") -> tuple[pl.Series, pl.Series]:
    """The grades, null where a text is none, and the highest that could be given, where the text says it.

    Stars are counted; empty ones tell how many there could be. ``decimal`` as in :func:`read_numbers`.
    """
    numbers = read_numbers(text, decimal)
    if numbers.null_count() == text.null_count():
        return numbers, pl.Series(text.name, [None], dtype=pl.Float64).new_from_index(0, len(text))
    frame = pl.DataFrame({"text": text, "number": numbers}).with_columns(_shown())
    bare, top = _parts()
    bare = bare.str.replace(r"^(\d+)[.,](\d{1,2})$", f"${{1}}{decimal}${{2}}")
    top = top.str.replace(",", ".", literal=True).cast(pl.Float64)
    frame = frame.with_columns(bare.alias("bare"), top.alias("top"))
    said = pl.coalesce("number", pl.Series("bare", read_numbers(frame["bare"], decimal)))
    read = frame.select(grade=pl.coalesce(said, _counted(_FULL) + _counted(_HALF) / 2), top="top")
    return read["grade"], read["top"]


def _shown() -> pl.Expr:
    """The text without what cannot be seen, and without the stars and the brackets beside digits."""
    text = pl.col("text").str.replace_all("\ufe0f", "").str.strip_chars()
    digits = text.str.replace_all(f"[{_FULL}{_EMPTY}]", "").str.replace(rf"(\d)\s*{_HALF}", "${1}.5")
    digits = digits.str.replace_all(_HALF, "").str.normalize("NFKC").str.replace_all(r"\(\s*\)", "").str.strip_chars()
    digits = digits.str.replace(r"^\(([^()]*)\)$", "$1").str.strip_chars()
    return pl.when(text.str.contains(r"[0-9０-９]")).then(digits).otherwise(text).alias("text")


def _parts() -> tuple[pl.Expr, pl.Expr]:
    """The text of the grade alone, where there is one in digits, and of the highest, or how many stars there are."""
    text = pl.col("text")
    bare = pl.coalesce(*(text.str.extract(form, grade) for form, grade, _ in _FORMS), text.str.extract(_AROUND))
    signs = (_counted(_FULL) + _counted(_EMPTY) + _counted(_HALF)).cast(pl.String)
    stars = pl.when(text.str.contains(f"[{_EMPTY}]") & ~text.str.contains(r"\d")).then(signs)
    return bare, pl.coalesce(*(text.str.extract(form, top) for form, _, top in _FORMS), stars)


def _counted(signs: str) -> pl.Expr:
    """How many of these signs stand in a text of nothing but stars; null elsewhere."""
    only = pl.col("text").str.contains(rf"^[{_FULL}{_EMPTY}{_HALF}\s]+$")
    return pl.when(only).then(pl.col("text").str.count_matches(f"[{signs}]").cast(pl.Float64))
