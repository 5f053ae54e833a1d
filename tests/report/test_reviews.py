"""The report's section on reviews."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from danggol.report import build_report
from danggol.report.pictures import Pictures
from danggol.report.sections import reviews
from danggol.shop import Shop

WHEN = datetime(2024, 3, 1, tzinfo=UTC)


@pytest.fixture
def read(tmp_path: Path) -> Shop:
    """Thirty reviews: the first product displeases in 12 of 15, the second in 1 of 15; one lies about its stars."""
    shop = Shop.create(tmp_path / "read")
    bad = [nth < 12 or nth == 20 for nth in range(30)]
    shop.write(
        "reviews",
        pl.DataFrame(
            {
                "review_id": [f"r{nth:02d}" for nth in range(30)],
                "product_id": ["first" if nth < 15 else "second" for nth in range(30)],
                "text": ["<b>환불</b> 요청\x07" if one else "좋아요" for one in bad],
                "rating": [5.0 if nth == 3 else 1.0 if one else 5.0 for nth, one in enumerate(bad)],
            }
        ),
    )
    shop.write(
        "review_sentiment",
        pl.DataFrame(
            {
                "review_id": [f"r{nth:02d}" for nth in range(30)],
                "score": [-0.9 if one else 0.9 for one in bad],
                "label": ["negative" if one else "positive" for one in bad],
                "confidence": [0.95] * 30,
                "language": ["ko"] * 30,
                "disagrees_with_rating": [nth == 3 for nth in range(30)],
                "as_of": [WHEN] * 30,
                "run_id": ["made"] * 30,
            }
        ),
    )
    return shop


def test_shares_products_and_contradictions_are_told(read: Shop) -> None:
    found = reviews.gather(read, Pictures(read))
    assert found is not None
    assert (found.total, found.contradict) == (30, 1)
    assert found.displeased == pytest.approx(13 / 30)
    assert [one.good.product_id for one in found.displeasing] == ["first"]
    assert found.displeasing[0].low < 0.8 < found.displeasing[0].high
    assert found.contradictions[0].text == "<b>환불</b> 요청"


def test_products_are_compared_with_the_share_that_the_lead_tells(read: Shop) -> None:
    """Of 100 reviews 10 displease and 70 are neither; of the 20 of one product, 9 displease, and none pleases."""
    count = 100
    labels = ["negative"] * 9 + ["neutral"] * 11 + ["negative"] * 1 + ["neutral"] * 59 + ["positive"] * 20
    ids = [f"r{nth:03d}" for nth in range(count)]
    things = ["angry"] * 20 + ["other"] * 80
    read.write("reviews", pl.DataFrame({"review_id": ids, "product_id": things, "text": ["글"] * count}))
    label = pl.DataFrame({"review_id": ids, "label": labels, "language": ["ko"] * count})
    read.write("review_sentiment", label.with_columns(as_of=pl.lit(WHEN), run_id=pl.lit("made")))
    found = reviews.gather(read, Pictures(read))
    assert found is not None
    assert found.displeased == pytest.approx(0.1)
    (shown,) = found.displeasing
    assert (shown.good.product_id, shown.reviews, shown.share) == ("angry", 20, pytest.approx(9 / 20))
    assert shown.low > found.displeased
    page = build_report(read).read_text("utf8")
    assert "surely above the shop’s 10.0%" in page and "of 20 reviews" in page


def test_aspects_are_named(read: Shop) -> None:
    read.write(
        "review_aspects",
        pl.DataFrame(
            {
                "review_id": ["r00", "r01", "r02"],
                "aspect": ["price", "price", "delivery_time"],
                "polarity": [-1.0, 1.0, -0.5],
                "span": ["x"] * 3,
                "confidence": [0.9] * 3,
                "as_of": [WHEN] * 3,
                "run_id": ["made"] * 3,
            }
        ),
    )
    found = reviews.gather(read, Pictures(read))
    assert found is not None
    assert [(one.code, one.reviews, one.good, one.bad) for one in found.aspects] == [
        ("price", 2, 0.5, 0.5),
        ("delivery_time", 1, 0.0, 1.0),
    ]
    page = build_report(read).read_text("utf8")
    assert "delivery time" in page
    assert "배송 기간" in page


def named(shop: Shop, causes: list[str], chances: list[float]) -> None:
    """Causes of the first reviews."""
    count = len(causes)
    shop.write(
        "review_causes",
        pl.DataFrame(
            {
                "review_id": [f"r{nth:02d}" for nth in range(count)],
                "cause": causes,
                "probability": chances,
                "as_of": [WHEN] * count,
                "run_id": ["made"] * count,
            }
        ),
    )


def test_causes_are_counted_where_they_are_sure_with_stars_and_what_is_late(read: Shop) -> None:
    days = [WHEN + timedelta(days=nth) if nth < 29 else None for nth in range(29)] + [None]
    read.write("reviews", read.read("reviews").with_columns(ts=pl.Series(days, dtype=pl.Datetime("us", "UTC"))))
    named(read, ["<late>"] * 14 + ["pleased"] * 16, [0.4] + [0.9] * 29)
    found = reviews.gather(read, Pictures(read))
    assert found is not None
    assert found.causes is not None
    assert (found.causes.named, found.causes.sure, found.causes.lately) == (30, 29, 28)
    pleased, late = found.causes.causes
    assert (pleased.name, pleased.reviews, late.name, late.reviews) == ("pleased", 16, "<late>", 13)
    assert late.stars == pytest.approx((10 * 1 + 3 * 5) / 13)
    assert late.lately == pytest.approx(13 / 28)
    assert late.earlier is None, "the first day lies 28 days before the last, and its answer is not sure"
    page = build_report(read).read_text("utf8")
    assert "Why customers wrote" in page
    assert "고객이 리뷰를 쓴 이유" in page
    assert "&lt;late&gt;" in page


def test_causes_are_shown_without_moods_and_times_too(read: Shop) -> None:
    read.write("review_sentiment", read.read("review_sentiment").head(0))
    named(read, ["late"] * 3, [0.1, 0.2, 0.3])
    found = reviews.gather(read, Pictures(read))
    assert found is not None
    assert found.causes is not None
    assert (found.total, found.causes.named, found.causes.sure, found.causes.causes) == (0, 3, 0, [])
    named(read, ["late"] * 3, [0.9] * 3)
    found = reviews.gather(read, Pictures(read))
    assert found is not None
    assert found.causes is not None
    assert [(one.share, one.earlier, one.lately) for one in found.causes.causes] == [(1.0, None, None)]
    page = build_report(read).read_text("utf8")
    assert 'id="review-causes"' in page
    assert 'id="review-languages"' not in page


def test_aspects_are_shown_without_moods_and_causes_too(read: Shop) -> None:
    read.write("review_sentiment", read.read("review_sentiment").head(0))
    aspects = pl.DataFrame({"review_id": ["r00", "r01"], "aspect": ["price"] * 2, "polarity": [-1.0, 0.0]})
    read.write("review_aspects", aspects.with_columns(as_of=pl.lit(WHEN), run_id=pl.lit("made")))
    found = reviews.gather(read, Pictures(read))
    assert found is not None
    assert (found.total, found.unread, found.causes, found.displeasing, found.contradictions) == (0, 0, None, [], [])
    assert [(one.code, one.reviews, one.bad) for one in found.aspects] == [("price", 2, 0.5)]
    page = build_report(read).read_text("utf8")
    assert 'id="review-aspects"' in page
    assert 'id="review-languages"' not in page and 'id="reviews-unread"' not in page


def test_labels_of_reviews_that_are_gone_are_not_counted_and_new_reviews_are_told(read: Shop) -> None:
    aspects = pl.DataFrame({"review_id": ["r00", "r01"], "aspect": ["price"] * 2, "polarity": [-1.0] * 2})
    read.write("review_aspects", aspects.with_columns(as_of=pl.lit(WHEN), run_id=pl.lit("made")))
    named(read, ["late"] * 30, [0.9] * 30)
    old = read.read("reviews")
    new = pl.DataFrame({"review_id": ["n1", "n2", "n3"], "text": ["좋아요"] * 3})
    read.write("reviews", pl.concat([old.filter(review_id="r00"), new], how="diagonal"))
    found = reviews.gather(read, Pictures(read))
    assert found is not None and found.causes is not None
    assert (found.total, found.unread, found.displeased, found.contradict) == (1, 3, 1.0, 0)
    assert [one.reviews for one in found.aspects] == [1]
    assert (found.causes.named, found.causes.sure) == (1, 1)
    read.write("reviews", new)
    found = reviews.gather(read, Pictures(read))
    assert found is not None
    assert (found.total, found.unread, found.aspects, found.causes, found.displeasing) == (0, 3, [], None, [])
    page = build_report(read).read_text("utf8")
    assert "Not labelled yet, and not counted here: 3 reviews" in page
    assert "세지 않은 리뷰: 3건" in page
    assert "Of 0 reviews" not in page and 'id="review-languages"' not in page


@pytest.mark.parametrize(
    ("rating", "english", "korean"),
    [
        (1.0, "1 star, but the text is", "별점 1점, 글은"),
        (1.5, "1.5 stars, but the text is", "별점 1.5점, 글은"),
        (17 / 9, "1.9 stars, but the text is", "별점 1.9점, 글은"),
        (1.96, "2 stars, but the text is", "별점 2점, 글은"),
    ],
)
def test_stars_are_shown_as_they_were_given(read: Shop, rating: float, english: str, korean: str) -> None:
    told = read.read("reviews")
    read.write("reviews", told.with_columns(rating=pl.when(pl.col("review_id") == "r03").then(rating)))
    page = build_report(read).read_text("utf8")
    assert english in page
    assert korean in page


def test_the_page_escapes_what_reviewers_wrote(read: Shop) -> None:
    page = build_report(read).read_text("utf8")
    assert 'id="reviews"' in page
    assert "&lt;b&gt;환불" in page
    assert "<b>환불" not in page


def test_a_shop_whose_reviews_were_not_read_has_no_section(tmp_path: Path) -> None:
    shop = Shop.create(tmp_path / "shop")
    assert reviews.gather(shop, Pictures(shop)) is None
    assert 'id="reviews"' not in build_report(shop).read_text("utf8")
