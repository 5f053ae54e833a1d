"""The learner: LightGBM rankers (LambdaRank), a network over lists and a classifier, trained on past moments.

Burges, "From RankNet to LambdaRank to LambdaMART", 2010; Ke et al., "LightGBM", NeurIPS 2017.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit

from danggol.errors import DataError
from danggol.metrics import Platt
from danggol.progress import stage
from danggol.purchase.listwise import ListwiseNetwork
from danggol.purchase.moments import Batch, Moment, member, targets
from danggol.purchase.retrieval import Content
from danggol.purchase.samples import DAY, Floats, Purchases, Times
from danggol.purchase.settings import PurchaseSettings

_QUIET = 0.2
"""Customers who bought nothing in a window, for each who did, that the classifier learns from."""
_TAIL = ("rank_rising", "rank_recent", "rank_next_new", "rank_next_any", "rank_neighbours")
_TAIL_FROM = 15
"""Never-bought products that no scorer puts among its first so many are the tail; their rows are drawn."""
_NETWORK_SHARE = 2.0
"""What the network weighs in the order, beside 1 for the rankers."""
_TUNED_ROUNDS, _TUNED_RATE, _TUNED_EPOCHS = 0.15, 0.5, 1 / 3
"""Of what a model of its own would have, the trees that are added to another shop's, their rate, the network's passes.

Chosen on Online Retail, cut 2011-09-10, going on from the British customers' model for all others.
"""
_HELD_OUT = 10
"""One customer in so many is kept from the classifier, to calibrate it on."""


@dataclass
class Samples:
    """Rows of one past moment: the buyers' first, then those of some who bought nothing."""

    values: NDArray[np.float32]
    label: NDArray[np.float32]
    group: Times
    """rows of each buyer"""
    weight: NDArray[np.float32]
    """how many rows of how many customers a row stands for"""
    customer: Times
    names: list[str]


def moments_before(purchases: Purchases, until: int, settings: PurchaseSettings) -> list[int]:
    """The past moments to learn from, latest first: their horizons end by ``until``, their pasts are long enough."""
    known = np.flatnonzero(purchases.lines.customer >= 0)
    if len(known) == 0:
        return []
    horizon, step = round(settings.horizon_days * DAY), round(settings.window_step_days * DAY)
    first = int(purchases.lines.ts[known[0]])
    moments = [until - horizon - step * nth for nth in range(settings.windows)]
    kept = [at for at in moments if at - first >= settings.shortest_history_days * DAY]
    # a young shop learns from whatever lies before its last horizon
    return kept or [at for at in moments[:1] if at - first >= settings.horizon_days * DAY / 2]


