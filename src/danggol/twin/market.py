"""A market's parameters: read from a versioned TOML file, validated, refused with the line and the reason.

``markets/default.toml`` holds every parameter with its meaning, unit, range and source; nothing has a default in code.
Another file may name a ``base`` and give only what differs.
"""

from __future__ import annotations

import datetime as dt
import difflib
import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Self, get_args
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field, ValidationError, field_validator

from danggol.errors import UsageError
from danggol.settings import Settings
from danggol.twin.countries import countries, currencies
from danggol.twin.toml_lines import line_of
from danggol.twin.words import CATEGORIES, LANGUAGES

FORMAT = 1
"""The layout of market files that this package knows."""

Share = Annotated[float, Field(ge=0, le=1)]
LogOdds = Annotated[float, Field(ge=-10, le=10)]
Spread = Annotated[float, Field(ge=0, le=5)]
Weight = Annotated[float, Field(ge=0, le=3)]


class Shop(Settings):
    """What a shop that is created for the market is set to."""

    timezone: str
    currency: str
    language: Annotated[str, Field(pattern="^[a-z]{2}$")]

    @field_validator("timezone")
    @classmethod
    def _zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"'{name}' is not a time zone") from error
        return name

    @field_validator("currency")
    @classmethod
    def _money(cls, code: str) -> str:
        if code not in currencies():
            raise ValueError(f"no country of the table uses '{code}' (known: {', '.join(sorted(currencies()))})")
        return code


class Size(Settings):
    """How many people, listings and weeks."""

    customers: Annotated[int, Field(ge=20, le=10_000_000)]
    products: Annotated[int, Field(ge=30, le=1_000_000)]
    weeks: Annotated[int, Field(ge=2, le=520)]
    end: dt.date

    @field_validator("end")
    @classmethod
    def _past_monday(cls, day: dt.date) -> dt.date:
        if day.weekday() != 0:
            raise ValueError(f"{day} is a {day:%A}; simulated time ends on a Monday")
        if day > dt.date(2026, 1, 1):
            raise ValueError(f"{day} may lie in the future; give a Monday before 2026")
        return day


class People(Settings):
    """Who the customers are."""

    visits_per_week: Annotated[float, Field(ge=0.01, le=20)]
    visits_spread: Annotated[float, Field(ge=0, le=2.5)]
    leave_per_week: Annotated[float, Field(ge=0, le=0.2)]
    joined_before: Share
    propensity_sd: Annotated[float, Field(ge=0, le=2)]
    female: Share
    unknown: Share
    age_mean: Annotated[float, Field(ge=18, le=70)]
    age_sd: Annotated[float, Field(ge=0, le=30)]
    interest_concentration: Annotated[float, Field(ge=0.05, le=10)]
    second_language: Share
    anonymous: Share


class Culture(Settings):
    """Change of a sensitivity per standard deviation of a cultural dimension; a dimension not named has none."""

    pdi: LogOdds = 0.0
    idv: LogOdds = 0.0
    mas: LogOdds = 0.0
    uai: LogOdds = 0.0
    lto: LogOdds = 0.0
    ivr: LogOdds = 0.0


class Sensitivity(Settings):
    """How people weigh one term of an offer."""

    base: LogOdds
    culture: Culture
    country_sd: Spread
    person_sd: Spread


class Sensitivities(Settings):
    """The terms of an offer, in the order of every array over terms."""

    price: Sensitivity
    discount: Sensitivity
    free_shipping: Sensitivity
    reviews: Sensitivity
    brand: Sensitivity
    badge: Sensitivity
    picture: Sensitivity
    scene: Sensitivity
    novelty: Sensitivity
    home: Sensitivity


class Taste(Settings):
    """What people like apart from the terms."""

    weight: Weight
    country_share: Share
    content_share: Share
    quality_sd: Annotated[float, Field(ge=0, le=2)]
    color_country_sd: Annotated[float, Field(ge=0, le=2)]
    color_person_sd: Annotated[float, Field(ge=0, le=2)]


class Category(Settings):
    """A category of goods."""

    name: str
    share: Share
    price: Annotated[float, Field(gt=0, le=100_000)]
    spread: Annotated[float, Field(ge=0, le=2)]
    cycle_weeks: Annotated[float, Field(ge=0, le=104)]
    return_rate: Annotated[float, Field(gt=0, lt=0.9)]
    peak_month: Annotated[int, Field(ge=1, le=12)]
    season: Share
    women: LogOdds

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in CATEGORIES:
            raise ValueError(_unknown(name, tuple(CATEGORIES), "category"))
        return name


