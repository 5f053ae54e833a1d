"""Women's clothing reviews: recommended or not, from text, from the rest, and from both, without the rating.

    python benchmarks/womens_clothing.py [--data DIR] [--train FILE] [--test FILE] [--set name=value ...]

Text is title and body; the rest is age, division, department and product class. The rating is read by no model: it is
the answer in another form. Without ``--test`` the file is split by a fixed rule: a review is a test row where the
SHA-256 of title, body, clothing number and age, modulo 5, is 0. With ``--test`` the whole training file is learnt from.
Reviews without any text (3%) are in; ``auc/with_text`` leaves them out.

Chosen by cross-validation within the training part of that split alone: everything about our model. The peers: TF-IDF
of word 1-2-grams, without and with character 2-5-grams, with logistic regression, also of the rest and of all columns
side by side, its C chosen in each run from 1, 2, 4, 8 on a fifth of the training rows; LightGBM on the rest, and joined
with the out-of-fold score of the better of the two texts; and the average of the log odds of text and LightGBM. Shares
are Shapley shares of the AUC.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from lightgbm import LGBMClassifier
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from danggol.metrics import Interval, Shares, auc, auc_of_weights, bootstrap_rows
from danggol.purchase.opinion import OpinionModel
from danggol.purchase.opinion.inputs import Opinions
from danggol.purchase.opinion.settings import OpinionSettings

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "reviews" / "womens_clothing"
TITLE, BODY, LABEL = "Title", "Review Text", "Recommended IND"
REST = ("Age", "Division Name", "Department Name", "Class Name")
PARTS = ("text", "rest", "joined")
USED = {"text": ("text",), "rest": ("features",), "joined": ("text", "features")}
STRENGTHS, DRAWS = (1.0, 2.0, 4.0, 8.0), 1000
Floats = NDArray[np.float64]
Scores = dict[str, Floats]
Matrices = tuple[csr_matrix, csr_matrix]
"""Of the training rows and the test rows."""
COUNTED: tuple[dict[str, Any], ...] = (
    {"ngram_range": (1, 2), "min_df": 2},
    {"analyzer": "char_wb", "ngram_range": (2, 5), "min_df": 3},
)
"""What the peers count in a text."""


def main() -> None:
    """Measure, print the table and the line of JSON."""
    given = arguments()
    began = time.perf_counter()
    train, test = read(given)
    label = test[LABEL].to_numpy()
    print(f"{train.height:,} reviews to learn from, {test.height:,} to test on, {label.mean():.3f} recommended")
    found: dict[str, Scores] = {}
    found["danggol"], shares, seconds = ours(train, test, given.settings)
    fit = time.perf_counter()
    found |= peers(train, test)
    seconds["peers"] = time.perf_counter() - fit
    told = np.array([bool(text) for text in texts(test)])
    figures = {
        name: {key(part): rounded(auc(said, label)) for part, said in one.items()} for name, one in found.items()
    }
    for name, one in found.items():
        figures[name]["auc/with_text"] = rounded(auc(one["joined"][told], label[told]))
    differences = {name: compared(found["danggol"], one, label) for name, one in found.items() if name != "danggol"}
    own = found["danggol"]
    differences["danggol-text"] = compared({"joined": own["joined"]}, {"joined": own["text"]}, label)
    report(figures, differences, shares)
    line = {
        "benchmark": "womens_clothing",
        "rows": test.height,
        "ours": figures.pop("danggol"),
        "peers": figures,
        "differences": {
            name: {part: spread(one) for part, one in parts.items()} for name, parts in differences.items()
        },
        "shares": {of(name): told_of(shares, name) for name in shares.share},
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "total_seconds": round(time.perf_counter() - began, 1),
    }
    print(json.dumps(line))


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of the CSV file, or the file")
    parser.add_argument("--train", type=Path, help="a file of the same form to train on, instead of --data")
    parser.add_argument("--test", type=Path, help="a file of the same form to test on, instead of a split")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings of ours")
    given = parser.parse_args()
    given.settings = OpinionSettings.load(pairs=given.set)
    return given


def read(given: argparse.Namespace) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The reviews to learn from and those to test on."""
    table = reviews(given.train or given.data)
    if given.test is not None:
        return table, reviews(given.test)
    chosen = [
        int(hashlib.sha256("\x1f".join("" if one is None else str(one) for one in row).encode()).hexdigest(), 16) % 5
        == 0
        for row in table.select(TITLE, BODY, "Clothing ID", "Age").iter_rows()
    ]
    return table.filter(~pl.Series(chosen)), table.filter(pl.Series(chosen))


