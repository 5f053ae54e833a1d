"""How good the model is: on purchases after a cut, beside every baseline, on the same customers and products.

Test customers have a past and bought within ``days`` of the cut. All products sold before the cut are ranked for each;
relevant are the distinct products bought. Part ``new`` ranks only what the customer had not bought before, ``repeat``
only what the customer had.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import NDArray

from danggol.errors import DataError, UsageError
from danggol.metrics import (
    bootstrap,
    bootstrap_rows,
    expected_calibration_error,
    ndcg_at,
    paired_bootstrap,
    precision_at,
    recall_at,
)
from danggol.progress import stage
from danggol.purchase.baselines import ALS, EASE, Blend, Frequency, ItemKNN, Popularity, Rows, Scorer, Scores
from danggol.purchase.history import History
from danggol.purchase.model import Prediction, PurchaseModel, When
from danggol.purchase.moments import Batch, member, targets
from danggol.purchase.samples import DAY, Floats, Purchases, Times, as_datetime, moment, read, span
from danggol.purchase.settings import PurchaseSettings

if TYPE_CHECKING:
    from danggol.shop import Shop

OURS = "danggol"
PARTS = ("all", "repeat", "new")
METRICS = ("ndcg@10", "recall@10", "precision@10", "auc", "average_precision")
_K = 10
_LEAST_CUSTOMERS = 10
"""A country with fewer test customers gets no row of its own."""
_BINS = 10
_CALIBRATED = 2000
"""Customers, drawn from all with a past, that the calibration is measured on."""

Values = dict[str, NDArray[np.float64]]
"""Each metric's value of each test customer; nan where it has none."""


@dataclass
class Evaluation:
    """Per-customer values of every model, and what they were measured on."""

    until: int
    days: float
    as_of: int
    country: list[str]
    """Of each test customer; '' where unknown."""
    values: dict[str, dict[str, list[Values]]] = field(default_factory=dict)
    """model -> part -> one entry a seed"""
    chances: list[tuple[Floats, Floats, Times]] = field(default_factory=list)
    """Of each seed: probability, label and customer of the candidates of customers drawn from all."""
    seconds: dict[str, float] = field(default_factory=dict)

    def frame(self, draws: int = 1000) -> pl.DataFrame:
        """Rows of ``purchase_metrics``: value, interval and paired difference of each model, metric and part."""
        rows = [row for part, chosen in self._parts() for row in self._rows(part, chosen, draws)]
        if self.chances:
            rows.append(self._calibration(draws))
        cut, as_of = as_datetime(self.until), as_datetime(self.as_of)
        return pl.DataFrame(rows, infer_schema_length=None).with_columns(
            pl.lit(cut).alias("until"), pl.lit(as_of).alias("as_of"), pl.lit(float(self.days)).alias("horizon_days")
        )

    def mean(self, model: str, metric: str = "ndcg@10", part: str = "all") -> float:
        """The mean over customers and seeds."""
        return float(np.nanmean([one[metric] for one in self.values[model][part]]))

    def _parts(self) -> Iterator[tuple[tuple[str, str], NDArray[np.bool_]]]:
        country = np.array(self.country)
        everybody = np.ones(len(country), np.bool_)
        yield from (((part, part), everybody) for part in PARTS)
        names, counts = np.unique(country, return_counts=True)
        for name, count in zip(names.tolist(), counts, strict=True):
            if name and count >= _LEAST_CUSTOMERS:
                yield (name, "all"), country == name

    def _rows(self, part: tuple[str, str], chosen: NDArray[np.bool_], draws: int) -> Iterator[dict[str, Any]]:
        name, source = part
        for metric in METRICS:
            ours = np.array([one[metric][chosen] for one in self.values[OURS][source]])
            for model, parts in self.values.items():
                values = np.array([one[metric][chosen] for one in parts[source]])
                behind = int((~np.isnan(values)).any(axis=0).sum())
                if behind == 0:
                    continue
                row = _interval("", bootstrap(values, draws)) | {"customers": behind}
                if model != OURS:
                    row |= _interval("difference", paired_bootstrap(ours, values, draws))
                yield {"model": model, "metric": metric, "part": name, **row}

    def _calibration(self, draws: int) -> dict[str, Any]:
        """Expected calibration error of ours over candidates, with an interval over customers (first seed's)."""
        chance, label, customer = self.chances[0]
        edges = np.quantile(chance, np.linspace(0, 1, _BINS + 1)[1:-1])
        place = np.searchsorted(edges, chance, side="right")

        def error(weights: NDArray[np.float64]) -> NDArray[np.float64]:
            gaps = [np.abs(weights[:, place == one] @ (label - chance)[place == one]) for one in range(_BINS)]
            return np.asarray(np.sum(gaps, axis=0) / weights.sum(axis=1))

        value = float(np.mean([expected_calibration_error(one[0], one[1], _BINS) for one in self.chances]))
        found = bootstrap_rows(error, customer, min(draws, 200))
        return {
            "model": OURS,
            "metric": "calibration_error",
            "part": "all",
            "value": value,
            "low": min(found.low, value),
            "high": max(found.high, value),
            "customers": len(np.unique(customer)),
        }


