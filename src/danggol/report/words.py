"""The report's words in English and Korean: looked up by key, filled with values, shown side by side."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from markupsafe import Markup, escape

Language = Literal["en", "ko"]
LANGUAGES: tuple[Language, ...] = ("en", "ko")

_SLOT = re.compile(r"\{(\w+)(?::([^|}]*)\|([^}]*))?\}")
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffe\uffff]")
"""Control characters, which HTML does not allow."""
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class Both:
    """A text in English and in Korean; in a page, both stand there and the switch shows one."""

    en: str
    ko: str

    def of(self, language: Language) -> str:
        """The text in one language."""
        return self.en if language == "en" else self.ko

    def __html__(self) -> Markup:
        if self.en == self.ko:
            return escape(self.en)
        return Markup('<span class="en" lang="en">{}</span><span class="ko" lang="ko">{}</span>').format(
            self.en, self.ko
        )

    def __bool__(self) -> bool:
        return bool(self.en or self.ko)


@cache
def catalogue() -> dict[str, Both]:
    """Every text by its dotted key, as ``words.toml`` holds them."""
    found: dict[str, Both] = {}
    _flatten(tomllib.loads(files("danggol.report").joinpath("words.toml").read_text("utf8")), "", found)
    return found


def _flatten(node: Mapping[str, Any], prefix: str, found: dict[str, Both]) -> None:
    if "en" in node or "ko" in node:
        found[prefix] = Both(node["en"], node["ko"])
        return
    for name, child in node.items():
        _flatten(child, f"{prefix}.{name}" if prefix else name, found)


def say(key: str, **values: Any) -> Both:
    """The text of ``key`` with ``{name}`` slots filled; ``{n:customer|customers}`` adds the noun in the right number.

    KeyError where the key or a value is missing: a mistake in the package, not in the data.
    """
    text = catalogue()[key]
    return Both(_fill(text.en, "en", values), _fill(text.ko, "ko", values))


def known(key: str) -> bool:
    """Whether there is a text of that key."""
    return key in catalogue()


def term(kind: str, code: str) -> Both:
    """The words for a code, such as a metric's or a model's; the code itself where there are none."""
    return catalogue().get(f"{kind}.{code}", Both(code, code))


def model(code: str) -> Both:
    """A model's name; of a blend, such as ``als+frequency``, the names of its parts."""
    if known(f"model.{code}") or "+" not in code:
        return term("model", code)
    parts = [term("model", part) for part in code.split("+")]
    return Both(" + ".join(part.en for part in parts), " + ".join(part.ko for part in parts))


def slots(text: Both) -> set[str]:
    """The names of the values that a text needs."""
    return {match[1] for match in _SLOT.finditer(text.en)} | {match[1] for match in _SLOT.finditer(text.ko)}


def _fill(text: str, language: Language, values: Mapping[str, Any]) -> str:
    def value(match: re.Match[str]) -> str:
        given = values[match[1]]
        shown = given.of(language) if isinstance(given, Both) else count(given) if type(given) is int else str(given)
        if match[2] is None:
            return shown
        return f"{shown} {match[2] if given == 1 else match[3]}"

    return _SLOT.sub(value, text)


def shortened(text: str, longest: int) -> str:
    """A text that people wrote, on one line of at most ``longest`` characters and without control characters."""
    whole = " ".join(_UNSEEN.sub(" ", text).split())
    return whole if len(whole) <= longest else whole[: longest - 1].rstrip() + "…"


@cache
def _countries() -> dict[str, Both]:
    names = tomllib.loads(files("danggol.report").joinpath("countries.toml").read_text("utf8"))
    return {code: Both(en, ko) for code, (en, ko) in names.items()}


def country(code: str | None) -> Both:
    """A country's name by its ISO 3166-1 alpha-2 code; the code where it is not known."""
    if not code:
        return say("unknown_country")
    return _countries().get(code, Both(code, code))


def day(moment: date | datetime | None) -> Both:
    """A day, as each language writes it (times should be local by now)."""
    if moment is None:
        return Both("–", "–")
    return Both(
        f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}",
        f"{moment.year}년 {moment.month}월 {moment.day}일",
    )


def count(value: float | None) -> str:
    """A whole number with thousands set apart, alike in both languages."""
    return "–" if value is None else f"{value:,.0f}".replace("-", "−")


def figure(value: float | None, digits: int = 3) -> str:
    """A figure with a fixed number of decimals."""
    return "–" if value is None else f"{value:.{digits}f}".replace("-", "−")


def digits(value: float | None) -> int:
    """How many decimals show two digits of a small figure: three, and more below 0.01, up to eight."""
    return 3 if not value else min(max(3, 1 - math.floor(math.log10(abs(value)))), 8)


def signed(value: float | None, digits: int = 3) -> str:
    """A difference with its sign."""
    return "–" if value is None else f"{value:+.{digits}f}".replace("-", "−")


def interval(low: float | None, high: float | None, digits: int = 3) -> str:
    """An interval in brackets; empty where an end is not known."""
    if low is None or high is None:
        return ""
    return f"[{figure(low, digits)},\u00a0{figure(high, digits)}]"


def percent(share: float | None) -> str:
    """A share as per cent: one decimal below ten, none where it is all or nothing."""
    if share is None:
        return "–"
    value = 100 * share
    if 0 < value < 0.1:
        return "<0.1%"
    if value in {0, 100}:
        return f"{value:.0f}%"
    return f"{min(value, 99.9):.1f}%"


def money(value: float | None, currency: str) -> str:
    """An amount with its ISO 4217 code; two decimals below a hundred."""
    if value is None:
        return "–"
    return f"{currency} {value:,.0f}" if abs(value) >= 100 else f"{currency} {value:,.2f}"
