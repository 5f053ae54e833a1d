"""Kinds of listings: what is learnt of the catalogue, and codes that do not depend on the order of rows."""

import json

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from danggol.purchase.multimodal.kinds import Kinds


def catalogue() -> pl.DataFrame:
    colours = ["빨강", "파랑", "초록", "검정"]
    return pl.DataFrame(
        {
            "category": ["가방", "신발"] * 20,
            "brand": [f"brand {n % 7}" for n in range(40)],
            "attributes": [{"colour": colours[n % 4], "rating": str(4 + n % 2), "serial": f"x{n}"} for n in range(40)],
        },
        schema_overrides={"attributes": pl.Object},
    )


def pictures(shades: list[float]) -> np.ndarray:
    return np.repeat(np.array(shades, np.float32)[:, None, None], 9, 1).repeat(192, 2)


def test_kinds_are_words_that_repeat_never_numbers_or_serials() -> None:
    rows = catalogue()
    found = Kinds.learn(rows, pictures([]))
    assert found.text == ["category", "brand", "attribute colour"]
    codes = found.of_listings(rows)
    assert len(np.unique(codes["category"])) == 2
    assert (codes["attribute colour"][:4] == codes["attribute colour"][4:8]).all()
    assert "attribute rating" not in codes


def test_a_value_that_was_not_known_is_zero_and_so_is_a_missing_one() -> None:
    found = Kinds.learn(catalogue(), pictures([]))
    new = pl.DataFrame(
        {"category": ["모자", None], "brand": ["brand 1", "?"], "attributes": [None, {"colour": "빨강"}]}
    )
    codes = found.of_listings(new)
    assert codes["category"].tolist() == [0, 0]
    assert codes["brand"][0] > 0 == codes["brand"][1]
    assert codes["attribute colour"][0] == 0 < codes["attribute colour"][1]


ROWS = catalogue()
KINDS = Kinds.learn(ROWS, pictures([]))


@settings(max_examples=20)
@given(st.permutations(range(40)))
def test_the_order_of_listings_does_not_matter(order: list[int]) -> None:
    rows, found = ROWS, KINDS
    codes, moved = found.of_listings(rows), found.of_listings(rows[list(order)])
    assert all((codes[name][list(order)] == moved[name]).all() for name in codes)


def test_pictures_of_a_colour_share_a_word_and_a_broken_one_has_none() -> None:
    rng = np.random.default_rng(0)
    shades = pictures(list(np.repeat([-0.9, -0.3, 0.3, 0.9], 20))) + 0.01 * rng.normal(size=(80, 9, 192))
    found = Kinds.learn(catalogue(), shades.astype(np.float32))
    given_back = Kinds(**json.loads(json.dumps(found.to_dict())))
    codes = given_back.of_pictures(np.concatenate([shades, np.full((1, 9, 192), np.nan)]).astype(np.float32))
    centre = codes["centre"]
    groups = [set(centre[start : start + 20]) for start in range(0, 80, 20)]
    assert all(not one & other for place, one in enumerate(groups) for other in groups[:place])
    assert all(codes[name][-1] == 0 for name in codes)
