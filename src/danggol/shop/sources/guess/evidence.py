"""What a file's columns seem to mean: what their headings say, and whether the values bear it out."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

import polars as pl

from danggol.errors import DataError
from danggol.shop.sources.mapping.grades import read_grades
from danggol.shop.sources.mapping.times import day_order, read_times
from danggol.shop.sources.mapping.values import read_numbers, read_words, tidy_word

LEAST = 0.3
"""A meaning that is less sure than this is not proposed."""
_TWO_DIGIT_YEARS = ("%y.%m.%d %H:%M", "%y-%m-%d %H:%M", "%y/%m/%d %H:%M", "%y.%m.%d", "%y-%m-%d", "%y/%m/%d")
_ALONE = {"time": ("time", 0.45), "country": ("country", 0.45), "gender": ("gender", 0.45)}
"""What values alone may suggest, where no heading does: what they read as, to meaning and confidence."""


@dataclass(frozen=True)
class Meaning:
    """Something a column can mean, and the headings that say so."""

    name: str
    says: str
    reads: str
    words: frozenset[str]


@dataclass(frozen=True)
class Found:
    """A column that seems to mean something."""

    heading: str
    meaning: str
    confidence: float
    reason: str
    format: str = ""
    """Of times."""
    decimal: str = ""
    """Of numbers that have a sign before a fraction or between thousands."""


Evidence = tuple[float, str, str, str]
"""The share of values that read as they should, that in words, the format of times, the decimal sign of numbers."""


@cache
def meanings() -> dict[str, Meaning]:
    """Every meaning that headings are known for."""
    text = files("danggol.shop.sources.guess").joinpath("headers.toml").read_text("utf8")
    return {
        name: Meaning(name, said["says"], said["reads"], frozenset(tidy_word(word) for word in said["words"]))
        for name, said in tomllib.loads(text).items()
    }


def find_meanings(sample: pl.DataFrame, columns: Sequence[str]) -> dict[str, Found]:
    """The best column for each meaning, each column at most once; surest first, then in the file's order."""
    candidates = [found for heading in columns for found in _of_heading(heading, sample[heading])]
    candidates.sort(key=lambda found: -found.confidence)
    taken: dict[str, Found] = {}
    used: set[str] = set()
    for found in candidates:
        if found.meaning not in taken and found.heading not in used:
            taken[found.meaning] = found
            used.add(found.heading)
    for heading in columns:
        if heading not in used and (lonely := _of_values(heading, sample[heading])) and lonely.meaning not in taken:
            taken[lonely.meaning] = lonely
            used.add(heading)
    return taken


def _of_heading(heading: str, values: pl.Series) -> list[Found]:
    found = []
    for meaning in meanings().values():
        score, why = _alike(heading, meaning)
        if score < LEAST:
            continue
        share, found_how, form, decimal = _bears_out(meaning.reads, values.drop_nulls())
        confidence = score * (0.25 + 0.75 * share)
        if confidence >= LEAST:
            reason = f"{why} ({meaning.says}); {found_how}"
            found.append(Found(heading, meaning.name, confidence, reason, form, decimal))
    return found


def _of_values(heading: str, values: pl.Series) -> Found | None:
    said = values.drop_nulls()
    if len(said) < 3:
        return None
    for reads, (meaning, confidence) in _ALONE.items():
        if reads == "time" and said.str.contains(r"^[\d.,\s]+$").mean() == 1.0:
            continue
        share, how, form, decimal = _bears_out(reads, said)
        if share >= 0.95:
            return Found(heading, meaning, confidence, f"no known heading; {how}", form, decimal)
    return None


def _alike(heading: str, meaning: Meaning) -> tuple[float, str]:
    """How well a heading says a meaning (0 to 1), and how that was seen."""
    whole, outside = tidy_word(heading), tidy_word(re.sub(r"[(\[（].*?[)\]）]", "", heading))
    last = tidy_word(heading.rsplit(".", 1)[-1])
    if whole in meaning.words:
        return 0.97, "the heading says so"
    if outside in meaning.words or last in meaning.words:
        return 0.93, "the heading says so"
    inside = max((word for word in meaning.words if word in whole and _is_long(word)), key=len, default="")
    if inside:
        return 0.75 * (len(inside) / len(whole)) ** 0.4, f"the heading holds '{inside}'"
    near = difflib.get_close_matches(whole, meaning.words, 1, 0.86) if _is_long(whole) else []
    return (0.6, f"the heading is close to '{near[0]}'") if near else (0.0, "")


