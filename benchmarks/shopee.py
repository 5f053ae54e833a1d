"""Shopee's Price Match Guarantee: which listings are the same product, from titles and picture hashes.

    python benchmarks/shopee.py [--data DIR] [--train FILE] [--test FILE] [--folds K] [--no-winner] [--set name=value]

With ``--test``, ours learns from the training file and matches the listings of the test file, whose label groups are
others, among themselves. Without, the label groups of the training file are dealt into ``--folds`` parts; each part is
matched within itself by what the other parts taught. The figure is the mean over listings of the F1 of the predicted
set against the label group; intervals are by paired bootstrap over label groups.

Ours never sees a label of the rows it is measured on. The peers' thresholds are fitted **to the measured rows
themselves**, as in the figures that are usually quoted for them, which favours the peers: nobody has those labels.
Peers: each listing alone; picture hashes; word TF-IDF of scikit-learn; with min2 (the second-nearest is kept unless it
fails a loose threshold); and either that or the hash. Our preset ``shopee-winner`` learns from the same labels and is
measured as ``danggol-shopee-winner`` (a minute or more a fold; ``--no-winner`` leaves it out). All of ours was chosen
by cross-validation in the training file.
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer

from danggol.matching import Listings, Matcher, MatchingSettings
from danggol.matching.groups import members
from danggol.matching.matches import both_ways
from danggol.matching.pairs.evidence import Pairs as Described
from danggol.matching.search.index import Neighbours, hash_neighbours, sparse_neighbours
from danggol.matching.thresholds import passing
from danggol.metrics import Interval, bootstrap_rows, mean_of_weights, pair_f1, row_f1

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "matching" / "shopee"
DRAWS = 1000
EVEN = 0.45
"""The limit of the looks by themselves; chosen by cross-validation."""
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Pairs = tuple[Ints, Ints]
"""The listing and the other, of directed pairs."""
Scores = dict[str, Floats]
"""F1 of every listing by model."""


def main() -> None:
    """Print the table and the line of JSON."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--data", type=Path, default=DATA)
    asked.add_argument("--train", type=Path)
    asked.add_argument("--test", type=Path)
    asked.add_argument("--folds", type=int, default=3)
    asked.add_argument(
        "--winner", action=argparse.BooleanOptionalAction, default=True, help="the preset shopee-winner too"
    )
    asked.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    options = asked.parse_args()
    settings = MatchingSettings.load(None, options.set)
    train = read(options.train or options.data / "train.csv")
    seconds = {"fit": 0.0, "predict": 0.0}
    parts = [(train, read(options.test))] if options.test else dealt(train, options.folds)
    found = [measured(one, two, settings, seconds, options.winner) for one, two in parts]
    scores = {name: np.concatenate([one[0][name] for one in found]) for name in found[0][0]}
    groups = np.concatenate([two["label_group"].cast(pl.String).to_numpy() for _, two in parts])
    pairs = {name: float(np.mean([one[1][name] for one in found])) for name in found[0][1]}
    report(scores, pairs, groups, seconds, options.test is not None)


def read(path: Path) -> pl.DataFrame:
    """A file of listings, in order of id."""
    return pl.read_csv(path, schema_overrides={"label_group": pl.String}).sort("posting_id")


def dealt(table: pl.DataFrame, folds: int) -> list[tuple[pl.DataFrame, pl.DataFrame]]:
    """The other parts and the part, for every part of the label groups."""
    names = table["label_group"].unique().sort()
    part = dict(zip(names, np.random.default_rng(0).permutation(len(names)) % folds, strict=True))
    own = np.array([part[name] for name in table["label_group"]])
    return [(table.filter(own != fold), table.filter(own == fold)) for fold in range(folds)]


def measured(
    train: pl.DataFrame, test: pl.DataFrame, settings: MatchingSettings, seconds: dict[str, float], winner: bool
) -> tuple[Scores, dict[str, float]]:
    """F1 of every test listing, and of the pairs, by model."""
    groups = np.unique(test["label_group"].to_numpy(), return_inverse=True)[1]
    began = time.perf_counter()
    known = dict(train.select("posting_id", "label_group").rows())
    matcher = Matcher(settings).fit(Listings.from_frame(train), known)
    seconds["fit"] += time.perf_counter() - began
    began = time.perf_counter()
    state = matcher.match(Listings.from_frame(test))
    seconds["predict"] += time.perf_counter() - began
    found = stages(test, groups)
    plain = Matcher(settings).decide(state.evidence).matches
    found["danggol-rules"] = (plain.left, plain.right)
    found["danggol-first-look"] = passed(state.evidence.pairs, state.first)
    found["danggol-second-look"] = passed(state.evidence.pairs, state.value)
    found["danggol-groups"] = members(state.group)
    if winner:
        copied = Matcher(preset="shopee-winner", seed=settings.seed).fit(Listings.from_frame(train), known)
        matches = copied.predict(Listings.from_frame(test))
        found["danggol-shopee-winner"] = (matches.left, matches.right)
    found["ours"] = (state.matches.left, state.matches.right)
    scores = {name: row_f1(*pair, groups) for name, pair in found.items()}
    return scores, {name: pair_f1(*pair, groups) for name, pair in found.items()}