def samples(purchases: Purchases, at: int, settings: PurchaseSettings, content: Content) -> Samples | None:
    """The rows of one past moment; None where nobody with a past bought after it."""
    moment = Moment(purchases, at, settings, content)
    wanted = targets(purchases, at, settings.horizon_days)
    size = purchases.products.height
    some = np.flatnonzero(moment.history.order_count > 0)
    buyers = np.intersect1d(np.unique(wanted // size), some)
    if len(buyers) == 0:
        return None
    rng = np.random.default_rng([settings.seed, at // DAY])
    quiet = np.setdiff1d(some, buyers)
    chosen = _draw(rng, buyers, settings.customers_per_window)
    few = _draw(rng, quiet, max(20, round(_QUIET * len(chosen))))
    parts: list[Samples] = []
    for drawn, stands_for in ((chosen, len(buyers) / len(chosen)), (few, len(quiet) / max(len(few), 1))):
        for batch in moment.batches(drawn):
            # of a batch only the kept rows stay in memory
            kept, weight = _thinned(batch, settings.tail_share, rng)
            row, weight = batch.row[kept], weight * np.float32(stands_for)
            group = np.unique(row, return_counts=True)[1] if drawn is chosen else np.zeros(0, np.int64)
            values, label = batch.values[kept], _labels(batch, wanted)[kept]
            parts.append(Samples(values, label, group, weight, batch.customers[row].astype(np.int64), batch.names))
    return Samples(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.label for part in parts]),
        np.concatenate([part.group for part in parts]),
        np.concatenate([part.weight for part in parts]),
        np.concatenate([part.customer for part in parts]),
        parts[0].names,
    )


def _thinned(batch: Batch, share: float, rng: np.random.Generator) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Which rows to learn from, whatever their label, and the weights of those kept: all but a share of the tail."""
    place = {name: n for n, name in enumerate(batch.names)}
    ranks = batch.values[:, [place[name] for name in _TAIL]]
    tail = (batch.values[:, place["bought"]] == 0) & (ranks.min(axis=1) >= _TAIL_FROM)
    kept = ~tail | (rng.random(len(tail)) < share)
    return kept, np.where(tail[kept], 1 / share, 1.0).astype(np.float32)


def _labels(batch: Batch, wanted: Times) -> NDArray[np.float32]:
    key = batch.customers[batch.row].astype(np.int64) * batch.products + batch.product
    return member(key, wanted).astype(np.float32)


def _draw(rng: np.random.Generator, customers: Times, most: int) -> Times:
    return customers if len(customers) <= most else np.sort(rng.choice(customers, most, replace=False))


class Ranker:
    """Trained boosters: ``score`` orders a customer's candidates, ``probability`` is calibrated over all customers."""

    def __init__(
        self,
        names: list[str],
        rankers: list[lgb.Booster],
        classifier: lgb.Booster,
        calibrator: Platt,
        network: ListwiseNetwork | None = None,
    ) -> None:
        self.names, self.rankers, self.classifier, self.calibrator = names, rankers, classifier, calibrator
        self.network = network

    @classmethod
    def train(cls, rows: list[Samples], settings: PurchaseSettings) -> Ranker:
        """Train on the rows of past moments; at least one of them has a label of 1."""
        network = _network(rows, settings) if settings.network_epochs else None
        with stage("train", settings.rankers + 1) as under_way:
            boosters = []
            for nth in range(settings.rankers):
                boosters.append(_ranker(rows, settings, nth))
                under_way.advance()
            classifier = _classifier(rows, settings)
            under_way.advance()
        return cls(rows[0].names, boosters, classifier, _calibrator(rows, classifier), network)

    def tuned(self, rows: list[Samples], settings: PurchaseSettings) -> Ranker:
        """One that goes on from this one, which learnt in another shop: own trees on top, the network's layers moved.

        The probability is calibrated on the rows anew. DataError where their features are others than this one's.
        """
        self.check(rows[0].names)
        network = self.network
        if network is not None and settings.network_epochs:
            epochs = max(1, round(settings.network_epochs * _TUNED_EPOCHS))
            network = _network(rows, settings.model_copy(update={"network_epochs": epochs}), network)
        with stage("train", len(self.rankers) + 1) as under_way:
            boosters = []
            for nth, booster in enumerate(self.rankers):
                boosters.append(_ranker(rows, settings, nth, booster))
                under_way.advance()
            classifier = _classifier(rows, settings, self.classifier)
            under_way.advance()
        return Ranker(self.names, boosters, classifier, _calibrator(rows, classifier), network)

    def recalibrated(self, rows: list[Samples]) -> Ranker:
        """The same order; the probability is shifted to be right on the mean of the rows, where some were bought."""
        calibrator = self.calibrator
        bought = sum(float(part.weight @ part.label) for part in rows)
        if bought > 0:
            self.check(rows[0].names)
            margin = np.concatenate([self.classifier.predict(part.values, raw_score=True) for part in rows])
            weight = np.concatenate([part.weight for part in rows])
            score = calibrator.slope * np.asarray(margin)
            shift = brentq(
                lambda by: float(weight @ expit(score + by)) - bought, *(-score.max() - 50, 50 - score.min())
            )
            calibrator = Platt(calibrator.slope, float(shift))
        return Ranker(self.names, self.rankers, self.classifier, calibrator, self.network)

    def check(self, names: list[str]) -> None:
        """DataError where the features are others than those that were learnt from."""
        if names != self.names:
            raise DataError("the model was trained by another version of danggol; train it again")

    def score(self, batch: Batch) -> tuple[Floats, Floats]:
        """Order score (standardised within the customer) and probability of each of the batch's rows."""
        row, count = batch.row, len(batch.customers)
        margin = np.asarray(self.classifier.predict(batch.values, raw_score=True))
        if self.network is None:
            order = standard(row, margin, count)
        else:
            order = _NETWORK_SHARE * standard(row, self.network.score(batch.values), count)
        for ranker in self.rankers:
            order += standard(row, np.asarray(ranker.predict(batch.values)), count) / len(self.rankers)
        return order, self.calibrator.predict(margin)

    def probability(self, values: NDArray[np.float32]) -> Floats:
        """Probability (rows,) of features (rows, features)."""
        return self.calibrator.predict(self.classifier.predict(values, raw_score=True))

    def contributions(self, values: NDArray[np.float32]) -> Floats:
        """(rows, features + 1): what each feature adds to the log-odds of the probability; the last is what is left."""
        found = self.calibrator.slope * np.asarray(self.classifier.predict(values, pred_contrib=True))
        found[:, -1] += self.calibrator.intercept
        return found


def standard(row: Times, values: NDArray[Any], count: int) -> Floats:
    """Values less their row's mean, over its standard deviation."""
    size = np.maximum(np.bincount(row, minlength=count), 1)
    centred = values - (np.bincount(row, weights=values, minlength=count) / size)[row]
    spread = np.sqrt(np.bincount(row, weights=centred**2, minlength=count) / size)[row]
    return np.divide(centred, spread, out=np.zeros(len(row)), where=spread > 1e-12)


def _parameters(rows: list[Samples], settings: PurchaseSettings, seed: int) -> dict[str, Any]:
    # a leaf of few rows learns single customers by heart
    least = min(300, max(20, sum(len(part.label) for part in rows) // 2000))
    return {
        "min_data_in_leaf": least,
        "bagging_fraction": 0.5,
        "bagging_freq": 1,
        "lambda_l2": 5.0,
        "max_bin": 63,
        "num_threads": settings.threads or min(4, os.cpu_count() or 1),
        "seed": seed,
        "deterministic": True,
        "force_col_wise": True,
        "verbose": -1,
    }


def _ranker(rows: list[Samples], settings: PurchaseSettings, nth: int, start: lgb.Booster | None = None) -> lgb.Booster:
    """A LambdaRank booster on the buyers' rows; a customer without a hit among the candidates teaches nothing."""
    counts = [int(part.group.sum()) for part in rows]
    data = lgb.Dataset(
        _values([part.values[:count] for part, count in zip(rows, counts, strict=True)], start),
        np.concatenate([part.label[:count] for part, count in zip(rows, counts, strict=True)]),
        group=np.concatenate([part.group for part in rows]),
        params={"max_bin": 63},
    )
    given = {
        "objective": "lambdarank",
        "lambdarank_truncation_level": 30,
        "learning_rate": settings.learning_rate,
        "num_leaves": settings.leaves,
        "feature_fraction": 0.3,
    }
    parameters = _parameters(rows, settings, _seed(settings, nth))
    return _boosted(parameters | given, data, _rounds(rows, settings.rounds), start)


def _network(
    rows: list[Samples], settings: PurchaseSettings, start: ListwiseNetwork | None = None
) -> ListwiseNetwork | None:
    """A network on the buyers' rows; ``start`` where no buyer has a hit among the candidates."""
    counts = [int(part.group.sum()) for part in rows]
    label = np.concatenate([part.label[:count] for part, count in zip(rows, counts, strict=True)])
    if not label.any():
        return start
    return ListwiseNetwork.train(
        [part.values[:count] for part, count in zip(rows, counts, strict=True)],
        label,
        np.concatenate([part.group for part in rows]),
        np.concatenate([part.weight[:count] for part, count in zip(rows, counts, strict=True)]),
        settings.network_epochs,
        _seed(settings, 998),
        start,
    )


def _classifier(rows: list[Samples], settings: PurchaseSettings, start: lgb.Booster | None = None) -> lgb.Booster:
    """A booster of the probability, on the rows of buyers and others; the held-out customers' rows weigh nothing."""
    data = lgb.Dataset(
        _values([part.values for part in rows], start),
        np.concatenate([part.label for part in rows]),
        weight=np.concatenate([np.where(_held_out(part), 0.0, part.weight) for part in rows]),
        params={"max_bin": 63},
    )
    given = {"objective": "binary", "learning_rate": 0.07, "num_leaves": 31, "feature_fraction": 0.5}
    parameters = _parameters(rows, settings, _seed(settings, 999))
    return _boosted(parameters | given, data, _rounds(rows, settings.classifier_rounds), start)


def _values(parts: list[NDArray[np.float32]], start: lgb.Booster | None) -> Any:
    """As LightGBM takes them: it predicts with a booster to go on from on one array only."""
    return parts if start is None else np.concatenate(parts)


def _boosted(parameters: dict[str, Any], data: lgb.Dataset, rounds: int, start: lgb.Booster | None) -> lgb.Booster:
    """A booster of the data; fewer trees that each say less, after those of ``start``, where there is one."""
    if start is not None:
        rounds = max(1, round(rounds * _TUNED_ROUNDS))
        parameters = parameters | {"learning_rate": parameters["learning_rate"] * _TUNED_RATE}
    return _plain(lgb.train(parameters, data, rounds, init_model=start))


def _calibrator(rows: list[Samples], classifier: lgb.Booster) -> Platt:
    """Platt's line over the held-out customers, or all where the held-out ones bought nothing."""
    parts = [_held_out(part) for part in rows]
    if not any(part.label[held].any() for part, held in zip(rows, parts, strict=True)):
        parts = [np.ones(len(part.label), np.bool_) for part in rows]
    margin, label, weight = [], [], []
    for part, held in zip(rows, parts, strict=True):
        if held.any():
            margin.append(classifier.predict(part.values[held], raw_score=True))
            label.append(part.label[held])
            weight.append(part.weight[held])
    return Platt.fit(np.concatenate(margin), np.concatenate(label), np.concatenate(weight))


def _seed(settings: PurchaseSettings, nth: int) -> int:
    """A seed of its own for each booster, as LightGBM takes them: below 2 ** 31."""
    return (settings.seed * 1000 + nth) % 2**31


def _rounds(rows: list[Samples], most: int) -> int:
    """Fewer trees where there is less to learn from."""
    return int(min(most, max(40, sum(part.label.sum() for part in rows) / 20)))


def _held_out(part: Samples) -> NDArray[np.bool_]:
    return np.asarray(part.customer % _HELD_OUT == _HELD_OUT - 1)


def _plain(booster: lgb.Booster) -> lgb.Booster:
    """The booster as it will be after saving and loading, so that both predict the same."""
    return lgb.Booster(model_str=booster.model_to_string())
