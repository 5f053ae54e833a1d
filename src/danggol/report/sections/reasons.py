"""Why a product is in a list: the sentence of a reason's code and arguments, in both languages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from danggol.report.words import Both, catalogue, country, day, known, say, slots
from danggol.shop.codes import COUNTRIES

if TYPE_CHECKING:
    from danggol.report.sections.goods import Good

LONGEST_VALUE = 60
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True)
class Reason:
    """A reason: a word or two for a label, and the sentence."""

    code: str
    short: Both
    sentence: Both


def explain(code: str | None, args: Any, goods: Mapping[str, Good]) -> Reason:
    """The sentence of a reason: the fullest wording whose values are there; an unknown code is shown as it is."""
    if not code:
        return Reason("", say("reason.none.short"), say("reason.none.plain"))
    values = _values(arguments(args), goods)
    if not known(f"reason.{code}.short"):
        told = "; ".join(f"{name} {value}" for name, value in arguments(args).items())
        return Reason(code, Both(code, code), say("reason.unknown", code=code, args=f" ({told})" if told else ""))
    wordings = [text for key, text in catalogue().items() if key.startswith(f"reason.{code}.") and slots(text)]
    fitting = [text for text in wordings if slots(text) <= set(values)]
    if not fitting:
        return Reason(code, say(f"reason.{code}.short"), say(f"reason.{code}.plain"))
    fullest = max(fitting, key=lambda text: len(slots(text)))
    key = next(key for key, text in catalogue().items() if text is fullest)
    return Reason(code, say(f"reason.{code}.short"), say(key, **values))


def arguments(args: Any) -> dict[str, str]:
    """A reason's arguments as a dictionary, however the map came out of its column."""
    if not args:
        return {}
    if isinstance(args, Mapping):
        return {str(name): str(value) for name, value in args.items() if value is not None}
    pairs = [(one["key"], one["value"]) if isinstance(one, Mapping) else tuple(one) for one in args]
    return {str(name): str(value) for name, value in pairs if value is not None}


def _values(args: Mapping[str, str], goods: Mapping[str, Good]) -> dict[str, Any]:
    """The values in words; the first product also stands as ``product``, the first day as ``last``."""
    values = {name: _worded(name, value, goods) for name, value in args.items()}
    for name, value in args.items():
        if value in goods and goods[value].listed:
            values.setdefault("product", values[name])
        elif _DAY.match(value):
            values.setdefault("last", values[name])
    for name in ("count", "purchases", "n"):
        if name in values:
            values.setdefault("times", values[name])
    return values


def _worded(name: str, value: str, goods: Mapping[str, Good]) -> Any:
    """A product's title for its id, a country's name for its code, a whole number as a number."""
    if value in goods and goods[value].listed:
        title = goods[value].title
        return title if len(title) <= LONGEST_VALUE else title[: LONGEST_VALUE - 1] + "…"
    if name.endswith("country") and value in COUNTRIES:
        return country(value)
    if _DAY.match(value):
        with suppress(ValueError):
            return day(date.fromisoformat(value[:10]))
    if value.isascii() and value.isdigit() and len(value) < 16:
        return int(value)
    return value if len(value) <= LONGEST_VALUE else value[: LONGEST_VALUE - 1] + "…"
