"""Purchases across six countries (XMarket): what a customer buys next, trained on all markets together.

Protocol of Bhargav, Aliannejadi & Kanoulas, "Market-aware models for efficient cross-market recommendation", ECIR 2023:
a customer's last row by date is the test (ties by file order), the row before it is the validation; 99 negatives are
drawn from the market's products that the customer has not bought, here once with a fixed seed (``/de_99``). Besides,
all products of the market that the customer has not bought are ranked (``/de``); a product bought before can then not
be found, by any model (2% of the rows). All models learn from all rows but the test; the paper's learnt from neither of
the last two rows, which ``--hide-validation`` gives. As in the literature, other customers' later rows may be learnt
from; the strict variant is ``--cut DAY``: every model learns from the rows before the day, and each customer's first
row from then on is asked for.

Chosen on the validation rows (``--validate``: every model one row earlier, test rows dropped unseen): everything of
ours, the ridge (of six pooled, of four by market) and the popularity's weight of EASE, the neighbours of ItemKNN (of
five), the settings of ALS (of 14).
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import resource
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from implicit.als import AlternatingLeastSquares
from numpy.typing import NDArray

from danggol.metrics import paired_bootstrap
from danggol.purchase.baselines import ease, gram
from danggol.purchase.markets import CrossMarketModel
from danggol.purchase.markets.features import MarketSettings
from danggol.purchase.markets.history import MarketHistory

DATA = Path("../shared/data/purchase/xmarket")
PUBLISHED = {"de": 0.344, "jp": 0.221, "in": 0.480, "fr": 0.327, "ca": 0.318, "uk": 0.470}
"""nDCG@10 among 99 negatives of the paper's best models, which also learnt from the US market."""
NEGATIVES, TOP = 99, 10
AGAINST = ("ease", "ease+popularity", "ease-by-market+popularity")
"""The peers that ours is set against with intervals."""
Values = dict[str, NDArray[np.float64]]
Scorer = Callable[[int], NDArray[np.float32]]
"""From a market's code to scores (its customers, its products)."""


def read(data: Path) -> pl.DataFrame:
    """All markets' files as one frame of market, customer_id, product_id, day, rating."""
    frames = [
        pl.read_csv(path, separator=" ", new_columns=["customer_id", "product_id", "rating", "day"]).with_columns(
            pl.col("day").str.to_date(), market=pl.lit(path.name.split("_")[0])
        )
        for path in sorted(data.glob("*_5core.txt.gz"))
    ]
    return pl.concat(frames)


def negatives(whole: MarketHistory) -> NDArray[np.int64]:
    """99 products of the market that each customer never bought (customers, 99), by a fixed draw."""
    rng = np.random.default_rng(99)
    bought = whole.matrix()
    found = np.full((len(whole.home), NEGATIVES), -1, np.int64)
    for market in range(len(whole.markets)):
        products = np.flatnonzero(whole.sold[market])
        for customer in np.flatnonzero(whole.home == market):
            own = bought.indices[bought.indptr[customer] : bought.indptr[customer + 1]]
            found[customer] = rng.choice(np.setdiff1d(products, own), NEGATIVES, replace=False)
    return found


class Rows:
    """The past, whose next product is asked, the targets and negatives, and the metrics of a model on them."""

    def __init__(self, data: Path, validate: bool = False, hide: bool = False, cut: dt.date | None = None) -> None:
        frame = read(data)
        self.whole = MarketHistory.of(frame if cut is None else _known(frame, cut))
        if cut is None:
            known = self.whole.without_last()[0] if validate else self.whole
            self.past, target = known.without_last()
            if hide:
                self.past = self.past.without_last()[0]
        else:
            self.past, target = _before(self.whole, cut)
        self.customers = np.flatnonzero(target >= 0)
        self.target, self.home = target[self.customers], self.past.home[self.customers]
        self.bought = self.past.matrix()
        self.asked = np.column_stack([negatives(self.whole)[self.customers], self.target])

    def measure(self, first: NDArray[np.integer[Any]], asked: NDArray[np.float64]) -> Values:
        """Per customer, from the first products (n, 10) and the scores of negatives and target (n, 100)."""
        hit = first == self.target[:, None]
        place = np.where(hit.any(axis=1), hit.argmax(axis=1), TOP)
        # a tie counts against the model
        place_asked = (asked[:, :-1] >= asked[:, -1:]).sum(axis=1)
        return {
            "ndcg@10": _gain(place),
            "recall@10": (place < TOP).astype(np.float64),
            "ndcg@10_99": _gain(place_asked),
            "recall@10_99": (place_asked < TOP).astype(np.float64),
        }

    def peer(self, scorer: Scorer) -> Values:
        """The metrics of a model that scores whole markets."""
        first = np.zeros((len(self.target), TOP), np.int64)
        asked = np.zeros(self.asked.shape)
        for market in range(len(self.past.markets)):
            here = self.home == market
            customers, products = self.customers[here], np.flatnonzero(self.past.sold[market])
            everybody = np.flatnonzero(self.past.home == market)
            scores = np.array(scorer(market)[np.searchsorted(everybody, customers)], np.float64)
            asked[here] = np.take_along_axis(scores, np.searchsorted(products, self.asked[here]), axis=1)
            scores[self.bought[customers][:, products].toarray() > 0] = -np.inf
            top = np.argpartition(-scores, TOP, axis=1)[:, :TOP]
            order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1, kind="stable")
            first[here] = products[np.take_along_axis(top, order, axis=1)]
        return self.measure(first, asked)


