"""Entity matching of pair files: which of the candidate pairs are the same product.

    python benchmarks/entity_matching.py [--data DIR] [--train FILE --valid FILE --test FILE] [--set name=value ...]

Without files, Abt-Buy and Amazon-Google of the folder, one after the other; with files, any pairs of the form
``COL name VAL value …`` TAB the other record TAB label. The figure is F1 over the test's pairs; intervals are by paired
bootstrap over left records.

Ours learns from the labels of train and valid, and sees the test's pairs without labels: the weights of words, and the
rank of a pair among the pairs of its records, are those of the whole file. It also looks at the labels of other
training pairs of the same records: most test records are in training pairs too, and a record that has its match seldom
has another. Variants stand apart: ``danggol-no-labels`` looks at no label of another pair, ``danggol-no-graph`` at no
other pair at all. Peers: LightGBM on TF-IDF cosines (trees from train, threshold from valid, then trees from both), and
splink, whose EM learns from all candidate pairs without labels, its comparisons and threshold from train and valid.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer

from danggol.matching.records import RecordMatcher, RecordPairs, RecordSettings, read_pairs
from danggol.matching.records.features import Kinds
from danggol.matching.records.matcher import best_threshold
from danggol.metrics import Interval, bootstrap_rows, f1
from splink_pairs import WAYS, splink_weights

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "matching"
SETS = ("abt_buy", "amazon_google")
DRAWS = 1000
Floats = NDArray[np.float64]
Decisions = dict[str, NDArray[np.bool_]]
"""(pairs,) by model."""


def main() -> None:
    """Print a table for every set and the line of JSON."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--data", type=Path, default=DATA)
    for name in ("train", "valid", "test"):
        asked.add_argument(f"--{name}", type=Path)
    asked.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    options = asked.parse_args()
    given = [options.train, options.valid, options.test]
    if any(given) and not all(given):
        asked.error("give --train, --valid and --test together")
    settings = RecordSettings.load(None, options.set)
    files = {"": given} if all(given) else {name: _files(options.data / name) for name in SETS}
    told: dict[str, Any] = {"benchmark": "entity_matching", "rows": 0, "ours": {}, "peers": {}, "differences": {}}
    seconds = {"fit": 0.0, "predict": 0.0}
    for name, paths in files.items():
        train, valid, test = (read_pairs(path) for path in paths)
        decided = decide(train, valid, test, settings, seconds)
        report(name, test, decided, told)
    print(json.dumps(told | {"seconds": {name: round(one, 1) for name, one in seconds.items()}}))


def _files(folder: Path) -> list[Path]:
    return [folder / f"{name}.txt.gz" for name in ("train", "valid", "test")]


def decide(
    train: RecordPairs, valid: RecordPairs, test: RecordPairs, settings: RecordSettings, seconds: dict[str, float]
) -> Decisions:
    """What each model says of the test's pairs."""
    ahead = test.unlabelled()
    began = time.perf_counter()
    matcher = RecordMatcher(settings).fit(train, valid, ahead)
    seconds["fit"] += time.perf_counter() - began
    began = time.perf_counter()
    found = {"ours": matcher.predict(ahead).same}
    seconds["predict"] += time.perf_counter() - began
    for name, change in (("danggol-no-labels", {"labels": False}), ("danggol-no-graph", {"graph": False})):
        changed = RecordMatcher(settings.model_copy(update=change)).fit(train, valid, ahead)
        assert changed.judged is not None
        found[name] = changed.judged.same
    found["tfidf-lightgbm"] = simple(train, valid, ahead)
    found["splink"] = linked(train, valid, ahead)
    return found


def simple(train: RecordPairs, valid: RecordPairs, test: RecordPairs) -> NDArray[np.bool_]:
    """LightGBM on TF-IDF cosines of words and characters, by column and of the whole record, and number ratios."""
    full = RecordPairs.joined([train, valid, test])
    values, label = cosines(full), full.label
    first, both = len(train), len(train) + len(valid)
    trees = _trees(values[:first], label[:first])
    threshold = best_threshold(np.asarray(trees.predict(values[first:both])), label[first:both])
    told = np.asarray(_trees(values[:both], label[:both]).predict(values[both:]))
    return np.asarray(told >= threshold)