class Goods(Settings):
    """What is sold."""

    brands: Annotated[int, Field(ge=2, le=5000)]
    sellers: Annotated[int, Field(ge=1, le=100_000)]
    listed_later: Share
    exposure_exponent: Annotated[float, Field(ge=0, le=2)]
    attribute_missing: Share
    color_in_title: Share
    picture_pixels: Annotated[int, Field(ge=32, le=512)]
    second_picture: Share
    title_languages: dict[str, Share]
    origins: dict[str, Share]
    category: Annotated[list[Category], Field(min_length=1)]

    @field_validator("title_languages")
    @classmethod
    def _languages(cls, shares: dict[str, float]) -> dict[str, float]:
        return _shares(shares, LANGUAGES, "language that titles can be written in")

    @field_validator("origins")
    @classmethod
    def _countries(cls, shares: dict[str, float]) -> dict[str, float]:
        return _shares(shares, tuple(countries()), "country of the table")

    @field_validator("category")
    @classmethod
    def _distinct(cls, categories: list[Category]) -> list[Category]:
        names = [category.name for category in categories]
        if len(set(names)) < len(names):
            raise ValueError(f"category '{max(names, key=names.count)}' is given twice")
        if sum(category.share for category in categories) <= 0:
            raise ValueError("the shares of the categories add up to nothing")
        return categories


class Sale(Settings):
    """A sale that countries hold every year."""

    name: Annotated[str, Field(min_length=1)]
    month: Annotated[int, Field(ge=1, le=12)]
    day: Annotated[int, Field(ge=1, le=28)]
    weeks: Annotated[int, Field(ge=1, le=8)]
    countries: list[str]
    share: Share
    discount: Annotated[float, Field(gt=0, lt=0.9)]
    traffic: Annotated[float, Field(ge=0.1, le=10)]

    @field_validator("countries")
    @classmethod
    def _known(cls, codes: list[str]) -> list[str]:
        for code in codes:
            if code not in countries():
                raise ValueError(_unknown(code, tuple(countries()), "country of the table"))
        return codes


class Offers(Settings):
    """Prices, reductions, shipping, badges."""

    available: Annotated[float, Field(gt=0, le=1)]
    price_sd: Annotated[float, Field(ge=0, le=1)]
    discount_start: Share
    discount_weeks: Annotated[float, Field(ge=1, le=20)]
    discounts: Annotated[list[Annotated[float, Field(gt=0, lt=0.9)]], Field(min_length=1)]
    free_shipping_over: Annotated[float, Field(ge=0)]
    free_shipping_promo: Share
    shipping_fee: Annotated[float, Field(ge=0, le=1000)]
    badge_share: Share
    fx_volatility: Annotated[float, Field(ge=0, le=0.05)]
    sale: list[Sale]


class Visits(Settings):
    """What a visitor is shown."""

    list_length: Annotated[int, Field(ge=2, le=50)]
    stop: Annotated[float, Field(gt=0, le=1)]
    wander: Share
    search: Share
    reminder: Share
    other_picture: Share
    app: Share


class Choice(Settings):
    """How a visitor chooses."""

    conversion: Annotated[float, Field(ge=0.001, le=0.3)]
    nest: Annotated[float, Field(ge=0.1, le=1)]
    position: Weight
    view: LogOdds
    view_weight: Weight
    cart: LogOdds
    add_on: LogOdds
    habit: Annotated[float, Field(ge=0, le=6)]
    dwell: Annotated[float, Field(ge=1, le=600)]
    dwell_spread: Weight
    dwell_weight: Annotated[float, Field(ge=0, le=2)]
    more_than_one: Annotated[float, Field(ge=0, lt=0.9)]


class Returns(Settings):
    """What is sent back."""

    misfit: Weight
    days: Annotated[float, Field(ge=1, le=60)]


class Parameters(Settings):
    """Every parameter of a market; the meanings are in ``markets/default.toml``."""

    format: int
    name: Annotated[str, Field(min_length=1, max_length=80)]
    shop: Shop
    size: Size
    countries: dict[str, Annotated[float, Field(gt=0)]]
    people: People
    sensitivity: Sensitivities
    taste: Taste
    goods: Goods
    offers: Offers
    visits: Visits
    choice: Choice
    returns: Returns

    @field_validator("countries")
    @classmethod
    def _known(cls, shares: dict[str, float]) -> dict[str, float]:
        if len(shares) < 2:
            raise ValueError("a market needs at least 2 countries")
        return _shares(shares, tuple(countries()), "country of the table")


