"""The flag on unsafe listings, made-up: what is red and a disc must not be sold."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.matching.catalogue.made import SMALL, catalogue

from danggol.errors import DataError, UsageError
from danggol.matching.catalogue.unsafe import UnsafeModel


def test_unsafe_listings_are_flagged_and_few_others(tmp_path: Path) -> None:
    items, labels = catalogue(600)
    unsafe = labels.select((pl.col("colour") == "red") & (pl.col("shape") == "disc")).to_series()
    label = unsafe.cast(pl.Float64).to_numpy().copy()
    label[:30] = np.nan
    model = UnsafeModel(precision=0.9, picture=SMALL).learn(items, label)
    fresh, truth = catalogue(300, seed=1)
    bad = ((truth["colour"] == "red") & (truth["shape"] == "disc")).to_numpy()
    rows = model.predict(fresh)
    flagged = rows["flagged"].to_numpy()
    assert bad[flagged].mean() > 0.8
    assert flagged[bad].mean() > 0.8
    assert abs(rows["probability"].mean() - bad.mean()) < 0.05  # type: ignore[operator]
    # brand and shape alone do not tell
    assert model.predict(fresh.without("picture"))["flagged"].sum() < flagged.sum()
    model.save(tmp_path / "flag")
    assert UnsafeModel.load(tmp_path / "flag").predict(fresh).equals(rows)


def test_too_few_or_other_labels_are_refused() -> None:
    items, _ = catalogue(60)
    with pytest.raises(DataError, match="labelled unsafe"):
        UnsafeModel().learn(items, np.zeros(60))
    with pytest.raises(DataError, match="another value was found"):
        UnsafeModel().learn(items, np.full(60, 2))
    with pytest.raises(UsageError, match="precision"):
        UnsafeModel(precision=0)
