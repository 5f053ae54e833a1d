"""A model of the hub trained on for classes, on tiny models in local folders."""

import json
from pathlib import Path

import numpy as np
import pytest

from danggol.encoders.fine_tuning import Labelled, encoder_files, encoder_of, fine_tune
from danggol.encoders.hugging_face import TextEncoder, text_encoder
from danggol.errors import UsageError
from danggol.training import Schedule

from . import tiny

TEXTS = ["red bag", "blue bag", "red shoe", "blue shoe"] * 8
ROWS = Labelled(TEXTS, np.array([[0.9, 0.1], [0.1, 0.9]] * 16), np.ones(32))


def blank(encoder: TextEncoder) -> dict[str, np.ndarray]:
    sizes = {"mean": encoder.output_dim, "spread": encoder.output_dim, "weights": (encoder.output_dim, 2), "bias": 2}
    return {name: np.full(size, float(name == "spread"), np.float32) for name, size in sizes.items()}


def schedule(rate: float) -> Schedule:
    return Schedule(epochs=6, batch_size=8, learning_rate=rate, device="cpu", seed=3)


def logs(encoder: TextEncoder, head: dict[str, np.ndarray]) -> np.ndarray:
    scores = (encoder.encode(TEXTS) - head["mean"]) / head["spread"] @ head["weights"] + head["bias"]
    return np.asarray(scores - np.log(np.exp(scores).sum(axis=1, keepdims=True)))


@pytest.mark.parametrize("kind", ["bert", "clip"])
def test_model_and_head_are_trained_and_read_back(kind: str, tmp_path: Path) -> None:
    encoder = text_encoder(getattr(tiny, kind)(tmp_path / kind), tmp_path / "cache", device="cpu")
    before = encoder.encode(TEXTS)
    head = fine_tune(encoder, blank(encoder), ROWS, ROWS, schedule(0.02))
    assert not np.allclose(encoder.encode(TEXTS), before, atol=1e-2), "vectors cached before are not those after"
    said = logs(encoder, head)
    assert ((said[:, 0] > said[:, 1]) == (ROWS.shares[:, 0] > 0.5)).all()
    assert not any(weight.requires_grad for weight in encoder.model.parameters())
    files = {
        name: value.encode() if isinstance(value, str) else value for name, value in encoder_files(encoder).items()
    }
    again = encoder_of(files, "cpu")
    assert np.allclose(again.encode(TEXTS), encoder.encode(TEXTS), atol=1e-6)
    assert again.pieces(TEXTS[:1], 4) == encoder.pieces(TEXTS[:1], 4)


def test_the_start_stays_where_no_epoch_is_better(tmp_path: Path) -> None:
    encoder = text_encoder(tiny.bert(tmp_path / "bert"), device="cpu")
    before, head = encoder.encode(TEXTS), blank(encoder)
    wrong = Labelled(TEXTS, ROWS.shares[:, ::-1].copy(), ROWS.often)
    found = fine_tune(encoder, head, ROWS, wrong, schedule(0.02))
    assert all(np.array_equal(found[name], head[name]) for name in head)
    assert np.allclose(encoder.encode(TEXTS), before, atol=1e-2)


def test_the_pooling_is_kept_and_no_file_lies_outside(tmp_path: Path) -> None:
    folder = Path(tiny.bert(tmp_path / "bert").removeprefix("hf:"))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))
    encoder = text_encoder(f"hf:{folder}", device="cpu")
    encoder.settle()
    files = {
        name: value.encode() if isinstance(value, str) else value for name, value in encoder_files(encoder).items()
    }
    assert np.allclose(encoder_of(files, "cpu").encode(TEXTS), encoder.encode(TEXTS), atol=1e-6)
    listed = json.loads(files["encoder.json"])
    outside = {"../config.json": listed.pop("config.json"), **listed}
    files |= {"encoder.json": json.dumps(outside).encode(), "encoder-..-config.json": files["encoder-config.json"]}
    with pytest.raises(ValueError, match="not what was saved"):
        encoder_of(files, "cpu")


def test_weights_that_are_cut_off_are_said_in_one_sentence(tmp_path: Path) -> None:
    folder = Path(tiny.bert(tmp_path / "bert").removeprefix("hf:"))
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(UsageError, match="no safetensors weights that can be read"):
        text_encoder(f"hf:{folder}")
