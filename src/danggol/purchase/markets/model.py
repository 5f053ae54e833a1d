"""What a customer buys next, learnt from the purchases of several countries together.

Scores of item-to-item models over all markets and over the customer's own (:mod:`markets_features`) are the features of
a LightGBM LambdaRank (Burges 2010; Ke et al. 2017). It learns which product came last in each customer's history from
features of the rows before; then the features are fitted again to all rows, and what comes next is ranked.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import lightgbm as lgb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from danggol.errors import DanggolError, DataError, UsageError
from danggol.progress import stage
from danggol.purchase.artefact import CONFIG, FORMAT, locate, publish, read_config, read_text
from danggol.purchase.markets.features import NAMES, SOLD, Block, MarketFeatures, MarketSettings, MarketView
from danggol.purchase.markets.history import Codes, MarketHistory

_KIND = "markets"
_ROWS, _SOLD, _RANKER = "rows.parquet", "sold.parquet", "ranker.txt"
_WIDTH = 400
"""Customers whose scores for all products are held at once."""


@dataclass(frozen=True)
class Ranking:
    """The first products of some customers, and the scores of the products that were asked about."""

    products: Codes
    """(customers, top) codes, best first; -1 where there are fewer"""
    scores: NDArray[np.float64]
    """(customers, top), higher first; -inf where there are fewer"""
    asked: NDArray[np.float64]
    """(customers, asked): on the same scale; -inf where the customer's market does not sell the product"""


