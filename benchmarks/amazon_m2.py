"""Amazon-M2: which item comes last in a session, from those before it, ours beside every peer.

    python benchmarks/amazon_m2.py [--data FILE] [--train FILE --test FILE] [--skip NAME ...] [--set name=value ...]

Without ``--train`` and ``--test`` a fifth of the sessions is the test: those whose SHA-256 of "LOCALE ITEM ..." (its
first 8 bytes, big-endian) is divisible by 5. The last item of each test session is the target, the ones before it are
what is known; sessions of one item have nothing before it and are left out. Everything is learnt from whole training
sessions; what comes before the target in other test sessions is used by none (transductively it could be). All items
are ranked. Parts: by locale; ``seen`` (the target is in a training session), ``unseen``, ``repeated`` (the target is in
the session already), and ``fresh`` (seen, not repeated). An unseen target can be found only where it is repeated.

Everything was chosen on the fifth of the training sessions with SHA-256 of "v" + the same text divisible by 5: the
features and settings of ours, and of each peer the fading, the weight of the session's own items, and what else it has.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from danggol.metrics import paired_bootstrap, recall_at, reciprocal_rank_at
from danggol.purchase.nextitem import NextItemModel, NextItemSettings
from danggol.purchase.nextitem.baselines import CoVisitation, LocalPopularity, SessionEASE, SessionKNN
from danggol.purchase.nextitem.gru import GRU4Rec

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "purchase" / "amazon_m2_sessions" / "sessions.parquet"
METRICS = {"recall@20": (recall_at, 20), "mrr@100": (reciprocal_rank_at, 100)}
PEERS = (LocalPopularity, CoVisitation, SessionKNN, SessionEASE, GRU4Rec)
TEST_SHARE = 5


def main() -> None:
    """Learn, rank, print the table and the line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="sessions.parquet, or its folder")
    parser.add_argument("--train", type=Path, help="sessions to learn from")
    parser.add_argument("--test", type=Path, help="sessions whose last item is to be found")
    parser.add_argument("--skip", nargs="*", default=[], help="peers to leave out")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings of ours")
    parser.add_argument("--validate", action="store_true", help="measure on a fifth of the training sessions instead")
    given = parser.parse_args()
    if (given.train is None) != (given.test is None):
        parser.error("give --train and --test together")
    train, test = (read(given.train), read(given.test)) if given.train else split(read(given.data))
    if given.validate:
        train, test = split(train, "v")
    test = test.filter(pl.col("items").list.len() > 1)
    settings = NextItemSettings.load(pairs=given.set)
    found = Run(train, test)
    found.measure_ours(settings)
    for peer in PEERS:
        if peer.name not in given.skip:
            found.measure(peer())
    found.report()


def read(path: Path) -> pl.DataFrame:
    """Columns locale and items of a parquet file, or of the one in a folder."""
    file = path / "sessions.parquet" if path.is_dir() else path
    return pl.read_parquet(file, columns=["locale", "items"])


def split(sessions: pl.DataFrame, salt: str = "") -> tuple[pl.DataFrame, pl.DataFrame]:
    """Train and test: a fifth by a stable hash of locale and items."""
    texts = (salt + sessions["locale"] + " " + sessions["items"].list.join(" ")).to_list()
    digest = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") for text in texts]
    test = pl.Series([one % TEST_SHARE == 0 for one in digest])
    return sessions.filter(~test), sessions.filter(test)


