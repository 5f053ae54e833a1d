"""Online Shoppers (UCI): does a session convert, ours beside LightGBM, XGBoost, CatBoost and their average.

    python benchmarks/online_shoppers.py [--data DIR] [--train FILE --test FILE] [--seed 0] [--set name=value ...]

Five stratified folds (shuffled, seed 0) of all 12,330 sessions, the 125 repeated rows included, with and without
PageValues, which is computed after the fact and gives the answer away. Figures are of the five folds' test rows pooled;
intervals by paired bootstrap over rows, and over folds by the corrected t-test (Nadeau & Bengio 2003).

Chosen on the training rows of fold 0 alone, by cross-validation within them: which arithmetic to derive, and the
settings of ours; so fold 0's test rows took part in no choice, and its difference is printed apart. The peers have
settings that are near their defaults and were not searched. ``average-derived`` is the three peers on the columns that
our model derives, which tells those columns' part from the learners'.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from catboost import CatBoostClassifier, Pool
from lightgbm import LGBMClassifier
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold
from xgboost import XGBClassifier

from danggol.encoders.features import Encoded, FeatureSpace
from danggol.metrics import (
    Interval,
    auc,
    auc_of_weights,
    average_precision,
    average_precision_of_weights,
    bootstrap_rows,
    nadeau_bengio,
)
from danggol.purchase.conversion import ConversionModel, features_of
from danggol.purchase.conversion.features import Arithmetic
from danggol.purchase.conversion.settings import ConversionSettings
from danggol.shop import Shop
from danggol.shop.sources import import_source

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "purchase" / "online_shoppers"
LEAK = "page_values"
PARTS = ("with_page_values", "without_page_values")
METRICS = {"auc": (auc, auc_of_weights), "average_precision": (average_precision, average_precision_of_weights)}
FOLDS, DRAWS = 5, 1000
Floats = NDArray[np.float64]
Split = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass
class Scores:
    """Scores of the test rows by model, pooled over the folds; nan where a row was in no test part."""

    label: NDArray[np.int64]
    splits: list[Split]
    values: dict[str, Floats] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    differences: dict[tuple[str, str], Interval] = field(default_factory=dict)

    def put(self, model: str, test: NDArray[np.int64], found: Floats, began: float) -> None:
        """Keep one model's scores of one fold."""
        self.values.setdefault(model, np.full(len(self.label), np.nan))[test] = found
        self.seconds[model] = self.seconds.get(model, 0.0) + time.perf_counter() - began

    def pooled(self, model: str) -> tuple[Floats, NDArray[np.int64]]:
        """Scores and labels of all test rows."""
        rows = np.concatenate([test for _, test in self.splits])
        return self.values[model][rows], self.label[rows]

    def value(self, metric: str, model: str) -> float:
        """Over all test rows."""
        return METRICS[metric][0](*self.pooled(model))

    def by_fold(self, metric: str, model: str) -> Floats:
        """One value a fold."""
        measure = METRICS[metric][0]
        return np.array([measure(self.values[model][test], self.label[test]) for _, test in self.splits])

    def difference(self, metric: str, model: str) -> Interval:
        """Ours minus the model's over all test rows, by paired bootstrap, done once."""
        if (metric, model) not in self.differences:
            self.differences[metric, model] = self._difference(metric, model)
        return self.differences[metric, model]

    def _difference(self, metric: str, model: str) -> Interval:
        (ours, label), (theirs, _) = self.pooled("danggol"), self.pooled(model)
        of_weights = METRICS[metric][1]
        first, second = of_weights(ours, label), of_weights(theirs, label)
        return bootstrap_rows(lambda weights: first(weights) - second(weights), np.arange(len(label)), DRAWS)


