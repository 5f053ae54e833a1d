"""Models of the Hugging Face hub, frozen and trained on; tiny ones with random weights stand for them."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tests.encoders.tiny import bert

from danggol.errors import DataError, UsageError
from danggol.reviews import SentimentModel
from danggol.training import Checkpoint

pytest.importorskip("transformers")
TUNED = {"finetune": True, "finetune_epochs": 10, "finetune_rate": 0.02, "batch": 32, "device": "cpu"}


def colours() -> tuple[list[str], list[float]]:
    return [f"{one} bag {nth}" for nth in range(60) for one in ("red", "blue")], [1.0, 0.0] * 60


def turned(many: int = 600, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Red is good and blue bad, or the other way round where the text says small: no sum over words tells it."""
    rng = np.random.default_rng(seed)
    red, small = rng.random(many) < 0.5, rng.random(many) < 0.35
    texts = []
    for place in range(many):
        words = rng.choice(["bag", "wool", "가방", "빨간", "shoe"], 7).tolist()
        for said in ("small" if small[place] else "big", "red" if red[place] else "blue"):
            words.insert(rng.integers(len(words) + 1), said)
        texts.append(" ".join(words))
    return texts, (red != small).astype(float)


def right(model: SentimentModel, texts: list[str], label: np.ndarray) -> float:
    return float(((model.predict(texts)["score"] > 0).to_numpy() == label).mean())


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    return bert(tmp_path_factory.mktemp("hub") / "bert")


@pytest.fixture(scope="module")
def tuned(source: str) -> SentimentModel:
    return SentimentModel(kind=source, **TUNED).fit(*turned())


def test_a_frozen_model(source: str, tmp_path: Path) -> None:
    model = SentimentModel(kind=source).fit(*colours())
    assert model.predict(["red bag 7", "blue bag 8"])["score"].sign().to_list() == [1, -1]
    assert model.parameters == 2 * 16 + 2
    loaded = SentimentModel.load(model.save(tmp_path / "model"))
    assert loaded.predict(["red bag"]).equals(model.predict(["red bag"]))


def test_one_that_is_trained_on_learns_what_the_frozen_one_cannot(source: str, tuned: SentimentModel) -> None:
    frozen = SentimentModel(kind=source, **TUNED | {"finetune": False}).fit(*turned())
    texts, label = turned(200, seed=1)
    assert right(frozen, texts, label) < 0.8
    assert right(tuned, texts, label) > 0.95
    assert tuned.parameters > 1000
    assert tuned.predict([""])["label"].to_list() == ["unreadable"]


def test_it_is_read_without_the_model_that_it_came_from(tuned: SentimentModel, source: str, tmp_path: Path) -> None:
    texts, _ = turned(50, seed=2)
    folder = tuned.save(tmp_path / "model")
    assert {one.suffix for one in folder.iterdir()} == {".json", ".safetensors"}
    hub = Path(source.removeprefix("hf:"))
    away = hub.rename(hub.with_name("away"))
    try:
        loaded = SentimentModel.load(folder)
    finally:
        away.rename(hub)
    assert np.allclose(loaded.predict(texts)["score"], tuned.predict(texts)["score"], atol=1e-6)
    again = SentimentModel.load(loaded.save(tmp_path / "again"))
    assert again.predict(texts).equals(loaded.predict(texts))


@pytest.mark.parametrize("file", ["encoder-model.safetensors", "encoder-tokenizer.json", "encoder-config.json"])
def test_a_damaged_folder_is_said_in_one_sentence(tuned: SentimentModel, tmp_path: Path, file: str) -> None:
    folder = tuned.save(tmp_path / "model")
    content = bytearray((folder / file).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / file).write_bytes(content)
    with pytest.raises(DataError, match=rf"is damaged \({file} is not what was saved\); train it again"):
        SentimentModel.load(folder)
    (folder / file).unlink()
    with pytest.raises(DataError, match=f"{file} cannot be read"):
        SentimentModel.load(folder)


def test_a_head_of_another_size_is_refused(tuned: SentimentModel, tmp_path: Path) -> None:
    folder = tuned.save(tmp_path / "model")
    head = load_file(folder / "head.safetensors")
    save_file({**head, "weights": head["weights"][:8].copy()}, folder / "head.safetensors")
    with pytest.raises(DataError, match=r"head.safetensors is not of the size"):
        SentimentModel.load(folder)


def test_the_same_seed_gives_the_same_model(source: str) -> None:
    texts, label = turned(120)
    short = TUNED | {"finetune_epochs": 2}
    one, same, other = (SentimentModel(kind=source, seed=seed, **short).fit(texts, label) for seed in (1, 1, 2))
    assert one.predict(texts).equals(same.predict(texts))
    assert not one.predict(texts).equals(other.predict(texts))


def test_it_learns_shares_and_weights(source: str) -> None:
    texts, label = turned(200)
    wrong, weights = np.concatenate([label, 1 - label]), np.concatenate([np.ones(200), np.full(200, 1e-6)])
    model = SentimentModel(kind=source, **TUNED | {"finetune_epochs": 6}).fit(
        [*texts, *texts], 0.2 + 0.6 * wrong, weights
    )
    found = model.predict(texts)["probability"].to_numpy()
    assert ((found > 0.5) == label).mean() > 0.8
    assert 0.1 < found.min() < found.max() < 0.9


def test_a_killed_run_goes_on_where_it_was(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts, label = turned(200)
    short = TUNED | {"finetune_epochs": 4}
    whole = SentimentModel(kind=source, **short).fit(texts, label).predict(texts)
    saved = Checkpoint.save

    def killed(self: Checkpoint, *given: object) -> None:
        saved(self, *given)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    folder = tmp_path / "run"
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Checkpoint, "save", killed)
        SentimentModel(kind=source, **short).fit(texts, label, checkpoint=folder)
    assert folder.exists()
    resumed = SentimentModel(kind=source, **short).fit(texts, label, checkpoint=folder).predict(texts)
    assert resumed.equals(whole)
    assert not folder.exists()


@pytest.mark.parametrize("finetune", [False, True])
def test_it_is_a_member_of_an_ensemble(source: str, tmp_path: Path, finetune: bool) -> None:
    settings = TUNED | {"finetune": finetune, "bits": 14, "finetune_epochs": 3}
    model = SentimentModel(kind="ensemble", members=("linear", source), **settings).fit(*colours())
    assert list(model.parts(["red bag"])) == ["1 linear", f"2 {source}"]
    loaded = SentimentModel.load(model.save(tmp_path / "model"))
    said = loaded.predict(["red bag 7", "blue bag 8"])
    assert said["score"].sign().to_list() == [1, -1]
    assert np.allclose(said["score"], model.predict(["red bag 7", "blue bag 8"])["score"], atol=1e-6)


def test_members_are_kinds_or_models_of_the_hub() -> None:
    with pytest.raises(UsageError, match="or hf:NAME"):
        SentimentModel(kind="ensemble", members=("linear", "hf:"))