def _known(frame: pl.DataFrame, cut: dt.date) -> pl.DataFrame:
    """The rows of customers who bought before a day and of products that their market had sold before it."""
    before = frame.filter(pl.col("day") < cut)
    kept = frame.join(before, on=["market", "customer_id"], how="semi", maintain_order="left")
    return kept.join(before, on=["market", "product_id"], how="semi", maintain_order="left")


def _before(whole: MarketHistory, cut: dt.date) -> tuple[MarketHistory, NDArray[np.int64]]:
    """The rows before a day, and each customer's first product from then on (customers,); -1 where there is none."""
    late = whole.day >= (cut - dt.date(1970, 1, 1)).days
    past = replace(whole, **{name: getattr(whole, name)[~late] for name in ("customer", "product", "day", "rating")})
    target = np.full(len(whole.home), -1, np.int64)
    customer, first = np.unique(whole.customer[late], return_index=True)
    target[customer] = whole.product[late][first]
    return past, target


def _gain(place: NDArray[Any]) -> NDArray[np.float64]:
    return np.where(place < TOP, 1 / np.log2(2.0 + place), 0.0)


class Peers:
    """The models that ours is set against, on the same past."""

    def __init__(self, rows: Rows) -> None:
        self.past, self.bought = rows.past, rows.bought
        self.together = gram(self.bought)
        self.part = [
            (np.flatnonzero(self.past.home == market), np.flatnonzero(self.past.sold[market]))
            for market in range(len(self.past.markets))
        ]

    def scorers(self) -> dict[str, Scorer]:
        """Each peer, with what was chosen on the validation rows."""
        pooled = ease(self.together, 20.0)
        cosine = self._cosine()
        als = AlternatingLeastSquares(factors=256, regularization=10.0, alpha=20.0, iterations=12, num_threads=1)
        als.random_state = 0
        als.fit(self.bought, show_progress=False)
        left, right = np.asarray(als.user_factors), np.asarray(als.item_factors)

        def of(weights: NDArray[np.float32]) -> Scorer:
            return lambda market: self.bought[self.part[market][0]] @ weights[:, self.part[market][1]]

        return {
            "popularity": lambda market: np.tile(self.popularity(market), (len(self.part[market][0]), 1)),
            "ease-by-market+popularity": lambda market: self.own(market) + 0.01 * self.popularity(market),
            "ease": of(pooled),
            "ease+popularity": lambda market: of(pooled)(market) + 0.01 * self.popularity(market),
            "itemknn": of(cosine),
            "als": lambda market: left[self.part[market][0]] @ right[self.part[market][1]].T,
        }

    def popularity(self, market: int) -> NDArray[np.float32]:
        """Logarithm of one and the market's rows of each product (1, products of the market)."""
        customers, products = self.part[market]
        count = np.asarray(self.bought[customers][:, products].sum(axis=0))
        return np.asarray(np.log1p(count).reshape(1, -1), np.float32)

    def own(self, market: int) -> NDArray[np.float32]:
        """EASE on the market's rows alone."""
        customers, products = self.part[market]
        rows = self.bought[customers][:, products]
        return np.asarray(rows @ ease(gram(rows), 50.0), np.float32)

    def _cosine(self, neighbours: int = 1000) -> NDArray[np.float32]:
        length = np.sqrt(np.maximum(np.diag(self.together), 1.0))
        cosine = self.together / length[:, None] / length[None, :]
        np.fill_diagonal(cosine, 0.0)
        edge = np.partition(cosine, -neighbours, axis=0)[-neighbours]
        return np.asarray(np.where(cosine >= edge[None, :], cosine, 0.0), np.float32)


