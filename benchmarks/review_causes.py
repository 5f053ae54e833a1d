"""Olist reviews (Portuguese): the cause of each, ours beside TF-IDF with logistic regression or SVM, and LightGBM.

    python benchmarks/review_causes.py [--train FILE --test FILE] [--data FILE] [--set name=value ...]

Without ``--test``, five folds by the hash of the id; figures are of all folds' rows pooled, and of fold 0 apart. The
label is ``most_voted_subclass``; its class is named beside it. Rows without either are left out. The columns
``votes_*``, which the label is made of, are not read at all. Three inputs: the text alone; with order facts; and our
default, with order facts and the stars that the customer gave with the text (``review_score``, there as soon as the
review is). What was delivered after the day of the review is taken for under way, for all models alike: so it was when
the review was written. ``unseen`` are test rows whose text is in no training row; about three in ten recur.

Macro F1 is over the causes among labels or predictions. Intervals by paired bootstrap over texts: all rows that share
a text are drawn together.

Chosen on the rows of folds 1 to 4 alone, by cross-validation within them: everything about ours, and the peers' C,
weights and columns (from the grids named below). Fold 0 took part in no choice.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from lightgbm import LGBMClassifier
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from danggol.metrics import Interval, bootstrap_rows, macro_f1, macro_f1_of_weights
from danggol.reviews.causes import CauseModel
from danggol.reviews.causes.facts import delivery_facts
from danggol.reviews.causes.settings import CauseSettings

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "reviews" / "olist_causes"
TEXT, SUBCLASS, CLASS = "review_comment_message", "most_voted_subclass", "most_voted_class"
FOLDS, DRAWS = 5, 1000
KINDS = {"full": "", "facts": "_without_stars", "text": "_text"}
"""What is read, and how its figures end."""
COUNTED = (
    {"ngram_range": (1, 2), "sublinear_tf": True},
    {"analyzer": "char_wb", "ngram_range": (2, 5), "sublinear_tf": True, "min_df": 2},
)
FACT_WEIGHT = 0.1
Labels = NDArray[np.str_]
Ints = NDArray[np.int64]


@dataclass
class Cut:
    """One training and one test part."""

    train: pl.DataFrame
    test: pl.DataFrame


@dataclass
class Answers:
    """What each model says of each test row, pooled over the cuts."""

    rows: pl.DataFrame
    unseen: NDArray[np.bool_]
    fold: Ints
    said: dict[tuple[str, str, str], list[Labels]] = field(default_factory=dict)
    """by model, target and kind of input"""
    seconds: dict[str, float] = field(default_factory=dict)

    def put(self, model: str, target: str, kind: str, found: Any) -> None:
        """Keep one cut's answers."""
        self.said.setdefault((model, target, kind), []).append(np.asarray(found, dtype=np.str_))

    def pair(self, model: str, target: str, kind: str) -> tuple[Labels, Labels]:
        """Answers and truth of all rows."""
        truth = self.rows[SUBCLASS if target == "subclass" else CLASS].to_numpy().astype(np.str_)
        return np.concatenate(self.said[model, target, kind]), truth


def main() -> None:
    """Measure, print the tables and the line of JSON."""
    given = arguments()
    began = time.perf_counter()
    cuts = cuts_of(given)
    answers = answered(cuts, given.settings)
    figures: dict[str, dict[str, float]] = {}
    for model, target, kind in answers.said:
        figures.setdefault(model, {}).update(measured(answers, model, target, kind))
    differences = compared(answers)
    report(answers, figures, differences)
    line = {
        "benchmark": "review_causes",
        "rows": answers.rows.height,
        "unseen_rows": int(answers.unseen.sum()),
        "ours": figures.pop("danggol"),
        "peers": figures,
        "differences": {part: {name: spread(one) for name, one in each.items()} for part, each in differences.items()},
        "seconds": {name: round(value, 1) for name, value in answers.seconds.items()},
        "total_seconds": round(time.perf_counter() - began, 1),
    }
    print(json.dumps(line))


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of the CSV file, or the file")
    parser.add_argument("--train", type=Path, help="a file of the same form to train on; default: that of --data")
    parser.add_argument("--test", type=Path, help="a file of the same form to test on, instead of folds")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings of ours")
    given = parser.parse_args()
    given.settings = CauseSettings.load(pairs=given.set)
    return given


def cuts_of(given: argparse.Namespace) -> list[Cut]:
    """The cuts: one where a test file is named, else five folds."""
    table = orders(given.train or given.data)
    if given.test is not None:
        return [Cut(table, orders(given.test))]
    fold = pl.Series([int(hashlib.sha256(str(one).encode()).hexdigest(), 16) % FOLDS for one in table["id"]])
    return [Cut(table.filter(fold != nth), table.filter(fold == nth)) for nth in range(FOLDS)]


