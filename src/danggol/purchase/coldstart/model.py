"""Who will like a listing that nobody has met yet: the appeal of new listings from content, behaviour and people.

The scores of :mod:`.parts` are made for training listings that are held out, fold by fold, as if they were
new; :mod:`.blend` weighs them. What a customer without past gets is weighed apart, without behaviour.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from copy import copy
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl
import scipy.sparse as sp
from numpy.typing import NDArray
from pydantic import Field as Setting
from pydantic import field_validator

from danggol.encoders.features import FeatureSpace
from danggol.errors import DanggolError, DataError, UsageError
from danggol.progress import stage
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
from danggol.purchase.coldstart.blend import fit_weights
from danggol.purchase.coldstart.content import ContentSpace, Field
from danggol.purchase.coldstart.parts import (
    MODALITIES,
    Carrier,
    Floats,
    PartSettings,
    Tastes,
    allowed,
    carriers,
    describe,
    parts_of,
    scores,
    wholes,
)

_KIND = "cold start"
_TABLES = ("rows", "items", "people")


class ColdSettings(PartSettings):
    """Settings of the model of new listings."""

    fields: tuple[Field, ...] = Setting(description="the columns of the listings, and how they are read")
    facts: float = Setting(default=0.25, ge=0, description="weight of how much a page tells; 0 leaves it out")
    only: tuple[str, ...] = Setting(default=MODALITIES, description="the modalities that are used")
    folds: int = Setting(default=5, ge=2, le=50, description="parts of the listings that are held out in turn")
    learnt_from: int = Setting(default=2000, ge=10, description="customers that the weights are learnt from, at most")
    penalty: float = Setting(default=0.03, ge=0, description="on the squared weights")
    seed: int = Setting(default=0, ge=0, lt=2**31, description="of folds and of the customers drawn")

    @field_validator("only", mode="before")
    @classmethod
    def _known(cls, only: object) -> object:
        return known_modalities(only) if isinstance(only, Iterable) else only


class ColdItemModel:
    """Learns from listings that customers met; scores listings that none has met."""

    def __init__(self, settings: ColdSettings) -> None:
        self.settings = settings

    def fit(self, rows: pl.DataFrame, items: pl.DataFrame, people: pl.DataFrame | None = None) -> Self:
        """Learn.

        ``rows``: customer_id, product_id and, if there is one, ``liked`` (flag; without it every row is a like): what
        customers met. ``items``: product_id and the fields' columns. ``people``: customer_id and any columns of
        numbers and categories. Rows of other products, rows without customer or product, and listings without rows are
        left out. DataError: too few listings, or a column is not there.
        """
        self._take(rows, items, people)
        folds = self._held_out()
        self._lists = [(np.stack(found), self.liked[self._learners][:, part].toarray()) for found, part in folds]
        self.weights = self._weigh(self.settings.only)
        self.stranger_weights = self._weigh(set(self.settings.only) - {"behaviour"})
        return self

    def with_only(self, modalities: Iterable[str]) -> Self:
        """The model that was never shown the other modalities: its weights are learnt anew. Only after ``fit``.

        UsageError: the model was loaded, or a modality is unknown.
        """
        if not hasattr(self, "_lists"):
            raise UsageError("a loaded model cannot be weighed anew; fit it, then call with_only")
        other = copy(self)
        other.settings = ColdSettings.of(self.settings.model_dump(), only=known_modalities(modalities))
        other.weights = self._weigh(other.settings.only)
        other.stranger_weights = self._weigh(set(other.settings.only) - {"behaviour"})
        return other

    def _take(self, rows: pl.DataFrame, items: pl.DataFrame, people: pl.DataFrame | None) -> None:
        need(rows, ("customer_id", "product_id"), "rows")
        need(items, ("product_id",), "listings")
        liked = rows["liked"] if "liked" in rows.columns else pl.repeat(True, rows.height, eager=True)
        rows = rows.select("customer_id", "product_id", liked=liked.cast(pl.Boolean).fill_null(value=False))
        rows = rows.drop_nulls(["customer_id", "product_id"])
        rows = rows.join(items.select("product_id"), on="product_id", how="semi")
        rows = rows.group_by("customer_id", "product_id").agg(pl.col("liked").any()).sort("customer_id", "product_id")
        items = items.join(rows, on="product_id", how="semi").unique("product_id", keep="first", maintain_order=True)
        if items.height < 2 * self.settings.folds:
            raise DataError(f"{items.height} listings have rows; at least {2 * self.settings.folds} are needed")
        self.rows, self.items, self.people = rows, items, people
        self.customers = rows["customer_id"].unique().sort()
        self.products = items["product_id"]
        shape = (len(self.customers), items.height)
        met = (codes_of(rows["customer_id"], self.customers), codes_of(rows["product_id"], self.products))
        self.met = sp.csr_matrix((np.ones(rows.height, np.float32), met), shape=shape)
        self.liked = sp.csr_matrix((rows["liked"].to_numpy().astype(np.float32), met), shape=shape)
        self.liked.eliminate_zeros()
        self.space = ContentSpace(self.settings.fields, self.settings.facts).fit(items)
        self._pages = self.space.read(items)
        self._alike = wholes(self.space.alike(self._pages, self._pages), self.settings.image_weight)
        self._who = FeatureSpace.fit(people.drop("customer_id")) if people is not None else None
        self._kinds = self._described(self.customers)
        self.parts = parts_of(self.space.groups, people is not None)
        self._whole: tuple[Tastes, dict[str, Carrier]] | None = None

    def _described(self, customers: pl.Series) -> Floats | None:
        if self.people is None or self._who is None:
            return None
        asked = pl.DataFrame({"customer_id": customers})
        known = self.people.unique("customer_id", keep="first", maintain_order=True)
        return describe(asked.join(known, on="customer_id", how="left", maintain_order="left"), self._who)

    def _held_out(self) -> Iterator[tuple[list[Floats], NDArray[np.int64]]]:
        """The scores of each fold of listings as if they were new, for customers drawn to learn from."""
        rng = np.random.default_rng(self.settings.seed)
        fold = rng.permutation(len(self.products)) % self.settings.folds
        self._learners = np.sort(rng.permutation(len(self.customers))[: self.settings.learnt_from])
        with stage("cold start: folds", self.settings.folds) as under_way:
            for nth in range(self.settings.folds):
                rest, part = np.flatnonzero(fold != nth), np.flatnonzero(fold == nth)
                tastes, carried = self._fitted(rest)
                new = {name: value[np.ix_(rest, part)] for name, value in self._alike.items()}
                found = scores(self.parts, tastes.of(self._learners), carried, new)
                size = (len(self._learners), len(part))
                yield [np.broadcast_to(one, size) for one in found], part
                under_way.advance()

    def _fitted(self, known: NDArray[np.int64]) -> tuple[Tastes, dict[str, Carrier]]:
        liked, met = self.liked[:, known], self.met[:, known]
        alike = {name: value[np.ix_(known, known)] for name, value in self._alike.items()}
        return Tastes(liked, met, self._kinds, self.settings), carriers(alike, self.parts, self.settings)

    def _weigh(self, only: Iterable[str]) -> dict[str, float]:
        """Weight of each part that these modalities allow, parts of weight 0 left out."""
        chosen = allowed(self.parts, only)
        if not chosen:
            return {}
        lists = [(found[chosen], likes) for found, likes in self._lists]
        weights = fit_weights(lists, self.settings.penalty)
        return {self.parts[nth].name: float(one) for nth, one in zip(chosen, weights, strict=True) if one > 0}

    def score(self, items: pl.DataFrame, customers: pl.Series | None = None) -> Floats:
        """Appeal (customers, listings) of listings with the fields' columns; by default to every customer of training.

        Customers without rows get what is weighed without behaviour. Higher is better within a customer; with no
        modality of the listings left, all scores are 0. A picture or text that is missing is no error.
        """
        asked = self.customers if customers is None else customers
        if self._whole is None:
            self._whole = self._fitted(np.arange(len(self.products)))
        tastes, carried = self._whole
        known = codes_of(asked, self.customers)
        alike = wholes(self.space.alike(self._pages, self.space.read(items)), self.settings.image_weight)
        kinds = self._described(asked)
        out = np.zeros((len(asked), items.height), np.float32)
        for rows, weights in ((known >= 0, self.weights), (known < 0, self.stranger_weights)):
            parts = [part for part in self.parts if part.name in weights]
            if not rows.any() or not parts:
                continue
            theirs = (
                tastes.of(known[rows])
                if known[rows][0] >= 0
                else tastes.of_strangers(None if kinds is None else kinds[rows])
            )
            for part, found in zip(parts, scores(parts, theirs, carried, alike), strict=True):
                out[rows] += np.float32(weights[part.name]) * found
        return out

    def predict(self, items: pl.DataFrame, customers: pl.Series | None = None, top: int = 10) -> pl.DataFrame:
        """The ``top`` listings of each customer: customer_id, product_id, score, rank (from 1)."""
        asked = self.customers if customers is None else customers
        found = self.score(items, asked)
        order = np.argsort(-found, axis=1, kind="stable")[:, :top]
        width = order.shape[1]
        return pl.DataFrame(
            {
                "customer_id": asked.gather(np.repeat(np.arange(len(asked)), width)),
                "product_id": items["product_id"].gather(order.ravel()),
                "score": np.take_along_axis(found, order, axis=1).ravel(),
                "rank": np.tile(np.arange(1, width + 1), len(asked)),
            }
        )

    def save(self, folder: Path) -> None:
        """Write plain files: settings and weights as JSON, and the tables that the model was made of as Parquet."""
        config = {
            "format": FORMAT,
            "capability": "purchase",
            "model": _KIND,
            "settings": self.settings.model_dump(mode="json"),
            "weights": self.weights,
            "stranger_weights": self.stranger_weights,
        }
        tables = dict(zip(_TABLES, (self.rows, self.items, self.people), strict=True))
        publish(folder, {CONFIG: json.dumps(config), **table_files(tables)})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a saved model. UsageError: there is none; DataError: it is broken, newer, or of another kind."""
        source = locate(folder)
        config = read_config(source, _KIND)
        try:
            model = cls(ColdSettings.of(config["settings"]))
            rows, items, people = read_tables(source, *_TABLES)
            if rows is None or items is None:
                raise DataError("a table is missing")
            model._take(rows, items, people)
            model.weights, model.stranger_weights = (weights_of(config, one) for one in ("weights", "stranger_weights"))
        except (DanggolError, pl.exceptions.PolarsError, KeyError, TypeError, ValueError, OSError) as error:
            raise DataError(f"the model in {folder} is damaged ({str(error)[:80]}); train it again") from error
        return model


def known_modalities(only: Iterable[str]) -> tuple[str, ...]:
    """Names of modalities, checked. UsageError: one is unknown, or there is one text in place of several."""
    if isinstance(only, str):
        raise UsageError(f"the modalities are several names, not the one text {only!r}; give [{only!r}]")
    found = tuple(only)
    unknown = sorted({str(one) for one in found} - set(MODALITIES))
    if unknown:
        raise UsageError(f"unknown modality {', '.join(unknown)} (known: {', '.join(MODALITIES)})")
    return found


def codes_of(values: pl.Series, known: pl.Series) -> NDArray[np.int64]:
    """Places of values in a list; -1 where they are not there."""
    places = values.replace_strict(known, pl.int_range(len(known), eager=True), default=-1, return_dtype=pl.Int64)
    return places.fill_null(-1).to_numpy()


def need(table: pl.DataFrame, columns: tuple[str, ...], name: str) -> None:
    """DataError where a table lacks a column."""
    absent = [column for column in columns if column not in table.columns]
    if absent:
        raise DataError(f"the {name} have no column {', '.join(absent)}")
