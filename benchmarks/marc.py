"""Product reviews in six languages: pleased or not, and how many stars; one model for all against one a language.

    python benchmarks/marc.py [--data DIR] [--train FILE] [--test FILE] [--set name=value ...]

A file is Parquet with text, stars, language, and, where it holds both, split (train, test). Accuracy is that of 1-2
against 4-5 stars, over the rows of these; the mean absolute error is over all rows. Ours is one model of all languages,
which is not told the language: ``kind=linear`` learning stars (:data:`OURS`); pleased is the larger of the
probabilities of 4-5 and 1-2 stars. The peer is a logistic regression for each language, one of two classes and one of
five, over TF-IDF of word 1-2-grams (Japanese and Chinese: character 1-3-grams), with the best C of three on a fifth of
the language's training rows. Both guess the median of the stars that they expect, which is the guess of least absolute
error; ``logistic-likeliest`` guesses the likeliest stars.

The n-grams were chosen on a fifth of half of the French, Japanese and Chinese training rows; before, runs of 2-5
characters with spaces were measured on the test too (accuracy .877, error .645: as good). ``--held`` tests on a fifth
of the training rows.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from danggol.metrics import Interval, accuracy, paired_bootstrap
from danggol.reviews import SentimentModel, SentimentSettings

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "reviews" / "marc" / "reviews.parquet"
OURS = ("kind=linear", "target=stars", "characters=3", "edges=4", "bits=21", "fewest=3")
STRENGTHS = (0.5, 2.0, 8.0)
CHARACTERS = ("ja", "zh")
Values = NDArray[np.float64]
Told = dict[str, tuple[Values, Values]]
"""By model: pleased (1) or not (0), and stars, of each row."""


def main() -> None:
    """Measure, print the table and the line of JSON."""
    given = arguments()
    warnings.filterwarnings("ignore", category=ConvergenceWarning)
    began = time.perf_counter()
    train, test = read(given)
    print(f"{train.height:,} reviews to learn from, {test.height:,} to test on")
    told, seconds = measured(train, test, given.settings)
    line = {"benchmark": "marc", "rows": test.height, **figures(told, test)}
    line["seconds"] = {name: round(value, 1) for name, value in seconds.items()}
    line["total_seconds"] = round(time.perf_counter() - began, 1)
    print(json.dumps(line))


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="a file of both parts")
    parser.add_argument("--train", type=Path, help="a file to train on")
    parser.add_argument("--test", type=Path, help="a file to test on")
    parser.add_argument("--held", action="store_true", help="test on a fifth of the training rows instead")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings of ours")
    given = parser.parse_args()
    given.settings = SentimentSettings.load(pairs=[*OURS, *given.set])
    return given


def read(given: argparse.Namespace) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The reviews to learn from and those to test on."""
    train, test = (
        pl.read_parquet(path or given.data).filter(pl.col("split") == part if path is None else pl.lit(True))
        for path, part in ((given.train, "train"), (given.test, "test"))
    )
    if given.held:
        held = pl.col("text").hash(7) % 5 == 0
        train, test = train.filter(~held), train.filter(held)
    return tuple(one.select(pl.col("text").fill_null(""), "stars", "language") for one in (train, test))


def measured(train: pl.DataFrame, test: pl.DataFrame, settings: SentimentSettings) -> tuple[Told, dict[str, float]]:
    """What each model says of the test rows, and seconds."""
    began = time.perf_counter()
    model = SentimentModel(settings).fit(train["text"].to_list(), train["stars"].to_numpy())
    fitted = time.perf_counter()
    said = model.predict(test["text"].to_list())
    done = time.perf_counter()
    pleased, stars = (said["probability"] > 0.5).to_numpy(), said["stars"].to_numpy()
    told = {"danggol": (pleased.astype(np.float64), stars.astype(np.float64)), **peers(train, test)}
    return told, {"fit": fitted - began, "predict": done - fitted, "peers": time.perf_counter() - done}