def orders(source: Path) -> pl.DataFrame:
    """The labelled reviews with their facts; no vote is among the columns."""
    held = pl.read_csv(source / "orders_with_causes.csv.gz" if source.is_dir() else source, infer_schema_length=None)
    held = held.select(pl.exclude("^votes_.*$")).filter(pl.col(SUBCLASS).is_not_null() & pl.col(CLASS).is_not_null())
    when = ("order_estimated_delivery_date", "order_delivered_customer_date", "review_creation_date")
    times = held.select(pl.col(when).str.slice(0, 19).str.to_datetime("%Y-%m-%d %H:%M:%S"))
    facts = delivery_facts(*times, held["order_status"])
    return held.with_columns(facts).with_columns(pl.col(TEXT).fill_null(""))


FACTS = ("days_late", "days_held", "days_over", "order_items_qty", "order_sellers_qty", "status")
MORE = (
    "order_products_value", "order_freight_value", "product_category_name", "customer_state", "product_photos_qty",
    "product_description_lenght",
)  # fmt: skip
"""Columns that LightGBM reads beside those; in ours and in the regression they cost more than they gave."""


def used(table: pl.DataFrame, kind: str, more: bool = False) -> pl.DataFrame | None:
    """The facts of a kind of input."""
    if kind == "text":
        return None
    return table.select(*FACTS, *(MORE if more else ()), *(["review_score"] if kind == "full" else []))


def answered(cuts: list[Cut], settings: CauseSettings) -> Answers:
    """All models on all cuts."""
    unseen = [~cut.test[TEXT].is_in(cut.train[TEXT].unique().to_list()).to_numpy() for cut in cuts]
    fold = np.concatenate([np.full(cut.test.height, nth) for nth, cut in enumerate(cuts)])
    answers = Answers(pl.concat([cut.test for cut in cuts]), np.concatenate(unseen), fold)
    for cut in cuts:
        ours(answers, cut, settings)
        peers(answers, cut)
    return answers


def ours(answers: Answers, cut: Cut, settings: CauseSettings) -> None:
    """The default model on each kind of input."""
    classes = dict(cut.train.select(SUBCLASS, CLASS).unique().iter_rows())
    for kind in KINDS:
        began = time.perf_counter()
        model = CauseModel(**settings.model_dump())
        model.fit(cut.train[TEXT].to_list(), used(cut.train, kind), cut.train[SUBCLASS].to_list(), classes)
        found = model.predict(cut.test[TEXT].to_list(), used(cut.test, kind))
        answers.put("danggol", "subclass", kind, found["cause"].to_numpy())
        answers.put("danggol", "class", kind, found["class"].to_numpy())
        spent(answers, "danggol", began)


def peers(answers: Answers, cut: Cut) -> None:
    """Logistic regression, SVM and LightGBM; each is fitted to causes and to classes apart."""
    counted = [TfidfVectorizer(**one) for one in COUNTED]
    train = csr_matrix(hstack([one.fit_transform(cut.train[TEXT].to_list()) for one in counted]))
    test = csr_matrix(hstack([one.transform(cut.test[TEXT].to_list()) for one in counted]))
    learners: dict[str, Callable[[], Any]] = {"tfidf-lr": regression, "tfidf-svc": machine}
    for target, name in (("subclass", SUBCLASS), ("class", CLASS)):
        label = cut.train[name].to_numpy().astype(np.str_)
        for kind in KINDS:
            first, second = with_facts(cut, kind, train, test)
            for peer, learner in learners.items():
                began = time.perf_counter()
                answers.put(peer, target, kind, learner().fit(first, label).predict(second))
                spent(answers, peer, began)
        began = time.perf_counter()
        folds = StratifiedKFold(5, shuffle=True, random_state=0)
        inner = cross_val_predict(regression(), train, label, cv=folds, method="predict_proba")
        outer = regression().fit(train, label).predict_proba(test)
        for kind in ("full", "facts"):
            answers.put("lightgbm", target, kind, boosted(cut, kind, inner, outer, label))
        spent(answers, "lightgbm", began)


def regression() -> LogisticRegression:
    """C of 3, 10, 30, 100, with and without weights."""
    return LogisticRegression(C=30, class_weight="balanced", max_iter=300)


def machine() -> LinearSVC:
    """C of 0.1, 0.3, 1, with and without weights; facts weighing 0.1, 0.2, 0.4."""
    return LinearSVC(C=0.3, class_weight="balanced")


