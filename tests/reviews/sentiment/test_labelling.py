"""Labelling a shop's reviews: every one gets a row, a killed run goes on, and stars that lie are seen."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from filelock import FileLock

from danggol.errors import DataError, UsageError
from danggol.reviews import SentimentModel, SentimentSettings
from danggol.reviews.sentiment import labelling
from danggol.reviews.sentiment.labelling import label
from danggol.reviews.sentiment.training import train
from danggol.shop import Shop

GOOD = ("정말 좋아요", "배송 빠르고 만족", "great quality", "love it", "최고의 선물")
BAD = ("너무 실망", "환불 요청", "terrible and late", "broken on arrival", "최악의 품질")
WHEN = datetime(2024, 3, 1, tzinfo=UTC)


def reviews(count: int, seed: int = 0) -> pl.DataFrame:
    draw = np.random.default_rng(seed)
    pleased = draw.random(count) < 0.5
    texts = [f"{draw.choice(GOOD if one else BAD)} 번호{nth % 300}" for nth, one in enumerate(pleased)]
    return pl.DataFrame(
        {
            "review_id": [f"r{nth:05d}" for nth in range(count)],
            "text": texts,
            "title": [None if nth % 2 else "후기" for nth in range(count)],
            "rating": np.where(pleased, 5.0, 1.0),
            "ts": [WHEN] * count,
        }
    )


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop.create(tmp_path / "shop")
    shop.write("reviews", reviews(900))
    train(shop, settings=SentimentSettings(bits=12), notes=["made up"], balanced=True)
    return shop


def test_every_review_gets_a_row_and_stars_that_lie_are_seen(shop: Shop) -> None:
    held = shop.read("reviews")
    lying = pl.int_range(pl.len()) < 10
    shop.write("reviews", held.with_columns(rating=pl.when(lying).then(6 - pl.col("rating")).otherwise("rating")))
    told = label(shop)
    rows = shop.read("review_sentiment")
    assert rows["review_id"].to_list() == held["review_id"].to_list()
    assert told["reviews"] == 900
    assert sum(told["labels"].values()) == 900
    assert 8 <= told["contradict_their_stars"] <= 12
    assert rows["as_of"].unique().to_list() == [WHEN]
    assert not shop.check()
    assert not (shop.path / "cache" / "reviews").exists()


def killed_after(shop: Shop, batches: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of label that is killed after some batches."""
    real, read = SentimentModel.predict, []

    def killed(self: SentimentModel, texts: list[str]) -> pl.DataFrame:
        if len(read) == batches:
            raise KeyboardInterrupt
        read.append(len(texts))
        return real(self, texts)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(SentimentModel, "predict", killed)
        label(shop)


def test_a_killed_run_goes_on_where_it_stopped(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labelling, "_BATCH", 200)
    label(shop)
    whole = shop.read("review_sentiment")
    killed_after(shop, 2, monkeypatch)
    assert shop.read("review_sentiment").equals(whole)
    real, read = SentimentModel.predict, []
    monkeypatch.setattr(SentimentModel, "predict", lambda self, texts: read.append(len(texts)) or real(self, texts))
    label(shop)
    assert sum(read) == 500
    again = shop.read("review_sentiment")
    assert again.drop("run_id").equals(whole.drop("run_id"))


def test_odd_texts_are_labelled_too(shop: Shop) -> None:
    odd = ["", " ", "x", "😀😀😀", "a" * 100_000, "\x00\x01", "<p>좋아요</p>", "좋아요 good 良い", "\ufffd" * 30]
    table = pl.DataFrame({"review_id": [f"o{nth}" for nth in range(len(odd))], "text": odd})
    shop.write("reviews", table)
    assert label(shop)["reviews"] == len(odd)
    rows = shop.read("review_sentiment")
    assert rows["label"][0] == "unreadable"
    assert rows["disagrees_with_rating"].null_count() == len(odd)
    assert rows["score"].is_between(-1, 1).all()
    assert rows["language"][2:4].to_list() == ["en", None]
    assert not [one for one in shop.check() if one.table == "review_sentiment"]


