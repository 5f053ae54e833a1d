"""The cross-modal model on made-up showings whose truth is known."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from danggol.encoders.text import Vocabulary
from danggol.errors import DataError, UsageError
from danggol.metrics import auc
from danggol.purchase.multimodal.fusion import FusionSettings
from danggol.purchase.multimodal.inputs import Inputs, Words
from danggol.purchase.multimodal.kinds import Kinds
from danggol.purchase.multimodal.model import MultimodalModel, MultimodalSettings
from danggol.purchase.multimodal.showings import BEHAVIOUR, CUSTOMER, OFFER, Showings
from danggol.purchase.multimodal.trees import MODALITIES, TreeSettings
from danggol.purchase.samples import DAY
from danggol.training import Schedule

ROWS = 1500


def made(text: float = 0.0, image: float = 0.0, discount: float = 0.0, seed: int = 0, rows: int = ROWS) -> Inputs:
    """Showings of forty listings: "good" in the title, a bright picture and a discount move the purchase as asked."""
    draw = np.random.default_rng(seed)
    good, bright = draw.random(40) < 0.5, draw.random(40) < 0.5
    titles = [("good bag" if one else "plain bag") + f" {n}" for n, one in enumerate(good)]
    kinds = Kinds({"goodness": ["good", "plain"]}, {"brightness": [[0.8], [-0.8]]})
    words = Words(Vocabulary.learn(titles * 3, 60), ["c"], ["b"], kinds, ["KR"], [])
    listing = draw.integers(0, 40, rows)
    offer = draw.normal(size=(rows, len(OFFER))).astype(np.float32)
    odds = -1.5 + text * (2 * good[listing] - 1) + image * (2 * bright[listing] - 1)
    odds = odds + discount * offer[:, OFFER.index("discount")]
    bought = draw.random(rows) < 1 / (1 + np.exp(-odds))
    regions = np.repeat(np.where(bright, 0.8, -0.8)[:, None, None], 4, 1) + 0.1 * draw.normal(size=(40, 4, 12))
    ts = np.arange(rows) * DAY // 20
    frame = pl.DataFrame(
        {
            "event_id": [f"E{n}" for n in range(rows)],
            "session_id": [f"S{n}" for n in range(rows)],
            "ts": ts,
            "start": ts,
            "customer_id": [f"C{n}" for n in draw.integers(0, 50, rows)],
            "product_id": [f"P{n:02}" for n in listing],
            "country": "KR",
        }
    )
    return Inputs(
        showings=Showings(
            frame,
            offer,
            draw.normal(size=(rows, len(BEHAVIOUR))).astype(np.float32),
            draw.normal(size=(rows, len(CUSTOMER))).astype(np.float32),
            bought,
            np.column_stack([bought, bought, np.where(bought, 9.0, np.nan)]).astype(np.float32),
        ),
        words=words,
        text=words.vocabulary.encode([*titles, None], 6),
        listing=listing,
        regions=np.concatenate([regions, np.full((1, 4, 12), np.nan)]).astype(np.float32),
        picture=listing.copy(),
        events=np.zeros((rows, 3, 5), np.int64),
        text_kinds={"goodness": np.where(good, 1, 2)[listing]},
        image_kinds={"brightness": np.where(bright, 1, 2)[listing]},
    )


def settings(**changes: object) -> MultimodalSettings:
    network = FusionSettings(width=16, layers=1, heads=2, dropout=0.0)
    schedule = Schedule(epochs=6, batch_size=64, learning_rate=5e-3, patience=6, device="cpu")
    trees = TreeSettings(rounds=60, bags=1, learning_rate=0.1)
    given = {"network": network, "schedule": schedule, "trees": trees, "quiet_rows": 3}
    return MultimodalSettings(**(given | changes))


def reached(model: MultimodalModel, data: Inputs) -> float:
    return float(auc(model.predict(data), data.label))


@pytest.mark.parametrize(
    ("which", "learners"), [("text", "network"), ("image", "trees"), ("image", "network"), ("discount", "both")]
)
def test_it_finds_the_modality_that_decides(which: str, learners: str) -> None:
    model = MultimodalModel(settings(learners=learners)).learn(made(**{which: 1.5}))
    new = made(**{which: 1.5}, seed=0, rows=3000)
    whole, modality = reached(model, new), "offer" if which == "discount" else which
    assert whole > 0.75
    # with forty listings text and picture go a little together by chance, and a listing's past tells what it is like
    assert auc(model.predict(new, hide=[modality, "behaviour"]), new.label) < whole - 0.08


@pytest.mark.parametrize("name", ["text", "offer"])
def test_a_hidden_modality_costs_what_never_having_it_costs(name: str) -> None:
    data, new = made(text=1.2, discount=1.0), made(text=1.2, discount=1.0, rows=3000)
    hidden = MultimodalModel(settings(learners="trees")).learn(data).predict(new, hide=[name])
    others = tuple(one for one in MODALITIES if one != name)
    never = MultimodalModel(settings(learners="trees", only=others)).learn(data).predict(new)
    assert auc(hidden, new.label) > auc(never, new.label) - 0.01


def test_probabilities_are_on_the_scale_of_all_showings() -> None:
    model, new = MultimodalModel(settings()).learn(made(text=1.0)), made(text=1.0, rows=3000)
    assert model.predict(new).mean() == pytest.approx(new.label.mean(), abs=0.05)


def test_a_saved_model_predicts_alike_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    data = made(text=1.5)
    model = MultimodalModel(settings()).learn(data)
    model.save(tmp_path / "model")
    again = MultimodalModel.load(tmp_path / "model")
    assert np.array_equal(again.predict(data), model.predict(data))
    assert {file.suffix for file in (tmp_path / "model").iterdir()} == {".json", ".safetensors", ".txt"}
    config = tmp_path / "model" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"format": 9}))
    with pytest.raises(DataError, match="format 9"):
        MultimodalModel.load(tmp_path / "model")
    model.save(tmp_path / "model")
    for name in ("weights.safetensors", "tastes.json", "trees-whole-0.txt"):
        whole = (tmp_path / "model" / name).read_bytes()
        (tmp_path / "model" / name).write_bytes(b"nothing")
        with pytest.raises(DataError, match=r"is damaged \(.*\); train it again"):
            MultimodalModel.load(tmp_path / "model")
        (tmp_path / "model" / name).write_bytes(whole)


def test_a_killed_training_resumed_gives_the_unbroken_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = made(text=1.5)
    whole = MultimodalModel(settings()).learn(data).predict(data)
    monkeypatch.setattr(Inputs, "batch", killing(Inputs.batch, 70))
    with pytest.raises(KeyboardInterrupt):
        MultimodalModel(settings()).learn(data, tmp_path / "run")
    monkeypatch.undo()
    assert (tmp_path / "run").exists()
    assert np.array_equal(MultimodalModel(settings()).learn(data, tmp_path / "run").predict(data), whole)


def killing(call, after: int):
    """The call, until it has been made so many times."""
    left = [after]

    def called(*given):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return call(*given)

    return called


def test_a_foreign_model_helps_a_small_shop(tmp_path: Path) -> None:
    chosen = settings()
    foreign = MultimodalModel(chosen).learn(made(text=1.2, discount=1.0, rows=3000))
    few, new = made(text=1.2, discount=1.0, rows=250), made(text=1.2, discount=1.0, rows=3000)
    foreign.save(tmp_path / "foreign")
    tuned = MultimodalModel.load(tmp_path / "foreign").tuned(few)
    alone = reached(MultimodalModel(chosen).learn(few), new)
    assert reached(tuned, new) > alone + 0.02
    tuned.save(tmp_path / "own")
    assert np.array_equal(MultimodalModel.load(tmp_path / "own").predict(new), tuned.predict(new))


def test_wrong_use_is_said() -> None:
    with pytest.raises(UsageError, match="no modality 'sound'"):
        MultimodalModel(settings(only=("text", "sound")))
    data = made()
    quiet = dataclasses.replace(data.showings, bought=np.zeros(ROWS, bool))
    with pytest.raises(DataError, match="0 showings were bought, too few"):
        MultimodalModel(settings()).learn(dataclasses.replace(data, showings=quiet))
    with pytest.raises(UsageError, match="not fitted"):
        MultimodalModel(settings()).predict(data)
