"""Conversion: it learns, knows what arithmetic hides, keeps, and says what is wrong."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from danggol.errors import DataError, UsageError
from danggol.metrics import auc
from danggol.purchase.conversion import ConversionModel, features_of
from danggol.purchase.conversion.features import Arithmetic
from danggol.purchase.conversion.model import Blend, folds_of
from danggol.shop import Shop

QUICK: dict[str, Any] = {"boosters": 2, "rounds": 60, "learning_rate": 0.1, "width": 8, "heads": 2, "epochs": 3}
QUICK |= {"folds": 2, "threads": 1}


def visits(rows: int = 600, seed: int = 0) -> tuple[pl.DataFrame, np.ndarray]:
    """Sessions that convert by the time on a page, which no column holds, and by the channel."""
    rng = np.random.default_rng(seed)
    pages, seconds = rng.integers(1, 20, rows), rng.exponential(100, rows)
    channel = rng.choice(["app", "web"], rows)
    odds = 2 * np.log(seconds / pages / 10) + 2 * (channel == "app") - 1
    table = pl.DataFrame({"pages": pages, "pages_seconds": seconds, "channel": channel})
    return table, rng.random(rows) < 1 / (1 + np.exp(-odds))


@pytest.fixture(scope="module")
def model() -> ConversionModel:
    return ConversionModel(**QUICK).learn(*visits())


def test_it_learns_and_every_part_does(model: ConversionModel) -> None:
    table, converted = visits(1000, seed=1)
    assert auc(model.probability(table), converted) > 0.87
    for part in model.parts(table).values():
        assert auc(part, converted) > 0.75
    assert abs(model.probability(table).mean() - converted.mean()) < 0.06


def test_a_saved_model_predicts_the_same_and_is_plain_files(model: ConversionModel, tmp_path: Path) -> None:
    table, _ = visits(50, seed=2)
    model.save(tmp_path / "model")
    again = ConversionModel.load(tmp_path / "model")
    assert (again.probability(table) == model.probability(table)).all()
    assert {path.suffix for path in (tmp_path / "model").iterdir()} == {".json", ".txt", ".safetensors"}


def test_the_same_seed_gives_the_same_model(model: ConversionModel) -> None:
    table, _ = visits(50, seed=2)
    assert (ConversionModel(**QUICK).learn(*visits()).probability(table) == model.probability(table)).all()


def test_new_categories_and_missing_values_get_an_answer_and_missing_columns_an_error(model: ConversionModel) -> None:
    new = pl.DataFrame(
        {"pages": [3, None, 0], "pages_seconds": [None, 50.0, 1e9], "channel": ["fridge", None, "app"], "extra": 1}
    )
    assert np.isfinite(model.probability(new)).all()
    assert len(model.probability(new.head(0))) == 0
    with pytest.raises(DataError, match="does not have: channel"):
        model.probability(new.drop("channel"))


def test_mistakes_are_one_sentence(tmp_path: Path, model: ConversionModel) -> None:
    table, converted = visits(100)
    with pytest.raises(DataError, match="needs 20 that did"):
        ConversionModel(**QUICK).learn(table, np.zeros(100))
    with pytest.raises(UsageError, match="one of each"):
        ConversionModel(**QUICK).learn(table, converted[:9])
    with pytest.raises(UsageError, match="not fitted"):
        ConversionModel().probability(table)
    with pytest.raises(UsageError, match="no model"):
        ConversionModel.load(tmp_path)
    folder = model.save(tmp_path / "model")
    (folder / "network_0.safetensors").write_bytes(b"broken")
    with pytest.raises(DataError, match="train"):
        ConversionModel.load(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"format": 99}))
    with pytest.raises(DataError, match="newer"):
        ConversionModel.load(folder)


def test_a_shop_is_learnt_and_scored_without_columns_known_afterwards(tmp_path: Path) -> None:
    table, converted = visits(400)
    shop = Shop.create(tmp_path / "shop")
    sessions = table.with_columns(
        session_id=pl.format("s{}", pl.int_range(pl.len())), converted=pl.Series(converted), order_value=converted * 9.5
    )
    shop.write("sessions", sessions)
    model = ConversionModel(**(QUICK | {"network": False})).fit(shop, leave_out=("order_value",))
    assert model.columns == ["pages", "pages_seconds", "channel"]
    found = model.predict(shop)
    assert found["session_id"].to_list() == sessions["session_id"].to_list()
    assert found["probability"].is_between(0, 1).all()
    with pytest.raises(UsageError, match="no column order_valu to leave out"):
        features_of(sessions, ("order_valu",))


def test_arithmetic_finds_what_the_sums_hide() -> None:
    pages = np.tile(np.arange(1, 31), 10)
    left = np.array([1, 2, 3] * 100)
    table = pl.DataFrame({"pages": pages, "pages_seconds": pages * 7.5 + 0.1, "exit_rate": 0.2 * left / (pages + 1)})
    arithmetic = Arithmetic.fit(table, gaps=True)
    assert (arithmetic.counts, arithmetic.rates, arithmetic.amounts) == (["pages"], ["exit_rate"], ["pages_seconds"])
    found = arithmetic.apply(table)
    assert np.allclose(found["pages_seconds / pages"], 7.5 + 0.1 / pages)
    assert np.allclose(found["exit_rate * total"], 0.2 * left * pages / (pages + 1))
    # the mean was over one page more than were counted; with few pages another gap may fit by chance
    assert (found["exit_rate: gap"].to_numpy()[pages > 6] == -1).mean() > 0.85
    assert Arithmetic.from_dict(json.loads(json.dumps(arithmetic.to_dict()))).apply(table).equals(found)


def test_arithmetic_leaves_a_zero_divisor_missing_and_a_table_without_counts_alone() -> None:
    table = pl.DataFrame({"pages": [0, 2], "searches": [0, 1]})
    found = Arithmetic.fit(table, gaps=True).apply(table)
    assert found["pages / total"].to_list() == [None, 2 / 3]
    plain = pl.DataFrame({"channel": ["a", "b"]})
    assert Arithmetic.fit(plain, gaps=True).apply(plain).equals(plain)


def test_the_blend_gives_noise_no_weight_and_undoes_overconfidence() -> None:
    rng = np.random.default_rng(0)
    odds = rng.normal(0, 2, 20_000)
    label = (rng.random(len(odds)) < 1 / (1 + np.exp(-odds))).astype(np.float64)
    blend = Blend.fit({"trees": 2 * odds, "network": rng.normal(0, 1, len(odds))}, label)
    assert blend.weights["trees"] == pytest.approx(0.5, abs=0.03)
    assert blend.weights["network"] == pytest.approx(0, abs=0.04)
    assert blend.bias == pytest.approx(0, abs=0.06)


def test_folds_hold_both_classes_evenly() -> None:
    label = np.array([1.0] * 10 + [0.0] * 51)
    fold = folds_of(label, 5, seed=0)
    assert np.bincount(fold[label == 1]).tolist() == [2] * 5
    assert set(np.bincount(fold[label == 0])) == {10, 11}
