"""Learning causes from a file of labels: honest figures, a card, and one sentence for a wrong file."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from danggol.errors import DataError, UsageError
from danggol.reviews.causes import CauseModel, CauseSettings
from danggol.reviews.causes.training import train
from danggol.shop import Shop

from .made import START, labels_file, shop_with_reviews

QUICK = CauseSettings(folds=3)


@pytest.fixture
def taught(tmp_path: Path) -> tuple[Shop, list[str], Path]:
    shop, causes = shop_with_reviews(tmp_path / "shop")
    return shop, causes, labels_file(tmp_path / "causes.csv", causes)


def test_the_model_is_saved_with_figures_and_a_card(taught: tuple[Shop, list[str], Path]) -> None:
    shop, _, file = taught
    told = train(shop, file, settings=QUICK)
    folder = shop.path / "models" / "causes"
    figures = json.loads((folder / "metrics.json").read_text("utf8"))
    assert figures["cause"] == told["cause"]
    assert (figures["reviews"], figures["folds"]) == (120, 3)
    found = figures["cause"]["all"]["macro_f1"]
    assert found["low"] <= found["value"] <= found["high"]
    assert found["value"] > 0.9
    assert found["commonest"]["value"] < 0.4
    assert found["ahead_by"]["low"] > 0
    assert figures["class"]["all"]["accuracy"]["value"] > 0.9
    assert figures["as_of"] == (START + timedelta(days=119)).isoformat(), "the latest labelled review"
    assert figures["facts"]["days_late"] == 1
    card = (folder / "card.md").read_text("utf8")
    assert "| late |" in card and "texts not seen twice" in card and "days_late 100%" in card
    assert CauseModel.load(folder).classes["late"] == "delivery"


def test_any_form_of_file_teaches_the_same(taught: tuple[Shop, list[str], Path], tmp_path: Path) -> None:
    shop, _, file = taught
    table = pl.read_csv(file)
    table.sample(fraction=1, shuffle=True, seed=1).write_ndjson(tmp_path / "causes.jsonl")
    table.write_parquet(tmp_path / "causes.parquet")
    told = [
        train(shop, one, tmp_path / f"model{nth}", QUICK)
        for nth, one in enumerate([file, tmp_path / "causes.jsonl", tmp_path / "causes.parquet"])
    ]
    assert [one["cause"] for one in told] == [told[0]["cause"]] * 3
    saved = [(tmp_path / f"model{nth}" / "weights.safetensors").read_bytes() for nth in range(3)]
    assert saved[1:] == saved[:1] * 2
    assert not (shop.path / "models").exists()


def test_rows_without_a_cause_are_counted_and_classes_may_be_left_out(tmp_path: Path) -> None:
    shop, causes = shop_with_reviews(tmp_path / "shop")
    file = labels_file(tmp_path / "causes.csv", causes, classes=False)
    with file.open("a", encoding="utf8") as opened:
        opened.write("r0150,\nr0151, \n")
    told = train(shop, file, settings=QUICK)
    assert (told["reviews"], told["without_cause"]) == (120, 2)
    assert "class" not in told


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("review_id\nr0001\n", "lacks the column 'cause'"),
        ("id,cause\nr0001,late\n", "lacks the column 'review_id'"),
        ("review_id,cause\nr0001,\n", "names no cause"),
        ("review_id,cause\n,late\n", "'late' but no review"),
        ("review_id,cause\nr0001,a\nr0001,b\n", "'r0001' has two causes"),
        ("review_id,cause\nr0001,a\nrx,a\nry,b\n", r"'rx' \(and 1 more\), which the shop does not have"),
        ("review_id,cause,class\nr0001,a,x\nr0002,a,y\n", "'a' has two classes"),
        ("review_id,cause,class\nr0001,a,x\nr0002,b,\n", "'b' has no class"),
        ("review_id,cause\nr0001,a\nr0002,a\nr0003,a\nr0004,a\n", "two causes or more.* have 1"),
        ("review_id,cause\nr0001,a\nr0002,b\nr0003,c\n", "two causes or more.* have 0"),
    ],
)
def test_a_wrong_file_is_one_sentence_and_leaves_nothing(tmp_path: Path, content: str, words: str) -> None:
    shop, _ = shop_with_reviews(tmp_path / "shop")
    file = tmp_path / "mine.csv"
    file.write_text(content, "utf8")
    with pytest.raises(DataError, match=words):
        train(shop, file)
    assert not (shop.path / "models").exists()


def test_what_is_missing_or_in_the_way_is_said(tmp_path: Path) -> None:
    empty = Shop.create(tmp_path / "empty")
    shop, causes = shop_with_reviews(tmp_path / "shop")
    file = labels_file(tmp_path / "causes.csv", causes)
    with pytest.raises(DataError, match="no table 'reviews'"):
        train(empty, file)
    with pytest.raises(UsageError, match="there is nothing"):
        train(shop, tmp_path / "none.csv")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear", "utf8")
    with pytest.raises(UsageError, match="something else than a model"):
        train(shop, file, tmp_path / "mine")