def _is_long(word: str) -> bool:
    """Whether a word tells something when it is a part of a heading."""
    return len(word) >= (4 if word.isascii() else 2)


def _bears_out(reads: str, values: pl.Series) -> Evidence:
    """The share of values that read as they should, that in words, and the time format and decimal sign found."""
    if not len(values):
        return 0.4, "no values in the first rows", "", ""
    ways = {
        "time": _as_times, "number": _as_numbers, "birth": _as_births, "picture": _as_pictures, "id": _as_ids,
        "text": _as_texts, "grade": _as_grades,
    }  # fmt: skip
    return ways[reads](values) if reads in ways else _share(read_words(values, reads).is_not_null(), _A[reads])


_A = {
    "country": "are countries", "gender": "are genders", "kind": "are known happenings", "bool": "are yes or no",
    "currency": "are currencies", "language": "are languages",
}  # fmt: skip


def _as_births(values: pl.Series) -> Evidence:
    year = values.str.extract(r"^((?:19|20)\d\d)(?:[-./]?\d\d?[-./]?\d\d?)?\D*$")
    return _share(year.is_not_null(), "begin with a year")


def _as_pictures(values: pl.Series) -> Evidence:
    return _share(values.str.contains(r"(?i)^https?://|\.(jpe?g|png|gif|webp|bmp)\b"), "name pictures")


def _as_texts(values: pl.Series) -> Evidence:
    numbers = float(read_numbers(values).is_not_null().mean() or 0)  # type: ignore[arg-type]
    return (0.5 if numbers > 0.9 else 1.0), f"such as '{_short(values[0])}'", "", ""


def _share(good: pl.Series, what: str) -> Evidence:
    share = float(good.mean() or 0)  # type: ignore[arg-type]
    return share, f"{share:.0%} of {len(good):,} values {what}", "", ""


def _as_ids(values: pl.Series) -> Evidence:
    long = float((values.str.len_chars() > 64).mean() or 0)  # type: ignore[arg-type]
    how = f"{values.n_unique():,} different ones among {len(values):,}"
    return 1.0 - long, how, "", ""


def _as_times(values: pl.Series) -> Evidence:
    best = _share(read_times(values, "", "UTC").is_not_null(), "are times")
    if best[0] >= 0.5:
        return best
    try:
        order = day_order(iter([values]), "")
    except DataError:
        share, how, _, _ = _share(read_times(values, "dmy", "UTC").is_not_null(), "are dates")
        return 0.4 * share, f'{how}, but day or month first? say format = "dmy" or "mdy"', "", ""
    tried = [(order, "are dates with the " + ("day" if order == "dmy" else "month") + " first")] if order else []
    tried += [(form, "are times of two-digit years, read as year, month, day") for form in _TWO_DIGIT_YEARS]
    for form, what in tried:
        share, how, _, _ = _share(read_times(values, form, "UTC").is_not_null(), what)
        if share > max(best[0], 0.5):
            best = (share if form == order else 0.6 * share), how, form, ""
    return best


def _as_numbers(values: pl.Series) -> Evidence:
    """Numbers, by whichever decimal sign reads more of them; groups of three after a point alone are ambiguous."""
    point = _share(read_numbers(values).is_not_null(), "are numbers")
    comma = _share(read_numbers(values, ",").is_not_null(), "are numbers with a decimal comma")
    if comma[0] > point[0]:
        return comma[0], comma[1], "", ","
    sign = "." if values.str.contains(r"\d[.,]\d").any() else ""
    grouped = values.str.contains(r"^[^\d]*\d{1,3}(\.\d{3})+[^\d]*$")
    if grouped.all() and comma[0] == point[0]:
        return 0.6 * point[0], f"{point[1]}; the point is read as the decimal sign, not between thousands", "", sign
    return point[0], point[1], "", sign


def _as_grades(values: pl.Series) -> Evidence:
    """Numbers, or grades as only :func:`read_grades` knows them, whichever are more."""
    numbers = _as_numbers(values)
    grades = _share(read_grades(values, numbers[3] or ".")[0].is_not_null(), "are grades")
    return grades if grades[0] > numbers[0] else numbers


def _short(text: str) -> str:
    return text if len(text) <= 24 else text[:23] + "…"


def less_sure(found: Found, factor: float, why: str) -> Found:
    """The finding for a use that follows from it less surely."""
    return replace(found, confidence=found.confidence * factor, reason=f"{found.reason}; {why}")
