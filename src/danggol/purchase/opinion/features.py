"""What the features say: boosted trees, stopped early, few and small where there is little to learn."""

from __future__ import annotations

import os
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from danggol.encoders.features import Encoded
from danggol.purchase.opinion.settings import OpinionSettings

Floats = NDArray[np.float64]
_PATIENCE = 40
_WATCHED = 5
"""One row in so many is kept to count the trees by."""


def rounds_of(rows: Encoded, label: Floats, settings: OpinionSettings) -> int:
    """After how many trees the loss on a fifth of the rows, drawn by the seed, is best."""
    watched = np.random.default_rng([settings.seed, len(label)]).permutation(len(label)) % _WATCHED == 0
    data = _data(rows.rows(~watched), label[~watched])
    held = lgb.Dataset(_matrix(rows.rows(watched)), label[watched], reference=data)
    stop = lgb.early_stopping(_PATIENCE, verbose=False)
    booster = lgb.train(_parameters(settings), data, settings.rounds, [held], callbacks=[stop])
    return max(1, int(booster.best_iteration))


def train_trees(rows: Encoded, label: Floats, rounds: int, settings: OpinionSettings) -> lgb.Booster:
    """A booster as it will be after saving and loading."""
    found = lgb.train(_parameters(settings), _data(rows, label), rounds)
    return lgb.Booster(model_str=found.model_to_string())


def tree_values(booster: lgb.Booster, rows: Encoded) -> Floats:
    """Log odds, or stars, (rows,)."""
    if len(rows) == 0:
        return np.zeros(0)
    return np.asarray(booster.predict(_matrix(rows), raw_score=True), np.float64)


def _matrix(rows: Encoded) -> Floats:
    return np.column_stack([rows.raw, rows.codes])


def _data(rows: Encoded, label: Floats) -> lgb.Dataset:
    numbers = rows.raw.shape[1]
    named = list(range(numbers, numbers + rows.codes.shape[1]))
    return lgb.Dataset(_matrix(rows), label, categorical_feature=named, params={"verbose": -1})


def _parameters(settings: OpinionSettings) -> dict[str, Any]:
    return {
        "objective": "binary" if settings.target == "outcome" else "regression",
        "learning_rate": settings.learning_rate,
        "num_leaves": settings.leaves,
        "min_data_in_leaf": 30,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "feature_fraction": 0.7,
        "cat_smooth": 20,
        "num_threads": settings.threads or min(4, os.cpu_count() or 1),
        "seed": settings.seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }
