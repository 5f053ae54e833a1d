"""What goes out: the purchase model, fitted on a shop's past, saved as plain files, asked for lists."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import lightgbm as lgb
import numpy as np
import polars as pl

from danggol.errors import DataError, UsageError
from danggol.metrics import Platt
from danggol.progress import stage, track
from danggol.purchase import artefact
from danggol.purchase.baselines import Popularity, Rows
from danggol.purchase.card import card
from danggol.purchase.fallback import Fallback
from danggol.purchase.listwise import ListwiseNetwork
from danggol.purchase.moments import Batch, Moment
from danggol.purchase.ranker import Ranker, Samples, moments_before, samples
from danggol.purchase.reasons import Reasons
from danggol.purchase.retrieval import Content
from danggol.purchase.samples import Floats, Purchases, Times, as_datetime, moment, read, span
from danggol.purchase.settings import PurchaseSettings
from danggol.version import __version__

if TYPE_CHECKING:
    from danggol.shop import Shop

When = str | date | datetime | int | None
"""A local day (its start), a time, epoch microseconds, or None: after the last row."""
_NETWORK = "network.safetensors"
_LEAST_HITS = 30
"""With fewer purchases to learn from than this, nothing is fitted and :class:`Fallback` is used."""


@dataclass(frozen=True)
class Ranked:
    """The lists of some customers: one row a place, by customer and rank."""

    customers: Rows
    row: Times
    """(rows,) place in ``customers``"""
    product: Times
    score: Floats
    probability: Floats
    rank: Times
    """from 1"""


class PurchaseModel:
    """Predicts who will buy what within the horizon; settings by keyword, see :class:`PurchaseSettings`."""

    def __init__(self, **settings: Any) -> None:
        self.settings = PurchaseSettings.of(settings)
        self.learner: Ranker | Fallback | None = None
        self.as_of = 0
        self.until: int | None = None
        self.figures: dict[str, Any] = {}
        self.measured: pl.DataFrame | None = None
        """Rows of ``purchase_metrics`` that the card quotes."""

    def fit(self, shop: Shop, until: When = None) -> Self:
        """Learn from everything before ``until``. DataError where no known customer has bought anything."""
        at = moment(shop, until)
        return self.learn(read(shop, at), at)

    def learn(self, purchases: Purchases, until: int | None = None) -> Self:
        """Learn from purchases that were read already, those before ``until`` (epoch microseconds)."""
        return self._learn(purchases, until, None)

    def finetune(self, shop: Shop, until: When = None, **settings: Any) -> Self:
        """A model for this shop that goes on from this one, which learnt in another shop or country.

        Trees are added to this model's, its network goes on from its layers more slowly, and the probability is
        calibrated on the shop's own customers. With fewer than 30 own purchases to learn from this model's order stays
        as it is. ``settings`` take the place of this model's. ``as_of`` and ``until`` cover both shops: DataError
        where this model has learnt from rows at or after ``until``, or was made of counts.
        """
        at = moment(shop, until)
        self._startable(at)
        return self.tuned(read(shop, at), at, **settings)

    def tuned(self, purchases: Purchases, until: int | None = None, **settings: Any) -> Self:
        """:meth:`finetune` on purchases that were read already, those before ``until`` (epoch microseconds)."""
        self._startable(until)
        return type(self)(**self.settings.model_dump() | settings)._learn(purchases, until, self)

    def _startable(self, until: int | None) -> None:
        if not isinstance(self._fitted(), Ranker):
            raise DataError(
                "the model to go on from was made of counts, for it had too few purchases; choose one of a larger shop"
            )
        if until is not None and self.until is not None and self.until > until:
            raise DataError(
                f"the model to go on from has learnt from rows up to {as_datetime(self.until):%Y-%m-%d %H:%M} UTC, "
                f"after {as_datetime(until):%Y-%m-%d %H:%M} UTC, where this one is to end; choose one that ends earlier"
            )

    def _learn(self, purchases: Purchases, until: int | None, start: PurchaseModel | None) -> Self:
        at = purchases.last + 1 if until is None else until
        past = purchases.before(at)
        moments = moments_before(past, at, self.settings)
        content = Content(past.products)
        rows = [found for then in track(moments, "past moments") if (found := self._samples(past, then, content))]
        hits = int(sum(part.label.sum() for part in rows))
        foreign = None if start is None else start._fitted()
        if isinstance(foreign, Ranker):
            self.learner = foreign.tuned(rows, self.settings) if hits >= _LEAST_HITS else foreign.recalibrated(rows)
        elif hits >= _LEAST_HITS:
            self.learner = Ranker.train(rows, self.settings)
        else:
            self.learner = Fallback.measure(past, at, self.settings.horizon_days)
        self.until, self.as_of = at, past.last
        self.figures = _training_figures(past, at, moments, rows, hits)
        if start is not None:
            self.until, self.as_of = max(at, start.until or 0), max(past.last, start.as_of)
            names = ("until", "customers", "products", "purchase_lines", "hits")
            self.figures["from"] = {name: start.figures.get(name) for name in names}
        return self

    def _samples(self, past: Purchases, then: int, content: Content) -> Samples | None:
        return samples(past, then, self.settings, content)

    def predict(
        self, shop: Shop, at: When = None, top: int = 10, customers: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """The ``top`` products of each customer as of ``at``: customer_id, product_id, score, probability, rank.

        ``customers``: ids, in any order; None: all that are known. A customer without a past gets what the own country
        (or everybody) buys. The score orders a customer's list; it is not comparable between customers, the probability
        (of a purchase within the horizon) is.
        """
        if top < 1:
            raise UsageError(f"top must be at least 1, got {top}")
        now = moment(shop, at)
        purchases = read(shop, now)
        asked = ask(purchases, customers)
        prediction = Prediction(self, purchases, now, undated=now is None or now > span(shop)[1])
        frames = [prediction.frame(ranked, asked) for ranked in prediction.lists(asked.codes, top)]
        return pl.concat([*frames, prediction.of_strangers(asked.strangers, top)])

    def save(self, folder: str | Path) -> Path:
        """Save to a folder as plain files, taking the place of a model that is there; see ``docs``."""
        learner = self._fitted()
        config: dict[str, Any] = {
            "capability": "purchase",
            "format": artefact.FORMAT,
            "package_version": __version__,
            "settings": self.settings.model_dump(),
            "until": self.until,
            "as_of": self.as_of,
        }
        files: dict[str, str | bytes] = {}
        if isinstance(learner, Ranker):
            names = [f"ranker_{nth}.txt" for nth in range(len(learner.rankers))]
            files = {name: booster.model_to_string() for name, booster in zip(names, learner.rankers, strict=True)}
            files["classifier.txt"] = learner.classifier.model_to_string()
            config |= {"learner": "ranker", "rankers": names, "calibrator": learner.calibrator.to_dict()}
            if learner.network is not None:
                files[_NETWORK] = learner.network.to_bytes()
                config["network"] = _NETWORK
            files["vocabulary.json"] = json.dumps({"features": learner.names}, indent=1)
        else:
            config |= {"learner": "fallback", "active": learner.active}
            files["vocabulary.json"] = json.dumps({"features": []}, indent=1)
        files["metrics.json"] = json.dumps(self.figures, indent=1, ensure_ascii=False)
        files["card.md"] = card(config, self.figures, self.measured)
        files[artefact.CONFIG] = json.dumps(config, indent=1, ensure_ascii=False)
        target = Path(folder)
        artefact.publish(target, files)
        return target

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Load a saved model; DataError where it is broken or of a newer format, UsageError where there is none."""
        source = artefact.locate(Path(folder))
        config = artefact.read_config(source)
        try:
            model = cls(**config["settings"])
            model.until, model.as_of = config["until"], config["as_of"]
            model.figures = json.loads(artefact.read_text(source, "metrics.json"))
            if config["learner"] == "fallback":
                model.learner = Fallback(float(config["active"]))
                return model
            vocabulary = json.loads(artefact.read_text(source, "vocabulary.json"))
            boosters = [lgb.Booster(model_str=artefact.read_text(source, name)) for name in config["rankers"]]
            classifier = lgb.Booster(model_str=artefact.read_text(source, "classifier.txt"))
            calibrator = Platt.from_dict(config["calibrator"])
            network = ListwiseNetwork.load(source / config["network"]) if "network" in config else None
        except (KeyError, TypeError, ValueError, lgb.basic.LightGBMError) as error:
            raise DataError(f"the model in {source} is damaged ({error}); train it again") from error
        model.learner = Ranker(vocabulary["features"], boosters, classifier, calibrator, network)
        return model

    def _fitted(self) -> Ranker | Fallback:
        if self.learner is None:
            raise UsageError("the purchase model is not fitted; call fit(shop) first")
        return self.learner


