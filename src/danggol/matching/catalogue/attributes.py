"""Category and attributes of a listing from its title and picture: calibrated, and silent where it is not sure.

Experts read a listing (:mod:`danggol.matching.catalogue.experts`): a linear model on n-grams its title, a convolutional
network its picture, and neighbours look up the most similar known listings. On listings held out of them, a pool joins
what they say (:mod:`danggol.matching.catalogue.fusion`): one pool for title and picture together and one for each
alone, so that a listing without one of them is answered from the other. The joint one believes them differently where
the title names none of an attribute's values, one, or several. A listing with neither gets the most frequent value, and
no answer.

Predictions go to the table ``product_attributes``; a source column is never written over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from safetensors import SafetensorError

from danggol.errors import DataError, UsageError
from danggol.matching.catalogue import artefact
from danggol.matching.catalogue.experts import PICTURE, TITLE, Experts, Rows, Said
from danggol.matching.catalogue.fusion import Pool
from danggol.matching.catalogue.items import Items
from danggol.matching.catalogue.named import named
from danggol.matching.catalogue.settings import AttributeSettings

if TYPE_CHECKING:
    from danggol.shop import Shop

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
_KIND = "attributes"
_NEVER = 1.1
"""A confidence that nothing reaches."""


class AttributeModel:
    """Predicts attributes of listings; settings by keyword, see :class:`AttributeSettings`."""

    def __init__(self, **settings: Any) -> None:
        self.settings = AttributeSettings.of(settings)
        self.values: dict[str, list[str]] = {}
        """by attribute, its values in the order of the classes"""
        self.prior: dict[str, list[float]] = {}
        self.pools: dict[str, dict[str, Pool]] = {}
        """by attribute, by ``title``, ``picture`` and ``title+picture``"""
        self.held_out: dict[str, dict[str, tuple[Floats, Codes]]] = {}
        """after learning, by attribute and what was read: joined log-probabilities of held-out listings, and classes"""
        self.experts: Experts | None = None

    def fit(self, shop: Shop, checkpoint: Path | None = None) -> Self:
        """Learn ``category`` and the entries of ``attributes`` from a shop's listings that tell them."""
        items = Items.from_shop(shop)
        return self.learn(items, attributes_of(shop, items.ids), checkpoint)

    def learn(self, items: Items, labels: pl.DataFrame, checkpoint: Path | None = None) -> Self:
        """Learn from listings and a table with one column an attribute, row by row; null where it is not known.

        ``checkpoint``: a folder where the training of the network is laid down after each pass; a run that was killed
        goes on from there. DataError: no attribute has two values, or too few listings have a title or a picture.
        """
        if labels.height != len(items):
            raise UsageError(
                f"{len(items)} listings, but {labels.height} rows of attributes; give each listing one row"
            )
        codes = self._coded(labels)
        draw = np.random.default_rng([self.settings.seed, len(items)])
        held = draw.random(len(items)) < self.settings.held
        self.experts = Experts(self.settings, self.classes)
        told = self.experts.learn(items, codes, held, checkpoint)
        self.pools, self.held_out = {}, {}
        for name in self.values:
            self.pools[name], self.held_out[name] = {}, {}
            for kinds, (rows, said) in told.items():
                parts, known = _of(name, said), codes[name][rows]
                groups = self._groups(name, items, rows, kinds)
                pool = Pool.fit(parts, known, self.settings.accuracy, groups)
                self.pools[name][kinds], self.held_out[name][kinds] = pool, (pool.joined(parts, groups), known)
        return self

    def _coded(self, labels: pl.DataFrame) -> dict[str, Codes]:
        """Class (listings,) of each attribute that has two values or more; their values and shares are kept."""
        found: dict[str, Codes] = {}
        self.values, self.prior = {}, {}
        for name in labels.columns:
            column = labels[name].cast(pl.String)
            values = column.drop_nulls().unique().sort().to_list()
            if len(values) < 2:
                continue
            codes = column.cast(pl.Enum(values)).to_physical().cast(pl.Int64)
            found[name] = codes.fill_null(-1).to_numpy()
            counts = np.bincount(found[name][found[name] >= 0], minlength=len(values)) + 1.0
            self.values[name], self.prior[name] = values, (counts / counts.sum()).tolist()
        if not found:
            raise DataError("no attribute has two values; there is nothing to tell apart")
        return found

    def _groups(self, name: str, items: Items, rows: Rows, kinds: str) -> Codes | None:
        """Where a picture stands beside a title, how many values of an attribute the title names (rows,)."""
        if kinds != f"{TITLE}+{PICTURE}":
            return None
        return named([items.titles[nth] for nth in rows], self.values[name])

    @property
    def classes(self) -> dict[str, int]:
        """How many values each attribute has."""
        return {name: len(values) for name, values in self.values.items()}

    def log_probabilities(self, items: Items) -> tuple[Said, dict[str, Floats]]:
        """By attribute the log-probabilities (listings, classes), and the confidence (listings,) needed to answer."""
        told = self._fitted().say(items)
        logs, needed = {}, {}
        for name in self.values:
            logs[name] = np.tile(np.log(self.prior[name]), (len(items), 1))
            needed[name] = np.full(len(items), _NEVER)
            for kinds, (rows, said) in told.items():
                pool = self.pools[name].get(kinds)
                if pool is not None and len(rows):
                    groups = self._groups(name, items, rows, kinds)
                    logs[name][rows] = pool.joined(_of(name, said), groups)
                    needed[name][rows] = pool.threshold
        return logs, needed

    def predict(self, items: Items) -> pl.DataFrame:
        """Rows of ``product_attributes``: product_id, attribute, value, confidence, abstained.

        ``confidence`` is the probability that the value is right. ``abstained``: it is below what it takes to be right
        as often as the setting ``accuracy`` says, on held-out listings with the same modalities.
        """
        logs, needed = self.log_probabilities(items)
        parts = []
        for name, values in self.values.items():
            best = logs[name].argmax(axis=1)
            confidence = np.exp(logs[name][np.arange(len(best)), best])
            parts.append(
                pl.DataFrame(
                    {
                        "product_id": pl.Series(items.ids, dtype=pl.String),
                        "attribute": pl.Series([name] * len(best), dtype=pl.String),
                        "value": pl.Series(values, dtype=pl.String).gather(best),
                        "confidence": np.minimum(confidence, 1.0),
                        "abstained": confidence < needed[name],
                    }
                )
            )
        return pl.concat(parts)

    def write(self, shop: Shop) -> int:
        """Predict for all listings of a shop and replace its table ``product_attributes``; the number of rows."""
        rows = self.predict(Items.from_shop(shop))
        listed = shop.read("products", ["listed_at"])["listed_at"].max()
        as_of = listed if isinstance(listed, datetime) else datetime.now(UTC)
        with shop.run("attributes", settings=self.settings.model_dump(), seed=self.settings.seed) as run:
            run.write("product_attributes", rows.with_columns(as_of=pl.lit(as_of)))
        return rows.height

    def _fitted(self) -> Experts:
        if self.experts is None or not self.pools:
            raise UsageError("the attribute model is not fitted; call fit(shop) or learn(items, labels) first")
        return self.experts

    def save(self, folder: str | Path) -> Path:
        """Save to a folder as plain files: JSON and safetensors."""
        files = self._fitted().to_files()
        config = {
            "settings": self.settings.model_dump(),
            "values": self.values,
            "prior": self.prior,
            "pools": {name: {kind: one.to_dict() for kind, one in pools.items()} for name, pools in self.pools.items()},
            "files": sorted(files),
        }
        return artefact.publish(Path(folder), _KIND, config, files)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Load a saved model; DataError where it is broken or of a newer format, UsageError where there is none."""
        source, config = artefact.located(Path(folder), _KIND)
        try:
            model = cls(**config["settings"])
            model.values, model.prior = config["values"], config["prior"]
            model.pools = {
                name: {kind: Pool(**pool) for kind, pool in pools.items()} for name, pools in config["pools"].items()
            }
            model.experts = Experts.from_folder(model.settings, model.classes, source, config["files"])
        except (KeyError, TypeError, ValueError, SafetensorError) as error:
            raise DataError(f"the model in {source} is damaged ({str(error)[:80]}); train it again") from error
        return model


def attributes_of(shop: Shop, ids: Sequence[str]) -> pl.DataFrame:
    """What a shop says of listings: ``category`` and one column for each entry of ``attributes``, null where silent."""
    table = shop.read("products", ["product_id", "category", "attributes"])
    category = dict(zip(table["product_id"], table["category"], strict=True))
    said = dict(zip(table["product_id"], map(_pairs, table["attributes"].to_list()), strict=True))
    names = sorted({name for pairs in said.values() for name in pairs} - {"category"})
    columns = {"category": [category[one] for one in ids]}
    columns |= {name: [said[one].get(name) for one in ids] for name in names}
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))


def _pairs(given: Any) -> dict[str, str]:
    """The entries of a map, however the engine hands it over."""
    if not given:
        return {}
    pairs = given.items() if isinstance(given, Mapping) else [(one["key"], one["value"]) for one in given]
    return {str(name): str(value) for name, value in pairs if value is not None}


def _of(name: str, said: Mapping[str, Said]) -> dict[str, Floats]:
    """What each expert says of one attribute."""
    return {expert: one[name] for expert, one in said.items()}
