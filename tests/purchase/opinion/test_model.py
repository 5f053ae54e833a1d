"""The opinion model on made-up reviews whose truth is known."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from danggol.errors import DataError, UsageError
from danggol.metrics import auc
from danggol.purchase.opinion import OpinionModel
from danggol.purchase.opinion.inputs import Opinions
from danggol.purchase.opinion.stack import Stack, Stacks

FILLER = "the colour of this dress is as shown and it came in a box on monday with a note".split()


def made(
    rows: int = 900, text: float = 0.0, feature: float = 0.0, picture: float = 0.0, seed: int = 0
) -> tuple[Opinions, np.ndarray, np.ndarray]:
    """Reviews whose praise, age and bright picture move the outcome as asked; log odds and outcomes."""
    draw = np.random.default_rng(seed)
    mood, age, light = draw.normal(size=rows), draw.normal(size=rows), draw.normal(size=rows)
    body = []
    for one in mood:
        said = [str(word) for word in draw.choice(FILLER, 8)]
        praise = draw.random(3) < 1 / (1 + np.exp(-2 * one))
        said += [str(draw.choice(["lovely", "superb"] if up else ["dreadful", "shoddy"])) for up in praise]
        body.append(" ".join(said))
    odds = text * mood + feature * age + picture * light
    table = pl.DataFrame(
        {"text": body, "age": 40 + 10 * age, "class": [str(one) for one in draw.choice(["knits", "pants"], rows)]}
    )
    regions = (0.5 * light[:, None, None] + 0.1 * draw.normal(size=(rows, 4, 12))).astype(np.float32)
    data = Opinions.of(table, "text", features=("age", "class"), regions=regions)
    return data, odds, draw.random(rows) < 1 / (1 + np.exp(-odds))


def without(data: Opinions, *modalities: str) -> Opinions:
    nothing = [None] * len(data)
    return Opinions(
        nothing if "text" in modalities else data.title,
        nothing if "text" in modalities else data.body,
        data.features.select([]) if "features" in modalities else data.features,
        None if "picture" in modalities else data.regions,
    )


def model(**settings: object) -> OpinionModel:
    return OpinionModel(**({"folds": 3, "threads": 1, "rounds": 60} | settings))


@pytest.fixture(scope="module")
def fitted() -> OpinionModel:
    data, _, label = made(text=1.5, feature=0.8, picture=1.5)
    return model().learn(data, label)


@pytest.mark.parametrize(("which", "modality"), [("text", "text"), ("feature", "features"), ("picture", "picture")])
def test_the_modality_that_decides_is_used_and_the_others_are_not(which: str, modality: str) -> None:
    data, _, label = made(**{which: 2.0})
    learnt = model().learn(data, label)
    new, _, truth = made(**{which: 2.0}, seed=1)
    whole = auc(learnt.predict(new), truth)
    assert whole > 0.75
    assert whole >= auc(learnt.predict(new, use=[modality]), truth) - 0.01
    said = learnt.explain(new)
    assert said[modality].std() > 0.5
    assert all(said[name].std() == 0 for name in ("text", "features", "picture") if name != modality)


def test_joined_beats_every_modality_where_each_has_a_part(fitted: OpinionModel) -> None:
    new, odds, truth = made(3000, text=1.5, feature=0.8, picture=1.5, seed=1)
    joined = auc(fitted.predict(new), truth)
    alone = {name: auc(fitted.predict(new, use=[name]), truth) for name in ("text", "features", "picture")}
    assert joined > max(alone.values()) + 0.03
    # three words tell the mood in part only
    assert joined > auc(odds, truth) - 0.08
    # the picture is used: without it the joined model is worse
    assert joined > auc(fitted.predict(new, use=["text", "features"]), truth) + 0.03
    shares = fitted.shares(new, truth, draws=50)
    assert sum(one.value for one in shares.share.values()) == pytest.approx(joined - 0.5, abs=1e-9)
    assert shares.share["picture"].low > shares.share["features"].high


@pytest.mark.parametrize("missing", [("text",), ("picture",), ("features", "picture"), ("text", "features", "picture")])
def test_a_missing_modality_is_as_one_that_is_not_looked_at(fitted: OpinionModel, missing: tuple[str, ...]) -> None:
    new, _, _ = made(200, text=1.5, feature=0.8, picture=1.5, seed=1)
    left = [name for name in ("text", "features", "picture") if name not in missing]
    # no training row lacked a modality, so its absence says nothing
    np.testing.assert_allclose(fitted.predict(without(new, *missing)), fitted.predict(new, use=left))


def test_the_absence_of_text_counts_where_it_says_something() -> None:
    data, _, label = made(text=1.5)
    silent = np.arange(len(data)) < 150
    body = [None if one else text for one, text in zip(silent, data.body, strict=True)]
    label = np.where(silent, np.arange(len(data)) % 10 > 0, label)
    learnt = model().learn(Opinions(data.title, body, data.features), label)
    new, _, _ = made(50, text=1.5, seed=1)
    assert learnt.predict(without(new, "text", "picture")).mean() == pytest.approx(0.9, abs=0.04)


def test_stars_are_predicted_on_their_scale() -> None:
    data, odds, _ = made(text=1.0, picture=1.0)
    stars = np.clip(np.round(3.5 + odds), 1, 5)
    learnt = model(target="rating").learn(data, stars)
    new, odds, _ = made(text=1.0, picture=1.0, seed=1)
    truth = np.clip(np.round(3.5 + odds), 1, 5)
    said = learnt.predict(new)
    assert said.min() >= 1
    assert said.max() <= 5
    error = np.mean((said - truth) ** 2)
    assert error < 0.6 * truth.var()
    assert error < 0.85 * np.mean((learnt.predict(new, use=["text"]) - truth) ** 2)
    shares = learnt.shares(new, truth, draws=20)
    assert shares.share["picture"].low > 0


def test_words_say_what_pushes(fitted: OpinionModel) -> None:
    words = fitted.words(3)
    assert {"lovely", "superb"} <= set(words["ngram"].head(3))
    assert {"dreadful", "shoddy"} <= set(words["ngram"].tail(3))
    new, _, _ = made(1, seed=1)
    said = Opinions([None], ["it is lovely and not shoddy"], new.features, new.regions)
    pushes = dict(fitted.words_of(said, 0).iter_rows())
    assert set(pushes) == {"it", "is", "lovely", "and", "not", "shoddy"}
    assert max(pushes, key=lambda word: pushes[word]) == "lovely"
    assert min(pushes, key=lambda word: pushes[word]) == "shoddy"
    mute = Opinions([None], [None], new.features, new.regions)
    assert fitted.words_of(mute, 0).height == 0


def test_contributions_add_up_to_the_log_odds(fitted: OpinionModel) -> None:
    new, _, _ = made(100, text=1.5, seed=1)
    said = fitted.explain(new)
    np.testing.assert_allclose(said["whole"], fitted.values(new))
    np.testing.assert_allclose(1 / (1 + np.exp(-said["whole"].to_numpy())), fitted.predict(new))


def test_a_saved_model_predicts_alike_and_a_damaged_one_is_refused(fitted: OpinionModel, tmp_path: Path) -> None:
    new, _, _ = made(100, text=1.5, seed=1)
    fitted.save(tmp_path / "model")
    np.testing.assert_allclose(OpinionModel.load(tmp_path / "model").predict(new), fitted.predict(new), rtol=1e-6)
    assert {file.suffix for file in (tmp_path / "model").iterdir()} == {".json", ".safetensors", ".txt"}
    for name in ("text.safetensors", "picture_0.safetensors", "stacks.json", "ngrams.json"):
        fitted.save(tmp_path / "model")
        (tmp_path / "model" / name).write_bytes(b"{}")
        with pytest.raises(DataError, match="damaged"):
            OpinionModel.load(tmp_path / "model")
    config = tmp_path / "model" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"format": 9}))
    with pytest.raises(DataError, match="format 9"):
        OpinionModel.load(tmp_path / "model")


def test_training_is_the_same_each_time(fitted: OpinionModel) -> None:
    data, _, label = made(text=1.5, feature=0.8, picture=1.5)
    assert np.array_equal(model().learn(data, label).predict(data), fitted.predict(data))


def test_wrong_use_is_said() -> None:
    data, _, label = made(100)
    with pytest.raises(UsageError, match="not fitted"):
        model().predict(data)
    with pytest.raises(DataError, match="100 of 100 outcomes are yes"):
        model().learn(data, np.ones(100))
    with pytest.raises(DataError, match="0 or 1; for stars say target='rating'"):
        model().learn(data, np.arange(100) % 5)
    with pytest.raises(DataError, match="no text, no feature and no picture"):
        model().learn(without(data, "text", "features", "picture"), label)
    with pytest.raises(DataError, match="1 reviews have no label"):
        model().learn(data, np.where(np.arange(100) == 3, np.nan, label))
    with pytest.raises(UsageError, match="there must be one of each"):
        model().learn(data, label[:50])
    with pytest.raises(DataError, match="no column body, size"):
        Opinions.of(pl.DataFrame({"text": ["a"]}), "body", features=("size",))
    with pytest.raises(DataError, match="give \\(rows, regions, pixels\\)"):
        Opinions.of(pl.DataFrame({"text": ["a"]}), regions=np.zeros((2, 4, 12), np.float32))
    with pytest.raises(UsageError, match="no modality 'sound'"):
        learnt = model().learn(data, label)
        learnt.predict(data, use=["sound"])


def test_pictures_that_are_cut_otherwise_are_refused(fitted: OpinionModel) -> None:
    new, _, _ = made(10)
    with pytest.raises(DataError, match="cut them alike"):
        fitted.predict(Opinions(new.title, new.body, new.features, np.zeros((10, 9, 12), np.float32)))


def test_a_column_of_training_that_is_not_there_is_named(fitted: OpinionModel) -> None:
    new, _, _ = made(10)
    with pytest.raises(DataError, match="class"):
        fitted.predict(Opinions(new.title, new.body, new.features.drop("class"), new.regions))


def test_a_modality_that_few_rows_have_does_not_stop_the_others() -> None:
    data, _, label = made(300, feature=2.0)
    some = np.flatnonzero(label)[:12]
    body = [text if nth in some else None for nth, text in enumerate(data.body)]
    regions = np.full_like(data.regions, np.nan)
    regions[some[:9]] = data.regions[some[:9]]
    thin = Opinions(data.title, body, data.features, regions)
    learnt = model().learn(thin, label)
    new, _, truth = made(300, feature=2.0, seed=1)
    assert auc(learnt.predict(new), truth) > 0.75
    assert set(learnt.explain(new).columns) == {"base", "features", "whole"}
    with pytest.raises(DataError, match="too few reviews have text or picture"):
        model().learn(without(thin, "features"), label)


def test_texts_that_share_nothing_are_left_out() -> None:
    data, _, label = made(300, feature=2.0)
    signs = Opinions(data.title, [chr(0x4E00 + nth) for nth in range(300)], data.features)
    assert "text" not in model().learn(signs, label).explain(signs).columns
    with pytest.raises(DataError, match="no n-gram is in"):
        model().learn(without(signs, "features"), label)


def test_titles_that_share_no_word_are_left_out() -> None:
    data, _, label = made(300, text=2.0)
    title = [f"{chr(97 + nth) * 7}" if nth < 25 else None for nth in range(len(data))]
    learnt = model().learn(Opinions(title, data.body, data.features.select([])), label)
    new, _, truth = made(300, text=2.0, seed=1)
    assert auc(learnt.predict(new), truth) > 0.75


def test_a_set_never_seen_together_is_read_as_the_most_that_was() -> None:
    pair, sole = Stack(0.0, {"a/x": 1.0, "b/x": 1.0}, {"c": 9.0}, {"a/x": 0.0, "b/x": 0.0}), {}
    for name in "abc":
        sole[frozenset(name)] = Stack(0.0, {f"{name}/x": 1.0}, {}, {f"{name}/x": 0.0})
    stacks = Stacks({frozenset(): Stack(0.0), frozenset("ab"): pair, **sole})
    parts = {f"{name}/x": np.ones(2) for name in "abc"}
    there = {"a": np.ones(2, bool), "b": np.ones(2, bool), "c": np.array([True, False])}
    # the first row has c, which is not read with a and b: nothing is missing there
    np.testing.assert_allclose(stacks.values(parts, there, 2), [2.0, 11.0])
