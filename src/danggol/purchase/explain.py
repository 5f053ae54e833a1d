"""What the purchase model goes by: the features its lists need, how the probability moves with them, a list's reasons.

The loss of nDCG@10 when a feature is shuffled, on held-out purchases (Breiman, "Random forests", Machine Learning 45,
2001; Fisher, Rudin & Dominici, JMLR 20, 2019): features of one family tell much the same, so families are shuffled
together as well. Partial dependence (Friedman, Annals of Statistics 29, 2001). Of one prediction, exact tree Shapley
values of the classifier (Lundberg et al., Nature Machine Intelligence 2, 2020). All of it tells what the model leans
on, not what makes people buy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from danggol.errors import DataError
from danggol.metrics import Interval, bootstrap, ndcg_at, paired_bootstrap
from danggol.progress import track
from danggol.purchase.baselines import Rows
from danggol.purchase.model import Prediction, first_places
from danggol.purchase.moments import member, targets
from danggol.purchase.ranker import Ranker
from danggol.purchase.samples import Floats, Purchases, Times

FAMILIES: dict[str, tuple[str, ...]] = {
    "own_purchases": ("bought", "pair_", "rank_pair_", "quantity_to_usual"),
    "customer": ("customer_",),
    "product": ("product_",),
    "country": ("country_",),
    "taste": ("taste_", "popularity_to_taste", "rise_to_taste", "age_to_taste"),
    "looks": ("seen_",),
    "terms": ("offer_", "price_to_"),
    "scorers": ("score_", "rank_"),
}
"""How the features of each family begin; the first family that fits holds."""
_K = 10
_REPEATS = 2
_STEPS = 9
Values = NDArray[np.float32]


def family_of(feature: str) -> str:
    """The family of a feature. DataError where it belongs to none."""
    for family, beginnings in FAMILIES.items():
        if feature.startswith(beginnings):
            return family
    raise DataError(f"the feature {feature} belongs to no family that danggol knows; train the model again")


def learner_of(prediction: Prediction) -> Ranker:
    """What was learnt. DataError where nothing was."""
    if not isinstance(prediction.learner, Ranker):
        raise DataError(
            "there were too few purchases to learn from: lists follow counts, and nothing is to be explained"
        )
    return prediction.learner


class HeldOut:
    """Candidates of customers who bought within the horizon after the prediction's moment, and which were bought.

    ``purchases`` reach to the end of the horizon; at most ``most`` customers are drawn. DataError where none is there.
    """

    def __init__(self, prediction: Prediction, purchases: Purchases, most: int, seed: int = 0) -> None:
        self.learner, size = learner_of(prediction), purchases.products.height
        wanted = targets(purchases, prediction.at, prediction.settings.horizon_days)
        known = np.flatnonzero(prediction.moment.history.order_count > 0)
        buyers = drawn(np.intersect1d(np.unique(wanted // size), known), most, seed).astype(np.int64)
        if len(buyers) == 0:
            raise DataError(
                "no customer with a past bought after the moment, so there is nothing to measure; choose an earlier "
                "--until (and with --model, one that was trained with that --until)"
            )
        self.batch = prediction.moment.batch(buyers)
        of = self.batch.customers[self.batch.row].astype(np.int64)
        self._hit = member(of * size + self.batch.product, wanted)
        self._relevant = np.bincount(np.searchsorted(buyers, wanted // size)[member(wanted // size, buyers)])
        self._first = np.searchsorted(self.batch.row, np.arange(len(buyers)))
        values = self.batch.values
        own = values[self._first[self.batch.row]]
        self._of_customer = ((values == own) | (np.isnan(values) & np.isnan(own))).all(axis=0)

    def gain(self, values: Values) -> Floats:
        """(customers,) nDCG@10 of the lists that the features give."""
        batch = replace(self.batch, values=values)
        order = self.learner.score(batch)[0]
        place = np.lexsort((batch.product, -order, batch.row))
        rank = np.arange(len(place)) - self._first[batch.row]
        top = np.zeros((len(batch.customers), _K), np.bool_)
        first = rank < _K
        top[batch.row[first], rank[first]] = self._hit[place[first]]
        return ndcg_at(top, self._relevant, _K)

    def shuffled(self, columns: Sequence[int], rng: np.random.Generator) -> Values:
        """The features with some columns from other rows; what is the same in all of a customer's rows, from others."""
        values = self.batch.values.copy()
        rows, people = rng.permutation(len(values)), rng.permutation(len(self._first))
        of_people = self._first[people[self.batch.row]]
        for column in columns:
            values[:, column] = self.batch.values[of_people if self._of_customer[column] else rows, column]
        return values

    def importance(self, seed: int = 0) -> pl.DataFrame:
        """Loss of nDCG@10 by kind (family, feature) and name: kind, name, family, value, low, high, customers."""
        names, base = self.batch.names, self.gain(self.batch.values)
        family = [family_of(name) for name in names]
        asked = [("family", one, [n for n, held in enumerate(family) if held == one]) for one in dict.fromkeys(family)]
        asked += [("feature", name, [n]) for n, name in enumerate(names)]
        rng, rows = np.random.default_rng(seed), []
        for kind, name, columns in track(asked, "features shuffled"):
            without = np.stack([self.gain(self.shuffled(columns, rng)) for _ in range(_REPEATS)])
            loss = _ends(paired_bootstrap(base, without))
            rows.append({"kind": kind, "name": name, "family": family[columns[0]], **loss, "customers": len(base)})
        return pl.DataFrame(rows).sort("kind", "value", "name", descending=[False, True, False])

    def score(self) -> dict[str, float | None]:
        """Mean nDCG@10 of the lists as they are, with its interval over customers."""
        return _ends(bootstrap(self.gain(self.batch.values)))


