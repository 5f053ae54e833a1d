"""Further parameters of a market: what happens after a purchase, around the shop, and in answer to it.

As in :mod:`danggol.twin.parameters`: ranges here; meanings, units and sources in ``markets/default.toml``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from danggol.settings import Settings

Share = Annotated[float, Field(ge=0, le=1)]
LogOdds = Annotated[float, Field(ge=-10, le=10)]
Spread = Annotated[float, Field(ge=0, le=5)]
Weight = Annotated[float, Field(ge=0, le=3)]

CAUSES = ("late", "damaged", "size", "color", "price", "service")
"""What can go wrong with a purchase, in the order of every array over causes."""


class Causes(Settings):
    """One number for each cause, in the order of :data:`CAUSES`."""

    late: Weight
    damaged: Weight
    size: Weight
    color: Weight
    price: Weight
    service: Weight


class Rates(Settings):
    """How often each cause strikes; lateness follows from the delivery, not from a rate."""

    damaged: Share
    size: Share
    color: Share
    price: Share
    service: Share


class Delivery(Settings):
    """Deliveries, and how pleased people are."""

    delay_sd: Annotated[float, Field(ge=0, le=1.5)]
    promise_slack_days: Annotated[float, Field(ge=0, le=30)]
    seller_sd: Weight
    busy_delay: Weight
    rate: Rates
    pleased: Annotated[float, Field(ge=-5, le=5)]
    match: Weight
    quality: Weight
    noise: Spread
    hurt: Causes


class Reviews(Settings):
    """Who writes a review, and how it reads."""

    share: Share
    extreme: Weight
    days: Annotated[float, Field(ge=0.1, le=90)]
    cuts: Annotated[list[float], Field(min_length=4, max_length=4)]
    disagree: Share
    sarcasm: Share
    typos: Annotated[float, Field(ge=0, le=0.5)]
    emoji: Share
    title: Share
    picture: Share
    english: Share

    @field_validator("cuts")
    @classmethod
    def _rising(cls, cuts: list[float]) -> list[float]:
        if sorted(set(cuts)) != cuts:
            raise ValueError("the cuts between 1, 2, 3, 4 and 5 stars must rise")
        return cuts


class Leaving(Settings):
    """What drives customers away beside the ``leave_per_week`` of people."""

    hazard: Causes
    half_life_weeks: Annotated[float, Field(gt=0, le=104)]


class Trends(Settings):
    """What comes into fashion, and what is only talked about."""

    real: Annotated[int, Field(ge=0, le=500)]
    hypes: Annotated[int, Field(ge=0, le=500)]
    strength: Weight
    interest: Weight
    rise_weeks: Annotated[float, Field(ge=1, le=26)]
    fall_weeks: Annotated[float, Field(ge=1, le=52)]
    country_delay_weeks: Annotated[float, Field(ge=0, le=26)]


class Social(Settings):
    """Accounts and their posts."""

    accounts: Annotated[int, Field(ge=0, le=100_000)]
    leaders: Share
    bots: Share
    posts_per_week: Annotated[float, Field(ge=0, le=50)]
    lead_weeks: Annotated[float, Field(ge=0, le=26)]
    on_trend: Share
    followers: Annotated[float, Field(ge=10, le=1e8)]
    engagement: Annotated[float, Field(gt=0, le=1)]


class Broadcasts(Settings):
    """Live-commerce slots of the market's own plan."""

    per_week: Annotated[float, Field(ge=0, le=200)]
    hosts: Annotated[int, Field(ge=1, le=1000)]
    skill_sd: Weight
    easy: Annotated[float, Field(ge=0, le=5)]
    minutes: Annotated[list[Annotated[float, Field(gt=0, le=600)]], Field(min_length=1)]
    countries: Annotated[int, Field(ge=1, le=30)]
    reach: Share
    lift: LogOdds
    discount: Annotated[float, Field(ge=0, lt=0.9)]


class Signals(Settings):
    """The outside: how demand for categories moves, and what is published of it."""

    sd: Weight
    persistence: Annotated[float, Field(ge=0, lt=1)]
    lead_weeks: Annotated[int, Field(ge=0, le=12)]
    noise: Weight
    publish_days: Annotated[float, Field(ge=0, le=60)]
    revision_days: Annotated[float, Field(gt=0, le=120)]
    revision: Weight


class Shock(Settings):
    """A break: from ``week`` on, for ``weeks`` weeks, traffic, season and categories are not as they were."""

    week: Annotated[int, Field(ge=0, le=520)]
    weeks: Annotated[int, Field(ge=1, le=520)]
    traffic: Annotated[float, Field(ge=0.05, le=10)]
    season: Annotated[float, Field(ge=-1, le=2)]
    delay_days: Annotated[float, Field(ge=0, le=60)]
    categories: dict[str, Annotated[float, Field(ge=0.05, le=10)]]


class Stock(Settings):
    """How much is in store."""

    cover_weeks: Annotated[float, Field(gt=0, le=104)]
    lead_weeks: Annotated[int, Field(ge=0, le=26)]
    careless: Share


class Copies(Settings):
    """Listings of a product that is listed already."""

    share: Annotated[float, Field(ge=0, le=0.8)]
    same_seller: Share
    other_language: Share
    picture_changed: Share
    price_sd: Annotated[float, Field(ge=0, le=1)]


class Offer(Settings):
    """What a campaign offers a customer, and how people differ in their answer to it."""

    name: Annotated[str, Field(min_length=1, max_length=40)]
    coupon: Annotated[float, Field(ge=0, lt=0.9)]
    free_shipping: bool
    message_cost: Annotated[float, Field(ge=0, le=100)]
    effect: LogOdds
    spread: Weight
    none: Share
    visits: LogOdds
    comforts: list[Literal["late", "damaged", "size", "color", "price", "service"]]
    comfort: LogOdds
    tires: Annotated[float, Field(ge=0, le=0.2)]


class Campaigns(Settings):
    """Randomised campaigns of the market's own plan, and what may be offered."""

    every_weeks: Annotated[int, Field(ge=1, le=520)]
    share: Share
    treated: Annotated[float, Field(gt=0, lt=1)]
    window_weeks: Annotated[int, Field(ge=1, le=12)]
    margin: Annotated[float, Field(gt=0, le=1)]
    offer: Annotated[list[Offer], Field(min_length=1)]

    @field_validator("offer")
    @classmethod
    def _distinct(cls, offers: list[Offer]) -> list[Offer]:
        names = [offer.name for offer in offers]
        if len(set(names)) < len(names):
            raise ValueError(f"offer '{max(names, key=names.count)}' is given twice")
        return offers


class Curation(Settings):
    """The shelf that an action may fill for a country."""

    seen: Share
    length: Annotated[int, Field(ge=1, le=100)]


class Confounding(Settings):
    """What makes the truth hard to read; all 0 in an easy market."""

    nonlinear: Weight
    income_sd: Weight
    income_culture: Annotated[float, Field(ge=-1, le=1)]
    income_price: LogOdds
    assortment: Weight
    price_level: Weight
    discount_level: Weight