class CrossMarketModel:
    """Next purchases within a country, from the interactions of several.

    ``fit(rows)`` takes a frame with market, customer_id, product_id, day (a date) and rating, one row per purchase;
    customers belong to one market. ``rank`` gives products that the customer has not bought.
    """

    def __init__(self, **settings: Any) -> None:
        self.settings = MarketSettings.of(settings)

    def fit(self, rows: pl.DataFrame, catalogue: pl.DataFrame | None = None) -> Self:
        """Learn; ``catalogue`` (market, product_id) adds products on sale that nobody bought.

        Raises DataError where columns lack or no customer has two purchases of different products.
        """
        history = MarketHistory.of(rows, catalogue)
        past, target = history.without_last()
        with stage("markets", 3) as under_way:
            under_way.say("scores of the past")
            features = MarketFeatures(past, self.settings)
            under_way.advance()
            under_way.say("ranker")
            self.ranker = _plain(self._train(features, target))
            under_way.advance()
            under_way.say("scores of today")
            del features
            self._ready(history)
            under_way.advance()
        return self

    def _ready(self, history: MarketHistory) -> None:
        self.history = history
        self.features = MarketFeatures(history, self.settings)

    def _train(self, features: MarketFeatures, target: Codes) -> lgb.Booster:
        """LambdaRank of the customers' targets, in two groups each: see :meth:`_lessons`."""
        values, labels, groups, weights = [], [], [], []
        rng = np.random.default_rng(self.settings.seed)
        known = np.diff(features.bought.indptr) > 0
        for view, _, block in _blocks(features, np.flatnonzero(known & (target >= 0))):
            column = view.column[target[block.customers]]
            for chosen, weight in self._lessons(block, column, rng):
                row, place = np.nonzero(chosen)
                values.append(block.values(row, place))
                labels.append(place == column[row])
                groups.append(np.unique(row, return_counts=True)[1])
                weights.append(np.full(len(row), weight))
        if not any(label.any() for label in labels):
            raise DataError("no customer of the markets bought two different products; there is nothing to learn from")
        data = lgb.Dataset(
            np.concatenate(values),
            np.concatenate(labels),
            weight=np.concatenate(weights),
            group=np.concatenate(groups),
            params={"max_bin": 63},
        )
        return lgb.train(_parameters(self.settings), data, self.settings.rounds)

    def _lessons(
        self, block: Block, column: Codes, rng: np.random.Generator
    ) -> Iterator[tuple[NDArray[np.bool_], float]]:
        """Products to order (customers, products) given the targets' columns, and what a row weighs.

        First the candidates, of customers whose target is among them: a target set among candidates that it does not
        belong to would teach that what is no candidate is bought. Then the target among products drawn from the market.
        """
        each = np.arange(len(column))
        fresh = ~block.bought[each, column]
        near = block.candidates(self.settings.candidates)
        yield near & (near[each, column] & fresh)[:, None], 1.0
        drawn = np.zeros_like(near)
        if self.settings.spread:
            places = rng.integers(drawn.shape[1], size=(len(column), self.settings.spread))
            np.put_along_axis(drawn, places, True, axis=1)
            drawn &= ~block.bought
            drawn[each, column] = True
            yield drawn & fresh[:, None], self.settings.spread_weight

    def rank(self, customers: Codes, top: int = 10, asked: Codes | None = None) -> Ranking:
        """The first ``top`` products of customers (codes of ``self.history``), and scores of ``asked`` (n, k) codes."""
        if top < 1:
            raise UsageError(f"top must be 1 or more, got {top}")
        customers = np.asarray(customers)
        if asked is None:
            asked = np.empty((len(customers), 0), np.int64)
        found = Ranking(
            np.full((len(customers), top), -1, np.int64),
            np.full((len(customers), top), -np.inf),
            np.full(asked.shape, -np.inf),
        )
        for view, place, block in _blocks(self.features, customers):
            chosen = block.candidates(max(self.settings.candidates, top))
            wanted = view.column[asked[place]]
            row, nth = np.nonzero(wanted >= 0)
            scored = chosen.copy()
            scored[row, wanted[row, nth]] = True
            pairs = np.nonzero(scored)
            dense = np.full(chosen.shape, -np.inf)
            dense[pairs] = self.ranker.predict(block.values(*pairs), num_threads=self.settings.threads)
            found.asked[place[row], nth] = dense[row, wanted[row, nth]]
            dense[~chosen] = -np.inf
            first = np.argsort(-dense, axis=1, kind="stable")[:, :top]
            value = np.take_along_axis(dense, first, axis=1)
            width = first.shape[1]
            found.scores[place, :width] = value
            found.products[place, :width] = np.where(np.isfinite(value), view.products[first], -1)
        return found

    def predict(self, customers: pl.DataFrame, top: int = 10) -> pl.DataFrame:
        """The next products of customers (market, customer_id): market, customer_id, rank from 1, product_id, score.

        Raises UsageError for a customer whom the model does not know.
        """
        known = self.history.names.with_row_index("_code")
        codes = customers.select("market", "customer_id").join(
            known, on=["market", "customer_id"], how="left", maintain_order="left"
        )
        strangers = codes.filter(pl.col("_code").is_null())
        if strangers.height:
            raise UsageError(f"the model knows no customer {strangers['customer_id'][0]} of {strangers['market'][0]}")
        found = self.rank(codes["_code"].to_numpy().astype(np.int64), top)
        row, nth = np.nonzero(found.products >= 0)
        return codes.drop("_code")[row].with_columns(
            pl.Series("rank", nth + 1),
            pl.Series("product_id", self.history.products[found.products[row, nth]]),
            pl.Series("score", found.scores[row, nth]),
        )

    def save(self, folder: Path) -> None:
        """Write plain files: settings, the ranker as text, the rows; scores are in closed form and made on loading."""
        config = {"format": FORMAT, "capability": "purchase", "model": _KIND, "settings": self.settings.model_dump()}
        files: dict[str, str | bytes] = {CONFIG: json.dumps(config), _RANKER: self.ranker.model_to_string()}
        for name, table in ((_ROWS, self.history.rows()), (_SOLD, self.history.catalogue())):
            held = io.BytesIO()
            table.write_parquet(held)
            files[name] = held.getvalue()
        publish(folder, files)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a saved model. UsageError: there is none; DataError: it is broken, newer, or of another kind."""
        source = locate(folder)
        config = read_config(source, _KIND)
        try:
            model = cls(**config["settings"])
            model.ranker = lgb.Booster(model_str=read_text(source, _RANKER))
            rows, sold = pl.read_parquet(source / _ROWS), pl.read_parquet(source / _SOLD)
            model._ready(MarketHistory.of(rows, sold))
        except (
            *(DanggolError, OSError, KeyError, TypeError, ValueError),
            *(lgb.basic.LightGBMError, pl.exceptions.PolarsError),
        ) as error:
            raise DataError(f"the model in {folder} is damaged ({str(error)[:80]}); train it again") from error
        return model


def _blocks(features: MarketFeatures, customers: Codes) -> Iterator[tuple[MarketView, Codes, Block]]:
    """The customers market by market, some at a time: the market, their places in ``customers``, their scores."""
    home = features.history.home[customers]
    for market in np.unique(home).tolist():
        view = features.market(market)
        here = np.flatnonzero(home == market)
        for start in range(0, len(here), _WIDTH):
            place = here[start : start + _WIDTH]
            yield view, place, view.block(customers[place])


def _parameters(settings: MarketSettings) -> dict[str, Any]:
    return {
        "objective": "lambdarank",
        "lambdarank_truncation_level": 20,
        "learning_rate": settings.learning_rate,
        "num_leaves": settings.leaves,
        "min_data_in_leaf": 100,
        "feature_fraction": 0.5,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "lambda_l2": 5.0,
        "max_bin": 63,
        "monotone_constraints": [int(name in SOLD) for name in NAMES],
        "num_threads": settings.threads,
        "seed": settings.seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }


def _plain(booster: lgb.Booster) -> lgb.Booster:
    """The booster as it will be after saving and loading."""
    return lgb.Booster(model_str=booster.model_to_string())
