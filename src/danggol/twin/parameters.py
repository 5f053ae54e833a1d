"""The parameters of a market, typed and with the ranges that they must keep to.

Their meanings, units and sources stand in ``markets/default.toml``; nothing has a default here.
"""

from __future__ import annotations

import datetime as dt
import difflib
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from danggol.settings import Settings
from danggol.twin import sections
from danggol.twin.countries import countries, currencies
from danggol.twin.words import CATEGORIES, LANGUAGES

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
            raise ValueError(unknown(name, tuple(CATEGORIES), "category"))
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
                raise ValueError(unknown(code, tuple(countries()), "country of the table"))
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
    fault: LogOdds
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
    delivery: sections.Delivery
    reviews: sections.Reviews
    leaving: sections.Leaving
    trends: sections.Trends
    social: sections.Social
    broadcasts: sections.Broadcasts
    signals: sections.Signals
    shock: list[sections.Shock]
    stock: sections.Stock
    copies: sections.Copies
    campaigns: sections.Campaigns
    curation: sections.Curation
    confounding: sections.Confounding

    @field_validator("shock")
    @classmethod
    def _categories(cls, shocks: list[sections.Shock]) -> list[sections.Shock]:
        for name in (name for shock in shocks for name in shock.categories):
            if name not in CATEGORIES:
                raise ValueError(unknown(name, tuple(CATEGORIES), "category"))
        return shocks

    @field_validator("countries")
    @classmethod
    def _known(cls, shares: dict[str, float]) -> dict[str, float]:
        if len(shares) < 2:
            raise ValueError("a market needs at least 2 countries")
        return _shares(shares, tuple(countries()), "country of the table")


def unknown(name: str, known: tuple[str, ...], what: str) -> str:
    """A sentence that names the known name nearest to an unknown one."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    return f"'{name}' is no {what}; did you mean '{near[0]}'?"


def _shares(shares: dict[str, float], known: tuple[str, ...], what: str) -> dict[str, float]:
    for name in shares:
        if name not in known:
            raise ValueError(unknown(name, known, what))
    if sum(shares.values()) <= 0:
        raise ValueError("the shares add up to nothing")
    return shares