def reviews(source: Path) -> pl.DataFrame:
    """The columns that are used; the rating is not among them."""
    table = pl.read_csv(source / "reviews.csv.gz" if source.is_dir() else source)
    return table.select(TITLE, BODY, "Clothing ID", *REST, LABEL)


def ours(train: pl.DataFrame, test: pl.DataFrame, settings: OpinionSettings) -> tuple[Scores, Shares, dict[str, float]]:
    """Log odds by part, the shares of text and the rest, and seconds."""
    began = time.perf_counter()
    model = OpinionModel(**settings.model_dump()).learn(opinions(train), train[LABEL].to_numpy())
    fitted = time.perf_counter()
    data, label = opinions(test), test[LABEL].to_numpy()
    found = {"joined": model.values(data, USED["joined"])}
    seconds = {"fit": fitted - began, "predict": time.perf_counter() - fitted}
    found |= {part: model.values(data, USED[part]) for part in ("text", "rest")}
    for name, weight in model.stacks.held[frozenset(USED["joined"])].weights.items():
        print(f"weight of {name} in the joined model: {weight:.2f}")
    return found, model.shares(data, label, DRAWS), seconds


def opinions(table: pl.DataFrame) -> Opinions:
    """The reviews as our model reads them."""
    return Opinions.of(table, BODY, TITLE, REST)


def peers(train: pl.DataFrame, test: pl.DataFrame) -> dict[str, Scores]:
    """Log odds of each peer by part."""
    label = train[LABEL].to_numpy()
    words, characters = (tfidf(train, test, settings) for settings in COUNTED)
    rest = encoded(train, test)
    alone = fitted(rest, label)
    found, best = {}, (0.0, 0.0, words)
    for name, text in {"tfidf-words": words, "tfidf-both": side_by_side(words, characters)}.items():
        reached, strength = strength_of(text[0], label)
        said = regression(strength).fit(text[0], label).decision_function(text[1])
        found[name] = {"text": said, "rest": alone, "joined": fitted(side_by_side(text, rest), label)}
        if reached > best[0]:
            best, chosen = (reached, strength, text), said
    tables = numbers(train, test)
    trees = {"text": chosen, "rest": boosted(*tables, label)}
    with_text = (np.column_stack([tables[0], held_out(*best[1:], label)]), np.column_stack([tables[1], chosen]))
    trees["joined"] = boosted(*with_text, label)
    return found | {"lightgbm": trees, "average": {**trees, "joined": (chosen + trees["rest"]) / 2}}


def held_out(strength: float, text: Matrices, label: NDArray[np.int64]) -> Floats:
    """Log odds of the training rows from their text, each by a model that did not learn from it."""
    found = np.zeros(len(label))
    for fit, held in StratifiedKFold(3, shuffle=True, random_state=0).split(text[0], label):
        found[held] = regression(strength).fit(text[0][fit], label[fit]).decision_function(text[0][held])
    return found


def texts(table: pl.DataFrame) -> list[str]:
    """Title and body as one text, empty where there is neither."""
    return table.select(pl.concat_str(pl.col(TITLE, BODY).fill_null(""), separator=" ").str.strip_chars())[
        TITLE
    ].to_list()


def tfidf(train: pl.DataFrame, test: pl.DataFrame, settings: dict[str, Any]) -> Matrices:
    """TF-IDF of the n-grams of title and body."""
    counted = TfidfVectorizer(sublinear_tf=True, dtype=np.float64, **settings)
    return counted.fit_transform(texts(train)), counted.transform(texts(test))


def side_by_side(first: Matrices, second: Matrices) -> Matrices:
    """Columns of both."""
    return csr_matrix(hstack([first[0], second[0]])), csr_matrix(hstack([first[1], second[1]]))


def encoded(train: pl.DataFrame, test: pl.DataFrame) -> tuple[csr_matrix, csr_matrix]:
    """Age in standard deviations, the rest one-hot."""
    columns = make_column_transformer(
        (StandardScaler(), ["Age"]), (OneHotEncoder(handle_unknown="ignore"), list(REST[1:])), sparse_threshold=1.0
    ).set_output(transform="default")
    tables = [table.select(REST).with_columns(pl.col(*REST[1:]).fill_null("")) for table in (train, test)]
    return csr_matrix(columns.fit_transform(tables[0])), csr_matrix(columns.transform(tables[1]))