class Run:
    """The values of every model on each test session."""

    def __init__(self, train: pl.DataFrame, test: pl.DataFrame) -> None:
        self.train, self.test = train, test
        self.values: dict[str, dict[str, np.ndarray]] = {}
        self.seconds: dict[str, float] = {}

    def measure_ours(self, settings: NextItemSettings) -> None:
        """Fit ours, and encode the test by its catalogue, for all."""
        began = time.perf_counter()
        model = NextItemModel(settings).fit(self.train["items"].to_list(), self.train["locale"].to_list())
        self.seconds["fit"] = time.perf_counter() - began
        catalogue = model.catalogue
        self.catalogue = catalogue
        whole, self.names = catalogue.encode(self.test["items"].to_list(), self.test["locale"].to_list())
        self.prefixes, self.target = whole.without_last()
        repeated = np.zeros(len(whole), np.bool_)
        repeated[self.prefixes.session[self.prefixes.item == self.target[self.prefixes.session]]] = True
        seen = self.target < catalogue.items
        locale = np.char.lower(self.test["locale"].to_numpy().astype(str))
        self.parts = {"": np.ones(len(whole), np.bool_)}
        self.parts |= {name: locale == name for name in np.unique(locale).tolist()}
        self.parts |= {"seen": seen, "unseen": ~seen, "repeated": repeated, "fresh": seen & ~repeated}
        began = time.perf_counter()
        top, _ = model.rank(self.prefixes, self.names, 100)
        self.seconds["predict"] = time.perf_counter() - began
        self.keep("danggol", top)

    def measure(self, peer: Any) -> None:
        """Fit a peer and rank."""
        began = time.perf_counter()
        known, _ = self.catalogue.encode(self.train["items"].to_list(), self.train["locale"].to_list())
        peer.fit(known, self.catalogue.items, len(self.catalogue.locales))
        self.keep(peer.name, peer.rank(self.prefixes, 100))
        self.seconds[peer.name] = time.perf_counter() - began

    def keep(self, name: str, top: np.ndarray) -> None:
        """Values (n,) of both metrics."""
        hits, one = top == self.target[:, None], np.ones(len(top), np.int64)
        self.values[name] = {metric: call(hits, one, k) for metric, (call, k) in METRICS.items()}
        means = " ".join(f"{metric} {value.mean():.4f}" for metric, value in self.values[name].items())
        print(f"{name:<14} {means}", flush=True)

    def report(self) -> None:
        """Print the tables and the line."""
        train, test = self.train.height, self.test.height
        print(f"\n{train:,} training sessions, {self.catalogue.items:,} items; {test:,} test sessions\n")
        for metric in METRICS:
            print(f"{metric:<14} " + " ".join(f"{part or 'all':>8}" for part in self.parts) + "   ours minus it, 95%")
            for name in self.values:
                print(f"{name:<14} {self.cells(name, metric)}   {self.difference(name, metric)}")
            print()
        line = {
            "benchmark": "amazon_m2",
            "rows": test,
            "train_rows": train,
            "ours": self.figures("danggol"),
            "peers": {name: self.figures(name) for name in self.values if name != "danggol"},
            "differences": self.differences(),
            "seconds": {name: round(value, 1) for name, value in self.seconds.items()},
            "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        }
        print(json.dumps(line))

    def cells(self, name: str, metric: str) -> str:
        """A row of the table."""
        values = self.values[name][metric]
        return " ".join(f"{values[part].mean():8.4f}" if part.any() else "       -" for part in self.parts.values())

    def difference(self, name: str, metric: str) -> str:
        """Ours minus the model's, with its interval."""
        if name == "danggol":
            return ""
        found = paired_bootstrap(self.values["danggol"][metric], self.values[name][metric])
        return f"{found.value:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"

    def differences(self) -> dict[str, dict[str, list[float]]]:
        """Ours minus the best peer of each metric: value, low, high."""
        out: dict[str, dict[str, list[float]]] = {}
        for metric in METRICS:
            peers = [name for name in self.values if name != "danggol"]
            if peers:
                best = max(peers, key=lambda name: float(self.values[name][metric].mean()))
                found = paired_bootstrap(self.values["danggol"][metric], self.values[best][metric])
                out[metric] = {best: [round(one, 4) for one in (found.value, found.low, found.high)]}
        return out

    def figures(self, name: str) -> dict[str, float]:
        """Each metric, overall and by part."""
        return {
            f"{metric}/{part}" if part else metric: round(float(values[rows].mean()), 4)
            for metric, values in self.values[name].items()
            for part, rows in self.parts.items()
            if rows.any()
        }


if __name__ == "__main__":
    main()
