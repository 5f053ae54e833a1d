"""Reviews of a shop as the opinion model reads them."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from danggol.errors import DataError
from danggol.purchase.opinion import OpinionModel
from danggol.purchase.opinion.inputs import Opinions, opinions_of
from danggol.shop import Shop

ROWS = 400


def made(folder: Path) -> Shop:
    """Reviews whose stars follow the light of their picture and the word in the text; a fifth have no picture."""
    draw = np.random.default_rng(0)
    shop = Shop.create(folder)
    (folder / "pictures").mkdir()
    for light in range(8):
        Image.new("RGB", (30, 30), (30 * light, 30 * light, 30 * light)).save(folder / "pictures" / f"{light}.png")
    light, kind = draw.integers(0, 8, ROWS), draw.integers(0, 2, ROWS)
    shop.write("products", pl.DataFrame({"product_id": ["P0", "P1"], "category": ["knits", None]}))
    stars = np.clip(np.round(1 + light / 2.5 + 1.5 * kind), 1, 5)
    reviews = pl.DataFrame(
        {
            "review_id": [f"R{n:03}" for n in range(ROWS)],
            "product_id": [f"P{n % 2}" for n in range(ROWS)],
            "title": [None if n % 3 else "Review" for n in range(ROWS)],
            "text": ["it is lovely" if one else "it is dull" for one in kind],
            "rating": [None if n % 50 == 0 else float(one) for n, one in enumerate(stars)],
            "image": [None if n % 5 == 0 else f"pictures/{one}.png" for n, one in enumerate(light)],
        }
    )
    shop.write("reviews", reviews)
    return shop


def test_a_shop_is_learnt_from_with_its_pictures(tmp_path: Path) -> None:
    shop = made(tmp_path / "shop")
    model = OpinionModel(target="rating", folds=3, threads=1, epochs=30).fit(shop)
    data, keys = opinions_of(shop)
    known = keys["rating"].is_not_null().to_numpy()
    truth = keys["rating"].to_numpy()

    def error(use: tuple[str, ...]) -> float:
        return float(np.mean((model.predict(data, use) - truth)[known] ** 2))

    assert error(("text", "picture")) < 0.7 * error(("text",)) < error(())
    # a review without rating or picture has a prediction too
    assert np.isfinite(model.predict(data)).all()


def test_what_is_missing_is_known_to_be(tmp_path: Path) -> None:
    data, keys = opinions_of(made(tmp_path / "shop"))
    assert keys["review_id"][0] == "R000"
    assert data.features.columns == ["category"]
    there = data.there()
    assert there["text"].all()
    assert there["picture"].sum() == ROWS * 4 // 5
    assert [data.title[0], data.title[1]] == ["Review", None]
    few = data.rows(np.array([5, 1]))
    assert few.body == [data.body[5], data.body[1]]
    assert list(few.there()["picture"]) == [False, True]


def test_a_shop_with_texts_only_is_enough(tmp_path: Path) -> None:
    shop = Shop.create(tmp_path / "shop")
    shop.write("reviews", pl.DataFrame({"review_id": ["b", "a"], "text": ["good", "  "]}))
    data, keys = opinions_of(shop)
    assert (data.body, keys["review_id"].to_list()) == ([None, "good"], ["a", "b"])
    assert list(data.there()) == ["text"]
    with pytest.raises(DataError, match="0 of 0 outcomes are yes"):
        OpinionModel().fit(shop)


def test_blank_texts_are_missing() -> None:
    assert Opinions.of(pl.DataFrame({"text": ["a", " ", None]})).body == ["a", None, None]
