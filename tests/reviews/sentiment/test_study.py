"""The study: known differences are told, single runs are not believed, and a killed run goes on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from danggol.errors import DataError, UsageError
from danggol.reviews.sentiment import study as module
from danggol.reviews.sentiment.study import Cell, Measured, between, grid, study, summary, verdict
from danggol.shop import Shop
from danggol.verbs import reviews_study

SMALL, LARGE, CNN = Cell("lstm", 50, 1), Cell("lstm", 500, 1), Cell("cnn", 50, 1)


def runs(rate: float, cell: Cell, seeds: int = 5, reviews: int = 3000, seed: int = 0) -> list[Measured]:
    """Runs that are right at this rate; mostly on the same reviews, as real ones are."""
    hard = np.random.default_rng(99).random(reviews)
    draw = np.random.default_rng([seed, cell.units])
    noise = [hard + 0.05 * draw.standard_normal(reviews) for _ in range(seeds)]
    return [Measured(cell, nth, one < np.quantile(one, rate), rate, 1.0, 10) for nth, one in enumerate(noise)]


def test_a_network_that_is_better_is_told_so_and_an_equal_one_is_as_good() -> None:
    told = summary({SMALL: runs(0.85, SMALL), LARGE: runs(0.90, LARGE), CNN: runs(0.85, CNN)})
    said = {(row["network"], row["against"]): row["verdict"] for row in told["differences"]}
    assert said["lstm 50x1", "lstm 500x1"] == "worse"
    assert said["cnn 50x1", "lstm 50x1"] == "as good"
    first = told["networks"][0]["accuracy"]
    assert first["low"] < 0.85 < first["high"]


def test_seeds_that_differ_widely_leave_it_open() -> None:
    apart = [0.80, 0.90, 0.82, 0.88, 0.85]
    one = np.stack([run.right for rate in apart for run in runs(rate, SMALL, 1)])
    other = np.stack([run.right for rate in reversed(apart) for run in runs(rate, LARGE, 1)])
    assert verdict(between(one, other)) == "cannot tell"


def test_nothing_is_said_of_networks_that_learnt_nothing() -> None:
    found = {SMALL: runs(0.7, SMALL), LARGE: runs(0.8, LARGE)}
    assert summary(found, commonest=0.7)["differences"][0]["verdict"] == "cannot tell"
    assert summary(found, commonest=0.5)["differences"][0]["verdict"] == "worse"


@given(seed=st.integers(0, 50), rate=st.floats(0.6, 0.95))
def test_the_interval_holds_the_estimate(seed: int, rate: float) -> None:
    right = np.random.default_rng(seed).random((3, 200)) < rate
    found = between(right, draws=200)
    assert found.low <= found.value <= found.high


def test_the_grid_is_the_classical_one() -> None:
    cells = grid()
    assert len(cells) == len(set(cells)) == 11
    assert {cell.units for cell in cells if cell.kind == "lstm"} == {50, 100, 200, 300, 500}
    assert {cell.layers for cell in cells if cell.kind == "lstm"} == {1, 2, 3, 4, 5}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop.create(tmp_path / "shop")
    texts = [f"{'좋아요' if nth % 2 else '별로예요'} {nth}" for nth in range(400)]
    ratings = [5.0 if nth % 2 else 1.0 for nth in range(400)]
    ids = [f"r{nth}" for nth in range(400)]
    shop.write("reviews", pl.DataFrame({"review_id": ids, "text": texts, "rating": ratings}))
    return shop


def test_a_killed_run_goes_on(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[tuple[Cell, int]] = []

    def measured(cell: Cell, seed: int) -> Measured:
        if len(trained) == 3 and killing:
            raise KeyboardInterrupt
        trained.append((cell, seed))
        right = np.random.default_rng([seed, cell.units]).random(len(module._given[0][2])) < 0.9
        return Measured(cell, seed, right, 0.9, 1.0, 7)

    killing = True
    monkeypatch.setattr(module, "_measured", measured)
    cells = [SMALL, LARGE, CNN]
    with pytest.raises(KeyboardInterrupt):
        study(shop, seeds=2, cells=cells, workers=1)
    file = shop.path / "studies" / "reviews" / "cells.jsonl"
    file.write_text(file.read_text("utf8") + '\n{"key": "half a li', "utf8")
    killing = False
    told = study(shop, seeds=2, cells=cells, workers=1)
    assert told["trained"] == 3
    assert len(trained) == len(set(trained)) == 6
    again = study(shop, seeds=2, cells=cells, workers=1)
    assert again["trained"] == 0
    assert again["networks"] == told["networks"]
    page = (shop.path / "studies" / "reviews" / "study.md").read_text("utf8")
    assert "lstm 500x1" in page
    study(shop, seeds=3, cells=cells, workers=1)
    assert len(trained) == 9


def test_settings_of_the_study_itself_are_refused(shop: Shop) -> None:
    with pytest.raises(UsageError, match="sets units itself"):
        reviews_study(shop.path, to=None, seeds=2, workers=1, settings=None, pairs=["units=7"])


def test_too_little_is_said(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="2 or more"):
        study(shop, seeds=1)
    poor = Shop.create(tmp_path / "poor")
    poor.write("reviews", pl.DataFrame({"review_id": ["a"], "text": ["x"], "rating": [5.0]}))
    with pytest.raises(DataError, match="too few"):
        study(poor)