def strength_of(rows: csr_matrix, label: NDArray[np.int64]) -> tuple[float, float]:
    """The best AUC on a fifth of the training rows, and the C that reaches it."""
    fit, held = next(StratifiedKFold(5, shuffle=True, random_state=1).split(rows, label))
    return max(
        (auc(regression(one).fit(rows[fit], label[fit]).decision_function(rows[held]), label[held]), one)
        for one in STRENGTHS
    )


def regression(strength: float) -> LogisticRegression:
    """Logistic regression; liblinear is the quickest here."""
    return LogisticRegression(C=strength, solver="liblinear")


def fitted(rows: Matrices, label: NDArray[np.int64]) -> Floats:
    """Log odds of the test rows by logistic regression with the C that serves best."""
    return regression(strength_of(rows[0], label)[1]).fit(rows[0], label).decision_function(rows[1])


def numbers(train: pl.DataFrame, test: pl.DataFrame) -> tuple[Floats, Floats]:
    """Age and the codes of the categories."""
    kinds = [pl.Enum(train[name].drop_nulls().unique().sort()) for name in REST[1:]]
    codes = [pl.col(name).cast(kind, strict=False).to_physical() for name, kind in zip(REST[1:], kinds, strict=True)]
    return tuple(table.select("Age", *codes).cast(pl.Float64).to_numpy() for table in (train, test))


def boosted(train: Floats, test: Floats, label: NDArray[np.int64]) -> Floats:
    """Log odds by LightGBM."""
    model = LGBMClassifier(
        n_estimators=150, learning_rate=0.03, num_leaves=7, min_child_samples=50, subsample=0.8, subsample_freq=1,
        colsample_bytree=0.8, random_state=0, n_jobs=int(os.environ.get("OMP_NUM_THREADS", "2")), verbose=-1,
    )  # fmt: skip
    return model.fit(train, label, categorical_feature=[1, 2, 3]).predict(test, raw_score=True)


def compared(first: Scores, second: Scores, label: NDArray[np.int64]) -> dict[str, Interval]:
    """The first's AUC minus the second's by part, by paired bootstrap over reviews."""
    found = {}
    for part in first:
        one, two = auc_of_weights(first[part], label), auc_of_weights(second[part], label)
        found[key(part)] = bootstrap_rows(lambda w, a=one, b=two: a(w) - b(w), np.arange(len(label)), DRAWS)
    return found


def report(figures: dict[str, dict[str, float]], differences: dict[str, dict[str, Interval]], shares: Shares) -> None:
    """Print the figures, ours minus theirs, and what text and the rest are worth."""
    columns = ["auc/text", "auc/rest", "auc", "auc/with_text"]
    print(f"\n{'model':<16}" + "".join(f"{name:<15}" for name in columns))
    for name, one in figures.items():
        print(f"{name:<16}" + "".join(f"{one[column]:<15.4f}" for column in columns))
    print("\nAUC of ours minus theirs, 95% by review (danggol-text: our joined minus our text)")
    for name, parts in differences.items():
        print(f"{name:<16}" + "  ".join(f"{part} {shown(one)}" for part, one in parts.items()))
    print("\nAUC above one half: Shapley share, alone, and what is lost without it")
    for name in shares.share:
        kinds = (shares.share[name], shares.alone[name], shares.without[name])
        print(f"{of(name):<6}" + "  ".join(shown(one) for one in kinds))
    rest = shares.without["features"]
    verdict = "adds nothing that can be told from chance" if rest.contains_zero else "changes the AUC"
    print(f"Beside the text, the rest {verdict}: {shown(rest)}")


def key(part: str) -> str:
    """The name of a part's figure."""
    return "auc" if part == "joined" else f"auc/{part}"


def of(modality: str) -> str:
    """A modality's name here."""
    return "rest" if modality == "features" else modality


def told_of(shares: Shares, name: str) -> dict[str, dict[str, float]]:
    """A modality's figures."""
    kinds = {"share": shares.share, "alone": shares.alone, "without": shares.without}
    return {kind: spread(one[name]) for kind, one in kinds.items()}


def spread(one: Interval) -> dict[str, float]:
    """An interval as JSON."""
    return {"value": rounded(one.value), "low": rounded(one.low), "high": rounded(one.high)}


def shown(one: Interval) -> str:
    """An interval as text."""
    return f"{one.value:+.4f} [{one.low:+.4f}, {one.high:+.4f}]"


def rounded(value: float) -> float:
    """Four digits."""
    return round(float(value), 4)


if __name__ == "__main__":
    main()
