"""Tastes: effects of known size are found, and no row knows its own day or a later one."""

import dataclasses
import json

import numpy as np
import polars as pl
import pytest

from danggol.purchase.multimodal.showings import BEHAVIOUR, CUSTOMER, OFFER, Showings
from danggol.purchase.multimodal.tastes import Taste, Tastes, plan
from danggol.purchase.samples import DAY

ROWS, PEOPLE, COLOURS = 20_000, 100, 5
PLANS = plan(["colour"], [])
PLACE = {taste.name: n for n, taste in enumerate(PLANS)}


def made(person: float = 0.0, rising: float = 0.0, seed: int = 0) -> tuple[Showings, np.ndarray, np.ndarray]:
    """A year of showings; each person likes colours differently by ``person``, colour 1 rises in its second half."""
    draw = np.random.default_rng(seed)
    ts = np.sort(draw.integers(0, 364 * DAY, ROWS))
    who, colour = draw.integers(0, PEOPLE, ROWS), draw.integers(1, COLOURS + 1, ROWS)
    liking = person * draw.normal(size=(PEOPLE, COLOURS + 1))
    effect = liking[who, colour] + rising * ((ts > 182 * DAY) & (colour == 1))
    discount = draw.normal(size=ROWS)
    odds = effect + 0.5 * discount
    bought = draw.random(ROWS) < 1 / (1 + np.exp(2.0 - odds))
    viewed = bought | (draw.random(ROWS) < 1 / (1 + np.exp(1.0 - odds)))
    dwell = np.where(viewed, np.exp(2 + 0.5 * odds + draw.normal(size=ROWS)), np.nan)
    frame = pl.DataFrame(
        {
            "ts": ts,
            "start": ts,
            "customer_id": [f"C{n}" for n in who],
            "product_id": [f"P{n}" for n in draw.integers(0, 30, ROWS)],
            "country": "KR",
        }
    )
    zeros = [np.zeros((ROWS, len(names)), np.float32) for names in (OFFER, BEHAVIOUR, CUSTOMER)]
    zeros[0][:, OFFER.index("discount")] = discount
    outcome = np.column_stack([bought, viewed, dwell]).astype(np.float32)
    return Showings(frame, *zeros, bought, outcome), colour, effect


def test_each_persons_liking_is_found_and_none_where_there_is_none() -> None:
    seen, colour, effect = made(person=0.8)
    kinds, half = {"colour": colour}, ROWS // 2
    tastes = Tastes.learn(seen, kinds, PLANS, np.arange(half))
    found = tastes.of(seen, kinds, PLANS)[half:, PLACE["colour:person"]]
    assert np.corrcoef(found, effect[half:])[0, 1] > 0.6
    assert tastes.variance["colour:person"] == pytest.approx(0.64, rel=0.5)
    plain, colour, _ = made()
    none = Tastes.learn(plain, {"colour": colour}, PLANS, np.arange(half))
    assert none.variance["colour:person"] < 0.02


def test_what_rises_shows_in_the_recent_effect() -> None:
    seen, colour, _ = made(rising=1.5)
    kinds = {"colour": colour}
    found = Tastes.learn(seen, kinds, PLANS, np.arange(ROWS)).of(seen, kinds, PLANS)[:, PLACE["colour:recent"]]
    late = seen.frame["ts"].to_numpy() > 230 * DAY
    assert found[late & (colour == 1)].mean() > found[late & (colour != 1)].mean() + 0.4
    early = (seen.frame["ts"].to_numpy() < 180 * DAY) & (colour == 1)
    assert abs(found[early].mean()) < 0.3


