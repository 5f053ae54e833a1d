"""Aspects by seed words, without labels: are the right sentences found, and is what they say of the aspect told right?

    python benchmarks/aspect_seeds.py [--data DIR] [--aspects FILE]

Sentences of SemEval 2014 restaurants (training file) and of M-ABSA's tests in seven languages. Nothing is learnt from
these files; which clause tells the polarity was chosen on M-ABSA's training files, and which words are not meant on
those and on reviews with stars (naver_shopping, MARC's training part). Categories that mean one of our aspects are
compared: everywhere price and service; in laptops, phones and food also delivery, packaging and quality.
``f1/SET`` is pooled over sentences and aspects, ``f1/SET_ASPECT`` of one. ``accuracy/SET`` is of the sign of polarity,
on rightly found aspects that gold calls positive or negative (0 is wrong). Peer ``name``: the aspect's English name and
nothing else, English sets only; ``usual``: all is positive. ``danggol-scorer`` hears a sentiment model that learnt from
stars (MARC; in Korean naver_shopping) where a clause has no word of feeling, ``danggol-shipped`` the model that comes
with danggol, as the command does; only their ``accuracy`` differs.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import time
import xml.etree.ElementTree as ET
from collections import defaultdict
from pathlib import Path

import numpy as np
import polars as pl

from aspect_terms import scorer_of
from danggol.metrics import bootstrap_rows
from danggol.reviews.aspects.scorer import SentimentScorer
from danggol.reviews.aspects.seeds import SeedAspects
from danggol.reviews.sentiment.labelling import SHIPPED

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "reviews"
GOODS, PLACES = ("laptop", "phone", "food"), ("hotel", "restaurant")
LANGUAGES = ("ko", "en", "ja", "zh", "de", "fr", "es")
EVERYWHERE = {"price": "price", "service": "service|support#|after-sales"}
OF_GOODS = {"delivery_time": "logistics#speed|logistics#general|shipping|shipment", "packaging": "packag"}
OF_GOODS |= {"quality": r"#quality$|product quality"}
NAMES = {
    "price": "price",
    "service": "service",
    "delivery_time": "deliver",
    "packaging": "packag",
    "quality": "quality",
}
SCORED = ("ko", "en")
DRAWS = 1000
Gold = dict[str, float]
"""Of a sentence: aspects, with -1, 0 or 1."""


def main() -> None:
    """Measure, print the table and the line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of the data sets")
    parser.add_argument("--aspects", type=Path, help="a file of aspects; default: the one that comes with the package")
    given = parser.parse_args()
    seeds, figures, rows = SeedAspects(given.aspects), defaultdict(dict), 0
    scorers = {language: scorer_of(given.data, language) for language in SCORED}
    shipped = SentimentScorer(SHIPPED)
    began = time.perf_counter()
    for name, texts, gold, aspects, language in sets(given.data):
        said = labelled(seeds, texts, language)
        rows += len(texts)
        figures["danggol"] |= scored(name, said, gold, aspects)
        if language in SCORED:
            for peer, scorer in (("danggol-scorer", scorers[language]), ("danggol-shipped", shipped)):
                heard = labelled(SeedAspects(given.aspects, scorer), texts, language)
                figures[peer][f"accuracy/{name}"] = signs(heard, gold, aspects)
        figures["usual"][f"accuracy/{name}"] = signs([dict.fromkeys(one, 1.0) for one in said], gold, aspects)
        if language == "en":
            plain = [{a: 1.0 for a, word in NAMES.items() if a in aspects and word in text.lower()} for text in texts]
            figures["name"] |= {key: value for key, value in scored(name, plain, gold, aspects).items() if "f1" in key}
        low, high = interval(said, gold, aspects)
        each = "  ".join(f"{one} {figures['danggol'][f'f1/{name}_{one}']:.3f}" for one in aspects)
        print(
            f"{name:<14} {len(texts):>5} sentences  F1 {figures['danggol'][f'f1/{name}']:.3f} [{low:.3f}, {high:.3f}]"
            f"  sign {figures['danggol'][f'accuracy/{name}']:.3f}"
            f" (all positive {figures['usual'][f'accuracy/{name}']:.3f})  {each}"
        )
    ours = figures.pop("danggol")
    seconds = {"fit": 0.0, "predict": round(time.perf_counter() - began, 1)}
    print(json.dumps({"benchmark": "aspect_seeds", "rows": rows, "ours": ours, "peers": figures, "seconds": seconds}))


