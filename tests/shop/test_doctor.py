"""`doctor` says which questions the tables can answer, and what one more column would unlock, in both languages."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from danggol.errors import UsageError
from danggol.shop import SCHEMAS, Shop
from danggol.shop.doctor import (
    QUESTIONS,
    Answer,
    Note,
    _words,
    doctor_figures,
    facts,
    sentence,
    title,
    unlocks,
)

T = datetime(2024, 1, 1, tzinfo=UTC)


def answers(shop: Shop) -> dict[str, Answer]:
    return {answer.question: answer for answer in shop.doctor()}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Purchases of two countries over 90 days; a quarter of the purchases have no customer."""
    made = Shop.create(tmp_path / "shop")
    made.write("customers", pl.DataFrame({"customer_id": ["a", "b"], "country": ["GB", "KR"]}))
    made.write(
        "events",
        pl.DataFrame(
            {
                "event_id": [str(n) for n in range(5)],
                "ts": [T + timedelta(days=n * 22.5) for n in range(5)],
                "kind": ["purchase"] * 4 + ["view"],
                "customer_id": ["a", "b", "b", None, None],
                "product_id": ["p"] * 5,
            }
        ),
    )
    return made


def test_an_empty_shop_answers_nothing_and_says_what_to_bring(tmp_path: Path) -> None:
    shop = Shop.create(tmp_path / "empty")
    assert not any(answer.ready for answer in shop.doctor())
    assert all(answer.missing for answer in shop.doctor())
    assert unlocks(shop.doctor())["reviews.text"] == ("review_sentiment", "review_causes")


def test_purchases_answer_the_main_question_and_cautions_are_said(shop: Shop) -> None:
    found = answers(shop)
    assert found["purchase"].ready and not found["purchase"].missing
    assert found["purchase"].filled["events:purchase.customer_id"] == 0.75
    assert found["purchase"].cautions == (
        Note("unknown_customers", {"column": "events:purchase.customer_id", "share": "75%", "empty": "25%"}),
    )
    assert "25% of the rows have no customer" in sentence(found["purchase"].cautions[0])
    assert found["purchase_by_country"].ready
    assert Note("few_countries", {"have": "2", "need": "5"}) in found["purchase_by_country"].cautions
    assert Note("short_history", {"have": "90", "need": "365"}) in found["demand"].cautions


def test_two_countries_are_no_culture_study(shop: Shop) -> None:
    assert not answers(shop)["culture"].ready
    assert answers(shop)["culture"].missing == (Note("too_few_countries", {"have": "2", "need": "3"}),)
    shop.append("customers", pl.DataFrame({"customer_id": ["c", "d"], "country": ["JP", "DE"]}))
    assert answers(shop)["culture"].ready


def test_one_more_column_unlocks(shop: Shop) -> None:
    before = unlocks(shop.doctor())
    assert before["offers.price or events.price"] == ("offer_effect",)
    assert before["orders.promised_at, orders.delivered_at"] == ("delivery_causes",)
    assert not any("culture" in questions for questions in before.values()), "no column brings a country more"
    shop.write("offers", pl.DataFrame({"product_id": ["p"], "valid_from": [T], "price": [3.0]}))
    assert answers(shop)["offer_effect"].ready
    assert "offers.price or events.price" not in unlocks(shop.doctor())


def test_a_column_that_is_there_but_empty_is_missing(shop: Shop) -> None:
    shop.write(
        "products",
        pl.DataFrame(
            {"product_id": ["p"], "title": [None], "attributes": [None]}, schema_overrides={"title": pl.String}
        ),
    )
    assert not answers(shop)["match_text"].ready
    assert answers(shop)["match_text"].filled["products.title"] == 0


@pytest.mark.parametrize("language", ["en", "ko"])
def test_everything_has_words_in_both_languages(shop: Shop, language: str) -> None:
    assert {question.code for question in QUESTIONS} == set(_words()[language]["questions"])
    for answer in shop.doctor():
        assert title(answer.question, language)
        for note in (*answer.missing, *answer.better, *answer.cautions):
            assert "{" not in sentence(note, language) and ":" not in sentence(note, language)
    assert set(_words()["en"]["notes"]) == set(_words()["ko"]["notes"])
    with pytest.raises(UsageError, match="known languages: en, ko"):
        title("purchase", "fr")


def test_every_column_that_is_asked_for_exists() -> None:
    for question in QUESTIONS:
        for choice in question.needs + question.better:
            for column in choice:
                table, _, name = column.partition(".")
                table, _, kind = table.partition(":")
                assert SCHEMAS[table].column(name)
                assert not kind or kind in SCHEMAS[table].column("kind").one_of


def test_figures_are_plain_json(shop: Shop) -> None:
    figures = json.loads(json.dumps(doctor_figures(facts(shop))))
    assert figures["rows"] == {"customers": 2, "events": 5}
    assert figures["countries"] == ["GB", "KR"] and figures["days"] == 90
    assert figures["first"].startswith("2024-01-01")
    assert len(figures["answers"]) == len(QUESTIONS)
