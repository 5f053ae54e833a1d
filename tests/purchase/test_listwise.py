"""The network over lists learns an order that is known, and is the same after saving."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from danggol.errors import DataError
from danggol.purchase.listwise import Coder, ListwiseNetwork

CUSTOMERS, ROWS = 400, 20


def lists(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, labels and what makes a purchase likely: the product of two features; a third is noise with gaps."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(CUSTOMERS * ROWS, 3)).astype(np.float32)
    liking = values[:, 0] * values[:, 1]
    label = (rng.random(len(liking)) < 1 / (1 + np.exp(3 - 3 * liking))).astype(np.float32)
    values[rng.random(len(values)) < 0.2, 2] = np.nan
    return values, label, liking


@pytest.fixture(scope="module")
def network() -> ListwiseNetwork:
    values, label, _ = lists(0)
    group = np.full(CUSTOMERS, ROWS)
    half = len(values) // 2
    return ListwiseNetwork.train([values[:half], values[half:]], label, group, np.ones(len(label), np.float32), 15, 0)


def test_it_finds_what_no_single_feature_tells(network: ListwiseNetwork) -> None:
    values, _, liking = lists(1)
    score = network.score(values)
    assert np.corrcoef(score, liking)[0, 1] > 0.7
    assert all(abs(np.corrcoef(values[:, place], liking)[0, 1]) < 0.1 for place in (0, 1))


def test_saved_and_loaded_it_scores_the_same(network: ListwiseNetwork, tmp_path: Path) -> None:
    values = lists(2)[0][:50]
    (tmp_path / "network.safetensors").write_bytes(network.to_bytes())
    loaded = ListwiseNetwork.load(tmp_path / "network.safetensors")
    np.testing.assert_array_equal(loaded.score(values), network.score(values))
    assert len(network.score(values[:0])) == 0


def test_a_broken_or_missing_file_is_said(network: ListwiseNetwork, tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(network.to_bytes()[:100])
    save_file({"edges": np.zeros(1), "length": np.ones(1, np.int64), "gappy": np.zeros(0, np.int64)}, tmp_path / "bare")
    for name in ("short", "none", "bare"):
        with pytest.raises(DataError, match="train the model again"):
            ListwiseNetwork.load(tmp_path / name)


def test_rows_that_stand_for_many_weigh_as_many() -> None:
    values, label, _ = lists(3)
    values, label = values[:2000], label[:2000]
    # every other row that was not bought is drawn away and its like made to stand for two
    dropped = np.zeros(len(label), bool)
    dropped[np.flatnonzero(label == 0)[::2]] = True
    kept, group = ~dropped, np.add.reduceat(~dropped, np.arange(0, len(label), ROWS)).astype(np.int64)
    weight = np.where(label[kept] == 0, 2, 1).astype(np.float32)
    whole = ListwiseNetwork.train(
        [values], label, np.full(len(label) // ROWS, ROWS), np.ones(len(label), np.float32), 10, 0
    )
    drawn = ListwiseNetwork.train([values[kept]], label[kept], group, weight, 10, 0)
    seen = lists(4)[0]
    assert np.corrcoef(whole.score(seen), drawn.score(seen))[0, 1] > 0.8


def test_codes_follow_the_order_of_values_whatever_their_scale() -> None:
    values = np.exp(np.random.default_rng(0).normal(0, 3, (500, 1))).astype(np.float32)
    values[:50] = np.nan
    coder = Coder.fit([values], 0)
    inputs = coder.inputs(coder.codes(values))
    assert inputs.shape == (500, 2)
    np.testing.assert_array_equal(inputs[:, 1], np.isnan(values[:, 0]))
    there = np.argsort(values[50:, 0])
    assert (np.diff(inputs[50:, 0][there]) >= 0).all()
    assert abs(inputs[50:, 0].mean()) < 0.05
    assert not inputs[:50, 0].any()
