"""Korean shopping reviews: pleased (4 and 5 stars) or not (1 and 2), from the text alone.

    python benchmarks/naver_shopping.py [--data DIR] [--train FILE] [--test FILE] [--unlabelled FILE] [--related FILE]
                                        [--folds N] [--set name=value ...]

Without ``--test`` the training file is cut into folds by the SHA-256 of the text without its spaces, so that texts that
are there twice never lie on both sides, and every row is told by models that did not see it. With ``--test`` the whole
training file is learnt from. No shipped weights are used.

Peers, tuned alike: TF-IDF of character 1-4-grams with logistic regression; TF-IDF of kiwi's morphemes, 1 and 2, with
logistic regression; an LSTM of 50 units over subwords; and the average of the log odds of the last two.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from kiwipiepy import Kiwi
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from danggol.metrics import Interval, accuracy, auc, expected_calibration_error, macro_f1, paired_bootstrap
from danggol.reviews import SentimentModel, SentimentSettings

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "reviews" / "naver_shopping"
STRENGTHS = (1.0, 2.0, 4.0, 8.0)
Floats = NDArray[np.float64]
Told = dict[str, Floats]
"""Probabilities of being pleased (rows,) by model."""


def main() -> None:
    """Measure, print the table and the line of JSON."""
    given = arguments()
    began = time.perf_counter()
    train = reviews(given.train or given.data / "labelled.csv")
    test = reviews(given.test) if given.test else None
    rows = train if test is None else test
    label = rows["pleased"].to_numpy()
    print(f"{train.height:,} reviews to learn from, {rows.height:,} to test on, {label.mean():.3f} pleased")
    seconds: dict[str, float] = {}
    if test is None:
        fold = folds(train["review"].to_list(), given.folds)
        told: Told = {}
        for nth in range(given.folds):
            here = fold == nth
            for name, found in measured(train.filter(~here), train.filter(here), given, seconds).items():
                told.setdefault(name, np.zeros(train.height))[here] = found
    else:
        told = measured(train, test, given, seconds)
    line = {"benchmark": "naver_shopping", "rows": rows.height, **figures(told, label)}
    line["seconds"] = {name: round(value, 1) for name, value in seconds.items()}
    line["total_seconds"] = round(time.perf_counter() - began, 1)
    print(json.dumps(line))


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of labelled.csv and unlabelled.csv")
    parser.add_argument("--train", type=Path, help="a CSV file of review and rating, instead of labelled.csv")
    parser.add_argument("--test", type=Path, help="a CSV file of review and rating, instead of folds")
    parser.add_argument("--folds", type=int, default=5, help="folds where there is no test file")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings of ours")
    given = parser.parse_args()
    given.settings = SentimentSettings.load(pairs=given.set)
    return given


def reviews(source: Path) -> pl.DataFrame:
    """Reviews of a CSV file with columns review and rating; three stars are left out."""
    table = pl.read_csv(source).filter(pl.col("rating") != 3)
    return table.select(pl.col("review").fill_null(""), pleased=(pl.col("rating") > 3).cast(pl.Float64))


def folds(texts: list[str], many: int) -> NDArray[np.int64]:
    """The fold of each text; the same for texts that differ in spaces only."""
    return np.array([int(hashlib.sha256("".join(text.split()).encode()).hexdigest(), 16) % many for text in texts])


def measured(train: pl.DataFrame, test: pl.DataFrame, given: argparse.Namespace, seconds: dict[str, float]) -> Told:
    """What each model says of the test rows."""
    texts, label, wanted = train["review"].to_list(), train["pleased"].to_numpy(), test["review"].to_list()
    began = time.perf_counter()
    model = SentimentModel(given.settings).fit(texts, label)
    fitted = time.perf_counter()
    told = {"danggol": model.predict(wanted)["probability"].to_numpy()}
    done = time.perf_counter()
    told["characters"] = regression(texts, label, wanted, characters)
    told["morphemes"] = regression(morphemes(texts), label, morphemes(wanted), tokens)
    for name, spent in {"fit": fitted - began, "predict": done - fitted, "peers": time.perf_counter() - done}.items():
        seconds[name] = seconds.get(name, 0.0) + spent
    return told


def characters() -> TfidfVectorizer:
    """Character 1-4-grams."""
    return TfidfVectorizer(analyzer="char", ngram_range=(1, 4), min_df=2, sublinear_tf=True)


def tokens() -> TfidfVectorizer:
    """Tokens that stand between line feeds, 1 and 2."""
    return TfidfVectorizer(
        tokenizer=str.splitlines, token_pattern=None, ngram_range=(1, 2), min_df=2, sublinear_tf=True
    )


def morphemes(texts: list[str], known: dict[str, str] = {}) -> list[str]:  # noqa: B006
    """Each text's morphemes with their tags, one a line; what was read before is kept."""
    fresh = [text for text in dict.fromkeys(texts) if text not in known]
    if fresh:
        read = Kiwi(num_workers=1).tokenize(fresh)
        known |= {
            text: "\n".join(f"{one.form}/{one.tag}" for one in found) for text, found in zip(fresh, read, strict=True)
        }
    return [known[text] for text in texts]


def regression(texts: list[str], label: Floats, wanted: list[str], counted: Callable[[], TfidfVectorizer]) -> Floats:
    """Logistic regression whose C is the best of four on a fifth of the training rows."""
    counts = counted()
    rows = counts.fit_transform(texts)
    held = folds(texts, 7) == 0
    reached = {
        strength: accuracy(fitted(rows[~held], label[~held], strength).predict(rows[held]), label[held])
        for strength in STRENGTHS
    }
    best = max(reached, key=lambda strength: reached[strength])
    return fitted(rows, label, best).predict_proba(counts.transform(wanted))[:, 1]


def fitted(rows: NDArray[np.float64], label: Floats, strength: float) -> LogisticRegression:
    """Logistic regression; liblinear is the quickest here."""
    return LogisticRegression(C=strength, solver="liblinear").fit(rows, label)


def figures(told: Told, label: Floats) -> dict[str, object]:
    """Figures by model, and ours minus the peers'."""
    found = {name: figures_of(said, label) for name, said in told.items()}
    right = {name: ((said > 0.5) == label).astype(np.float64) for name, said in told.items()}
    differences = {name: paired_bootstrap(right["danggol"], one) for name, one in right.items() if name != "danggol"}
    print(f"\n{'model':<20}{'accuracy':<11}{'macro_f1':<11}{'auc':<11}{'ece':<11}ours minus theirs, 95% by review")
    for name, one in found.items():
        shown = interval(differences[name]) if name in differences else ""
        print(f"{name:<20}" + "".join(f"{value:<11.4f}" for value in one.values()) + shown)
    return {
        "ours": found.pop("danggol"),
        "peers": found,
        "differences": {
            name: {"accuracy": {"value": round(one.value, 4), "low": round(one.low, 4), "high": round(one.high, 4)}}
            for name, one in differences.items()
        },
    }


def figures_of(said: Floats, label: Floats) -> dict[str, float]:
    """Figures of one model."""
    wanted = label.astype(np.int64)
    chosen = (said > 0.5).astype(np.int64)
    values = {
        "accuracy": accuracy(chosen, wanted),
        "macro_f1": macro_f1(chosen, wanted),
        "auc": auc(said, wanted),
        "ece": expected_calibration_error(said, wanted),
    }
    return {name: round(value, 4) for name, value in values.items()}


def interval(one: Interval) -> str:
    """An interval as text."""
    return f"{one.value:+.4f} [{one.low:+.4f}, {one.high:+.4f}]"


if __name__ == "__main__":
    main()