def figures(values: Values, rows: Rows) -> dict[str, float]:
    """Means over all customers and by market, with the names of the line of JSON."""
    found: dict[str, float] = {}
    for name, value in values.items():
        metric, _, among = name.partition("_")
        found[f"{metric}/{among}" if among else metric] = round(float(value.mean()), 4)
        for code, market in enumerate(rows.past.markets):
            part = f"{market}_{among}" if among else market
            found[f"{metric}/{part}"] = round(float(value[rows.home == code].mean()), 4)
    return found


def differences(ours: Values, theirs: Values, rows: Rows) -> dict[str, list[float]]:
    """nDCG@10 of ours minus theirs with a 95% paired bootstrap interval over customers, pooled and by market."""
    found = {}
    for name in ("ndcg@10", "ndcg@10_99"):
        among = name.partition("_")[2]
        for market in ["all", *rows.past.markets]:
            chosen = np.ones(len(rows.target), np.bool_)
            if market != "all":
                chosen = rows.home == rows.past.markets.index(market)
            interval = paired_bootstrap(ours[name][chosen], theirs[name][chosen])
            part = f"{market}_{among}" if among else market
            found[f"ndcg@10/{part}"] = [round(float(n), 4) for n in (interval.value, interval.low, interval.high)]
    return found


def main() -> None:
    """Fit, measure, print the table and the line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of the markets' files")
    parser.add_argument("--validate", action="store_true", help="measure on the validation rows, test rows dropped")
    parser.add_argument("--hide-validation", action="store_true", help="learn from neither of the last two rows")
    parser.add_argument(
        "--cut", type=dt.date.fromisoformat, help="strict: all rows before a day, then the next product"
    )
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings of ours")
    given = parser.parse_args()
    began = time.perf_counter()
    rows = Rows(given.data, given.validate, given.hide_validation, given.cut)
    results = {name: rows.peer(scorer) for name, scorer in Peers(rows).scorers().items()}
    read_at = time.perf_counter()
    settings = MarketSettings.load(pairs=[f"later={given.cut is None}".lower(), *given.set])
    model = CrossMarketModel(**settings.model_dump()).fit(rows.past.rows(), rows.past.catalogue())
    fitted_at = time.perf_counter()
    ranking = model.rank(rows.customers, TOP, rows.asked)
    ended = time.perf_counter()
    ours = rows.measure(ranking.products, ranking.asked)
    compared = {name: differences(ours, results[name], rows) for name in AGAINST}
    show({"danggol": ours, **results}, compared, rows)
    line = {
        "benchmark": "xmarket",
        "rows": len(rows.whole.customer),
        "split": f"from {given.cut}" if given.cut else "validation" if given.validate else "test",
        "validation_hidden": given.hide_validation,
        "ours": figures(ours, rows),
        "peers": {name: figures(values, rows) for name, values in results.items()},
        "published": {f"ndcg@10/{market}_99": value for market, value in PUBLISHED.items()},
        "differences": compared,
        "seconds": {
            "peers": round(read_at - began, 1),
            "fit": round(fitted_at - read_at, 1),
            "predict": round(ended - fitted_at, 1),
        },
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    print(json.dumps(line))


def show(results: dict[str, Values], compared: dict[str, dict[str, list[float]]], rows: Rows) -> None:
    """Print nDCG@10 by market for each model, and ours minus EASE's."""
    markets = rows.past.markets
    for among, title in (("", "all products not bought"), ("_99", "99 negatives")):
        print(f"\nnDCG@10, {title}, {len(rows.target):,} customers")
        print(f"{'model':<28}{'all':>8}" + "".join(f"{market:>8}" for market in markets) + f"{'recall':>9}")
        for name, values in results.items():
            value = values[f"ndcg@10{among}"]
            cells = [value.mean(), *(value[rows.home == code].mean() for code in range(len(markets)))]
            recall = values[f"recall@10{among}"].mean()
            print(f"{name:<28}" + "".join(f"{cell:8.4f}" for cell in cells) + f"{recall:9.4f}")
        if among:
            print(f"{'published':<28}{'':>8}" + "".join(f"{PUBLISHED.get(market, np.nan):8.3f}" for market in markets))
        for name, found in compared.items():
            print(f"ours minus {name}, 95% by customer:")
            for market in ["all", *markets]:
                mean, low, high = found[f"ndcg@10/{market}{among}"]
                print(f"  {market:<4} {mean:+.4f} [{low:+.4f}, {high:+.4f}]")


if __name__ == "__main__":
    main()
