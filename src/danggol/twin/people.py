"""The customers: where they live, what moves them, how often they come.

A person i of country c weighs term k of an offer by

    theta_ik = base_k + gamma_k . (z_c + nonlinear (z_c^2 - 1) / sqrt(2)) + delta_ck + eta_ik
               + income_price y_i  (price only),
    delta ~ N(0, country_sd_k),   eta ~ N(0, person_sd_k)

with z_c Hofstede's six scores, standardised over the table of countries, and y_i = income_sd (m_c + N(0, 1)) / sqrt(2)
the log income, whose country mean m_c correlates with individualism by income_culture. Style is a vector whose
variance lies partly between countries; interests in categories are Dirichlet; visits a week are log-normal
between people.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from danggol.twin.clock import DAY, Clock
from danggol.twin.countries import DIMENSIONS, countries, standard_scores
from danggol.twin.parameters import Parameters, Sensitivities
from danggol.twin.randomness import stream
from danggol.twin.words import COLORS, PATTERNS, STYLES

Floats = NDArray[np.float64]
Single = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

TERMS: tuple[str, ...] = tuple(Sensitivities.model_fields)
"""The terms of an offer that people weigh, in the order of every array over terms."""

CHANNELS = ("organic", "search_ad", "social", "affiliate", "referral")
_LOOK_BACK_WEEKS = 104


@dataclass(frozen=True)
class CountryWeights:
    """How countries weigh the terms: parts ``(countries, terms)`` that add up to ``value``."""

    codes: tuple[str, ...]
    base: Floats
    culture: Floats
    effect: Floats
    income: Floats
    """What the country's mean income does to the weight of the price."""
    mean_income: Floats
    """(countries,) mean log income."""

    @property
    def value(self) -> Floats:
        """The mean sensitivity of each country."""
        summed: Floats = self.base + self.culture + self.effect + self.income
        return summed


@dataclass(frozen=True)
class People:
    """The customers, one row each; arrays over people share their order."""

    ids: pl.Series
    country: Ints
    language: NDArray[np.str_]
    birth_year: Ints
    """0 where unknown."""
    gender: Ints
    """0 female, 1 male, 2 other, -1 unknown."""
    joined_at: Ints
    first_week: Ints
    visits: Floats
    income: Single
    """log, 0 on average over countries."""
    propensity: Single
    weights: Single
    style: Single
    color_liking: Single
    pattern_liking: Single
    interests: Single
    """Shares ``(people, categories)``: how often each person looks at each category, out of season."""
    acquired: Ints
    by_country: CountryWeights

    def __len__(self) -> int:
        return len(self.country)


def country_weights(parameters: Parameters, seed: int) -> CountryWeights:
    """How each country of the market weighs the terms."""
    codes = tuple(parameters.countries)
    terms = [getattr(parameters.sensitivity, name) for name in TERMS]
    gamma = np.array([[getattr(term.culture, name) for name in DIMENSIONS] for term in terms])
    base = np.broadcast_to(np.array([term.base for term in terms]), (len(codes), len(terms)))
    spread = np.array([term.country_sd for term in terms])
    effect = np.array([stream(seed, f"country {code}").normal(size=len(terms)) for code in codes]) * spread
    scores, confounding = standard_scores(codes), parameters.confounding
    bent = scores + confounding.nonlinear * (scores**2 - 1) / np.sqrt(2)
    mean_income = _mean_income(parameters, codes, scores, seed)
    income = np.where(np.array(TERMS) == "price", confounding.income_price, 0.0) * mean_income[:, None]
    return CountryWeights(codes, base, bent @ gamma.T, effect, income, mean_income)


def _mean_income(parameters: Parameters, codes: tuple[str, ...], scores: Floats, seed: int) -> Floats:
    """Mean log income of each country."""
    settings = parameters.confounding
    own = np.array([stream(seed, f"income {code}").normal() for code in codes])
    share = settings.income_culture
    level = share * scores[:, DIMENSIONS.index("idv")] + np.sqrt(1 - share**2) * own
    mean: Floats = settings.income_sd * level / np.sqrt(2)
    return mean


