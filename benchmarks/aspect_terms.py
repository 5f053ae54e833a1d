"""Aspect terms and their polarity: SemEval 2014 (laptops, restaurants) and M-ABSA in Korean, beside plain peers.

    python benchmarks/aspect_terms.py [--data DIR] [--only laptops restaurants m_absa_ko] [--train FILE --test FILE]

A term counts where it is found letter by letter: in SemEval at its place, in M-ABSA as one of the sentence's terms
(places are not given there). ``f1/…`` is of terms, ``f1/…_pairs`` of terms with their polarity, ``accuracy/…`` of
polarity at the known places of the gold terms; all are pooled over sentences, as in SemEval. Peers: the dictionary of
the training terms (longest first; those that are marked in half of the sentences that hold them) with each term's usual
polarity, and TF-IDF with logistic regression on the ten words around a gold term.

The gold tests of SemEval are given as sentences with at least one term that is not in conflict: F1 there is easier than
on the official test, where a system can also err on sentences without terms. So ``…_cv`` gives three folds of the
training file, which holds all sentences. ``danggol-scorer`` also hears a sentiment model that learnt from stars (MARC,
or naver_shopping in Korean); texts of the tests are not among those.

Chosen on a fifth of SemEval's training sentences and on M-ABSA's dev files: all settings of ours; nothing on the tests.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import time
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from danggol.metrics import Interval, bootstrap_rows
from danggol.reviews.aspects.polarity import Scorer
from danggol.reviews.aspects.terms import AspectModel, Term
from danggol.reviews.sentiment import SentimentModel

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "reviews"
DRAWS, FOLDS = 1000, 3
DOMAINS = ("food", "hotel", "laptop", "phone", "restaurant")
SETS = ("laptops", "restaurants", "m_absa_ko")
_POLARITY = {"1": "positive", "0": "neutral", "-1": "negative"}
_WORD = re.compile(r"\w+|[^\w\s]")
Found = list[set[tuple[Any, str]]]
"""For each sentence, terms (place or words) with polarity."""


@dataclass(frozen=True)
class Marked:
    """Sentences with their terms."""

    texts: list[str]
    terms: list[list[Term]]
    gold: Found
    by_words: bool
    """whether terms are compared by their words, not by their places"""

    def part(self, chosen: NDArray[np.int64]) -> Marked:
        """Some of the sentences."""
        rows = chosen.tolist()
        held = ([one[nth] for nth in rows] for one in (self.texts, self.terms, self.gold))
        return Marked(*held, self.by_words)

    def places(self) -> list[tuple[int, int, int]]:
        """Where terms are."""
        return [(nth, one.start, one.end) for nth, marked in enumerate(self.terms) for one in marked]

    def polarities(self) -> list[str]:
        """How the terms at those places are spoken of."""
        return [str(one.polarity) for marked in self.terms for one in marked]


def main() -> None:
    """Measure, print the table and the line of JSON."""
    given = arguments()
    began = time.perf_counter()
    figures: dict[str, dict[str, float]] = defaultdict(dict)
    differences: dict[str, dict[str, Any]] = {}
    rows, seconds = 0, {"fit": 0.0, "predict": 0.0}
    for name, train, test in pairs_of(given):
        korean = name.startswith("m_absa")
        scorer = None if given.no_scorer else scorer_of(given.data, "ko" if korean else "en")
        rows += len(test.texts)
        found = measured(name, train, test, scorer, figures, seconds)
        differences[f"f1/{name}"] = {"dictionary": spread(found)}
        if not korean and given.train is None:
            crossed(name, train, figures)
        print(f"{name}: {len(train.texts):,} training and {len(test.texts):,} test sentences", flush=True)
    for model, each in figures.items():
        print(f"{model:<18}" + "  ".join(f"{part} {value:.4f}" for part, value in each.items()))
    for part, each in differences.items():
        print(f"ours minus the dictionary, {part}: {each['dictionary']}")
    ours = figures.pop("danggol")
    line = {
        "benchmark": "aspect_terms", "rows": rows, "ours": ours, "peers": figures, "differences": differences,
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "total_seconds": round(time.perf_counter() - began, 1),
    }  # fmt: skip
    print(json.dumps(line))


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of the data sets")
    parser.add_argument("--only", nargs="*", default=list(SETS), choices=SETS, help="which data sets")
    parser.add_argument("--train", type=Path, help="a file (.xml, .seg or .txt, also .gz) to train on, with --test")
    parser.add_argument("--test", type=Path, help="a file to test on, with --train")
    parser.add_argument("--no-scorer", action="store_true", help="leave out the variant with a sentiment model")
    given = parser.parse_args()
    if (given.train is None) != (given.test is None):
        parser.error("--train and --test go together")
    return given


def pairs_of(given: argparse.Namespace) -> list[tuple[str, Marked, Marked]]:
    """Name, training and test part of each data set."""
    if given.train is not None:
        return [("m_absa" if ".txt" in given.train.name else "given", read(given.train), read(given.test))]
    folder = given.data / "semeval2014"
    files = {
        "laptops": ("Laptop_Train_v2.xml.gz", "Laptops_Test_Gold.xml.seg.gz"),
        "restaurants": ("Restaurants_Train_v2.xml.gz", "Restaurants_Test_Gold.xml.seg.gz"),
    }
    found = [(name, *(read(folder / one) for one in files[name])) for name in given.only if name in files]
    if "m_absa_ko" in given.only:
        parts = [
            joined([read(given.data / "m_absa" / domain / "ko" / f"{split}.txt.gz") for domain in DOMAINS])
            for split in ("train", "test")
        ]
        found.append(("m_absa_ko", *parts))
    return found


def read(path: Path) -> Marked:
    """Sentences with terms: SemEval's XML, ``.seg`` of three lines a term, or M-ABSA's text."""
    content = (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).decode("utf8")
    name = path.name.removesuffix(".gz")
    if name.endswith(".xml"):
        return _xml(content)
    return _seg(content) if name.endswith(".seg") else _lines(content)


def _xml(content: str) -> Marked:
    texts, terms = [], []
    for sentence in ET.fromstring(content):
        texts.append(sentence.findtext("text") or "")
        marked = {
            Term(int(one.get("from")), int(one.get("to")), one.get("polarity")) for one in sentence.iter("aspectTerm")
        }
        terms.append(sorted(marked))
    return Marked(texts, terms, _gold(terms), by_words=False)


def _seg(content: str) -> Marked:
    lines = content.splitlines()
    held: dict[str, list[Term]] = {}
    for frame, term, polarity in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
        before, _, after = frame.partition("$T$")
        held.setdefault(before + term + after, []).append(
            Term(len(before), len(before) + len(term), _POLARITY[polarity.strip()])
        )
    terms = [sorted(set(one)) for one in held.values()]
    return Marked(list(held), terms, _gold(terms), by_words=False)


def _lines(content: str) -> Marked:
    texts, terms, gold = [], [], []
    for line in content.splitlines():
        text, _, labels = line.partition("####")
        told: dict[str, str] = {}
        for label in re.split(r"\], \[", labels.strip()[2:-2]):
            parts = [part.strip("'\"") for part in re.split(r"(?<=['\"]), (?=['\"])", label)]
            if len(parts) == 3 and parts[0] != "NULL":
                told.setdefault(parts[0], parts[2])
        texts.append(text)
        gold.append(set(told.items()))
        terms.append(
            [Term(text.find(one), text.find(one) + len(one), said) for one, said in told.items() if one in text]
        )
    return Marked(texts, terms, gold, by_words=True)


def _gold(terms: Sequence[Sequence[Term]]) -> Found:
    return [{((one.start, one.end), str(one.polarity)) for one in marked} for marked in terms]


def joined(parts: Sequence[Marked]) -> Marked:
    """Several sets as one."""
    held = ([row for part in parts for row in getattr(part, name)] for name in ("texts", "terms", "gold"))
    return Marked(*held, parts[0].by_words)


def scorer_of(data: Path, language: str) -> Scorer:
    """How pleased texts are, by a sentiment model that learns from stars."""
    if language == "ko":
        table = pl.read_csv(data / "naver_shopping" / "labelled.csv")
        texts, label = table["review"].to_list(), (table["rating"] > 3).cast(pl.Float64).to_numpy()
    else:
        table = pl.read_parquet(data / "marc" / "reviews.parquet")
        table = table.filter((pl.col("language") == "en") & (pl.col("split") == "train") & (pl.col("stars") != 3))
        texts, label = table["text"].to_list(), (table["stars"] > 3).cast(pl.Float64).to_numpy()
    model = SentimentModel().fit(texts, label)
    return lambda parts: model.predict(list(parts))["score"].to_numpy()


def measured(
    name: str, train: Marked, test: Marked, scorer: Scorer | None, figures: dict[str, dict[str, float]],
    seconds: dict[str, float],
) -> Interval:  # fmt: skip
    """All models on one data set; ours minus the dictionary in F1 of terms."""
    began = time.perf_counter()
    model = AspectModel().fit(train.texts, train.terms)
    seconds["fit"] += time.perf_counter() - began
    began = time.perf_counter()
    ours = found_by(model, test)
    seconds["predict"] += time.perf_counter() - began
    figures["danggol"].update(scored(name, ours, test))
    figures["danggol"][f"accuracy/{name}"] = agreed(model.polarity(test.texts, test.places()), test)
    if scorer is not None:
        figures["danggol-scorer"][f"accuracy/{name}"] = heard(train, test, scorer)
    plain, usual = dictionary(train, test)
    figures["dictionary"].update(scored(name, plain, test))
    figures["dictionary"][f"accuracy/{name}"] = agreed(usual, test)
    figures["tfidf-lr"][f"accuracy/{name}"] = agreed(regression(train, test), test)
    one, two = (f1_of_weights(found, test) for found in (ours, plain))
    return bootstrap_rows(lambda weights: one(weights) - two(weights), np.arange(len(test.texts)), DRAWS)


def heard(train: Marked, test: Marked, scorer: Scorer) -> float:
    """Accuracy of polarity with a scorer; the tagger does not hear it and is trained one step only."""
    model = AspectModel(scorer, steps=1).fit(train.texts, train.terms)
    return agreed(model.polarity(test.texts, test.places()), test)


def crossed(name: str, train: Marked, figures: dict[str, dict[str, float]]) -> None:
    """F1 over folds of the training file, sentences without terms included."""
    fold = np.random.default_rng(0).permutation(len(train.texts)) % FOLDS
    order = np.concatenate([np.flatnonzero(fold == nth) for nth in range(FOLDS)])
    found: dict[str, Found] = {"danggol": [], "dictionary": []}
    for nth in range(FOLDS):
        fit, held = train.part(np.flatnonzero(fold != nth)), train.part(np.flatnonzero(fold == nth))
        found["danggol"] += found_by(AspectModel().fit(fit.texts, fit.terms), held)
        found["dictionary"] += dictionary(fit, held)[0]
    for model, said in found.items():
        figures[model].update(scored(f"{name}_cv", said, train.part(order)))


def found_by(model: AspectModel, test: Marked) -> Found:
    """What our model finds."""
    said: Found = [set() for _ in test.texts]
    for row, start, end, span, polarity in (
        model.predict(test.texts).select("row", "start", "end", "span", "polarity").iter_rows()
    ):
        said[row].add((span if test.by_words else (start, end), polarity))
    return said


def dictionary(train: Marked, test: Marked) -> tuple[Found, list[str]]:
    """Terms of training, longest first, and their usual polarity."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    marked: Counter[str] = Counter()
    for text, terms in zip(train.texts, train.terms, strict=True):
        for word in {text[one.start : one.end].lower() for one in terms}:
            marked[word] += 1
        for one in terms:
            counts[text[one.start : one.end].lower()][str(one.polarity)] += 1
    usual = Counter(train.polarities()).most_common(1)[0][0]
    known = sorted(counts, key=lambda word: (-len(word), word))
    there = Counter(word for text in train.texts for word in known if word in text.lower())
    kept = [word for word in known if 2 * marked[word] >= there[word]]
    pattern = re.compile(
        "|".join(rf"(?<!\w){re.escape(word)}" + ("" if train.by_words else r"(?!\w)") for word in kept)
    )
    said: Found = []
    for text in test.texts:
        hits = [(match.start(), match.end(), match.group()) for match in pattern.finditer(text.lower())]
        said.append(
            {
                (text[start:end] if test.by_words else (start, end), counts[word].most_common(1)[0][0])
                for start, end, word in hits
            }
        )
    spans = [test.texts[nth][start:end].lower() for nth, start, end in test.places()]
    return said, [counts[one].most_common(1)[0][0] if one in counts else usual for one in spans]