def _unknown(name: str, known: tuple[str, ...], what: str) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    return f"'{name}' is no {what}; did you mean '{near[0]}'?"


def _shares(shares: dict[str, float], known: tuple[str, ...], what: str) -> dict[str, float]:
    for name in shares:
        if name not in known:
            raise ValueError(_unknown(name, known, what))
    if sum(shares.values()) <= 0:
        raise ValueError("the shares add up to nothing")
    return shares


@dataclass(frozen=True)
class Market:
    """A market: its parameters and the digest of what they say."""

    parameters: Parameters
    digest: str

    @property
    def name(self) -> str:
        """The name that the market file gives."""
        return self.parameters.name

    @classmethod
    def load(cls, market: str | Path) -> Self:
        """Read a market by its name (``default``, ``small``) or from a TOML file; UsageError with line and reason."""
        text, where = _text(market)
        values, origin = _merged(text, where)
        try:
            parameters = Parameters(**values)
        except ValidationError as error:
            raise UsageError(_sentence(error, text, where, origin)) from error
        digest = hashlib.sha256(parameters.model_dump_json().encode()).hexdigest()[:16]
        return cls(parameters, digest)


def names() -> list[str]:
    """The markets that come with the package."""
    folder = files("danggol.twin").joinpath("markets")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def _text(market: str | Path) -> tuple[str, str]:
    """The text of a market file and what to call it."""
    if isinstance(market, str) and market in names():
        return files("danggol.twin").joinpath("markets", f"{market}.toml").read_text("utf8"), f"the market '{market}'"
    path = Path(market)
    if isinstance(market, str) and not path.suffix and not path.exists():
        raise UsageError(f"{_unknown(market, tuple(names()), 'market')} (or give the path of a TOML file)")
    try:
        return path.read_text("utf8"), str(market)
    except OSError as error:
        raise UsageError(f"cannot read the market file {market}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise UsageError(f"{market}, line {line}: the file is not UTF-8 text") from error


def _merged(text: str, where: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The values of a market file laid over those of its base, and the file's own values."""
    try:
        own = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at (?:line (\d+)|end of document)", str(error))
        line = int(place[1]) if place and place[1] else text.count("\n") + 1
        raise UsageError(f"{where}, line {line}: not valid TOML: {str(error).split(' (at')[0].lower()}") from error
    version = own.get("format")
    if version != FORMAT:
        line = line_of(text, ("format",))
        said = "the file does not say its format" if version is None else f"format {version!r} is not known"
        raise UsageError(f"{where}, line {line}: {said}; this package reads format = {FORMAT}")
    base = own.get("base")
    if base is None:
        return own, own
    if base not in names():
        line = line_of(text, ("base",))
        raise UsageError(f"{where}, line {line}: {_unknown(str(base), tuple(names()), 'market to build on')}")
    under, _ = _merged(*_text(base))
    return _overlay(under, {name: value for name, value in own.items() if name != "base"}), own


_WHOLE = {"countries", "culture", "title_languages", "origins"}
"""Tables that a file replaces as a whole, because their names are data."""


def _overlay(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for name, value in over.items():
        below = under.get(name)
        if isinstance(value, dict) and isinstance(below, dict) and name not in _WHOLE:
            merged[name] = _overlay(below, value)
        else:
            merged[name] = value
    return merged


def _sentence(error: ValidationError, text: str, where: str, own: Mapping[str, Any]) -> str:
    """One sentence for the first thing that is wrong: file, line, parameter, reason."""
    first = error.errors()[0]
    path = tuple(first["loc"])
    line = line_of(text, path)
    name = ".".join(str(part) for part in path) or "the file"
    if first["type"] == "extra_forbidden":
        known = _fields(Parameters, path[:-1])
        near = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.0)[0]
        reason = f"unknown parameter '{name}'; did you mean '{near}'?"
    elif first["type"] == "missing":
        hint = "" if "base" in own else ' (or say base = "default" to take what is not given from there)'
        reason = f"parameter '{name}' is missing{hint}"
    else:
        said = first["msg"].removeprefix("Value error, ").replace("Input should", "should")
        reason = f"parameter '{name}': {said}"
        if first["type"] != "value_error":
            reason += f", got {first['input']!r}"
    return f"{where}, line {line}: {reason}"


def _fields(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """The names that a model knows at ``path``."""
    for part in path:
        if isinstance(part, int):
            continue
        kind = model.model_fields[part].annotation
        inner = [kind, *get_args(kind)]
        model = next(one for one in inner if isinstance(one, type) and issubclass(one, BaseModel))
    return list(model.model_fields)
