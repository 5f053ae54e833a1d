"""Whether a session converts, from its sums: boosted trees and a transformer over the features, blended on log odds.

A model is fitted in three steps. The training rows are cut into folds; in each, both learners are trained on the other
folds' rows (an eighth of them kept to stop early on) and score the fold. The blend's weights are fitted on those
scores, of rows that no learner has seen the labels of. Then the trees are trained again on all rows; the networks of
the folds are kept and averaged.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import lightgbm as lgb
import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from danggol.encoders.features import Encoded, FeatureSpace
from danggol.errors import DataError, UsageError
from danggol.progress import track
from danggol.purchase import artefact
from danggol.purchase.conversion.features import Arithmetic
from danggol.purchase.conversion.settings import ConversionSettings
from danggol.purchase.conversion.trees import margin, rounds_of, train_trees
from danggol.version import __version__

if TYPE_CHECKING:
    from danggol.purchase.conversion.network import ConversionNetwork
    from danggol.shop import Shop

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
PARTS = ("trees", "network")
_KEYS = ("session_id", "customer_id", "ts", "converted")
"""Columns of a session that are no features."""
_WATCHED = 8
"""One training row in so many is kept to stop early on."""
_LEAST = 10
"""Rows of each class that a fold of the blend needs."""


@dataclass
class Blend:
    """Log odds of the whole from those of the parts: ``bias + sum of weight * part``, no weight below zero."""

    bias: float = 0.0
    weights: dict[str, float] = field(default_factory=dict)

    @classmethod
    def fit(cls, parts: dict[str, Floats], label: Floats) -> Self:
        """Minimise the log loss of out-of-fold log odds (rows,) of each part."""
        values = np.column_stack([np.ones(len(label)), *parts.values()])

        def loss(weights: Floats) -> tuple[float, Floats]:
            odds = values @ weights
            return float(np.mean(np.logaddexp(0, odds) - label * odds)), values.T @ (expit(odds) - label) / len(label)

        start = np.array([0.0, *(1 / len(parts) for _ in parts)])
        bounds = [(None, None), *((0, None) for _ in parts)]
        found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
        return cls(float(found[0]), dict(zip(parts, found[1:].tolist(), strict=True)))

    def margin(self, parts: dict[str, Floats]) -> Floats:
        """Log odds (rows,) of the whole."""
        found: Floats = self.bias + sum((weight * parts[name] for name, weight in self.weights.items()), np.zeros(1))
        return found


class ConversionModel:
    """Predicts whether a session converts; settings by keyword, see :class:`ConversionSettings`."""

    def __init__(self, **settings: Any) -> None:
        self.settings = ConversionSettings.of(settings)
        self.columns: list[str] = []
        self.arithmetic: Arithmetic | None = None
        self.space = FeatureSpace({}, {})
        self.boosters: list[lgb.Booster] = []
        self.networks: list[ConversionNetwork] = []
        self.blend = Blend()

    def fit(self, shop: Shop, leave_out: tuple[str, ...] = ()) -> Self:
        """Learn from the shop's sessions whose ``converted`` is known; ``leave_out``: columns known only afterwards."""
        sessions = shop.read("sessions").filter(pl.col("converted").is_not_null())
        return self.learn(features_of(sessions, leave_out), sessions["converted"].to_numpy())

    def learn(self, table: pl.DataFrame, converted: NDArray[Any]) -> Self:
        """Learn from a table of features, one row a session, and whether each converted (rows,).

        DataError: fewer than 10 sessions a fold that converted, or that did not.
        """
        label = np.asarray(converted, np.float64)
        if len(label) != table.height:
            raise UsageError(f"{table.height} sessions and {len(label)} labels: there must be one of each")
        fewest = min(label.sum(), len(label) - label.sum())
        if fewest < _LEAST * self.settings.folds:
            raise DataError(
                f"{int(label.sum())} of {len(label)} sessions converted; learning needs {_LEAST * self.settings.folds} "
                "that did and as many that did not"
            )
        self.columns = table.columns
        self.arithmetic = Arithmetic.fit(table, self.settings.gaps) if self.settings.arithmetic else None
        full = self._derived(table)
        self.space = FeatureSpace.fit(full)
        self._train(self.space.encode(full), label)
        return self

    def _train(self, rows: Encoded, label: Floats) -> None:
        settings, fold = self.settings, folds_of(label, self.settings.folds, self.settings.seed)
        parts = {name: np.zeros(len(label)) for name in (PARTS if settings.network else PARTS[:1])}
        rounds = []
        self.networks = []
        for nth in track(range(settings.folds), "folds"):
            out, rest = np.flatnonzero(fold == nth), np.flatnonzero(fold != nth)
            watched = folds_of(label[rest], _WATCHED, settings.seed + nth + 1) == 0
            fit, stop = rest[~watched], rest[watched]
            four = (rows.rows(fit), label[fit], rows.rows(stop), label[stop])
            rounds.append(rounds_of(*four, settings))
            boosters = train_trees(rows.rows(rest), label[rest], rounds[-1], settings, 2)
            parts["trees"][out] = margin(boosters, rows.rows(out))
            if settings.network:
                from danggol.purchase.conversion.network import train_network

                self.networks.append(train_network(*four, self.space.sizes, settings, nth))
                parts["network"][out] = self.networks[-1].margin(rows.rows(out))
        self.blend = Blend.fit(parts, label)
        self.boosters = train_trees(rows, label, round(float(np.mean(rounds))), settings, settings.boosters)

    def predict(self, shop: Shop) -> pl.DataFrame:
        """Of each session of the shop: session_id, probability."""
        sessions = shop.read("sessions")
        return pl.DataFrame({"session_id": sessions["session_id"], "probability": self.probability(sessions)})

    def probability(self, table: pl.DataFrame) -> Floats:
        """The probability of conversion (rows,) of any table with the columns of training; others are ignored.

        DataError: a column of training is not there. A value may be missing, and a category may be new.
        """
        return np.asarray(expit(self.blend.margin(self.parts(table))))

    def parts(self, table: pl.DataFrame) -> dict[str, Floats]:
        """What each part says: log odds (rows,) by name, see ``PARTS``."""
        if not self.boosters:
            raise UsageError("the conversion model is not fitted; call fit(shop) first")
        absent = [name for name in self.columns if name not in table.columns]
        if absent:
            raise DataError(f"the model was trained with columns that the table does not have: {', '.join(absent)}")
        rows = self.space.encode(self._derived(table.select(self.columns)))
        found = {"trees": margin(self.boosters, rows)}
        if self.networks:
            found["network"] = np.mean([network.margin(rows) for network in self.networks], axis=0)
        return found

    def _derived(self, table: pl.DataFrame) -> pl.DataFrame:
        return self.arithmetic.apply(table) if self.arithmetic is not None else table

    def save(self, folder: str | Path) -> Path:
        """Save to a folder as plain files: JSON, LightGBM's text, safetensors."""
        if not self.boosters:
            raise UsageError("the conversion model is not fitted; call fit(shop) first")
        config = {
            "capability": "purchase",
            "model": "conversion",
            "format": artefact.FORMAT,
            "package_version": __version__,
            "settings": self.settings.model_dump(),
            "columns": self.columns,
            "arithmetic": self.arithmetic.to_dict() if self.arithmetic is not None else None,
            "blend": {"bias": self.blend.bias, "weights": self.blend.weights},
            "boosters": len(self.boosters),
            "networks": len(self.networks),
        }
        files: dict[str, str | bytes] = {
            f"trees_{nth}.txt": booster.model_to_string() for nth, booster in enumerate(self.boosters)
        }
        if self.networks:
            from safetensors.torch import save

            files |= {f"network_{nth}.safetensors": save(one.state_dict()) for nth, one in enumerate(self.networks)}
        files["vocabulary.json"] = json.dumps(self.space.to_dict(), ensure_ascii=False)
        files[artefact.CONFIG] = json.dumps(config, indent=1, ensure_ascii=False)
        artefact.publish(Path(folder), files)
        return Path(folder)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Load a saved model; DataError where it is broken or of a newer format, UsageError where there is none."""
        source = artefact.locate(Path(folder))
        config = artefact.read_config(source, "conversion")
        try:
            model = cls(**config["settings"])
            model.columns = config["columns"]
            model.arithmetic = Arithmetic.from_dict(config["arithmetic"]) if config["arithmetic"] else None
            model.space = FeatureSpace.from_dict(json.loads(artefact.read_text(source, "vocabulary.json")))
            model.blend = Blend(**config["blend"])
            texts = [artefact.read_text(source, f"trees_{nth}.txt") for nth in range(config["boosters"])]
            model.boosters = [lgb.Booster(model_str=text) for text in texts]
            model.networks = [model._network(source / f"network_{n}.safetensors") for n in range(config["networks"])]
        except (KeyError, TypeError, ValueError, OSError, lgb.basic.LightGBMError) as error:
            raise DataError(f"the model in {source} is damaged ({error}); train it again") from error
        return model

    def _network(self, file: Path) -> ConversionNetwork:
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        from danggol.purchase.conversion.network import network_of

        try:
            tensors = load_file(file)
        except SafetensorError as error:
            raise DataError(f"the model's file {file} cannot be read: {error}; train the model again") from error
        return network_of(tensors, len(self.space.quantiles), self.space.sizes, self.settings)


def features_of(sessions: pl.DataFrame, leave_out: tuple[str, ...] = ()) -> pl.DataFrame:
    """The feature columns of a table of sessions: numbers, texts and flags that are not empty throughout.

    UsageError: a column to leave out is not there.
    """
    absent = [name for name in leave_out if name not in sessions.columns]
    if absent:
        raise UsageError(
            f"there is no column {', '.join(absent)} to leave out; there are {', '.join(sessions.columns)}"
        )
    usable = [
        name
        for name, kind in sessions.schema.items()
        if (kind.is_numeric() or kind in {pl.String, pl.Boolean}) and sessions[name].null_count() < sessions.height
    ]
    return sessions.select(name for name in usable if name not in (*_KEYS, *leave_out))


def folds_of(label: Floats, folds: int, seed: int) -> Rows:
    """A fold (rows,) from 0 for each row, each class spread evenly over them."""
    fold = np.empty(len(label), np.int64)
    for nth, value in enumerate((0, 1)):
        rows = np.flatnonzero(label == value)
        fold[np.random.default_rng([seed, nth]).permutation(rows)] = (np.arange(len(rows)) + nth) % folds
    return fold