def with_facts(cut: Cut, kind: str, train: csr_matrix, test: csr_matrix) -> tuple[csr_matrix, csr_matrix]:
    """Facts beside the counts: standardised, the missing flagged, categories one-hot, all times a weight."""
    tables = used(cut.train, kind), used(cut.test, kind)
    if tables[0] is None or tables[1] is None:
        return train, test
    numbers = [name for name in tables[0].columns if tables[0].schema[name].is_numeric()]
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(add_indicator=True, strategy="median"), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="ignore"), [name for name in tables[0].columns if name not in numbers]),
        sparse_threshold=1.0,
    )
    first = csr_matrix(columns.fit_transform(tables[0]))
    second = csr_matrix(columns.transform(tables[1]))
    return csr_matrix(hstack([train, first * FACT_WEIGHT])), csr_matrix(hstack([test, second * FACT_WEIGHT]))


def boosted(cut: Cut, kind: str, inner: Any, outer: Any, label: Labels) -> Any:
    """LightGBM on all facts and on what the regression says of the text, out of fold in training."""
    tables = used(cut.train, kind, more=True), used(cut.test, kind, more=True)
    both = pl.concat([one for one in tables if one is not None])
    codes = both.with_columns(pl.col(pl.String).cast(pl.Categorical).to_physical()).cast(pl.Float64).to_numpy()
    model = LGBMClassifier(
        n_estimators=100, learning_rate=0.05, num_leaves=7, min_child_samples=10, colsample_bytree=0.5, subsample=0.8,
        subsample_freq=1, reg_lambda=3, class_weight="balanced", random_state=0, verbose=-1,
        n_jobs=int(os.environ.get("OMP_NUM_THREADS", "2")),
    )  # fmt: skip
    cutting = cut.train.height
    model.fit(np.column_stack([inner, codes[:cutting]]), label)
    return model.predict(np.column_stack([outer, codes[cutting:]]))


def measured(answers: Answers, model: str, target: str, kind: str) -> dict[str, float]:
    """Macro F1 of all rows, of unseen texts, and of fold 0."""
    said, truth = answers.pair(model, target, kind)
    name = f"macro_f1/{target}{KINDS[kind]}"
    parts = {name: np.ones(len(truth), np.bool_), f"{name}_unseen": answers.unseen}
    if answers.fold.any():
        parts[f"{name}_fold0"] = answers.fold == 0
    return {part: round(macro_f1(said[rows], truth[rows]), 4) for part, rows in parts.items()}


def compared(answers: Answers) -> dict[str, dict[str, Interval]]:
    """Ours minus each peer by target and kind; the default also against the peers with less to read."""
    texts = np.unique(answers.rows[TEXT].to_numpy().astype(np.str_), return_inverse=True)[1]
    found: dict[str, dict[str, Interval]] = {}
    for model, target, kind in answers.said:
        if model == "danggol":
            continue
        for mine in dict.fromkeys((kind, "full")):
            one = macro_f1_of_weights(*answers.pair("danggol", target, mine))
            two = macro_f1_of_weights(*answers.pair(model, target, kind))
            part = f"{target}{KINDS[mine]}" + ("" if mine == kind else f" minus {target}{KINDS[kind]}")
            found.setdefault(part, {})[model] = bootstrap_rows(lambda w, a=one, b=two: a(w) - b(w), texts, DRAWS)
    return found


def report(answers: Answers, figures: dict[str, dict[str, float]], differences: dict[str, dict[str, Interval]]) -> None:
    """Print macro F1 by input, and ours minus theirs."""
    print(f"{answers.rows.height:,} test rows, {int(answers.unseen.sum()):,} with a text that training did not hold")
    for kind, ending in KINDS.items():
        print(f"\nmacro F1, {kind:<10} class  unseen  subclass  unseen  (fold 0: class, subclass)")
        for model, one in figures.items():
            if (model, "class", kind) not in answers.said:
                continue
            cells = [one[f"macro_f1/{target}{ending}{end}"] for target in ("class", "subclass") for end in _ENDS]
            apart = [one.get(f"macro_f1/{target}{ending}_fold0", float("nan")) for target in ("class", "subclass")]
            print(
                f"{model:<20}" + "  ".join(f"{cell:.4f}" for cell in cells) + "   " + f"{apart[0]:.4f} {apart[1]:.4f}"
            )
    print("\nOurs minus theirs, 95% by text")
    for part, each in differences.items():
        for model, one in each.items():
            print(f"{part:<45}{model:<12}{one.value:+.4f} [{one.low:+.4f}, {one.high:+.4f}]")


_ENDS = ("", "_unseen")


def spread(one: Interval) -> dict[str, float]:
    """An interval as JSON."""
    return {"value": round(one.value, 4), "low": round(one.low, 4), "high": round(one.high, 4)}


def spent(answers: Answers, model: str, began: float) -> None:
    """Add up the seconds of a model."""
    answers.seconds[model] = answers.seconds.get(model, 0.0) + time.perf_counter() - began


if __name__ == "__main__":
    main()