def sets(data: Path) -> list[tuple[str, list[str], list[Gold], list[str], str]]:
    """Name, texts, gold aspects, the aspects that are compared, and language."""
    found = [("semeval", *semeval(data / "semeval2014" / "Restaurants_Train_v2.xml.gz"), list(EVERYWHERE), "en")]
    for language in LANGUAGES:
        for name, domains, known in (("goods", GOODS, EVERYWHERE | OF_GOODS), ("places", PLACES, EVERYWHERE)):
            files = [data / "m_absa" / domain / language / "test.txt.gz" for domain in domains]
            texts, gold = m_absa(files, known)
            found.append((f"{name}_{language}", texts, gold, list(known), language))
    return found


def semeval(path: Path) -> tuple[list[str], list[Gold]]:
    """Sentences and categories of SemEval's XML."""
    texts, gold = [], []
    for sentence in ET.fromstring(gzip.decompress(path.read_bytes())):
        texts.append(sentence.findtext("text") or "")
        marks = [(one.get("category"), one.get("polarity")) for one in sentence.iter("aspectCategory")]
        gold.append({name: sign(said) for name, said in marks if name in EVERYWHERE})
    return texts, gold


def m_absa(files: list[Path], known: dict[str, str]) -> tuple[list[str], list[Gold]]:
    """Sentences of M-ABSA, with those of its categories that mean an aspect of ours."""
    texts, gold = [], []
    for path in files:
        for line in gzip.decompress(path.read_bytes()).decode("utf8").splitlines():
            text, _, labels = line.partition("####")
            held: dict[str, list[float]] = defaultdict(list)
            for category, said in re.findall(r"'([^']*)', '(positive|negative|neutral)'", labels):
                for aspect, pattern in known.items():
                    if re.search(pattern, category.lower()):
                        held[aspect].append(sign(said))
            texts.append(text)
            gold.append({aspect: float(np.sign(sum(values))) for aspect, values in held.items()})
    return texts, gold


def sign(said: str | None) -> float:
    """Of a polarity."""
    return {"positive": 1.0, "negative": -1.0}.get(said or "", 0.0)


def labelled(seeds: SeedAspects, texts: list[str], language: str) -> list[Gold]:
    """What the seeds say of each sentence; the language is told, as a shop tells it."""
    said: list[Gold] = [{} for _ in texts]
    table: pl.DataFrame = seeds.label(texts, [language] * len(texts))
    for row, aspect, polarity in table.select("row", "aspect", "polarity").iter_rows():
        said[row][aspect] = float(np.sign(polarity))
    return said


def counts(said: list[Gold], gold: list[Gold], aspects: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Twice what both have, and what each has, by sentence."""
    both = [2 * sum(one in mine and one in true for one in aspects) for mine, true in zip(said, gold, strict=True)]
    total = [sum((one in mine) + (one in true) for one in aspects) for mine, true in zip(said, gold, strict=True)]
    return np.array(both, np.float64), np.array(total, np.float64)


def scored(name: str, said: list[Gold], gold: list[Gold], aspects: list[str]) -> dict[str, float]:
    """F1 of all aspects and of each, and accuracy of the sign."""
    found = {f"accuracy/{name}": signs(said, gold, aspects)}
    for part, chosen in {name: aspects, **{f"{name}_{one}": [one] for one in aspects}}.items():
        both, total = counts(said, gold, chosen)
        found[f"f1/{part}"] = round(float(both.sum() / max(total.sum(), 1.0)), 4)
    return found


def signs(said: list[Gold], gold: list[Gold], aspects: list[str]) -> float:
    """Share of rightly found aspects whose sign is right, where gold has one."""
    right = [
        mine[one] == true[one]
        for mine, true in zip(said, gold, strict=True)
        for one in aspects
        if one in mine and true.get(one, 0.0) != 0
    ]
    return round(float(np.mean(right)), 4) if right else float("nan")


def interval(said: list[Gold], gold: list[Gold], aspects: list[str]) -> tuple[float, float]:
    """95% of F1 by sentence."""
    both, total = counts(said, gold, aspects)
    found = bootstrap_rows(lambda w: (w @ both) / np.maximum(w @ total, 1.0), np.arange(len(both)), DRAWS)
    return found.low, found.high


if __name__ == "__main__":
    main()