def passed(pairs: Described, value: NDArray[np.float32]) -> Pairs:
    """The directed pairs that pass by themselves."""
    who, other, both = both_ways(pairs.left, pairs.right, value)
    return who[both >= EVEN], other[both >= EVEN]


def stages(test: pl.DataFrame, groups: Ints) -> dict[str, Pairs]:
    """The peers, each with the thresholds that suit these rows best."""
    size = len(test)
    hashes = Listings.from_frame(test).hashes
    near = hash_neighbours(hashes, hashes, 51)
    counted = TfidfVectorizer(dtype=np.float32).fit_transform(test["title"].to_list()).tocsr()
    text = sparse_neighbours(counted, counted, 51, most=size)
    bits = [1 - bit / 64 for bit in range(0, 15, 2)]
    cuts = np.arange(0.35, 0.75, 0.04)
    word = {cut: directed(text, cut, 9.0) for cut in cuts}
    lows = np.arange(0.1, 0.5, 0.05)
    second = {(cut, low): directed(text, cut, low) for cut, low in product(cuts, lows)}
    low = max(second, key=lambda pair: float(row_f1(*second[pair], groups).mean()))[1]
    found = {
        "self": (np.arange(0), np.arange(0)),
        "hash": best({bit: directed(near, bit, 9.0) for bit in bits}, groups),
        "tfidf": best(word, groups),
        "tfidf-min2": best(second, groups),
    }
    pictures = {bit: directed(near, bit, 9.0) for bit in bits[:6]}
    joined = {(bit, cut): union(pictures[bit], second[cut, low]) for bit, cut in product(pictures, cuts)}
    bit, cut = max(joined, key=lambda pair: float(row_f1(*joined[pair], groups).mean()))
    joined |= {(bit, cut, other): union(pictures[bit], second[cut, other]) for other in lows}
    return found | {"tfidf-min2-hash": best(joined, groups)}


def directed(found: Neighbours, threshold: float, loose: float) -> Pairs:
    """The pairs that pass, the listing itself left out."""
    who, nth = np.nonzero((found.place >= 0) & (found.place != np.arange(len(found.place))[:, None]))
    kept = passing(who, found.similarity[who, nth], threshold, loose)
    return who[kept], found.place[who, nth][kept]


def union(first: Pairs, second: Pairs) -> Pairs:
    """The pairs of either."""
    return np.concatenate([first[0], second[0]]), np.concatenate([first[1], second[1]])


def best(choices: dict[Any, Pairs], groups: Ints) -> Pairs:
    """The choice with the best mean row F1."""
    return max(choices.values(), key=lambda pair: float(row_f1(*pair, groups).mean()))


def report(scores: Scores, pairs: dict[str, float], groups: NDArray[Any], seconds: dict[str, float], own: bool) -> None:
    """Print the table and the line of JSON."""
    print(f"{len(groups)} listings" + ("" if own else ", cross-validated over label groups"))
    print(f"\n{'model':<22}{'row F1':<10}{'pair F1':<10}ours minus theirs, 95% by label group")
    differences = {}
    for name, one in sorted(scores.items(), key=lambda item: item[1].mean()):
        line = f"{name:<22}{one.mean():<10.4f}{pairs[name]:<10.4f}"
        if name != "ours":
            ours, theirs = mean_of_weights(scores["ours"]), mean_of_weights(one)
            differences[name] = bootstrap_rows(lambda w, a=ours, b=theirs: a(w) - b(w), groups, DRAWS)
            line += shown(differences[name])
        print(line)
    figures = {name: {"row_f1": rounded(one.mean()), "f1": rounded(pairs[name])} for name, one in scores.items()}
    told = {
        "benchmark": "shopee",
        "rows": len(groups),
        "ours": figures.pop("ours"),
        "peers": figures,
        "differences": {name: spread(one) for name, one in differences.items()},
        "seconds": {name: round(one, 1) for name, one in seconds.items()},
    }
    print(json.dumps(told))


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
