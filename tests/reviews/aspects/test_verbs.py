"""The verb on aspects: a complaint that rose is found, and one that did not is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from danggol.errors import DataError
from danggol.reviews.aspects.verbs import aspects
from danggol.reviews.sentiment import SentimentModel
from danggol.shop import Shop
from danggol.verbs import reviews_aspects

BEGAN = datetime(2024, 1, 1, 12, tzinfo=UTC)


def reviews(late_share: float) -> pl.DataFrame:
    """Ten weeks of 20 reviews of each of two products; in the last week the first one comes late more often."""
    rows = []
    for week in range(10):
        for nth in range(20):
            for product in ("first", "second"):
                share = late_share if (product, week) == ("first", 9) else 0.1
                late = nth < 20 * share
                text = "배송이 너무 늦어요. 실망했어요" if late else "가격이 저렴하고 좋아요. 벚꽃 향기"
                rows.append((f"{product}{week}-{nth}", product, text, BEGAN + timedelta(weeks=week, minutes=nth)))
    return pl.DataFrame(rows, schema=["review_id", "product_id", "text", "ts"], orient="row")


@pytest.mark.parametrize(("share", "rose"), [(0.9, ["(all)", "first"]), (0.1, [])])
def test_only_what_rose_is_told(tmp_path: Path, share: float, rose: list[str]) -> None:
    shop = Shop.create(tmp_path / "shop")
    shop.write("reviews", reviews(share))
    told = aspects(shop)
    assert sorted(row["product_id"] for row in told["rose"]) == rose
    assert {row["cause"] for row in told["rose"]} <= {"delivery_time"}
    assert all(row["week"] == "2024-03-04" for row in told["rose"])
    found = {row["aspect"]: row for row in told["by_aspect"]}
    assert found["delivery_time"]["bad"] == 1.0
    assert found["price"]["good"] == 1.0
    assert told["rows"] == shop.read("review_aspects").height
    assert not shop.check()
    assert any("벚꽃" in " ".join(one["words"] + one["examples"]) for one in told["topics"])


def test_reviews_without_times_and_products_are_labelled_too(tmp_path: Path) -> None:
    shop = Shop.create(tmp_path / "shop")
    with pytest.raises(DataError, match="reviews"):
        aspects(shop)
    shop.write("reviews", pl.DataFrame({"review_id": ["a", "b"], "text": ["배송이 늦어요", ""]}))
    told = aspects(shop)
    assert told["rose"] == []
    assert told["rows"] == 1


NO_TIME = pl.lit(None, pl.Datetime("us", "UTC"))


@pytest.mark.parametrize(
    ("table", "why", "said"),
    [
        (reviews(0.1).with_columns(ts=NO_TIME), "no times", "No review tells when"),
        (reviews(0.1).filter(pl.col("ts") >= BEGAN + timedelta(weeks=9)), "no weeks before", "of one week"),
        (reviews(0.1).filter(pl.col("text").str.contains("가격")), "none named", "No complaint is named"),
        (reviews(0.9).group_by("product_id").tail(3), "no weeks before", "of one week"),
        (reviews(0.1).group_by("product_id", pl.col("ts").dt.truncate("2w")).head(1), "too few", "too few reviews"),
        (reviews(0.1), None, "more than by chance"),
    ],
)
def test_it_is_said_why_nothing_rose(tmp_path: Path, table: pl.DataFrame, why: str | None, said: str) -> None:
    shop = Shop.create(tmp_path / "shop")
    shop.write("reviews", table.select("review_id", "product_id", "text", "ts"))
    told = reviews_aspects(shop.path, words=None, model=None, sentiment=False)
    assert (told.figures["not_compared"], told.figures["rose"]) == (why, [])
    assert (told.figures["compared"] == 0) == (why is not None)
    assert any(said in str(line) for line in told.text)


def test_a_file_without_words_of_feeling_is_told_so(tmp_path: Path) -> None:
    shop = Shop.create(tmp_path / "shop")
    shop.write("reviews", reviews(0.1))
    (tmp_path / "mine.toml").write_text('[aspects.price]\nko = ["*가격"]\n', "utf8")
    given = {"words": tmp_path / "mine.toml", "model": None}
    silent, heard = (reviews_aspects(shop.path, **given, sentiment=one) for one in (False, True))
    assert any("no words of feeling in ko" in str(line) for line in silent.text)
    assert not any("no words of feeling" in str(line) for line in heard.text)


@pytest.mark.parametrize(("sentiment", "polarity"), [(True, -1), (False, 0)])
def test_a_sentiment_model_tells_what_no_word_of_feeling_does(tmp_path: Path, sentiment: bool, polarity: int) -> None:
    shop = Shop.create(tmp_path / "shop")
    texts = ["두 번 다시는 안 삽니다. 돈만 날린 배송", "Der Versand ist wie er ist"]
    shop.write("reviews", pl.DataFrame({"review_id": ["a", "b"], "text": texts}))
    told = aspects(shop, sentiment=sentiment)
    assert told["sentiment"] == ("shipped" if sentiment else None)
    found = shop.read("review_aspects").sort("review_id")
    assert found["polarity"].sign().to_list() == [polarity, 0]


def test_the_shops_own_sentiment_model_goes_first(tmp_path: Path) -> None:
    shop = Shop.create(tmp_path / "shop")
    texts = [f"{word} {nth}" for nth in range(60) for word in ("blorp", "glimf")]
    SentimentModel(fewest=1).fit(texts, [0, 1] * 60).save(shop.path / "models" / "reviews")
    shop.write("reviews", pl.DataFrame({"review_id": ["a", "b"], "text": ["price blorp", "price glimf"]}))
    assert aspects(shop)["sentiment"] == str(shop.path / "models" / "reviews")
    assert shop.read("review_aspects").sort("review_id")["polarity"].sign().to_list() == [-1, 1]