def regression(train: Marked, test: Marked) -> list[str]:
    """TF-IDF of words and their pairs around the term, and logistic regression (C = 3)."""
    counted = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\S+")
    model = LogisticRegression(C=3, max_iter=300)
    model.fit(counted.fit_transform(around(train)), train.polarities())
    return model.predict(counted.transform(around(test))).tolist()


def around(marked: Marked) -> list[str]:
    """Ten words on either side of each term, and the term."""
    found = []
    for nth, start, end in marked.places():
        text = marked.texts[nth].lower()
        left, right = _WORD.findall(text[:start])[-10:], _WORD.findall(text[end:])[:10]
        found.append(" ".join([*left, text[start:end], *right]))
    return found


def scored(name: str, said: Found, test: Marked) -> dict[str, float]:
    """F1 of terms and of terms with polarity."""
    every = np.ones((1, len(test.texts)))
    pairs = f1_of_weights(said, test, pairs=True)(every)[0]
    return {
        f"f1/{name}": round(float(f1_of_weights(said, test)(every)[0]), 4),
        f"f1/{name}_pairs": round(float(pairs), 4),
    }


def f1_of_weights(said: Found, test: Marked, pairs: bool = False) -> Any:
    """F1 (draws,) pooled over sentences under weights (draws, sentences)."""
    cut = (lambda one: one) if pairs else (lambda one: {term for term, _ in one})
    mine, gold = [cut(one) for one in said], [cut(one) for one in test.gold]
    both = np.array([2 * len(one & two) for one, two in zip(mine, gold, strict=True)], np.float64)
    total = np.array([len(one) + len(two) for one, two in zip(mine, gold, strict=True)], np.float64)
    return lambda weights: (weights @ both) / np.maximum(weights @ total, 1e-9)


def agreed(said: Sequence[str | None], test: Marked) -> float:
    """Share of gold terms whose polarity is right."""
    return round(float(np.mean(np.array(said) == np.array(test.polarities()))), 4)


def spread(one: Interval) -> dict[str, float]:
    """An interval as JSON."""
    return {"value": round(one.value, 4), "low": round(one.low, 4), "high": round(one.high, 4)}


if __name__ == "__main__":
    main()