def _interval(prefix: str, found: Any) -> dict[str, float | None]:
    """An interval as columns; nan becomes empty."""
    names = ("difference", "difference_low", "difference_high") if prefix else ("value", "low", "high")
    ends = (found.value, found.low, found.high)
    return {name: None if np.isnan(end) else float(end) for name, end in zip(names, ends, strict=True)}


def peers(settings: PurchaseSettings) -> list[Scorer]:
    """The baselines, each tuned on Online Retail's cuts 2011-09-10 and 2011-10-10."""
    most = settings.max_products
    return [
        Popularity(),
        Frequency(),
        ItemKNN(max_products=most),
        EASE(max_products=most),
        als := ALS(seed=settings.seed),
        Blended(als),
    ]


class Blended(Blend):
    """A scorer that is fitted already, blended with the personal frequency."""

    def __init__(self, fitted: Scorer, share: float = 0.35) -> None:
        super().__init__(fitted, Frequency(), share)

    def fit(self, history: History) -> Blended:
        """Fit the frequency only."""
        self.second.fit(history)
        return self


def evaluate(
    shop: Shop,
    until: When = None,
    days: float | None = None,
    settings: PurchaseSettings | None = None,
    seeds: Sequence[int] = (0,),
    extra: Sequence[Scorer] = (),
) -> Evaluation:
    """Fit on everything before ``until``, measure on the ``days`` after it (the horizon if not said).

    ``until``: the last day that leaves ``days`` of purchases if not said. Each seed trains ours anew; the baselines and
    the ``extra`` models beside them are fitted once. DataError where no customer with a past bought after the cut.
    """
    chosen = settings or PurchaseSettings()
    length = chosen.horizon_days if days is None else days
    if not 0 < length <= 366:
        raise UsageError(f"days must lie between 0 and 366, got {length:g}")
    if length != chosen.horizon_days:
        chosen = PurchaseSettings.of(chosen.model_dump() | {"horizon_days": length})
    first, last = span(shop)
    cut = moment(shop, until)
    if cut is None:
        cut = default_cut(shop, first, last, length)
    purchases = read(shop, cut + round(length * DAY))
    return evaluate_purchases(purchases, cut, chosen, seeds, extra, _zone(shop))


def default_cut(shop: Shop, first: int, last: int, days: float) -> int:
    """The latest local midnight with ``days`` of purchases after it; DataError where the history is too short."""
    cut = moment(shop, as_datetime(last + DAY - round(days * DAY)).astimezone(_zone(shop)).date())
    assert cut is not None
    if cut <= first:
        length = (last - first) / DAY
        raise DataError(
            f"the shop {shop.path} has {length:.0f} days of purchases, too few to measure {days:g} days; "
            "ask for fewer with --days, or import more"
        )
    return cut


