"""The cross-modal model with titles and pictures read by a frozen encoder, in the place of its own tokens."""

import runpy
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from danggol.errors import UsageError
from danggol.purchase.multimodal.explain import explain
from danggol.purchase.multimodal.frozen import image_states, text_states
from danggol.purchase.multimodal.inputs import Inputs, inputs
from danggol.purchase.multimodal.model import MultimodalModel, MultimodalSettings
from danggol.shop import Shop

from .test_model import made, reached, settings

TINY = runpy.run_path(str(Path(__file__).parents[2] / "encoders" / "tiny.py"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    return TINY["clip"](tmp_path_factory.mktemp("clip"))


def frozen(data: Inputs, name: str, folder: Path) -> Inputs:
    """The same showings: good titles are of wool, bright pictures are white."""
    bright = data.regions[:-1].mean(axis=(1, 2)) > 0
    good = np.zeros(len(data.text), bool)
    good[data.listing] = data.text_kinds["goodness"] == 1
    for shade in (20, 240):
        Image.new("RGB", (32, 32), (shade, shade, shade)).save(folder / f"{shade}.png")
    titles = ["wool bag" if one else "red bag" for one in good[:-1]]
    pictures = [folder / ("240.png" if one else "20.png") for one in bright]
    read = text_states(name, [*titles, None], 6, folder)
    looked = image_states(name, [*pictures, None], 2, folder)
    assert read is not None
    assert looked is not None
    return replace(data, states={"text": read[0], "image": looked}, pieces=read[1])


def test_the_network_learns_from_frozen_states_and_is_saved_with_them(clip: str, tmp_path: Path) -> None:
    data = frozen(made(text=1.5, image=1.5, rows=700), clip, tmp_path)
    chosen = settings(learners="network", text=clip, image=clip)
    model = MultimodalModel(chosen).learn(data)
    assert reached(model, data) > 0.8
    hidden = model.predict(data, hide=["text"])
    assert not np.allclose(hidden, model.predict(data))
    model.save(tmp_path / "model")
    again = MultimodalModel.load(tmp_path / "model")
    assert again.settings.text == again.settings.image == clip
    assert np.array_equal(again.predict(data), model.predict(data))
    pytest.importorskip("captum")
    told = explain(model, model.read(data, np.arange(3)), model.read(data, np.arange(20)))
    assert told.words[0][0][0] == "[CLS]"
    assert {word for word, _ in told.words[0]} & {"wool", "red"}
    assert told.regions.shape == (3, 4)


def test_frozen_titles_and_pictures_are_pretrained_by_contrast_alone(clip: str, tmp_path: Path) -> None:
    data = frozen(made(text=1.0, rows=400), clip, tmp_path)
    chosen = settings(learners="network", text=clip, image=clip, pretraining_epochs=2)
    assert np.isfinite(MultimodalModel(chosen).learn(data).predict(data)).all()


def test_a_shop_is_read_by_the_encoders_that_the_settings_name(clip: str, tmp_path: Path) -> None:
    shop = Shop.create(tmp_path / "shop")
    (shop.path / "images").mkdir(exist_ok=True)
    Image.new("RGB", (32, 32), (250, 0, 0)).save(shop.path / "images" / "red.png")
    shown = {
        "event_id": ["a", "b"],
        "ts": [datetime(2024, 1, 1, 10, minute, tzinfo=UTC) for minute in (0, 1)],
        "kind": "impression",
        "session_id": "s",
        "product_id": ["P1", "P2"],
        "image_shown": ["images/red.png", None],
    }
    shop.write("events", pl.DataFrame(shown))
    shop.write("products", pl.DataFrame({"product_id": ["P1", "P2"], "title": ["빨간 가방", None]}))
    data = inputs(shop, text=clip, image=clip)
    batch = data.batch(np.arange(2))
    assert batch["text"].shape[2] == batch["image"].shape[2] == 16
    assert [int(one) for one in (~batch["text"].isnan().any(dim=2)).sum(dim=1)] == [4, 0]
    assert [int(one) for one in (~batch["image"].isnan().any(dim=2)).sum(dim=1)] == [9, 0]
    assert data.subwords(np.arange(2)) == [["[CLS]", "빨간", "가방", "[SEP]"], []]
    assert data.shape().text_states == data.shape().image_states == 16
    assert inputs(shop).shape().text_states == 0


def test_another_name_is_refused() -> None:
    with pytest.raises(UsageError, match="setting 'text'"):
        MultimodalSettings.of(text="bert")