def test_languages_that_were_not_learnt_are_unsure(shop: Shop) -> None:
    strange = ["Die Hose ist leider kaputt und der Knopf fehlt", "とても良い商品でした", "terrible and late"]
    shop.write("reviews", pl.DataFrame({"review_id": ["a", "b", "c"], "text": strange, "rating": [5.0, 1.0, 5.0]}))
    assert label(shop)["unlearnt"] == {"de": 1, "ja": 1}
    rows = shop.read("review_sentiment")
    assert rows["language"].to_list() == ["de", "ja", "en"]
    assert rows["label"].to_list() == ["unsure", "unsure", "negative"]
    assert rows["confidence"][:2].to_list() == [0.0, 0.0]
    assert rows["disagrees_with_rating"].to_list() == [False, False, True]


def test_the_card_holds_what_was_measured(shop: Shop) -> None:
    folder = shop.path / "models" / "reviews"
    card = (folder / "card.md").read_text("utf8")
    assert "made up" in card
    assert "| all |" in card
    assert (folder / "metrics.json").exists()


def test_a_file_of_the_working_folder_is_not_run(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "random.py").write_text("raise SystemExit('run by mistake')")
    monkeypatch.chdir(tmp_path / "work")
    told = train(shop, tmp_path / "model", SentimentSettings(bits=12))
    assert told["per_second"] > 0


def test_a_model_takes_the_place_of_the_working_folder(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    train(shop, Path(), settings=SentimentSettings(bits=12))
    assert SentimentModel.load(tmp_path / "here").languages == {"ko", "en"}


def test_no_other_model_is_replaced(shop: Shop, tmp_path: Path) -> None:
    hub = tmp_path / "hub"
    hub.mkdir()
    (hub / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(UsageError, match="something else than a model"):
        train(shop, hub)
    (hub / "config.json").write_text('{"capability": "reviews", "model": "causes"}')
    with pytest.raises(UsageError, match="another model"):
        train(shop, hub)
    (hub / "config.json").write_text('{"capabil')
    train(shop, hub, SentimentSettings(bits=12))
    assert SentimentModel.load(hub).languages


def test_a_place_that_cannot_be_written_to_is_said_before_training(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    with pytest.raises(UsageError, match="cannot write to"):
        train(shop, tmp_path / "file" / "model")


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    shop = Shop.create(tmp_path / "shop")
    with pytest.raises(DataError, match="reviews"):
        label(shop)
    shop.write("reviews", pl.DataFrame({"review_id": ["a"], "text": ["좋아요"]}))
    with pytest.raises(DataError, match="no review has stars"):
        train(shop)
    with pytest.raises(UsageError, match="no model"):
        label(shop, tmp_path / "nowhere")


def test_a_run_that_goes_on_reads_the_same_reviews_however_they_come(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labelling, "_BATCH", 100)
    label(shop)
    whole = shop.read("review_sentiment").drop("run_id")
    killed_after(shop, 3, monkeypatch)
    parts = sorted((shop.path / "cache" / "reviews").rglob("*.parquet"))
    parts[1].write_bytes(b"")
    given = Shop.batches
    monkeypatch.setattr(Shop, "batches", lambda self, name, columns, size: given(self, name, columns, 37))
    label(shop)
    assert shop.read("review_sentiment").drop("run_id").equals(whole)


def test_reviews_that_change_meanwhile_are_not_labelled_as_they_were(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = SentimentModel.predict

    def meanwhile(self: SentimentModel, texts: list[str]) -> pl.DataFrame:
        shop.write("reviews", reviews(10))
        return real(self, texts)

    monkeypatch.setattr(SentimentModel, "predict", meanwhile)
    with pytest.raises(DataError, match="changed while"):
        label(shop)
    assert not shop.has("review_sentiment")


def test_one_run_labels_at_a_time(shop: Shop) -> None:
    (shop.path / "cache").mkdir(exist_ok=True)
    with FileLock(shop.path / "cache" / "reviews.lock"), pytest.raises(UsageError, match="another run"):
        label(shop)


def test_ratings_that_are_no_number_contradict_nothing(shop: Shop) -> None:
    shop.write("reviews", reviews(100).with_columns(rating=pl.lit(float("nan"))))
    assert label(shop)["contradict_their_stars"] == 0