def dependence(prediction: Prediction, customers: Rows, features: Iterable[str]) -> pl.DataFrame:
    """Mean probability of the customers' candidates with a feature set to each of some of its values.

    Columns feature, value, probability, low, high, customers; values are quantiles of those that are there.
    """
    learner = learner_of(prediction)
    batch = prediction.moment.batch(customers)
    count, rows = np.bincount(batch.row, minlength=len(customers)), []
    for name in track(list(features), "features set"):
        column = batch.names.index(name)
        there = batch.values[:, column][~np.isnan(batch.values[:, column])]
        if len(there) == 0:
            continue
        for value in np.unique(np.quantile(there, np.linspace(0.02, 0.98, _STEPS), method="nearest")):
            values = batch.values.copy()
            values[:, column] = value
            chance = np.bincount(batch.row, learner.probability(values), len(customers)) / np.maximum(count, 1)
            found = _ends(bootstrap(chance, 200))
            told = {"probability": found["value"], "low": found["low"], "high": found["high"]}
            rows.append({"feature": name, "value": float(value), **told, "customers": len(customers)})
    kinds = dict.fromkeys(("value", "probability", "low", "high"), pl.Float64)
    return pl.DataFrame(rows, {"feature": pl.String, **kinds, "customers": pl.Int64})


def reasons(prediction: Prediction, customers: Rows, top: int) -> pl.DataFrame:
    """Why the products of each customer's list have their probability: one row a product and family, and ``base``.

    Columns customer_id, product_id, rank, family, contribution (log-odds; a product's rows add up to the log-odds of
    its probability), feature (the family's strongest), feature_value, probability. DataError where a customer has no
    past.
    """
    learner, history = learner_of(prediction), prediction.moment.history
    strangers = customers[history.order_count[customers] == 0]
    ids, goods = prediction.purchases.customers["customer_id"], prediction.purchases.products["product_id"]
    if len(strangers):
        raise DataError(
            f"the customer {ids[int(strangers[0])]} has bought nothing yet: the list is what the country buys"
        )
    frames = []
    for batch in prediction.moment.batches(customers):
        ranked = first_places(batch, *prediction.score(batch), top)
        place = np.searchsorted(batch.key, ranked.row * batch.products + ranked.product)
        parts, strongest, values = _by_family(learner, batch.values[place], batch.names)
        families, length = ["base", *dict.fromkeys(map(family_of, batch.names))], len(place)
        names = np.array(["", *batch.names])
        frames.append(
            pl.DataFrame(
                {
                    "customer_id": ids.gather(np.repeat(batch.customers[ranked.row], len(families))),
                    "product_id": goods.gather(np.repeat(ranked.product, len(families))),
                    "rank": np.repeat(ranked.rank, len(families)),
                    "family": families * length,
                    "contribution": parts.ravel(),
                    "feature": names[strongest.ravel() + 1],
                    "feature_value": values.ravel(),
                    "probability": np.repeat(ranked.probability, len(families)),
                }
            ).with_columns(pl.col("feature").replace("", None), pl.col("feature_value").fill_nan(None))
        )
    return pl.concat(frames)


def _by_family(learner: Ranker, values: Values, names: list[str]) -> tuple[Floats, Times, Floats]:
    """Base and each family's contribution (rows, 1 + families), its strongest feature (-1: of the base), its value."""
    found = learner.contributions(values)
    family = np.array([family_of(name) for name in names])
    parts, strongest, told = [found[:, -1]], [np.full(len(values), -1)], [np.full(len(values), np.nan)]
    for one in dict.fromkeys(family.tolist()):
        columns = np.flatnonzero(family == one)
        first = columns[np.abs(found[:, columns]).argmax(axis=1)]
        parts.append(found[:, columns].sum(axis=1))
        strongest.append(first)
        told.append(values[np.arange(len(values)), first].astype(np.float64))
    return np.stack(parts, axis=1), np.stack(strongest, axis=1), np.stack(told, axis=1)


def drawn(codes: Rows, most: int, seed: int = 0) -> Rows:
    """At most so many of the codes, at random, sorted."""
    if len(codes) <= most:
        return codes
    return np.sort(np.random.default_rng(seed).choice(codes, most, replace=False))


def _ends(found: Interval) -> dict[str, float | None]:
    ends = {"value": found.value, "low": found.low, "high": found.high}
    return {name: None if np.isnan(end) else float(end) for name, end in ends.items()}