def cosines(pairs: RecordPairs) -> Floats:
    """(pairs, features)."""
    kinds = Kinds.of(pairs)
    texts = {name: [record.get(name, "") for record in pairs.records] for name in kinds.texts}
    texts["*"] = [" ".join(parts) for parts in zip(*texts.values(), strict=True)]
    columns = []
    for one in texts.values():
        for analyzer, grams in (("word", (1, 1)), ("char_wb", (3, 4))):
            rows = TfidfVectorizer(analyzer=analyzer, ngram_range=grams).fit_transform(one).tocsr()
            columns.append(np.asarray(rows[pairs.left].multiply(rows[pairs.right]).sum(axis=1)).ravel())
        empty = np.array([not text.strip() for text in one])
        columns += [empty[pairs.left].astype(float), empty[pairs.right].astype(float)]
    for name in kinds.numbers:
        amount = np.array([_amount(record.get(name, "")) for record in pairs.records])
        with np.errstate(invalid="ignore", divide="ignore"):
            columns.append(np.abs(np.log(amount[pairs.left]) - np.log(amount[pairs.right])))
    return np.stack(columns, axis=1)


def _amount(text: str) -> float:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return float("nan")


def _trees(values: Floats, label: NDArray[np.int64]) -> lgb.Booster:
    settings = {"objective": "binary", "learning_rate": 0.05, "num_leaves": 15, "num_threads": 1, "verbose": -1}
    return lgb.train(settings, lgb.Dataset(values, label), num_boost_round=200)


def linked(train: RecordPairs, valid: RecordPairs, test: RecordPairs) -> NDArray[np.bool_]:
    """splink, with the comparisons and the threshold that have the best F1 on train and valid."""
    full, known = RecordPairs.joined([train, valid, test]), len(train) + len(valid)
    found = []
    for way in WAYS:
        weights = splink_weights(full, Kinds.of(full), way)
        threshold = best_threshold(weights[:known], full.label[:known])
        found.append((f1(weights[:known] >= threshold, full.label[:known]), weights[known:] >= threshold))
    return np.asarray(max(found, key=lambda one: one[0])[1])


def report(name: str, test: RecordPairs, decided: Decisions, told: dict[str, Any]) -> None:
    """Print a set's table and put its figures into what is told."""
    metric = f"f1/{name}" if name else "f1"
    scores = {model: f1(same, test.label) for model, same in decided.items()}
    print(f"\n{name or 'pairs'}: {len(test)} test pairs, {int(test.label.sum())} of them the same")
    print(f"{'model':<20}{'F1':<9}{'precision':<11}{'recall':<9}ours minus theirs, 95% by left record")
    for model, score in sorted(scores.items(), key=lambda item: item[1]):
        same = decided[model]
        hits = float((same & (test.label == 1)).sum())
        line = f"{model:<20}{score:<9.4f}{hits / max(same.sum(), 1):<11.4f}{hits / max(test.label.sum(), 1):<9.4f}"
        if model != "ours":
            gap = difference(decided["ours"], same, test)
            line += f"{gap.value:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]"
            spread = {key: round(float(getattr(gap, key)), 4) for key in ("value", "low", "high")}
            told["differences"].setdefault(model, {})[metric] = spread
            told["peers"].setdefault(model, {})[metric] = round(score, 4)
        print(line, flush=True)
    told["ours"][metric] = round(scores["ours"], 4)
    told["rows"] += len(test)


def difference(ours: NDArray[np.bool_], theirs: NDArray[np.bool_], test: RecordPairs) -> Interval:
    """F1 of the one minus that of the other, over left records."""

    def of(same: NDArray[np.bool_], weights: Floats) -> Floats:
        hits = weights @ (same & (test.label == 1)).astype(float)
        return np.asarray(2 * hits / np.maximum(weights @ (same + test.label.astype(float)), 1e-9))

    return bootstrap_rows(lambda weights: of(ours, weights) - of(theirs, weights), test.left, DRAWS)


if __name__ == "__main__":
    main()
