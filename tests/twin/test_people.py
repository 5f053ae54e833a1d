import csv
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from danggol.twin import Market, MarketFile
from danggol.twin.clock import Clock
from danggol.twin.countries import DIMENSIONS, countries, standard_scores
from danggol.twin.people import TERMS, country_weights, make_people


@pytest.fixture(scope="module")
def parameters():
    return MarketFile.load("default").parameters


def test_the_scores_are_those_of_the_published_table(shared_data: Path):
    path = shared_data / "culture" / "hofstede_2015.csv"
    names = {"KR": "KOR", "JP": "JPN", "US": "USA", "CN": "CHI", "GB": "GBR", "DE": "GER", "VN": "VIE", "HK": "HOK"}
    names |= {"AU": "AUL", "BR": "BRA", "CA": "CAN", "ES": "SPA", "FR": "FRA", "ID": "IDO", "IN": "IND", "IT": "ITA"}
    names |= {"MX": "MEX", "MY": "MAL", "NL": "NET", "PH": "PHI", "SE": "SWE", "SG": "SIN", "TH": "THA", "TW": "TAI"}
    published = {row["ctr"]: row for row in csv.DictReader(path.read_text("utf8").splitlines(), delimiter=";")}
    assert set(names) == set(countries())
    for code, theirs in names.items():
        row = published[theirs]
        assert countries()[code].scores == tuple(
            float(row[name]) for name in ("pdi", "idv", "mas", "uai", "ltowvs", "ivr")
        )


def test_scores_are_standardised_over_the_table_whichever_countries_a_market_has():
    everything = standard_scores(tuple(countries()))
    assert np.allclose(everything.mean(axis=0), 0)
    assert np.allclose(everything.std(axis=0), 1)
    assert np.array_equal(standard_scores(["JP"])[0], everything[list(countries()).index("JP")])


def test_the_truth_file_holds_what_the_market_file_says(small):
    parameters = MarketFile.load("small").parameters
    truth = pl.read_parquet(small.truth("country_sensitivities"))
    scores = pl.read_parquet(small.truth("countries"))
    joined = truth.join(scores, on="country")
    assert len(joined) == 8 * len(TERMS)
    for row in joined.iter_rows(named=True):
        term = getattr(parameters.sensitivity, row["term"])
        culture = sum(getattr(term.culture, name) * row[name] for name in DIMENSIONS)
        assert row["base"] == term.base
        assert row["culture"] == pytest.approx(culture, abs=1e-12)
        assert row["value"] == pytest.approx(row["base"] + row["culture"] + row["country_effect"], abs=1e-12)


def test_regressing_the_countries_on_the_dimensions_gives_back_the_coefficients(parameters):
    codes = tuple(parameters.countries)
    design = np.column_stack([np.ones(len(codes)), standard_scores(codes)])
    fits = np.array([np.linalg.lstsq(design, country_weights(parameters, s).value, rcond=None)[0] for s in range(200)])
    for column, name in enumerate(TERMS):
        term = getattr(parameters.sensitivity, name)
        said = [term.base, *(getattr(term.culture, dimension) for dimension in DIMENSIONS)]
        error = fits[:, :, column].std(axis=0) / np.sqrt(len(fits))
        assert np.all(np.abs(fits[:, :, column].mean(axis=0) - said) < 4.5 * error + 1e-9), name


def test_people_scatter_around_their_country(parameters):
    people = make_people(parameters, Clock.of(parameters), seed=3, scale=4.0)
    for column, name in enumerate(TERMS):
        around = people.weights[:, column] - people.by_country.value[people.country, column]
        spread = getattr(parameters.sensitivity, name).person_sd
        assert around.std() == pytest.approx(spread, rel=0.05)
        assert abs(around.mean()) < 4 * spread / np.sqrt(len(people))


def test_countries_ages_and_visits_are_as_the_market_says(parameters):
    people = make_people(parameters, Clock.of(parameters), seed=5, scale=4.0)
    shares = np.array(list(parameters.countries.values()))
    assert np.allclose(np.bincount(people.country) / len(people), shares / shares.sum(), atol=0.015)
    known = people.birth_year[people.birth_year > 0]
    assert known.min() >= 1940
    assert known.max() <= 2009
    assert (2025 - known).mean() == pytest.approx(parameters.people.age_mean, abs=1.5)
    assert people.visits.mean() == pytest.approx(parameters.people.visits_per_week, rel=0.1)
    top = np.sort(people.visits)[::-1]
    assert top[: len(top) // 10].sum() > 0.35 * top.sum()
    assert np.allclose(people.interests.sum(axis=1), 1.0, atol=1e-5)


def test_a_country_weighs_the_terms_the_same_in_whichever_market_it_is(parameters):
    small = MarketFile.load("small").parameters
    here, there = country_weights(parameters, 9), country_weights(small, 9)
    for code in small.countries:
        assert np.array_equal(here.value[here.codes.index(code)], there.value[there.codes.index(code)])


def test_nobody_comes_before_joining_or_after_leaving():
    world = Market("small", 2)
    people = world.people
    index = {one: number for number, one in enumerate(people.ids)}
    for week in range(world.clock.weeks):
        came = (
            world.step()
            .tables["events"]
            .filter(pl.col("session_id").is_not_null())["customer_id"]
            .drop_nulls()
            .unique()
        )
        who = np.array([index[one] for one in came])
        assert (people.first_week[who] <= week).all()
        assert (world.feelings.left_week[who] > week).all()