def main() -> None:
    """Measure both parts, print the tables and the line of JSON."""
    given = arguments()
    began = time.perf_counter()
    sessions, splits = read(given)
    label = sessions["converted"].to_numpy().astype(np.int64)
    found: dict[str, Scores] = {}
    for part, leave_out in zip(PARTS, ((), (LEAK,)), strict=True):
        found[part] = Scores(label, splits)
        table = features_of(sessions, leave_out)
        for train, test in splits:
            ours(found[part], table, train, test, given.settings)
            peers(found[part], table, train, test)
        report(part, found[part])
    models = list(found[PARTS[0]].values)
    figures = {name: {} for name in models}
    for part, metric, name in ((p, m, n) for p in PARTS for m in METRICS for n in models):
        figures[name][f"{metric}/{part}"] = round(found[part].value(metric, name), 4)
    line: dict[str, Any] = {
        "benchmark": "online_shoppers",
        "rows": len(np.concatenate([test for _, test in splits])),
        "ours": figures.pop("danggol"),
        "peers": figures,
        "differences": {f"{metric}/{part}": differences(found[part], metric) for part in PARTS for metric in METRICS},
        "seconds": {name: round(sum(one.seconds[name] for one in found.values()), 1) for name in models},
        "total_seconds": round(time.perf_counter() - began, 1),
    }
    print(json.dumps(line))


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of the CSV file, or the file")
    parser.add_argument("--train", type=Path, help="a file of the same form to train on, with --test, instead of folds")
    parser.add_argument("--test", type=Path, help="a file of the same form to test on, with --train")
    parser.add_argument("--seed", type=int, default=0, help="of the folds")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings of ours")
    given = parser.parse_args()
    if (given.train is None) != (given.test is None):
        parser.error("--train and --test go together")
    given.settings = ConversionSettings.load(pairs=given.set)
    return given


def read(given: argparse.Namespace) -> tuple[pl.DataFrame, list[Split]]:
    """The sessions, through the importer and a shop, and the rows of each fold's training and test part."""
    tables = []
    for source in [given.data] if given.train is None else [given.train, given.test]:
        with tempfile.TemporaryDirectory() as folder:
            import_source("online-shoppers", source, Path(folder) / "shop")
            tables.append(Shop.open(Path(folder) / "shop").read("sessions"))
    if len(tables) == 2:
        cut = tables[0].height
        return pl.concat(tables), [(np.arange(cut), np.arange(cut, cut + tables[1].height))]
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=given.seed)
    return tables[0], list(folds.split(tables[0], tables[0]["converted"].to_numpy()))


def ours(
    scores: Scores, table: pl.DataFrame, train: NDArray[np.int64], test: NDArray[np.int64], settings: ConversionSettings
) -> None:
    """The blend, each of its parts alone, and the trees with less to read."""
    label = scores.label[train]
    began = time.perf_counter()
    model = ConversionModel(**settings.model_dump()).learn(table[train], label)
    parts = model.parts(table[test])
    scores.put("danggol", test, model.blend.margin(parts), began)
    weights = ", ".join(f"{name} {weight:.2f}" for name, weight in model.blend.weights.items())
    print(f"fold of {len(test):,}: weights {weights}", flush=True)
    for name, found in parts.items():
        scores.put(f"danggol-{name}", test, found, began)
    for name, less in (("danggol-trees-without-gaps", {"gaps": False}), ("danggol-trees-raw", {"arithmetic": False})):
        began = time.perf_counter()
        alone = ConversionModel(**(settings.model_dump() | {"network": False} | less)).learn(table[train], label)
        scores.put(name, test, alone.parts(table[test])["trees"], began)


def peers(scores: Scores, table: pl.DataFrame, train: NDArray[np.int64], test: NDArray[np.int64]) -> None:
    """LightGBM, XGBoost and CatBoost, and the average of their probabilities; then the average on derived columns."""
    for derived in (False, True):
        start = time.perf_counter()
        full = Arithmetic.fit(table[train], gaps=True).apply(table) if derived else table
        space = FeatureSpace.fit(full[train])
        rows = (space.encode(full[train]), space.encode(full[test]))
        found = []
        for name, fitted in (("lightgbm", lightgbm), ("xgboost", xgboost), ("catboost", catboost)):
            began = time.perf_counter()
            found.append(fitted(*rows, scores.label[train]))
            if not derived:
                scores.put(name, test, found[-1], began)
        scores.put("average-derived" if derived else "average", test, np.mean(found, axis=0), start)


