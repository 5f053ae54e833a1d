"""The boosted trees of the conversion model: LightGBM, several seeds averaged on log odds.

Ke et al., "LightGBM", NeurIPS 2017.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from danggol.encoders.features import Encoded
from danggol.purchase.conversion.settings import ConversionSettings

Floats = NDArray[np.float64]
_PATIENCE = 60


def matrix(rows: Encoded) -> Floats:
    """Raw numbers, nan where missing, then the codes of the categories: (rows, numbers + categories)."""
    return np.column_stack([rows.raw, rows.codes])


def rounds_of(
    rows: Encoded, label: Floats, watched: Encoded, watched_label: Floats, settings: ConversionSettings
) -> int:
    """After how many trees the log loss on the ``watched`` rows is best."""
    data = _data(rows, label)
    held = lgb.Dataset(matrix(watched), watched_label, reference=data)
    stop = lgb.early_stopping(_PATIENCE, verbose=False)
    booster = lgb.train(_parameters(settings, 0), data, settings.rounds, [held], callbacks=[stop])
    return max(1, int(booster.best_iteration))


def train_trees(
    rows: Encoded, label: Floats, rounds: int, settings: ConversionSettings, boosters: int
) -> list[lgb.Booster]:
    """Boosters with the seeds 0, 1, 2 ..., each as it will be after saving and loading."""
    found = [lgb.train(_parameters(settings, nth), _data(rows, label), rounds) for nth in range(boosters)]
    return [lgb.Booster(model_str=booster.model_to_string()) for booster in found]


def margin(boosters: Sequence[lgb.Booster], rows: Encoded) -> Floats:
    """Mean log odds (rows,)."""
    if len(rows) == 0:
        return np.zeros(0)
    values = matrix(rows)
    found: Floats = np.mean([booster.predict(values, raw_score=True) for booster in boosters], axis=0)
    return found


def _data(rows: Encoded, label: Floats) -> lgb.Dataset:
    numbers, categories = rows.raw.shape[1], rows.codes.shape[1]
    named = list(range(numbers, numbers + categories))
    return lgb.Dataset(matrix(rows), label, categorical_feature=named, params={"verbose": -1})


def _parameters(settings: ConversionSettings, nth: int) -> dict[str, Any]:
    return {
        "objective": "binary",
        "learning_rate": settings.learning_rate,
        "num_leaves": settings.leaves,
        "min_data_in_leaf": 30,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "feature_fraction": 0.5,
        "num_threads": settings.threads or min(4, os.cpu_count() or 1),
        "seed": settings.seed * 1000 + nth,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }
