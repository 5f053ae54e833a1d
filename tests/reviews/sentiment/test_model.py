from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reviews.made import BAD, GOOD, reviews

from danggol.errors import DataError, UsageError
from danggol.reviews import SentimentModel, SentimentSettings
from danggol.reviews.sentiment.pretraining import pretrain


@pytest.fixture(scope="module")
def model() -> SentimentModel:
    return SentimentModel(bits=18).fit(*reviews())


def test_new_reviews_are_told_with_their_language(model: SentimentModel) -> None:
    texts, label = reviews(200, seed=1)
    found = model.predict(texts)
    assert ((found["probability"] > 0.5).to_numpy() == label).mean() > 0.97
    assert set(found["label"]) <= {"positive", "negative", "unsure"}
    assert np.allclose(found["score"], 2 * found["probability"] - 1)
    assert found["language"].value_counts(sort=True)["language"][0] == "ko"


@pytest.mark.parametrize("text", ["", None, "   ", "<br>", "...", "\ufffd\ufffd", "\x00"])
def test_what_says_nothing_is_unreadable_and_neutral(model: SentimentModel, text: str | None) -> None:
    row = model.predict([text]).row(0, named=True)
    assert (row["score"], row["label"], row["confidence"]) == (0.0, "unreadable", 0.0)


@pytest.mark.parametrize(
    "text", ["굳", "가" * 100_000, "😀😀😭", "<b>좋아요</b> love it 良い 商品", "좋아요".encode("cp949")]
)
def test_odd_texts_get_an_answer(model: SentimentModel, text: str | bytes) -> None:
    row = model.predict([text]).row(0, named=True)
    assert -1 <= row["score"] <= 1
    assert row["label"] in {"positive", "negative", "unsure"}


def test_a_text_of_which_nothing_is_known_is_unsure(model: SentimentModel) -> None:
    assert model.predict(["Жпщ"])["label"][0] == "unsure"


def test_noise_costs_little(model: SentimentModel) -> None:
    texts, label = reviews(300, seed=2)
    noisy = [text.replace(" ", "") + "~~ 🙏" for text in texts]
    before, after = (((model.predict(one)["score"] > 0).to_numpy() == label).mean() for one in (texts, noisy))
    assert after > before - 0.03


def test_saved_and_loaded_says_the_same(model: SentimentModel, tmp_path: Path) -> None:
    texts = [*GOOD, *BAD, ""]
    loaded = SentimentModel.load(model.save(tmp_path / "model"))
    assert loaded.predict(texts).equals(model.predict(texts))
    assert loaded.settings == model.settings


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("calibration.json", '"slope": ', '"slope": NaN, "was": '),
        ("calibration.json", '"shifts": [', '"shifts": [0.0, '),
        ("config.json", '"edges": 4', '"edges": 0'),
        ("config.json", '"target": "two"', '"target": "stars"'),
    ],
)
def test_a_model_of_other_settings_or_numbers_is_refused(
    model: SentimentModel, tmp_path: Path, file: str, old: str, new: str
) -> None:
    model.save(tmp_path / "model")
    path = tmp_path / "model" / file
    path.write_text(path.read_text("utf8").replace(old, new), "utf8")
    with pytest.raises(DataError, match="train it again"):
        SentimentModel.load(tmp_path / "model")


def test_a_linear_model_needs_something_to_count() -> None:
    with pytest.raises(UsageError, match="all 0"):
        SentimentSettings.of({"characters": 0, "edges": 0, "words": 0})
    SentimentSettings.of({"kind": "cnn", "characters": 0, "edges": 0, "words": 0})


def test_a_damaged_model_is_refused(model: SentimentModel, tmp_path: Path) -> None:
    folder = model.save(tmp_path / "model")
    (folder / "linear.safetensors").write_bytes(b"broken")
    with pytest.raises(DataError, match="damaged"):
        SentimentModel.load(folder)
    with pytest.raises(UsageError, match="no model"):
        SentimentModel.load(tmp_path / "nothing")


def test_batches_say_the_same_as_all_at_once(model: SentimentModel) -> None:
    texts, _ = reviews(50, seed=3)
    parts = list(model.predict_many(iter([texts[:20], [], texts[20:]])))
    whole = model.predict(texts)
    assert [len(one) for one in parts] == [20, 0, 30]
    assert np.allclose(np.concatenate([one["score"] for one in parts]), whole["score"], atol=1e-6)


def test_stars_have_a_middle_and_a_score() -> None:
    texts, label = reviews(900)
    stars = np.where(label == 1, 5, 1)
    stars[::3] = 3
    texts = ["그저 그래요 보통 " + text[:4] if one == 3 else text for text, one in zip(texts, stars, strict=True)]
    model = SentimentModel(target="stars", bits=18, sure=0.3).fit(texts, stars)
    found = model.predict(["그저 그래요 보통", "좋아요 최고 만족합니다", "별로예요 실망입니다"])
    assert found["stars"].to_list() == [3, 5, 1]
    assert found["label"].to_list() == ["neutral", "positive", "negative"]
    assert found["score"][2] < found["score"][0] < found["score"][1]


