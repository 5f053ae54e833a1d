"""Category and attributes of a listing from its title and picture: calibrated, and silent where it is not sure.

A linear model on n-grams reads the title, a convolutional network the picture; both learn all attributes. On listings
that were held out of both, a pool joins what they say (:mod:`danggol.matching.catalogue.fusion`), one for title and
picture together and one for each alone, so that a listing without one of them is answered from the other. Then both
models learn from the held-out listings as well. A listing with neither gets the most frequent value, and no answer.

Predictions go to the table ``product_attributes``; a source column is never written over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from safetensors import SafetensorError
from scipy.sparse import csr_matrix

from danggol.encoders.ngrams import Ngrams
from danggol.errors import DataError, UsageError
from danggol.matching.catalogue import artefact
from danggol.matching.catalogue.fusion import Pool
from danggol.matching.catalogue.items import Items
from danggol.matching.catalogue.settings import AttributeSettings
from danggol.matching.catalogue.title_model import TitleModel

if TYPE_CHECKING:
    from danggol.encoders.convolution import PictureEncoder

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Rows = NDArray[np.int64]
Said = dict[str, Floats]
"""By attribute (listings, classes), natural logarithms of probabilities."""
TITLE, PICTURE = "title", "picture"
_FEWEST = 50
"""Listings with a modality that it needs to be learnt."""
_KIND = "attributes"


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
        self.titles: TitleModel | None = None
        self.pictures: PictureEncoder | None = None

    def learn(self, items: Items, labels: pl.DataFrame) -> Self:
        """Learn from listings and a table with one column an attribute, row by row; null where it is not known.

        DataError: no attribute has two values, or too few listings have a title or a picture.
        """
        if labels.height != len(items):
            raise UsageError(
                f"{len(items)} listings, but {labels.height} rows of attributes; give each listing one row"
            )
        codes = self._coded(labels)
        draw = np.random.default_rng([self.settings.seed, len(items)])
        held = draw.random(len(items)) < self.settings.held
        told = np.array([title is not None for title in items.titles])
        said = {
            TITLE: self._learn_titles(items, codes, told, held),
            PICTURE: self._learn_pictures(items, codes, held),
        }
        if self.titles is None and self.pictures is None:
            raise DataError(f"fewer than {_FEWEST} listings have a title or a picture; give more listings")
        self.pools, self.held_out = {}, {}
        for name in self.values:
            self._join(name, said, codes[name])
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
            kind = pl.Enum(values)
            found[name] = column.cast(kind).to_physical().cast(pl.Int64).fill_null(-1).to_numpy()
            counts = np.bincount(found[name][found[name] >= 0], minlength=len(values)) + 1.0
            self.values[name], self.prior[name] = values, (counts / counts.sum()).tolist()
        if not found:
            raise DataError("no attribute has two values; there is nothing to tell apart")
        return found

    @property
    def classes(self) -> dict[str, int]:
        """How many values each attribute has."""
        return {name: len(values) for name, values in self.values.items()}

    def _learn_titles(
        self, items: Items, codes: Mapping[str, Codes], told: NDArray[np.bool_], held: NDArray[np.bool_]
    ) -> Said | None:
        """Train on the titles; what they say of the held-out ones, nan elsewhere. None where there are too few."""
        self.titles = None
        fit, out = np.flatnonzero(told & ~held), np.flatnonzero(told & held)
        if len(fit) < _FEWEST or not len(out):
            return None
        whole = [str(items.titles[nth]) for nth in np.flatnonzero(told)]
        model = TitleModel(self.settings)
        rows = model.read(whole)
        inside = ~held[told]
        model.fit(_picked(whole, inside), rows[inside], _of(codes, fit), self.classes)
        said = model.log_probabilities(_picked(whole, ~inside))
        found = {name: _spread(logs, out, len(items)) for name, logs in said.items()}
        self.titles = model.fit(whole, rows, _of(codes, np.flatnonzero(told)), self.classes)
        return found

    def _learn_pictures(self, items: Items, codes: Mapping[str, Codes], held: NDArray[np.bool_]) -> Said | None:
        """Train on the pictures; what they say of the held-out ones, nan elsewhere. None where there are too few."""
        from danggol.encoders.convolution import PictureEncoder, read_pixels

        self.pictures = None
        if sum(picture is not None for picture in items.pictures) < _FEWEST:
            return None
        pixels, there = read_pixels(items.pictures, self.settings.picture)
        fit, out = np.flatnonzero(there & ~held), np.flatnonzero(there & held)
        if len(fit) < _FEWEST or not len(out):
            return None
        encoder = PictureEncoder(self.settings.picture)
        words = self._words(items, fit)
        encoder.fit(pixels[fit], _of(codes, fit), self.classes, None if words is None else words[fit])
        said = encoder.describe(pixels[out]).log_probabilities
        found = {name: _spread(logs, out, len(items)) for name, logs in said.items()}
        if self.settings.refine:
            whole = np.flatnonzero(there)
            encoder.refine(
                pixels[whole], _of(codes, whole), None if words is None else words[whole], self.settings.refine
            )
        self.pictures = encoder
        return found

    def _words(self, items: Items, fit: Rows) -> csr_matrix | None:
        """Which of the most frequent title words each listing (listings, words) has; None where there are no titles."""
        limit = self.settings.picture.words
        if not limit:
            return None
        counted = Ngrams(high=1, fewest=5, limit=limit)
        try:
            counted.fit([items.titles[nth] for nth in fit])
        except DataError:
            return None
        rows = counted.transform(items.titles)
        return csr_matrix((np.ones_like(rows.data), rows.indices, rows.indptr), rows.shape)

    def _join(self, name: str, said: Mapping[str, Said | None], codes: Codes) -> None:
        """Fit the pools of one attribute, each on the held-out listings that have what it joins."""
        there = {kind: found[name] for kind, found in said.items() if found is not None}
        self.pools[name], self.held_out[name] = {}, {}
        for kinds in ((TITLE,), (PICTURE,), (TITLE, PICTURE)):
            if not set(kinds) <= set(there):
                continue
            rows = np.flatnonzero(np.all([np.isfinite(there[kind][:, 0]) for kind in kinds], axis=0))
            parts = {kind: there[kind][rows] for kind in kinds}
            pool = Pool.fit(parts, codes[rows], self.settings.accuracy)
            self.pools[name]["+".join(kinds)] = pool
            self.held_out[name]["+".join(kinds)] = (pool.joined(parts), codes[rows])

    def log_probabilities(self, items: Items) -> tuple[Said, dict[str, Floats]]:
        """By attribute the log-probabilities (listings, classes), and the confidence (listings,) needed to answer."""
        self._fitted()
        said = {TITLE: self._said_by_titles(items), PICTURE: self._said_by_pictures(items)}
        logs, needed = {}, {}
        for name in self.values:
            logs[name] = np.tile(np.log(self.prior[name]), (len(items), 1))
            needed[name] = np.full(len(items), 1.1)
            there = {kind: one[name] for kind, one in said.items() if one is not None}
            for kinds, pool in self.pools[name].items():
                asked = kinds.split("+")
                if not set(asked) <= set(there):
                    continue
                rows = np.flatnonzero(np.all([np.isfinite(there[kind][:, 0]) for kind in asked], axis=0))
                logs[name][rows] = pool.joined({kind: there[kind][rows] for kind in asked})
                needed[name][rows] = pool.threshold
        return logs, needed

    def _said_by_titles(self, items: Items) -> Said | None:
        rows = np.flatnonzero([title is not None for title in items.titles])
        if self.titles is None or not len(rows):
            return None
        said = self.titles.log_probabilities([str(items.titles[nth]) for nth in rows])
        return {name: _spread(logs, rows, len(items)) for name, logs in said.items()}

    def _said_by_pictures(self, items: Items) -> Said | None:
        if self.pictures is None:
            return None
        from danggol.encoders.convolution import read_pixels

        pixels, there = read_pixels(items.pictures, self.settings.picture)
        rows = np.flatnonzero(there)
        said = self.pictures.describe(pixels[rows]).log_probabilities
        return {name: _spread(logs, rows, len(items)) for name, logs in said.items()}

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
                        "attribute": [name] * len(best),
                        "value": pl.Series(values, dtype=pl.String).gather(best),
                        "confidence": confidence,
                        "abstained": confidence < needed[name],
                    }
                )
            )
        return pl.concat(parts)

    def _fitted(self) -> None:
        if not self.pools:
            raise UsageError("the attribute model is not fitted; call learn(items, labels) first")

    def save(self, folder: str | Path) -> Path:
        """Save to a folder as plain files: JSON and safetensors."""
        self._fitted()
        config: dict[str, Any] = {
            "settings": self.settings.model_dump(),
            "values": self.values,
            "prior": self.prior,
            "pools": {
                name: {kind: pool.to_dict() for kind, pool in pools.items()} for name, pools in self.pools.items()
            },
        }
        files: dict[str, str | bytes] = {}
        if self.titles is not None:
            files |= {"ngrams.json": self.titles.ngrams_to_json(), "titles.safetensors": self.titles.to_bytes()}
        if self.pictures is not None:
            files["pictures.json"] = json.dumps(self.pictures.to_dict())
            files["pictures.safetensors"] = self.pictures.to_bytes()
        config["files"] = sorted(files)
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
            if "ngrams.json" in config["files"]:
                model.titles = TitleModel.from_saved(
                    model.settings,
                    artefact.read_text(source, "ngrams.json"),
                    artefact.read_bytes(source, "titles.safetensors"),
                )
            if "pictures.json" in config["files"]:
                from danggol.encoders.convolution import PictureEncoder

                model.pictures = PictureEncoder.from_saved(
                    json.loads(artefact.read_text(source, "pictures.json")),
                    artefact.read_bytes(source, "pictures.safetensors"),
                )
        except (KeyError, TypeError, ValueError, SafetensorError) as error:
            raise DataError(f"the model in {source} is damaged ({str(error)[:80]}); train it again") from error
        return model


def _of(codes: Mapping[str, Codes], rows: Rows) -> dict[str, Codes]:
    return {name: one[rows] for name, one in codes.items()}


def _picked(texts: Sequence[str], chosen: NDArray[np.bool_]) -> list[str]:
    return [text for text, wanted in zip(texts, chosen, strict=True) if wanted]


def _spread(logs: Floats, rows: Rows, count: int) -> Floats:
    """Rows of a part put where they belong among ``count`` listings; nan elsewhere."""
    found = np.full((count, logs.shape[1]), np.nan)
    found[rows] = logs
    return found
