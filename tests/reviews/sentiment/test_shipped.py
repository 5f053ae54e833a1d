"""The model that comes with danggol: its size, its card, and what it says of plain reviews."""

from __future__ import annotations

import json

import pytest

from danggol.reviews import SentimentModel
from danggol.reviews.sentiment.labelling import SHIPPED
from danggol.reviews.sentiment.measuring import card


@pytest.fixture(scope="module")
def model() -> SentimentModel:
    return SentimentModel.load(SHIPPED)


def test_it_is_small() -> None:
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < 20e6


def test_its_card_is_what_was_measured(model: SentimentModel) -> None:
    told = json.loads((SHIPPED / "metrics.json").read_text("utf8"))
    assert (SHIPPED / "card.md").read_text("utf8") == card(model.settings, told)
    assert told["by_source"]["naver shopping"]["accuracy"]["low"] > 0.89
    assert told["by_language"]["en"]["accuracy"]["low"] > 0.9
    assert told["per_second"] >= 1000
    assert any("CC0" in note for note in told["notes"])


@pytest.mark.parametrize(
    ("text", "pleased"),
    [
        ("배송도 빠르고 품질이 정말 좋아요", True),
        ("재구매 의사 있습니다 ㅎㅎ 만족해요", True),
        ("가격대비 괜찮아요 잘 쓰고 있습니다", True),
        ("최악이에요 환불하고 싶네요 ㅠㅠ", False),
        ("사진이랑 완전 다르고 냄새가 너무 심해요", False),
        ("두번 다시 안 삽니다 돈 버렸어요", False),
        ("I love this dress, it fits perfectly", True),
        ("very comfortable and great quality", True),
        ("terrible fabric, fell apart after one wash. returned it", False),
        ("disappointed, it looks cheap and nothing like the picture", False),
    ],
)
def test_plain_reviews_are_read_rightly(model: SentimentModel, text: str, pleased: bool) -> None:
    said = model.predict([text])
    assert (said["score"][0] > 0) == pleased