def peers(train: pl.DataFrame, test: pl.DataFrame) -> Told:
    """What logistic regressions of each language say."""
    pleased, middle, likeliest = (np.zeros(test.height) for _ in range(3))
    for language in test["language"].unique().sort():
        some, here = train.filter(language=language), (test["language"] == language).to_numpy()
        wanted = test.filter(language=language)["text"].to_list()
        counts = counted(language)
        rows, stars = counts.fit_transform(some["text"].to_list()), some["stars"].to_numpy()
        asked, sure = counts.transform(wanted), stars != 3
        pleased[here] = best(rows[sure], stars[sure] > 3).predict(asked)
        model = best(rows, stars)
        likeliest[here] = model.predict(asked)
        middle[here] = median(model, asked)
    return {"logistic": (pleased, middle), "logistic-likeliest": (pleased, likeliest)}


def counted(language: str) -> TfidfVectorizer:
    """What is counted in a language."""
    if language in CHARACTERS:
        return TfidfVectorizer(analyzer="char", ngram_range=(1, 3), min_df=2, sublinear_tf=True)
    return TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")


def best(rows: csr_matrix, label: NDArray[np.int64]) -> LogisticRegression:
    """Logistic regression with the best C of three: by accuracy of two classes, by absolute error of stars."""
    held = np.arange(len(label)) % 5 == 0
    reached = {}
    for strength in STRENGTHS:
        model = regression(strength).fit(rows[~held], label[~held])
        two = len(model.classes_) == 2
        reached[strength] = (
            accuracy(model.predict(rows[held]), label[held])
            if two
            else -float(np.abs(median(model, rows[held]) - label[held]).mean())
        )
    return regression(max(reached, key=lambda strength: reached[strength])).fit(rows, label)


def regression(strength: float) -> LogisticRegression:
    """Multinomial logistic regression; a looser tolerance leaves it far from its optimum."""
    return LogisticRegression(C=strength, max_iter=200, tol=1e-5)


def median(model: LogisticRegression, rows: csr_matrix) -> Values:
    """Stars in the middle of what is expected."""
    below = np.cumsum(model.predict_proba(rows), axis=1)
    return model.classes_[(below < 0.5).sum(axis=1).clip(max=len(model.classes_) - 1)].astype(np.float64)


def figures(told: Told, test: pl.DataFrame) -> dict[str, object]:
    """Figures by model and language, and ours minus the logistic regression's."""
    languages = test["language"].unique().sort().to_list()
    stars = test["stars"].to_numpy().astype(np.float64)
    sure, of = stars != 3, test["language"].to_numpy()
    right = {name: (one[0] == (stars > 3)).astype(np.float64) for name, one in told.items()}
    off = {name: np.abs(one[1] - stars) for name, one in told.items()}
    print(f"\n{'model':<20}{'':<10}" + "".join(f"{name:<9}" for name in ["all", *languages]))
    found: dict[str, dict[str, float]] = {}
    parts = {"": np.ones(len(stars), np.bool_)} | {f"/{name}": of == name for name in languages}
    for name in told:
        found[name] = {
            f"accuracy{part}": round(float(right[name][here & sure].mean()), 4) for part, here in parts.items()
        }
        found[name] |= {f"mae{part}": round(float(off[name][here].mean()), 4) for part, here in parts.items()}
        for metric in ("accuracy", "mae"):
            values = [value for key, value in found[name].items() if key.split("/")[0] == metric]
            print(f"{name:<20}{metric:<10}" + "".join(f"{value:<9.4f}" for value in values))
    print("\ndanggol minus logistic, 95% by review")
    differences = {}
    for part, here in parts.items():
        two = paired_bootstrap(right["danggol"][here & sure], right["logistic"][here & sure])
        error = paired_bootstrap(off["danggol"][here], off["logistic"][here])
        differences |= {f"accuracy{part}": spread(two), f"mae{part}": spread(error)}
        print(f"{part.strip('/') or 'all':<6}accuracy {shown(two)}  mae {shown(error)}")
    return {"ours": found.pop("danggol"), "peers": found, "differences": {"logistic": differences}}


def spread(one: Interval) -> dict[str, float]:
    """An interval as JSON."""
    return {"value": round(one.value, 4), "low": round(one.low, 4), "high": round(one.high, 4)}


def shown(one: Interval) -> str:
    """An interval as text."""
    return f"{one.value:+.4f} [{one.low:+.4f}, {one.high:+.4f}]"


if __name__ == "__main__":
    main()