def lightgbm(train: Encoded, test: Encoded, label: NDArray[np.int64]) -> Floats:
    """Probabilities by LightGBM."""
    model = LGBMClassifier(
        n_estimators=200, learning_rate=0.03, num_leaves=15, min_child_samples=30, subsample=0.8, subsample_freq=1,
        colsample_bytree=0.8, random_state=0, n_jobs=_cores(), verbose=-1,
    )  # fmt: skip
    named = list(range(train.raw.shape[1], train.raw.shape[1] + train.codes.shape[1]))
    return model.fit(matrix(train), label, categorical_feature=named).predict_proba(matrix(test))[:, 1]


def xgboost(train: Encoded, test: Encoded, label: NDArray[np.int64]) -> Floats:
    """Probabilities by XGBoost."""
    model = XGBClassifier(
        n_estimators=300, learning_rate=0.03, max_depth=5, subsample=0.8, colsample_bytree=0.8, random_state=0,
        n_jobs=_cores(),
    )  # fmt: skip
    return model.fit(matrix(train), label).predict_proba(matrix(test))[:, 1]


def catboost(train: Encoded, test: Encoded, label: NDArray[np.int64]) -> Floats:
    """Probabilities by CatBoost, which is told the categories."""
    named = list(range(train.raw.shape[1], train.raw.shape[1] + train.codes.shape[1]))
    model = CatBoostClassifier(
        iterations=500, learning_rate=0.04, depth=6, random_seed=0, thread_count=_cores(), verbose=0,
        allow_writing_files=False,
    )  # fmt: skip
    model.fit(Pool(_objects(train), label, cat_features=named))
    return model.predict_proba(Pool(_objects(test), cat_features=named))[:, 1]


def matrix(rows: Encoded) -> Floats:
    """Numbers and codes side by side."""
    return np.column_stack([rows.raw, rows.codes])


def _objects(rows: Encoded) -> NDArray[np.object_]:
    return np.column_stack([rows.raw.astype(object), rows.codes.astype(str).astype(object)])


def _cores() -> int:
    return int(os.environ.get("OMP_NUM_THREADS", min(4, os.cpu_count() or 1)))


def differences(scores: Scores, metric: str) -> dict[str, dict[str, float]]:
    """Ours minus each model's, with its interval over rows."""
    found = {name: scores.difference(metric, name) for name in scores.values if name != "danggol"}
    return {
        name: {"value": round(one.value, 4), "low": round(one.low, 4), "high": round(one.high, 4)}
        for name, one in found.items()
    }


def report(part: str, scores: Scores) -> None:
    """Print each model's figures, ours minus its by rows and by folds, and of fold 0 alone."""
    print(f"\n{part}: ours minus theirs in brackets, 95% by row, and p of the folds; fold 0 took part in no choice")
    print(f"{'model':<27} " + " ".join(f"{metric:<18} {'difference':<26} {'p':<5} fold 0 " for metric in METRICS))
    for name in scores.values:
        cells = [f"{name:<27}"]
        for metric in METRICS:
            cells.append(f"{scores.value(metric, name):<18.4f}")
            cells.append(" " * 40 if name == "danggol" else _difference(scores, metric, name))
        print(" ".join(cells), flush=True)


def _difference(scores: Scores, metric: str, name: str) -> str:
    rows = scores.difference(metric, name)
    folds = scores.by_fold(metric, "danggol") - scores.by_fold(metric, name)
    tested = nadeau_bengio(folds, *map(len, scores.splits[0])).p if len(folds) > 1 else None
    shown = f"{rows.value:+.4f} [{rows.low:+.4f}, {rows.high:+.4f}]"
    return f"{shown:<26} {'' if tested is None else f'{tested:.3f}':<5} {folds[0]:+.4f}"


if __name__ == "__main__":
    main()