def test_no_row_knows_its_own_day_or_a_later_one() -> None:
    seen, colour, _ = made(person=0.8, rising=1.0)
    kinds = {"colour": colour}
    tastes = Tastes.learn(seen, kinds, PLANS, np.arange(ROWS // 2))
    before = tastes.of(seen, kinds, PLANS)
    row = ROWS // 2
    day = seen.frame["ts"].to_numpy() > seen.frame["ts"][row] - DAY
    outcome = seen.outcome.copy()
    outcome[day] = [1.0, 1.0, 500.0]
    changed = tastes.of(dataclasses.replace(seen, outcome=outcome), kinds, PLANS)
    assert np.array_equal(before[: row + 1], changed[: row + 1])
    assert not np.array_equal(before, changed)
    some = np.array([3, row, 17])
    assert np.array_equal(tastes.of(seen, kinds, PLANS, some), before[some])


def test_people_who_are_not_known_share_nothing() -> None:
    seen, colour, _ = made(person=0.8)
    frame = seen.frame.with_columns(customer_id=pl.lit(None, pl.String))
    nobody = dataclasses.replace(seen, frame=frame)
    found = Tastes.learn(nobody, {"colour": colour}, PLANS, np.arange(ROWS)).of(nobody, {"colour": colour}, PLANS)
    assert (found[:, [PLACE["person:all"], PLACE["colour:person"], PLACE["discount:person"]]] == 0).all()


def test_words_of_which_a_listing_has_several_add_up() -> None:
    seen, colour, _ = made(person=0.8)
    plans, half = plan(["title"], []), np.arange(ROWS // 2)
    place = [taste.name for taste in plans].index("title:person")
    single = {"title": colour}
    twice = {"title": np.column_stack([colour, np.zeros_like(colour), colour])}
    one, two = (Tastes.learn(seen, kinds, plans, half) for kinds in (single, twice))
    first, both = one.of(seen, single, plans)[:, place], two.of(seen, twice, plans)[:, place]
    assert np.corrcoef(first[ROWS // 2 :], both[ROWS // 2 :])[0, 1] > 0.95
    none = {"title": np.zeros((ROWS, 2), np.int64)}
    assert (two.of(seen, none, plans)[:, place] == 0).all()


def test_a_saved_taste_tells_the_same_and_needs_are_named() -> None:
    seen, colour, _ = made(person=0.5)
    kinds = {"colour": colour}
    tastes = Tastes.learn(seen, kinds, PLANS, np.arange(ROWS))
    again = Tastes.from_dict(json.loads(json.dumps(tastes.to_dict())))
    assert np.array_equal(again.of(seen, kinds, PLANS), tastes.of(seen, kinds, PLANS))
    needs = {taste.name: set(taste.needs) for taste in plan(["brand"], ["centre"])}
    assert needs["brand:country"] == {"behaviour", "customer", "text"}
    assert needs["centre:person"] == {"behaviour", "image"}
    assert needs["discount:person"] == {"behaviour", "offer"}
    assert Taste("discount:person", ("person",), ("offer",), term="discount").subject == "terms"


def test_a_shop_without_views_or_looks_still_has_tastes() -> None:
    seen, colour, effect = made(person=1.5)
    outcome = seen.outcome.copy()
    outcome[:, 1], outcome[:, 2] = outcome[:, 0], np.nan
    bare = dataclasses.replace(seen, outcome=outcome)
    tastes = Tastes.learn(bare, {"colour": colour}, PLANS, np.arange(ROWS // 2))
    found = tastes.of(bare, {"colour": colour}, PLANS)[ROWS // 2 :, PLACE["colour:person"]]
    assert np.corrcoef(found, effect[ROWS // 2 :])[0, 1] > 0.4


def test_what_learning_made_is_used_only_where_it_is_of_the_same_showings() -> None:
    seen, colour, _ = made(person=0.8, rising=1.0)
    other = {"colour": np.roll(colour, 1)}
    tastes, again = (Tastes.learn(seen, {"colour": colour}, PLANS, np.arange(ROWS)) for _ in range(2))
    assert tastes.variance == again.variance
    first = tastes.of(seen, {"colour": colour.copy()}, PLANS)
    assert np.array_equal(first, tastes.of(seen, {"colour": colour}, PLANS)), "made anew"
    unlike = again.of(seen, other, PLANS)
    assert not np.array_equal(unlike, first)
    assert np.array_equal(unlike, again.of(seen, other, PLANS))