def evaluate_purchases(
    purchases: Purchases,
    cut: int,
    settings: PurchaseSettings,
    seeds: Sequence[int] = (0,),
    extra: Sequence[Scorer] = (),
    zone: ZoneInfo | None = None,
) -> Evaluation:
    """The same for purchases that were read already and reach to the end of the test; ``zone`` words the days."""
    wanted = targets(purchases, cut, settings.horizon_days)
    past = purchases.before(cut)
    known = np.unique(past.lines.customer[past.lines.customer >= 0])
    size = purchases.products.height
    testers = np.intersect1d(np.unique(wanted // size), known)
    if len(testers) == 0:
        day = as_datetime(cut).astimezone(zone or UTC)
        raise DataError(
            f"no customer who had bought before {day:%Y-%m-%d %H:%M} bought in the "
            f"{settings.horizon_days:g} days after it; choose an earlier --until or more --days"
        )
    places = [purchases.countries[code] for code in purchases.country[testers]]
    found = Evaluation(cut, settings.horizon_days, int(purchases.last), places)
    truth = _Truth(past, cut, wanted, testers)
    _ours(found, truth, past, cut, settings, seeds)
    compared = [*peers(settings), *extra]
    with stage("baselines", len(compared)) as under_way:
        history = History(past, cut)
        for peer in compared:
            under_way.say(peer.name)
            fitted = peer.fit(history)
            width = max(1, min(settings.chunk, 12_000_000 // max(size, 1)))
            parts = [
                truth.values(start, fitted.score(testers[start : start + width]))
                for start in range(0, len(testers), width)
            ]
            found.values[peer.name] = {part: [_joined([one[part] for one in parts])] for part in PARTS}
            under_way.advance()
    return found


def _ours(
    found: Evaluation, truth: _Truth, past: Purchases, cut: int, settings: PurchaseSettings, seeds: Sequence[int]
) -> None:
    """Train and measure ours, once a seed."""
    found.values[OURS] = {part: [] for part in PARTS}
    for seed in seeds:
        started = time.perf_counter()
        model = PurchaseModel(**(settings.model_dump() | {"seed": seed})).learn(past, cut)
        trained = time.perf_counter()
        prediction = Prediction(model, past, cut)
        popular = Popularity(90).fit(prediction.moment.history)
        parts, start = [], 0
        for batch in prediction.moment.batches(truth.testers):
            others = popular.score(batch.customers)
            parts.append(truth.values(start, _everything(batch, prediction.score(batch)[0], others)))
            start += len(batch.customers)
        for part in PARTS:
            found.values[OURS][part].append(_joined([one[part] for one in parts]))
        found.seconds = {"fit": trained - started, "predict": time.perf_counter() - trained}
        found.chances.append(_chances(prediction, truth, seed))


def _everything(batch: Batch, order: Floats, popular: Scores) -> Scores:
    """Ours for every product: the candidates by their score, below them the others by popularity (n, products)."""
    dense = popular / (1.0 + popular.max(initial=0.0)) - (2.0 + np.abs(order).max(initial=0.0))
    dense[batch.row, batch.product] = order
    return np.asarray(dense, np.float32)


def _chances(prediction: Prediction, truth: _Truth, seed: int) -> tuple[Floats, Floats, Times]:
    """Probability and truth of the candidates of customers with a past, whether they bought after the cut or not."""
    known = np.flatnonzero(prediction.moment.history.order_count > 0)
    rng = np.random.default_rng(seed)
    drawn = known if len(known) <= _CALIBRATED else np.sort(rng.choice(known, _CALIBRATED, replace=False))
    chance, label, customer = [], [], []
    for batch in prediction.moment.batches(drawn):
        of = batch.customers[batch.row].astype(np.int64)
        chance.append(prediction.score(batch)[1])
        label.append(member(of * batch.products + batch.product, truth.wanted).astype(np.float64))
        customer.append(of)
    return np.concatenate(chance), np.concatenate(label), np.concatenate(customer)


class _Truth:
    """What the test customers bought, and the metrics of scores against it."""

    def __init__(self, past: Purchases, cut: int, wanted: Times, testers: Rows) -> None:
        self.wanted, self.testers = wanted, testers
        self._size = past.products.height
        self._sold = np.flatnonzero(np.bincount(past.lines.product, minlength=self._size))
        self._bought = History(past, cut).pairs.key

    def values(self, start: int, scores: Scores) -> dict[str, Values]:
        """Each part's metrics of the customers from place ``start`` on, given their scores (n, products)."""
        customers = self.testers[start : start + len(scores)]
        bought, wanted = self._marks(self._bought, customers), self._marks(self.wanted, customers)
        order = self._sold[np.argsort(-scores[:, self._sold], axis=1, kind="stable")]
        hit, own = np.take_along_axis(wanted, order, axis=1), np.take_along_axis(bought, order, axis=1)
        return {
            "all": _values(hit, np.ones_like(own), wanted.sum(axis=1)),
            "repeat": _values(hit, own, (wanted & bought).sum(axis=1)),
            "new": _values(hit, ~own, (wanted & ~bought).sum(axis=1)),
        }

    def _marks(self, keys: Times, customers: Rows) -> NDArray[np.bool_]:
        """Sorted pair keys as a table (n, products)."""
        marks = np.zeros((len(customers), self._size), np.bool_)
        first, last = np.searchsorted(keys, [customers[0] * self._size, (customers[-1] + 1) * self._size])
        found = keys[first:last]
        place = np.searchsorted(customers, found // self._size)
        there = customers[np.minimum(place, len(customers) - 1)] == found // self._size
        marks[place[there], found[there] % self._size] = True
        return marks


def _values(hit: NDArray[np.bool_], among: NDArray[np.bool_], relevant: Times) -> Values:
    """Metrics per customer of products in order: which are relevant, which are ranked, how many are relevant in all.

    AUC is over all ranked products of the customer: the chance that a bought one stands above one that was not.
    """
    place = np.cumsum(among, axis=1)
    good = hit & among
    row, column = np.nonzero(good)
    rank = place[row, column]
    top = np.zeros((len(hit), _K), np.bool_)
    first = rank <= _K
    top[row[first], rank[first] - 1] = True
    count, ranked = good.sum(axis=1), among.sum(axis=1)
    nth = np.arange(len(row)) - np.searchsorted(row, row) + 1
    with np.errstate(invalid="ignore", divide="ignore"):
        above = np.bincount(row, weights=rank - nth, minlength=len(hit))
        auc = 1.0 - above / (count * (ranked - count))
        precision = np.bincount(row, weights=nth / rank, minlength=len(hit)) / count
    return {
        "ndcg@10": ndcg_at(top, relevant, _K),
        "recall@10": recall_at(top, relevant, _K),
        "precision@10": precision_at(top, relevant, _K),
        "auc": np.where(np.isfinite(auc), auc, np.nan),
        "average_precision": precision,
    }


def _joined(parts: Sequence[Mapping[str, NDArray[np.float64]]]) -> Values:
    return {metric: np.concatenate([part[metric] for part in parts]) for metric in METRICS}


def _zone(shop: Shop) -> ZoneInfo:
    return ZoneInfo(shop.config.timezone)
