from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from danggol.errors import DanggolError
from danggol.reviews.aspects.rises import rises
from danggol.reviews.aspects.table import aspect_rows, complaints, label_aspects
from danggol.reviews.aspects.terms import AspectModel, Term
from danggol.shop import Shop

START = datetime(2024, 1, 1, tzinfo=UTC)
PLEASED, LATE = ("품질이 좋아요", "great quality", "가격이 저렴해요"), ("배송이 너무 늦어요", "delivery was slow")


@pytest.fixture
def shop(tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for nth in range(600):
        product, week = nth % 5, int(rng.integers(0, 10))
        late = rng.random() < (0.9 if (product, week) == (2, 9) else 0.1)
        rows.append(
            {
                "review_id": f"r{nth}",
                "product_id": f"p{product}",
                "text": str(rng.choice(LATE if late else PLEASED)),
                "title": None if nth % 3 else "후기",
                "ts": START + timedelta(weeks=week, hours=int(rng.integers(0, 168))),
            }
        )
    shop = Shop.create(tmp_path / "shop")
    shop.write("reviews", pl.DataFrame(rows))
    return shop


def test_labels_a_shop_and_tells_what_rose(shop):
    told = label_aspects(shop)
    rows = shop.read("review_aspects")
    assert not shop.check()
    assert told["rows"] == rows.height == 600
    assert told["aspects"]["delivery_time"] == told["spoken_of_badly"] == rows.filter(pl.col("polarity") < 0).height
    assert rows["as_of"].unique().to_list() == [shop.read("reviews")["ts"].max()]
    found = rises(shop.read("reviews"), complaints(rows))
    assert found.filter("rose").select("product_id", "cause").rows() == [("p2", "delivery_time")]


def test_a_model_of_terms_labels_a_shop(shop, tmp_path):
    texts = [text for text in PLEASED + LATE for _ in range(5)]
    words = {"품질이": 2, "great": None, "가격이": 2, "배송이": 2, "delivery": 8}
    terms = [
        [Term(0, words[text.split()[0]], "negative" if text in LATE else "positive")] if words[text.split()[0]] else []
        for text in texts
    ]
    AspectModel(fewest=1, strength=5.0).fit([*texts, "후기"], [*terms, []]).save(tmp_path / "model")
    label_aspects(shop, model=tmp_path / "model")
    rows = shop.read("review_aspects")
    assert set(rows["aspect"]) == {"품질", "가격", "배송", "delivery"}
    assert set(rows.filter(pl.col("polarity") < 0)["aspect"]) == {"배송", "delivery"}


def test_a_term_that_is_named_twice_is_one_row():
    text = "the screen, the screen"
    model = AspectModel(fewest=1, strength=5.0).fit(
        [text] * 5, [[Term(4, 10, "positive"), Term(16, 22, "positive")]] * 5
    )
    assert aspect_rows(["a"], [text], model).select("review_id", "aspect").rows() == [("a", "screen")]


def test_a_shop_without_reviews_is_told_so(tmp_path):
    with pytest.raises(DanggolError, match="reviews"):
        label_aspects(Shop.create(tmp_path / "shop"))
