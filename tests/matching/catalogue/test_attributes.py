"""The attribute model on a made-up catalogue whose truth is known."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.matching.catalogue.made import SMALL, catalogue

from danggol.errors import DataError, UsageError
from danggol.matching.catalogue.attributes import AttributeModel
from danggol.matching.catalogue.items import Items

ACCURACY = 0.97


@pytest.fixture(scope="module")
def model() -> AttributeModel:
    items, labels = catalogue(600)
    # some labels are not known, and the colour of the first is never told
    labels = labels.with_columns(colour=pl.when(pl.int_range(pl.len()) >= 20).then("colour"))
    return AttributeModel(held=0.25, accuracy=ACCURACY, picture=SMALL).learn(items, labels)


@pytest.fixture(scope="module")
def unseen() -> tuple[Items, pl.DataFrame]:
    return catalogue(200, seed=1)


def accuracy(model: AttributeModel, items: Items, labels: pl.DataFrame, attribute: str) -> float:
    rows = model.predict(items).filter(pl.col("attribute") == attribute)
    return float((rows["value"] == labels[attribute]).mean())  # type: ignore[arg-type]


def test_title_and_picture_complete_each_other(model: AttributeModel, unseen: tuple[Items, pl.DataFrame]) -> None:
    items, labels = unseen
    joined = {name: accuracy(model, items, labels, name) for name in labels.columns}
    assert joined["colour"] > 0.97
    assert joined["shape"] > 0.95
    assert joined["brand"] == 1.0
    by_title = items.without("picture")
    assert accuracy(model, by_title, labels, "colour") < 0.85
    by_picture = items.without("title")
    assert accuracy(model, by_picture, labels, "colour") > 0.95
    assert accuracy(model, by_picture, labels, "brand") < 0.5


def test_answers_are_as_often_right_as_wanted_and_the_rest_are_not_given(
    model: AttributeModel, unseen: tuple[Items, pl.DataFrame]
) -> None:
    items, labels = unseen
    rows = model.predict(items.without("picture")).filter(pl.col("attribute") == "colour")
    right = (rows["value"] == labels["colour"]).to_numpy()
    silent = rows["abstained"].to_numpy()
    assert 0.15 < silent.mean() < 0.5
    assert right[~silent].mean() >= ACCURACY - 0.02
    assert right[silent].mean() < 0.6
    # brands cannot be seen, so a picture gives no answer
    brands = model.predict(items.without("title")).filter(pl.col("attribute") == "brand")
    assert brands["abstained"].mean() > 0.9  # type: ignore[operator]


def test_confidence_is_the_share_that_is_right(model: AttributeModel, unseen: tuple[Items, pl.DataFrame]) -> None:
    items, labels = unseen
    for shown in (items, items.without("picture")):
        for name in labels.columns:
            rows = model.predict(shown).filter(pl.col("attribute") == name)
            right = (rows["value"] == labels[name]).mean()
            assert abs(rows["confidence"].mean() - right) < 0.06  # type: ignore[operator]


def test_rows_are_those_of_the_table_in_any_order(model: AttributeModel, unseen: tuple[Items, pl.DataFrame]) -> None:
    items, _ = unseen
    rows = model.predict(items)
    assert rows.columns == ["product_id", "attribute", "value", "confidence", "abstained"]
    assert rows.n_unique(["product_id", "attribute"]) == rows.height == 3 * len(items)
    order = np.random.default_rng(0).permutation(len(items))
    again = model.predict(items.rows(order)).sort("attribute", "product_id")
    assert_frame_equal(again, rows.sort("attribute", "product_id"), abs_tol=0.02)


def test_a_listing_with_nothing_gets_the_most_frequent_value_and_no_answer(model: AttributeModel) -> None:
    rows = model.predict(Items(["x", "y"], [None, None], [None, b"no picture"]))
    assert rows["abstained"].all()
    assert rows["confidence"].max() < 0.7  # type: ignore[operator]


def test_a_saved_model_says_the_same(model: AttributeModel, unseen: tuple[Items, pl.DataFrame], tmp_path: Path) -> None:
    items, _ = unseen
    model.save(tmp_path / "model")
    again = AttributeModel.load(tmp_path / "model")
    assert_frame_equal(again.predict(items), model.predict(items))
    assert {one.suffix for one in (tmp_path / "model").iterdir()} == {".json", ".safetensors"}
    (tmp_path / "model" / "titles.safetensors").write_bytes(b"\0" * 20)
    with pytest.raises(DataError, match="damaged"):
        AttributeModel.load(tmp_path / "model")


def test_a_newer_format_and_another_folder_are_told_clearly(model: AttributeModel, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    config = tmp_path / "model" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"format": 99}))
    with pytest.raises(DataError, match="newer"):
        AttributeModel.load(tmp_path / "model")
    with pytest.raises(UsageError, match="no model"):
        AttributeModel.load(tmp_path / "nothing")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="something else"):
        model.save(tmp_path / "notes")


def test_titles_alone_and_pictures_alone_are_enough() -> None:
    items, labels = catalogue(300)
    titles = AttributeModel(held=0.3, picture=SMALL).learn(items.without("picture"), labels)
    assert titles.experts is not None
    assert titles.experts.pictures is None
    assert accuracy(titles, items, labels, "brand") == 1.0
    few = SMALL.model_copy(update={"epochs": 2})
    pictures = AttributeModel(held=0.3, picture=few).learn(items.without("title"), labels)
    assert pictures.experts is not None
    assert pictures.experts.titles is None
    assert set(pictures.predict(items)["attribute"]) == {"colour", "shape", "brand"}


def test_what_cannot_be_learnt_is_refused() -> None:
    items, labels = catalogue(60)
    with pytest.raises(DataError, match="two values"):
        AttributeModel().learn(items, pl.DataFrame({"colour": ["red"] * 60}))
    with pytest.raises(UsageError, match="one row"):
        AttributeModel().learn(items, labels.head(3))
    with pytest.raises(DataError, match="title or a picture"):
        AttributeModel().learn(items.without("title").without("picture"), labels)
    with pytest.raises(UsageError, match="learn"):
        AttributeModel().predict(items)
