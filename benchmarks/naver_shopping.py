"""Korean shopping reviews: pleased (4 and 5 stars) or not (1 and 2), from the text alone.

    python benchmarks/naver_shopping.py [--data DIR] [--train FILE] [--test FILE] [--unlabelled FILE] [--related FILE]
                                        [--folds N] [--set name=value ...]

Without ``--test`` the training file is cut into folds by the SHA-256 of the text without its spaces, so that texts that
are there twice never lie on both sides, and every row is told by models that did not see it. With ``--test`` the whole
training file is learnt from. No shipped weights are used. Ours also reads the unlabelled reviews and NSMC's film
comments (its training pool), without any row of the labelled file: subwords and their vectors come from both, and the
film comments' labels train the networks first.

Ours is the ensemble of :data:`OURS`; ``danggol-linear`` is the default kind, which the verbs train. Peers: TF-IDF of
character 1-4-grams with logistic regression; TF-IDF of kiwi's morphemes, 1 and 2, with logistic regression (the C of
both is the best of four on a fifth of the training rows); an LSTM of 50 units over the same morphemes, stopped early;
and averages of probabilities: of both regressions, and of the second and the LSTM. Noise: see :func:`noisy`.

Chosen by the first two folds of the default run: n-grams, members, networks. The default run's figures are those of all
five.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from kiwipiepy import Kiwi
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from danggol.metrics import Interval, accuracy, auc, expected_calibration_error, macro_f1, paired_bootstrap
from danggol.reviews import SentimentModel, SentimentSettings
from danggol.reviews.sentiment.pretraining import Pretrained, pretrain
from danggol.reviews.sentiment.settings import NETWORKS

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "reviews" / "naver_shopping"
FILMS = DATA.parent / "nsmc" / "train_pool.tsv.gz"
OURS = ("kind=ensemble", 'members=["linear", "morphemes", "cnn", "cnn", "cnn"]', "dropout=0.4", "epochs=3")
STRENGTHS = (1.0, 2.0, 4.0, 8.0)
UNITS, EMBEDDED, LONGEST, EPOCHS, BATCH = 50, 100, 60, 5, 64
NOISE = ("typos", "no_spaces", "emoji")
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
    seconds = {"pretrain": time.perf_counter()}
    start = started(given)
    seconds["pretrain"] = time.perf_counter() - seconds["pretrain"]
    if test is None:
        fold = folds(train["review"].to_list(), given.folds)
        told: Told = {}
        for nth in range(given.folds):
            here = fold == nth
            found_here = measured(train.filter(~here), train.filter(here), given, start, seconds)
            for name, found in found_here.items():
                told.setdefault(name, np.zeros(train.height))[here] = found
    else:
        told = measured(train, test, given, start, seconds)
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
    parser.add_argument("--unlabelled", type=Path, help="a CSV file of review, instead of unlabelled.csv")
    parser.add_argument("--related", type=Path, default=FILMS, help="a TSV file of document and label")
    parser.add_argument("--folds", type=int, default=5, help="folds where there is no test file")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings of ours")
    given = parser.parse_args()
    given.settings = SentimentSettings.load(pairs=[*OURS, *given.set])
    return given


def reviews(source: Path) -> pl.DataFrame:
    """Reviews of a CSV file with columns review and rating; three stars are left out."""
    table = pl.read_csv(source).filter(pl.col("rating") != 3)
    return table.select(pl.col("review").fill_null(""), pleased=(pl.col("rating") > 3).cast(pl.Float64))


def folds(texts: list[str], many: int) -> NDArray[np.int64]:
    """The fold of each text; the same for texts that differ in spaces only."""
    return np.array([int(hashlib.sha256("".join(text.split()).encode()).hexdigest(), 16) % many for text in texts])


def started(given: argparse.Namespace) -> Pretrained:
    """What networks begin with: unlabelled reviews and labelled film comments."""
    texts = pl.read_csv(given.unlabelled or given.data / "unlabelled.csv")["review"].to_list()
    films = pl.read_csv(given.related, separator="\t", quote_char=None).drop_nulls()
    kinds = sorted(set(given.settings.members) & set(NETWORKS))
    return pretrain(texts, given.settings, (films["document"].to_list(), films["label"].to_numpy()), kinds)


def measured(
    train: pl.DataFrame, test: pl.DataFrame, given: argparse.Namespace, start: Pretrained, seconds: dict[str, float]
) -> Told:
    """What each model says of the test rows."""
    texts, label, wanted = train["review"].to_list(), train["pleased"].to_numpy(), test["review"].to_list()
    began = time.perf_counter()
    model = SentimentModel(given.settings).fit(texts, label, start=start)
    fitted = time.perf_counter()
    told = {"danggol": model.predict(wanted)["probability"].to_numpy()}
    done = time.perf_counter()
    linear = SentimentModel(kind="linear").fit(texts, label)
    told["danggol-linear"] = linear.predict(wanted)["probability"].to_numpy()
    for kind in NOISE:
        spoilt = [noisy(text, kind, nth) for nth, text in enumerate(wanted)]
        told[f"danggol/{kind}"] = model.predict(spoilt)["probability"].to_numpy()
        told[f"danggol-linear/{kind}"] = linear.predict(spoilt)["probability"].to_numpy()
    began_peers = time.perf_counter()
    told["characters"] = regression(texts, label, wanted, characters)
    told["morphemes"] = regression(morphemes(texts), label, morphemes(wanted), tokens)
    told["lstm-50"] = lstm(morphemes(texts), label, morphemes(wanted))
    for name in ("characters", "lstm-50"):
        told[f"morphemes+{name}"] = (told["morphemes"] + told[name]) / 2
    for name, spent in {
        "fit": fitted - began,
        "predict": done - fitted,
        "peers": time.perf_counter() - began_peers,
    }.items():
        seconds[name] = seconds.get(name, 0.0) + spent
    return told


def characters() -> TfidfVectorizer:
    """Character 1-4-grams."""
    return TfidfVectorizer(analyzer="char", ngram_range=(1, 4), min_df=2, sublinear_tf=True)


def tokens() -> TfidfVectorizer:
    """Tokens that stand between line feeds, 1 and 2."""
    return TfidfVectorizer(**SPLIT, ngram_range=(1, 2), min_df=2, sublinear_tf=True)


SPLIT: dict[str, Any] = {"tokenizer": str.splitlines, "token_pattern": None, "lowercase": False}


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


def lstm(texts: list[str], label: Floats, wanted: list[str]) -> Floats:
    """An LSTM of 50 units over morphemes whose last state tells; the best epoch on a tenth of the rows is kept."""
    torch.manual_seed(0)
    known = {
        one: nth for nth, one in enumerate(TfidfVectorizer(**SPLIT, min_df=2).fit(texts).get_feature_names_out(), 2)
    }
    rows, asked = (numbered(some, known) for some in (texts, wanted))
    held = torch.from_numpy(folds(texts, 10) == 0)
    target = torch.from_numpy(label.astype(np.float32))
    body = torch.nn.LSTM(EMBEDDED, UNITS, batch_first=True)
    network = torch.nn.ModuleList(
        [torch.nn.Embedding(len(known) + 2, EMBEDDED), torch.nn.Dropout(0.3), body, torch.nn.Linear(UNITS, 1)]
    )
    steps = torch.optim.Adam(network.parameters(), lr=2e-3)
    best, said = -1.0, np.zeros(len(wanted))
    learnt = torch.where(~held)[0]
    for _ in range(EPOCHS):
        network.train()
        for chosen in learnt[torch.randperm(len(learnt))].split(BATCH):
            steps.zero_grad()
            torch.nn.functional.binary_cross_entropy_with_logits(read(network, rows[chosen]), target[chosen]).backward()
            steps.step()
        network.eval()
        with torch.no_grad():
            reached = float(((read(network, rows[held]) > 0) == (target[held] > 0.5)).float().mean())
            if reached > best:
                best, said = reached, torch.sigmoid(read(network, asked)).numpy().astype(np.float64)
    return said


def read(network: torch.nn.ModuleList, rows: torch.Tensor) -> torch.Tensor:
    """Log odds (rows,) from the last state of each row."""
    embed, drop, body, head = network
    many = (rows > 0).sum(dim=1).clamp_min(1)
    packed = torch.nn.utils.rnn.pack_padded_sequence(drop(embed(rows)), many, batch_first=True, enforce_sorted=False)
    return head(drop(body(packed)[1][0][0]))[:, 0]


def numbered(texts: list[str], known: dict[str, int]) -> torch.Tensor:
    """Numbers of morphemes (texts, length), 1 where it is not known, 0 after the end."""
    rows = torch.zeros(len(texts), LONGEST, dtype=torch.int64)
    for nth, text in enumerate(texts):
        found = [known.get(one, 1) for one in text.splitlines()[:LONGEST]]
        rows[nth, : len(found)] = torch.tensor(found, dtype=torch.int64)
    return rows


def noisy(text: str, kind: str, seed: int) -> str:
    """A text without its spaces; with two emoji that say nothing; or with one letter in twenty wrong.

    A wrong letter is, equally often, left out, written twice, in the place of the next one, or of another vowel.
    """
    chance = random.Random(seed)
    if kind == "no_spaces":
        return "".join(text.split())
    if kind == "emoji":
        place = chance.randrange(len(text) + 1)
        return f"{text[:place]}{chance.choice('📦🛒🎁')}{text[place:]} {chance.choice('🙏👀💬')}"
    letters = list(text)
    for place in range(len(letters) - 1):
        if chance.random() < 0.05:
            wrong = chance.randrange(4)
            if wrong == 3 and "가" <= letters[place] <= "힣":
                code = ord(letters[place]) - ord("가")
                letters[place] = chr(ord("가") + code // 588 * 588 + chance.randrange(21) * 28 + code % 28)
            elif wrong == 2:
                letters[place], letters[place + 1] = letters[place + 1], letters[place]
            else:
                letters[place] *= wrong
    return "".join(letters)


def figures(told: Told, label: Floats) -> dict[str, object]:
    """Figures by model, and ours minus the peers'."""
    found = {name: figures_of(said, label) for name, said in told.items()}
    right = {name: ((said > 0.5) == label).astype(np.float64) for name, said in told.items()}
    differences = {name: paired_bootstrap(right["danggol"], one) for name, one in right.items() if name != "danggol"}
    lost = {name: one for name, one in found.items() if "/" in name}
    found = {name: one for name, one in found.items() if "/" not in name}
    print(f"\n{'model':<20}{'accuracy':<11}{'macro_f1':<11}{'auc':<11}{'ece':<11}ours minus theirs, 95% by review")
    for name, one in found.items():
        shown = interval(differences[name]) if name in differences else ""
        print(f"{name:<20}" + "".join(f"{value:<11.4f}" for value in one.values()) + shown)
    print(
        "\nlost by noise: "
        + ", ".join(
            f"{name} {found[name.split('/')[0]]['accuracy'] - one['accuracy']:.4f}" for name, one in lost.items()
        )
    )
    for name, one in lost.items():
        model, kind = name.split("/")
        found[model][f"accuracy/{kind}"] = one["accuracy"]
    return {
        "ours": found.pop("danggol"),
        "peers": found,
        "differences": {
            name: {"accuracy": {"value": round(one.value, 4), "low": round(one.low, 4), "high": round(one.high, 4)}}
            for name, one in differences.items()
            if "/" not in name
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
