"""Frozen encoders by hf:NAME, on tiny models in local folders."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from danggol.encoders.hugging_face import image_encoder, text_encoder
from danggol.errors import UsageError

from . import tiny

TEXTS = ["red bag", None, "big blue wool shoe", "  ", "red bag", "빨간 가방"]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny.bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny.vit(tmp_path_factory.mktemp("vit"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny.clip(tmp_path_factory.mktemp("clip"))


def picture(path: Path, color: tuple[int, int, int], side: int = 40) -> Path:
    Image.new("RGB", (side, side), color).save(path)
    return path


def test_texts_become_vectors_and_a_missing_one_nan(bert: str) -> None:
    encoder = text_encoder(bert)
    rows = encoder.encode(TEXTS)
    assert rows.shape == (6, encoder.output_dim) == (6, 16)
    assert rows.dtype == np.float32
    assert np.isnan(rows[[1, 3]]).all()
    assert np.isfinite(rows[[0, 2, 4, 5]]).all()
    assert np.array_equal(rows[0], rows[4])
    assert not np.allclose(rows[0], rows[5])
    # what stands beside a text in a batch does not change it
    assert np.allclose(text_encoder(bert, batch=1).encode(TEXTS)[0], rows[0], atol=1e-5)


def test_tokens_are_the_states_whose_mean_is_the_vector(bert: str) -> None:
    encoder = text_encoder(bert)
    tokens = encoder.encode_tokens(TEXTS, 6)
    assert tokens.shape == (6, 6, encoder.token_dim)
    assert (~np.isnan(tokens).any(axis=2)).sum(axis=1).tolist() == [4, 0, 6, 0, 4, 4]
    assert np.allclose(np.nanmean(tokens[0].astype(float), axis=0), encoder.encode(TEXTS)[0], atol=2e-3)
    assert encoder.pieces(TEXTS, 3) == [
        ["[CLS]", "red", "bag"],
        [],
        ["[CLS]", "big", "blue"],
        [],
        ["[CLS]", "red", "bag"],
        ["[CLS]", "빨간", "가방"],
    ]
    assert encoder.encode_tokens(["red " * 50], 40).shape == (1, 40, 16)


def test_the_first_state_is_taken_where_the_model_says_so(bert: str, tmp_path: Path) -> None:
    folder = Path(tiny.bert(tmp_path / "first").removeprefix("hf:"))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))
    encoder = text_encoder(f"hf:{folder}")
    assert np.allclose(encoder.encode(["red"])[0], encoder.encode_tokens(["red"], 1)[0, 0], atol=2e-3)
    assert not np.allclose(encoder.encode(["red"]), text_encoder(bert).encode(["red"]), atol=1e-2)


def test_what_is_cached_is_not_computed_again_and_belongs_to_one_model(
    bert: str, clip: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = text_encoder(bert, tmp_path).encode(TEXTS)
    again = text_encoder(bert, tmp_path)
    other = text_encoder(clip, tmp_path)
    monkeypatch.setattr(type(again), "_read", None)
    assert np.array_equal(again.encode(TEXTS), first, equal_nan=True)
    with pytest.raises(TypeError):
        other.encode(TEXTS)


@pytest.mark.parametrize("kind", ["vit", "clip"])
def test_pictures_become_vectors_and_regions(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    encoder = image_encoder(request.getfixturevalue(kind), tmp_path / "cache")
    text = tmp_path / "text.png"
    text.write_text("no picture")
    red, blue = picture(tmp_path / "red.png", (250, 0, 0)), picture(tmp_path / "blue.png", (0, 0, 250), 90)
    given = [red, text, blue, None, red.read_bytes(), tmp_path / "missing.png"]
    for _ in range(2):
        rows = encoder.encode(given)
        assert rows.shape == (6, encoder.output_dim)
        assert np.isnan(rows[[1, 3, 5]]).all()
        assert np.isfinite(rows[[0, 2]]).all()
        assert np.array_equal(rows[0], rows[4])
        assert not np.allclose(rows[0], rows[2])
        assert encoder.broken == 2
    assert encoder.encode_tokens(given, 2).shape == (6, 4, encoder.token_dim)


def test_regions_are_where_they_are_in_the_picture(vit: str, tmp_path: Path) -> None:
    plain = Image.new("RGB", (32, 32), (0, 0, 0))
    plain.save(tmp_path / "plain.png")
    plain.paste((255, 255, 255), (16, 0, 32, 16))
    plain.save(tmp_path / "corner.png")
    encoder = image_encoder(vit)
    one, other = encoder.encode_tokens([tmp_path / "plain.png", tmp_path / "corner.png"], 2).astype(float)
    assert np.abs(one - other).sum(axis=1).argmax() == 1


def test_text_and_picture_of_a_joint_model_lie_in_one_space(clip: str) -> None:
    assert text_encoder(clip).output_dim == image_encoder(clip).output_dim == 8


def test_what_cannot_be_used_is_said_in_one_sentence(
    bert: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="no encoder 'bert'; say hf:"):
        text_encoder("bert")
    with pytest.raises(UsageError, match="a folder that is not there"):
        text_encoder(f"hf:{tmp_path}/nothing")
    with pytest.raises(UsageError, match="no image processor for PIL that can be read"):
        image_encoder(bert)
    folder = Path(tiny.bert(tmp_path / "pickled").removeprefix("hf:"))
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(UsageError, match="no safetensors weights that can be read"):
        text_encoder(f"hf:{folder}")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UsageError, match=r"hf:some/model cannot be used.*this machine can reach"):
        text_encoder("hf:some/model")
    found = importlib.import_module

    def without(name: str, *more: object) -> object:
        if name == "transformers":
            raise ImportError(name)
        return found(name, *more)

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(UsageError, match=r"pip install 'danggol\[hf\]'"):
        text_encoder(bert)


def test_weights_that_are_missing_are_not_made_up(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = Path(tiny.bert(tmp_path / "part").removeprefix("hf:"))
    weights = load_file(folder / "model.safetensors")
    weights.pop(next(name for name in weights if "attention" in name))
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(UsageError, match="1 weights are missing"):
        text_encoder(f"hf:{folder}")