def test_a_score_is_learnt_as_a_share() -> None:
    texts, label = reviews(500)
    model = SentimentModel(target="score", bits=18).fit(texts, label * 1.6 - 0.8)
    found = model.predict(["좋아요 만족합니다", "별로예요 실망입니다"])["score"]
    assert 0.3 < found[0] <= 1
    assert -1 <= found[1] < -0.3


def test_rows_without_label_or_weight_are_left_out() -> None:
    texts, label = reviews(400)
    wrong = [*texts, *texts]
    labels = np.concatenate([label, 1 - label])
    weights = np.concatenate([np.ones(400), np.zeros(400)])
    missing = np.concatenate([label, np.full(400, np.nan)])
    first = SentimentModel(bits=18).fit(wrong, labels, weights).predict(texts)
    assert first.equals(SentimentModel(bits=18).fit(wrong, missing).predict(texts))


@pytest.mark.parametrize(
    ("labels", "said"),
    [([0, 1, 2], "0 to 1, got 2"), ([0, 1], "2 labels"), ([1, 1, 1], "too few"), ([0, 1, np.nan], "too few")],
)
def test_labels_that_cannot_be_learnt_are_refused(labels: list[float], said: str) -> None:
    with pytest.raises((DataError, UsageError), match=said):
        SentimentModel().fit(["좋아요", "싫어요", "그저"], labels)


def test_an_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="linear"):
        SentimentModel(kind="liner")


@settings(max_examples=100)
@given(texts=st.lists(st.text(max_size=60), max_size=6))
def test_every_text_has_one_row_in_bounds(texts: list[str]) -> None:
    found = _small().predict(texts)
    assert found.height == len(texts)
    assert found["score"].is_between(-1, 1).all()
    assert found["confidence"].is_between(0, 1).all()


_SMALL: list[SentimentModel] = []


def _small() -> SentimentModel:
    if not _SMALL:
        _SMALL.append(SentimentModel(bits=12).fit(*reviews(300)))
    return _SMALL[0]


TINY = {"vocabulary": 300, "length": 16, "width": 8, "units": 8, "epochs": 3, "rate": 0.03, "batch": 32, "bits": 16}


@pytest.mark.parametrize("kind", ["cnn", "lstm", "cnn-lstm", "transformer", "ensemble"])
def test_every_kind_learns_and_is_saved(kind: str, tmp_path: Path) -> None:
    model = SentimentModel(kind=kind, members=("linear", "cnn"), **TINY).fit(*reviews())
    texts, label = reviews(100, seed=4)
    found = model.predict([*texts, "", "😀"])
    assert ((found["probability"][:100] > 0.5).to_numpy() == label).mean() > 0.9
    assert found["label"][100] == "unreadable"
    if kind == "ensemble":
        assert list(model.parts(texts)) == ["1 linear", "2 cnn"]
        mean = np.mean([one[:, 1] - one[:, 0] for one in model.parts(texts).values()], axis=0)
        assert np.corrcoef(mean, found["score"][:100])[0, 1] > 0.8
    loaded = SentimentModel.load(model.save(tmp_path / "model"))
    assert np.allclose(loaded.predict(texts)["score"], found["score"][:100], atol=1e-6)


def test_stars_by_a_network() -> None:
    texts, label = reviews(600)
    model = SentimentModel(kind="cnn", target="stars", **TINY).fit(texts, 1 + 4 * label)
    assert model.predict(["좋아요 만족합니다", "별로예요 실망입니다"])["stars"].to_list() == [5, 1]


def test_related_reviews_help_where_labels_are_few() -> None:
    few, some = reviews(60)
    related, mood = reviews(1500, seed=5)
    settings = SentimentSettings(kind="cnn", held=0.3, **{**TINY, "epochs": 1, "rate": 1e-3, "batch": 8})
    start = pretrain([*few, "🙂", None], settings, (related, mood), passes=20)
    texts, label = reviews(200, seed=6)
    alone, helped = (SentimentModel(settings).fit(few, some, start=one).predict(texts) for one in (None, start))
    right = [((one["score"] > 0).to_numpy() == label).mean() for one in (alone, helped)]
    assert right[1] > max(0.9, right[0])


def test_morphemes_are_read_whatever_the_ending() -> None:
    pytest.importorskip("kiwipiepy")
    good, bad = "가방이 예쁘고 좋았어요", "바지가 찢어지고 나빴어요"
    texts = [f"{text} {nth}" for nth in range(60) for text in (good, bad)]
    model = SentimentModel(kind="morphemes", bits=16).fit(texts, [1.0, 0.0] * 60)
    assert model.predict(["예쁩니다", "찢어집니다"])["score"].sign().to_list() == [1, -1]


def test_a_member_that_is_no_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="members"):
        SentimentModel(kind="ensemble", members=("linear", "ensemble"))