@dataclass(frozen=True)
class Asked:
    """The customers that were asked for: codes of the known ones, ids of the others, and the ids of the codes."""

    codes: Rows
    strangers: list[str]


def ask(purchases: Purchases, customers: Sequence[str] | None) -> Asked:
    """Look the ids up; None stands for all that are known."""
    if customers is None:
        return Asked(np.arange(purchases.customers.height), [])
    wanted = list(dict.fromkeys(customers))
    known = {name: code for code, name in enumerate(purchases.customers["customer_id"].to_list())}
    codes = np.array(sorted(known[name] for name in wanted if name in known), np.int64)
    return Asked(codes, [name for name in wanted if name not in known])


class Prediction:
    """A model applied to one moment of a shop."""

    def __init__(self, model: PurchaseModel, purchases: Purchases, at: int | None, undated: bool = False) -> None:
        self.learner = model._fitted()
        self.settings, self.purchases = model.settings, purchases
        self.at = purchases.last + 1 if at is None else at
        self.as_of = max(model.as_of, purchases.before(self.at).last)
        with stage("scorers"):
            self.moment = Moment(purchases, self.at, self.settings, Content(purchases.products), undated)
        self.fallback = Fallback.measure(purchases, self.at, self.settings.horizon_days)
        self.popular = Popularity(by_country=True).fit(self.moment.history)
        if isinstance(self.learner, Ranker):
            self.learner.check(self.moment.batch(np.arange(min(1, self.moment.history.customers))).names)

    def score(self, batch: Batch) -> tuple[Floats, Floats]:
        """Order score and probability of a batch's rows; customers without a past are ordered by popularity."""
        order, probability = self.learner.score(batch)
        newcomer = self.moment.history.order_count[batch.customers] == 0
        if newcomer.any():
            rows = newcomer[batch.row]
            by_count = self.fallback.score(batch)
            popular = self.popular.score(batch.customers)[batch.row, batch.product]
            order = np.where(rows, popular / (1.0 + popular.max(initial=0.0)), order)
            probability = np.where(rows, by_count[1], probability)
        return order, probability

    def lists(self, customers: Rows, top: int) -> Iterator[Ranked]:
        """The first ``top`` products of each customer, chunk by chunk."""
        with stage("predict", len(customers)) as under_way:
            for batch in self.moment.batches(customers):
                order, probability = self.score(batch)
                yield first_places(batch, order, probability, top)
                under_way.advance(len(batch.customers))

    def frame(self, ranked: Ranked, asked: Asked | None = None) -> pl.DataFrame:  # noqa: ARG002
        """The lists with ids."""
        customer, product = self.purchases.customers["customer_id"], self.purchases.products["product_id"]
        return pl.DataFrame(
            {
                "customer_id": customer.gather(ranked.customers[ranked.row]),
                "product_id": product.gather(ranked.product),
                "score": ranked.score,
                "probability": ranked.probability,
                "rank": ranked.rank,
            }
        )

    def of_strangers(self, names: Sequence[str], top: int) -> pl.DataFrame:
        """What everybody buys, for customers that no table knows."""
        history = self.moment.history
        buyers = history.buyers_since(30) + 1e-4 * history.pairs.buyers
        first = np.argsort(-buyers, kind="stable")[: min(top, int((buyers > 0).sum()))]
        everyone = max(len(np.unique(history.bought_since(30) // history.products)), 1)
        product = self.purchases.products["product_id"].gather(first).to_list()
        chance = np.clip(buyers[first] / everyone * self.fallback.active, 0.0, 1.0)
        return pl.DataFrame(
            {
                "customer_id": np.repeat(np.array(names, dtype=object), len(first)).tolist(),
                "product_id": product * len(names),
                "score": np.tile(buyers[first] / everyone, len(names)),
                "probability": np.tile(chance, len(names)),
                "rank": np.tile(np.arange(1, len(first) + 1), len(names)),
            },
            schema={
                "customer_id": pl.String,
                "product_id": pl.String,
                "score": pl.Float64,
                "probability": pl.Float64,
                "rank": pl.Int64,
            },
        )

    def reasons(self) -> Reasons:
        """Where the reasons of this moment's lists are read from."""
        return Reasons(self.moment)


def first_places(batch: Batch, order: Floats, probability: Floats, top: int) -> Ranked:
    """The ``top`` rows of each customer by falling order score; equal ones by product."""
    row, product = batch.row, batch.product
    place = np.lexsort((product, -order, row))
    start = np.searchsorted(row, row)
    rank = np.arange(len(row)) - start + 1
    kept = place[rank <= top]
    return Ranked(batch.customers, row[kept], product[kept], order[kept], probability[kept], rank[rank <= top])


def _training_figures(past: Purchases, at: int, moments: list[int], rows: list[Samples], hits: int) -> dict[str, Any]:
    """What training saw, for ``metrics.json`` and the card."""
    known = past.lines.customer >= 0
    buyers = np.unique(past.lines.customer[known])
    of_country = np.bincount(past.country[buyers], minlength=len(past.countries))
    return {
        "learnt": hits >= _LEAST_HITS,
        "first_purchase": as_datetime(int(past.lines.ts[0])).isoformat() if len(past.lines) else None,
        "until": as_datetime(at).isoformat(),
        "purchase_lines": int(known.sum()),
        "lines_without_customer": int((~known).sum()),
        "customers": len(buyers),
        "products": len(np.unique(past.lines.product)),
        "moments": [as_datetime(then).isoformat() for then in moments],
        "rows": int(sum(len(part.label) for part in rows)),
        "hits": hits,
        "customers_by_country": {
            name or "unknown": int(count)
            for name, count in sorted(zip(past.countries, of_country, strict=True), key=lambda one: -one[1])
            if count
        },
        "offers": len(past.offers.product),
        "views_and_carts": len(past.interest.ts),
    }
