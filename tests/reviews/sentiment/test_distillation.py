"""A small model taught by a large one."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.reviews.made import reviews

from danggol.errors import UsageError
from danggol.reviews import SentimentModel, SentimentSettings
from danggol.reviews.sentiment.distillation import distil, student_of, taught
from danggol.reviews.sentiment.rows import shares_of
from danggol.reviews.sentiment.training import train
from danggol.shop import Shop

CHARACTERS = SentimentSettings(bits=16)
WORDS = SentimentSettings(bits=16, characters=0, edges=0, words=1, fewest=1)
GOOD, BAD = ("좋아요", "예뻐요", "만족해요"), ("싫어요", "나빠요", "실망해요")


def said(many: int, seed: int, ending: str = "") -> tuple[list[str], np.ndarray]:
    """Texts of two words of one mood, with an ending of their own."""
    draw = np.random.default_rng(seed)
    label = draw.integers(0, 2, many)
    words = [draw.choice(GOOD if one else BAD, 2) for one in label]
    return [f"{one}{ending} {nth} {two}{ending}" for nth, (one, two) in enumerate(words)], label.astype(float)


def test_a_language_that_no_label_taught_is_not_learnt() -> None:
    texts, labels = reviews(400)
    strange = [f"とても良い商品でした {nth}" for nth in range(200)]
    linear = SentimentSettings(bits=12)
    model = distil([*texts, *strange], np.append(labels, np.full(200, np.nan)), linear, linear)
    assert model.languages is not None
    assert "ja" not in model.languages


def test_a_student_learns_words_that_only_texts_without_label_have() -> None:
    texts, label = said(300, 0)
    others, _ = said(300, 1, "용")
    labels = np.concatenate([label, np.full(300, np.nan)])
    student = distil([*texts, *others], labels, CHARACTERS, WORDS)
    alone = SentimentModel(WORDS).fit(texts, label)
    asked, truth = said(100, 2, "용")
    right = [((one.predict(asked)["score"] > 0).to_numpy() == truth).mean() for one in (alone, student)]
    assert right[0] < 0.7
    assert right[1] > 0.95
    assert student.settings == WORDS


def test_teachers_do_not_know_the_labels_of_those_they_teach() -> None:
    draw = np.random.default_rng(0)
    texts = [f"{draw.integers(1 << 40)} {draw.integers(1 << 40)}" for _ in range(400)]
    label = draw.integers(0, 2, 400).astype(float)
    shares = shares_of(np.concatenate([label, np.full(400, np.nan)]), "two")
    told = taught([*texts, *texts], shares, CHARACTERS)
    assert told.shape == (800, 2)
    assert np.allclose(told.sum(axis=1), 1)
    for half in (told[:400, 1], told[400:, 1]):
        assert abs(np.corrcoef(half, label)[0, 1]) < 0.25
    seen = SentimentModel(CHARACTERS).fit(texts, label).predict(texts)["probability"].to_numpy()
    assert np.corrcoef(seen, label)[0, 1] > 0.8


def test_with_labels_alone_and_all_of_their_share_it_is_the_plain_model() -> None:
    texts, label = reviews(300)
    plain = SentimentModel(CHARACTERS).fit(texts, label).predict(texts)
    assert distil(texts, label, CHARACTERS, CHARACTERS, share=1.0).predict(texts).equals(plain)
    assert not distil(texts, label, CHARACTERS, CHARACTERS, share=0.5).predict(texts).equals(plain)


def test_stars_and_weights_are_taught() -> None:
    texts, label = reviews(600)
    wrong = np.concatenate([1 + 4 * label, 5 - 4 * label, [np.nan]])
    weights = np.concatenate([np.ones(600), np.full(600, 0.01), [1.0]])
    stars = CHARACTERS.model_copy(update={"target": "stars"})
    student = distil([*texts, *texts, "좋아요"], wrong, stars, stars, weights)
    assert student.predict(["좋아요 만족합니다", "별로예요 실망입니다"])["stars"].to_list() == [5, 1]


def test_a_network_teaches() -> None:
    texts, label = said(240, 0)
    tiny = {"vocabulary": 300, "length": 16, "width": 8, "units": 8, "epochs": 4, "rate": 0.03, "batch": 16}
    teacher = SentimentSettings(kind="ensemble", members=("cnn", "linear"), bits=16, **tiny)
    student = distil([*texts, *said(60, 1)[0]], np.concatenate([label, np.full(60, np.nan)]), teacher, WORDS, folds=2)
    asked, truth = said(100, 2)
    assert ((student.predict(asked)["score"] > 0).to_numpy() == truth).mean() > 0.95


def test_what_cannot_be_taught_is_refused() -> None:
    texts, label = reviews(100)
    with pytest.raises(UsageError, match="target stars is not the student's, two"):
        distil(texts, 1 + 4 * label, SentimentSettings(target="stars"), WORDS)
    with pytest.raises(UsageError, match="folds is 2 or more"):
        distil(texts, label, CHARACTERS, WORDS, folds=1)
    with pytest.raises(UsageError, match="share is from 0 to 1"):
        distil(texts, label, CHARACTERS, WORDS, share=1.5)


def test_a_shop_teaches_by_its_reviews_without_stars(tmp_path: Path) -> None:
    texts, label = reviews(900)
    rated = np.arange(900) < 600
    table = {"review_id": [f"r{nth}" for nth in range(900)], "text": texts}
    shop = Shop.create(tmp_path / "shop")
    shop.write("reviews", pl.DataFrame({**table, "rating": np.where(rated, 1 + 4 * label, np.nan)}))
    settings = SentimentSettings(bits=14, members=("linear", "linear"))
    told = train(shop, settings=settings, distil=True)
    folder = Path(told["model"])
    assert told["taught_by"]["members"] == ["linear", "linear"]
    assert 200 < told["taught_by"]["unrated"] < 300
    assert told["learnt_from"] + told["reviews"] == 600
    assert told["accuracy"]["value"] > 0.95
    assert "Taught by ensembles of linear, linear (distillation)" in (folder / "card.md").read_text()
    assert json.loads((folder / "metrics.json").read_text())["taught_by"] == told["taught_by"]
    assert SentimentModel.load(folder).settings == student_of(settings)
    assert (student_of(settings).strength, student_of(CHARACTERS.model_copy(update={"strength": 2.0})).strength) == (
        16,
        2,
    )
