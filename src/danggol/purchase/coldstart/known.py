"""What a customer will like next among listings that others have met: behaviour, content, people and time together.

The scores: what goes with the customer's likes (EASE); customers' overlap (cosine item kNN: Deshpande & Karypis,
"Item-based top-N recommendation algorithms", TOIS 2004); taste carried by content, each listing held out from what it
is judged by, so that this says what the others do not; likes of people of the kind; popularity ever and of late.
Weights, none below zero, are learnt from the last days before the moment: what was liked then, by scores that knew only
what came before. Customers who had no past then teach the weights of those who have none now.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl
import scipy.sparse as sp
from numpy.typing import NDArray
from pydantic import Field

from danggol.encoders.features import FeatureSpace
from danggol.errors import DanggolError, DataError
from danggol.purchase.artefact import (
    CONFIG,
    FORMAT,
    locate,
    publish,
    read_config,
    read_tables,
    table_files,
    weights_of,
)
from danggol.purchase.baselines import gram
from danggol.purchase.coldstart.blend import fit_weights
from danggol.purchase.coldstart.content import IMAGE, ContentSpace
from danggol.purchase.coldstart.model import ColdSettings, codes_of, need
from danggol.purchase.coldstart.parts import (
    JOINED,
    TEXT,
    Carrier,
    Floats,
    describe,
    even,
    of_kinds,
    smoothed,
    wholes,
)
from danggol.purchase.history import Matrix

_KIND = "known listings"
_TABLES = ("rows", "items", "people")
_PERSONAL = ("goes_with", "overlap", "content")
_WHOLE = {frozenset({"text", "image"}): JOINED, frozenset({"text"}): TEXT, frozenset({"image"}): IMAGE}


class KnownSettings(ColdSettings):
    """Settings of the model of known listings: its own chosen on MovieLens before 1998, the others as for new ones."""

    window_days: float = Field(default=30, gt=0, description="days before the moment that the weights are learnt from")
    recent_days: float = Field(default=45, gt=0, description="days of late popularity")
    penalty: float = Field(default=0.03, ge=0, description="on the squared weights")


class KnownItemModel:
    """Learns from what customers met and liked up to a moment; scores every listing met so far for every customer."""

    def __init__(self, settings: KnownSettings) -> None:
        self.settings = settings

    def fit(self, rows: pl.DataFrame, items: pl.DataFrame, people: pl.DataFrame | None, until: datetime) -> Self:
        """Learn from rows before ``until``: customer_id, product_id, ``ts`` (time) and, if there is one, ``liked``.

        ``items`` and ``people`` as for the model of new listings; a product's second row is not read. Listings and
        customers without rows before the moment can be asked for: such listings come last. A time without a zone is
        UTC. DataError: a column is not there, or no row is.
        """
        need(rows, ("customer_id", "product_id", "ts"), "rows")
        until = until.astimezone(UTC).replace(tzinfo=None) if until.tzinfo else until
        items = items.unique("product_id", keep="first", maintain_order=True)
        rows = _past(rows, until).join(items, on="product_id", how="semi")
        if rows.height == 0:
            raise DataError(f"no row lies before {until}; give rows of the past")
        self._take(rows, items, people, until)
        self._learn(rows, until - timedelta(days=self.settings.window_days))
        self._found, self._met = self._scores(rows, until)
        return self

    def _take(self, rows: pl.DataFrame, items: pl.DataFrame, people: pl.DataFrame | None, until: datetime) -> None:
        """Keep the tables, and read who and what there is."""
        self._rows, self._items, self._people, self.until = rows, items, people, until
        known = rows["customer_id"].unique()
        if people is not None:
            known = pl.concat([known, people["customer_id"]]).drop_nulls().unique()
        self.customers = known.sort()
        self.products = items["product_id"]
        self._kinds = self._described(people if "people" in self.settings.only else None)
        space = ContentSpace(self.settings.fields, self.settings.facts).fit(items)
        pages = space.read(items)
        alike = wholes(space.alike(pages, pages), self.settings.image_weight)
        shown = {"image" if group == IMAGE else "text" for group in space.groups} & set(self.settings.only)
        self._alike = alike[_WHOLE[frozenset(shown)]] if shown else None

    def _described(self, people: pl.DataFrame | None) -> Floats | None:
        if people is None:
            return None
        rows = pl.DataFrame({"customer_id": self.customers}).join(
            people.unique("customer_id", keep="first", maintain_order=True),
            on="customer_id",
            how="left",
            maintain_order="left",
        )
        return describe(rows, FeatureSpace.fit(people.drop("customer_id")))

    def _matrix(self, rows: pl.DataFrame) -> Matrix:
        places = (codes_of(rows["customer_id"], self.customers), codes_of(rows["product_id"], self.products))
        shape = (len(self.customers), len(self.products))
        matrix = sp.csr_matrix((np.ones(rows.height, np.float32), places), shape=shape)
        matrix.data[:] = 1
        return matrix

    def _scores(self, rows: pl.DataFrame, at: datetime) -> tuple[dict[str, Floats], Matrix]:
        """Each score (customers, products) from rows before a moment, of unit spread within it, and what was met."""
        past = rows.filter(pl.col("ts") < at)
        met, liked = self._matrix(past), self._matrix(past.filter(pl.col("liked")))
        late = past.filter(pl.col("liked"), pl.col("ts") >= at - timedelta(days=self.settings.recent_days))
        found = {"ever": np.log1p(_likes(liked)), "of_late": np.log1p(_likes(self._matrix(late)))}
        if "behaviour" in self.settings.only:
            found["goes_with"] = smoothed(liked, self.settings.ridge, 0.0)
            found["overlap"] = _overlap(liked)
            if self._alike is not None:
                found["content"] = self._carried(self._alike, liked, met)
        if self._kinds is not None:
            some = np.diff(met.indptr) > 0
            slope = of_kinds(self._kinds[some], liked[some], self.settings.people_ridge)
            found["kind"] = _likes(liked) / max(1, int(some.sum())) + self._kinds @ slope
        size, there = (len(self.customers), len(self.products)), np.asarray(met.sum(axis=0)).ravel() > 0
        return {name: _scaled(np.broadcast_to(one, size), there) for name, one in found.items()}, met

    def _carried(self, alike: Floats, liked: Matrix, met: Matrix) -> Floats:
        """What content says of each listing from the others: the listing's own fold is held out."""
        there = np.flatnonzero(np.asarray(met.sum(axis=0)).ravel() > 0)
        fold = np.random.default_rng(self.settings.seed).permutation(len(there)) % self.settings.folds
        found = np.zeros(liked.shape, np.float32)
        for nth in range(self.settings.folds):
            rest, part = there[fold != nth], there[fold == nth]
            if len(rest):
                carrier = Carrier(alike[np.ix_(rest, rest)], self.settings.joined_ridge)
                taste = even(smoothed(liked[:, rest], self.settings.ridge, self.settings.itself))
                found[:, part] = taste @ carrier.weights(alike[np.ix_(rest, part)])
        return found

    def _learn(self, rows: pl.DataFrame, before: datetime) -> None:
        """Weights from what was liked from ``before`` on; equal ones where nobody liked anything then."""
        found, met = self._scores(rows, before)
        asked = self._matrix(rows.filter(pl.col("ts") >= before, pl.col("liked"))).toarray() > 0
        open_ = (met.toarray() == 0) & (np.asarray(met.sum(axis=0)).ravel() > 0)
        asked &= open_
        past = np.diff(met.indptr) > 0
        self.weights = self._weigh(found, asked, open_, past)
        general = {name: one for name, one in found.items() if name not in _PERSONAL}
        self.stranger_weights = self._weigh(general, asked, open_, ~past)

    def _weigh(
        self, found: Mapping[str, Floats], asked: NDArray[np.bool_], open_: NDArray[np.bool_], who: NDArray[np.bool_]
    ) -> dict[str, float]:
        chosen = np.flatnonzero(who & asked.any(axis=1))[: self.settings.learnt_from]
        if len(chosen) == 0:
            return dict.fromkeys(found, 1.0)
        values = np.stack([one[chosen] for one in found.values()])
        weights = fit_weights([(values, asked[chosen].astype(np.float32))], self.settings.penalty, among=open_[chosen])
        return {name: float(one) for name, one in zip(found, weights, strict=True)}

    def score(self, customers: pl.Series | None = None) -> Floats:
        """Appeal (customers, products) of the listings of ``fit``; those that nobody met by then are -inf.

        Customers without past, and unknown ones, get what was learnt from such customers.
        """
        places = codes_of(self.customers if customers is None else customers, self.customers)
        past = (places >= 0) & (np.diff(self._met.indptr) > 0)[places]
        out = np.zeros((len(places), len(self.products)), np.float32)
        for who, weights in ((past, self.weights), (~past, self.stranger_weights)):
            for name, weight in weights.items():
                out[who] += np.float32(weight) * self._of(name, places[who])
        out[:, np.asarray(self._met.sum(axis=0)).ravel() == 0] = -np.inf
        return out

    def _of(self, name: str, places: NDArray[np.int64]) -> Floats:
        """A score's rows; unknown customers get the mean row."""
        rows = self._found[name][places]
        rows[places < 0] = self._found[name].mean(axis=0)
        return rows

    def predict(self, customers: pl.Series | None = None, top: int = 10) -> pl.DataFrame:
        """The ``top`` listings that each customer has not met: customer_id, product_id, score, rank (from 1)."""
        asked = self.customers if customers is None else customers
        found, places = self.score(asked), codes_of(asked, self.customers)
        known = places >= 0
        found[known] = np.where(self._met[places[known]].toarray() > 0, -np.inf, found[known])
        order = np.argsort(-found, axis=1, kind="stable")[:, :top]
        score = np.take_along_axis(found, order, axis=1)
        row, rank = np.nonzero(np.isfinite(score))
        return pl.DataFrame(
            {
                "customer_id": asked.gather(row),
                "product_id": self.products.gather(order[row, rank]),
                "score": score[row, rank],
                "rank": rank + 1,
            }
        )

    def save(self, folder: Path) -> None:
        """Write plain files: settings and weights as JSON, and the tables that the model was made of as Parquet."""
        config = {
            "format": FORMAT,
            "capability": "purchase",
            "model": _KIND,
            "settings": self.settings.model_dump(mode="json"),
            "until": self.until.isoformat(),
            "weights": self.weights,
            "stranger_weights": self.stranger_weights,
        }
        tables = dict(zip(_TABLES, (self._rows, self._items, self._people), strict=True))
        publish(folder, {CONFIG: json.dumps(config), **table_files(tables)})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a saved model. UsageError: there is none; DataError: it is broken, newer, or of another kind."""
        source = locate(folder)
        config = read_config(source, _KIND)
        try:
            model = cls(KnownSettings.of(config["settings"]))
            rows, items, people = read_tables(source, *_TABLES)
            if rows is None or items is None:
                raise DataError("a table is missing")
            until = datetime.fromisoformat(config["until"])
            model._take(rows, items, people, until)
            model.weights, model.stranger_weights = (weights_of(config, one) for one in ("weights", "stranger_weights"))
            model._found, model._met = model._scores(rows, until)
        except (DanggolError, pl.exceptions.PolarsError, KeyError, TypeError, ValueError, OSError) as error:
            raise DataError(f"the model in {folder} is damaged ({str(error)[:80]}); train it again") from error
        return model


def _past(rows: pl.DataFrame, until: datetime) -> pl.DataFrame:
    """Rows with customer and product before a moment in UTC, ``ts`` in UTC without a zone, ``liked`` as a flag."""
    kind = rows.schema["ts"]
    ts = pl.col("ts")
    if isinstance(kind, pl.Datetime) and kind.time_zone:
        ts = ts.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    liked = pl.col("liked").cast(pl.Boolean).fill_null(value=False) if "liked" in rows.columns else pl.lit(value=True)
    found = rows.select("customer_id", "product_id", ts=ts, liked=liked)
    return found.drop_nulls(["customer_id", "product_id"]).filter(pl.col("ts") < until)


def _likes(liked: Matrix) -> Floats:
    """Likes of each listing (1, listings)."""
    return np.asarray(liked.sum(axis=0), np.float32).reshape(1, -1)


def _overlap(liked: Matrix) -> Floats:
    """Sum of the cosines to a customer's likes (customers, listings)."""
    together = gram(liked)
    length = np.sqrt(np.maximum(np.diag(together), 1.0))
    cosine = together / length[:, None] / length[None, :]
    np.fill_diagonal(cosine, 0.0)
    return np.asarray(liked @ cosine, np.float32)


def _scaled(rows: Floats, there: NDArray[np.bool_]) -> Floats:
    """Each customer's row with mean 0 and spread 1 over the listings that are there; zeros where none is."""
    if not there.any():
        return np.zeros(rows.shape, np.float32)
    some = rows[:, there]
    scaled = (rows - some.mean(axis=1, keepdims=True)) / (some.std(axis=1, keepdims=True) + 1e-9)
    return np.asarray(np.where(there, scaled, 0), np.float32)