def make_people(parameters: Parameters, clock: Clock, seed: int, scale: float) -> People:
    """Draw ``scale`` times the market's number of customers."""
    number = max(20, round(parameters.size.customers * scale))
    rng, settings, taste = stream(seed, "people"), parameters.people, parameters.taste
    codes = tuple(parameters.countries)
    shares = np.array(list(parameters.countries.values()))
    country = rng.choice(len(codes), number, p=shares / shares.sum())
    by_country = country_weights(parameters, seed)
    person_sd = np.array([getattr(parameters.sensitivity, name).person_sd for name in TERMS])
    weights = by_country.value[country] + rng.normal(size=(number, len(TERMS))) * person_sd
    own_income = parameters.confounding.income_sd / np.sqrt(2) * stream(seed, "incomes").normal(size=number)
    weights[:, TERMS.index("price")] += parameters.confounding.income_price * own_income
    gender = np.where(rng.random(number) < settings.female, 0, 1)
    gender[rng.random(number) < 0.01] = 2
    first_week, joined_at = _joining(parameters, clock, number, rng)
    spread = settings.visits_spread
    age = np.clip(rng.normal(settings.age_mean, settings.age_sd, number), 16, 85)
    return People(
        ids=pl.select(pl.format("C{}", pl.int_range(1, number + 1).cast(pl.String).str.zfill(7))).to_series(),
        country=country,
        language=_languages(codes, country, settings.second_language, rng),
        birth_year=np.where(rng.random(number) < settings.unknown, 0, 2025 - age.astype(np.int64)),
        interests=_interests(parameters, gender, rng),
        gender=np.where(rng.random(number) < settings.unknown, -1, gender),
        joined_at=joined_at,
        first_week=first_week,
        visits=settings.visits_per_week * np.exp(spread * rng.normal(size=number) - spread**2 / 2),
        income=(by_country.mean_income[country] + own_income).astype(np.float32),
        propensity=(settings.propensity_sd * rng.normal(size=number)).astype(np.float32),
        weights=weights.astype(np.float32),
        style=_mixture(country, len(codes), len(STYLES), taste.country_share, rng),
        color_liking=_likings(country, len(codes), len(COLORS), parameters, rng),
        pattern_liking=_likings(country, len(codes), len(PATTERNS), parameters, rng),
        acquired=rng.choice(len(CHANNELS), number, p=[0.4, 0.25, 0.2, 0.1, 0.05]),
        by_country=by_country,
    )


def _joining(parameters: Parameters, clock: Clock, number: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """The first week in which each person may visit, and when they joined: in the week before it."""
    before = rng.random(number) < parameters.people.joined_before
    later = rng.integers(0, clock.weeks, number)
    first_week = np.where(before, -rng.integers(0, _LOOK_BACK_WEEKS, number), later)
    start = clock.start(0)
    within = (rng.random(number) * 6.9 * DAY).astype(np.int64) // 1_000_000 * 1_000_000
    return first_week, start + (first_week - 1) * 7 * DAY + within


def _languages(codes: tuple[str, ...], country: Ints, second: float, rng: np.random.Generator) -> NDArray[np.str_]:
    spoken = [countries()[code].languages for code in codes]
    first, other = np.array([words[0] for words in spoken]), np.array([words[-1] for words in spoken])
    return np.where(rng.random(len(country)) < second, other[country], first[country])


def _interests(parameters: Parameters, gender: Ints, rng: np.random.Generator) -> Single:
    """Shares of the categories that people look at: Dirichlet around the categories' own shares."""
    categories = parameters.goods.category
    share = np.array([category.share for category in categories])
    lean = np.array([category.women for category in categories])
    woman = np.select([gender == 0, gender == 1], [0.5, -0.5], 0.0)
    around = share / share.sum() * len(categories) * np.exp(woman[:, None] * lean)
    drawn = rng.gamma(np.maximum(parameters.people.interest_concentration * around, 1e-3)) + 1e-12
    shares: Floats = drawn / drawn.sum(axis=1, keepdims=True)
    return shares.astype(np.float32)


def _mixture(country: Ints, number: int, width: int, between: float, rng: np.random.Generator) -> Single:
    """Standard normal vectors of which a share ``between`` of the variance lies between countries."""
    centres = rng.normal(size=(number, width))
    own = rng.normal(size=(len(country), width))
    mixed: Floats = np.sqrt(between) * centres[country] + np.sqrt(1 - between) * own
    return mixed.astype(np.float32)


def _likings(country: Ints, number: int, width: int, parameters: Parameters, rng: np.random.Generator) -> Single:
    taste = parameters.taste
    centres = taste.color_country_sd * rng.normal(size=(number, width))
    return (centres[country] + taste.color_person_sd * rng.normal(size=(len(country), width))).astype(np.float32)


def customers_table(people: People) -> pl.DataFrame:
    """The customers as the shop knows them."""
    codes = pl.Series(people.by_country.codes)
    genders = pl.Series(["female", "male", "other"])
    sources = pl.Series(["shipping", "shipping", "residence", "ip"])
    number = np.arange(len(people))
    return pl.DataFrame(
        {
            "customer_id": people.ids,
            "country": codes.gather(people.country),
            "country_source": sources.gather(number % 4),
            "language": pl.Series(people.language.tolist()),
            "birth_year": pl.Series(people.birth_year).replace({0: None}),
            "gender": genders.gather(pl.Series(people.gender).replace({-1: None})),
            "joined_at": timestamps(people.joined_at),
            "acquired_through": pl.Series(CHANNELS).gather(people.acquired),
        }
    )


def timestamps(micros: Ints) -> pl.Series:
    """UTC microseconds as times."""
    return pl.Series(micros, dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))
