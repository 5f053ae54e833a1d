"""Finding pictures by text and by picture, in a common space learnt from the shop's own listings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from danggol.encoders.contrast_settings import ContrastSettings
from danggol.encoders.ngrams import Ngrams
from danggol.encoders.pictures import Picture
from danggol.errors import DataError, UsageError
from danggol.matching.catalogue import artefact
from danggol.matching.catalogue.items import Items

if TYPE_CHECKING:
    from danggol.encoders.contrast import TextPictureSpace
    from danggol.encoders.convolution import PictureEncoder

Vectors = NDArray[np.float32]
_KIND = "retrieval"
_FEWEST = 50
"""Listings with a title and a picture that are needed."""
_CHUNK = 1024


class PictureSearch:
    """Finds pictures for a text or a picture; settings by keyword, see :class:`ContrastSettings`.

    ``encoder`` is a trained picture encoder, such as that of an attribute model
    (``model.experts.pictures.encoder``).
    """

    def __init__(self, encoder: PictureEncoder, **settings: Any) -> None:
        self.settings = ContrastSettings.of(settings)
        self.encoder = encoder
        self.ngrams: Ngrams | None = None
        self.space: TextPictureSpace | None = None

    def learn(self, items: Items) -> Self:
        """Learn the common space from listings that have a title and a picture. DataError: there are too few."""
        from danggol.encoders.contrast import TextPictureSpace
        from danggol.encoders.convolution import read_pixels

        told = np.flatnonzero([title is not None for title in items.titles])
        pixels, there = read_pixels([items.pictures[nth] for nth in told], self.encoder.settings)
        if there.sum() < _FEWEST:
            raise DataError(f"{there.sum()} listings have a title and a picture; a search needs {_FEWEST} or more")
        self.ngrams = Ngrams(high=2)
        rows = self.ngrams.fit_transform([items.titles[nth] for nth in told[there]])
        self.space = TextPictureSpace(self.settings)
        self.space.fit(rows, self.encoder.transform(pixels[there]))
        return self

    def texts(self, texts: Sequence[str | None]) -> Vectors:
        """Vectors (texts, dimension) of length one in the common space."""
        ngrams, space = self._fitted()
        return space.texts(ngrams.transform(texts))

    def pictures(self, pictures: Sequence[Picture]) -> Vectors:
        """Vectors (pictures, dimension) of length one in the common space; nan where one cannot be read."""
        from danggol.encoders.convolution import read_pixels

        _, space = self._fitted()
        pixels, there = read_pixels(pictures, self.encoder.settings)
        found = np.full((len(pictures), space.output_dim), np.nan, np.float32)
        found[there] = space.pictures(self.encoder.transform(pixels[there]))
        return found

    def likeness(self, pictures: Sequence[Picture]) -> Vectors:
        """Vectors (pictures, dimension) of length one by which pictures are like each other; nan where unreadable."""
        from danggol.encoders.convolution import read_pixels

        pixels, there = read_pixels(pictures, self.encoder.settings)
        found = np.full((len(pictures), self.encoder.output_dim), np.nan, np.float32)
        vectors = self.encoder.transform(pixels[there])
        found[there] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
        return found

    def find(self, texts: Sequence[str], items: Items, top: int = 10) -> pl.DataFrame:
        """The ``top`` pictures of listings for each text: query, rank (from 0), product_id, similarity (cosine)."""
        return _listed(self.texts(texts), self.pictures(items.pictures), items.ids, top)

    def similar(self, pictures: Sequence[Picture], items: Items, top: int = 10) -> pl.DataFrame:
        """The ``top`` most similar pictures of listings for each picture, columns as in :meth:`find`."""
        return _listed(self.likeness(pictures), self.likeness(items.pictures), items.ids, top)

    def _fitted(self) -> tuple[Ngrams, TextPictureSpace]:
        if self.ngrams is None or self.space is None:
            raise UsageError("the search is not fitted; call learn(items) first")
        return self.ngrams, self.space

    def save(self, folder: str | Path) -> Path:
        """Save to a folder as plain files: JSON and safetensors."""
        ngrams, space = self._fitted()
        config = {"settings": self.settings.model_dump(), "encoder": self.encoder.to_dict()}
        files: dict[str, str | bytes] = {
            "ngrams.json": ngrams.to_json(),
            "space.safetensors": space.to_bytes(),
            "pictures.safetensors": self.encoder.to_bytes(),
        }
        return artefact.publish(Path(folder), _KIND, config, files)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Load a saved search; DataError where it is broken or of a newer format, UsageError where there is none."""
        from danggol.encoders.contrast import TextPictureSpace
        from danggol.encoders.convolution import PictureEncoder

        source, config = artefact.located(Path(folder), _KIND)
        try:
            pictures = artefact.read_bytes(source, "pictures.safetensors")
            search = cls(PictureEncoder.from_saved(config["encoder"], pictures), **config["settings"])
        except (KeyError, TypeError) as error:
            raise DataError(f"the model in {source} is damaged ({str(error)[:80]}); train it again") from error
        search.ngrams = Ngrams.from_json(artefact.read_text(source, "ngrams.json"))
        space = artefact.read_bytes(source, "space.safetensors")
        search.space = TextPictureSpace.from_bytes(search.settings, space)
        return search


def ranks(queries: Vectors, found: Vectors) -> NDArray[np.int64]:
    """Place (rows,), from 0, of row i of ``found`` for row i of ``queries`` by inner product; ties count half."""
    places = np.zeros(len(queries), np.int64)
    for start in range(0, len(queries), _CHUNK):
        part = queries[start : start + _CHUNK]
        likeness = part @ found.T
        own = np.einsum("nd,nd->n", part, found[start : start + len(part)])[:, None]
        others = np.arange(len(part)), np.arange(start, start + len(part))
        likeness[others] = -np.inf
        places[start : start + len(part)] = (likeness > own).sum(axis=1) + (likeness == own).sum(axis=1) // 2
    return places


def _listed(queries: Vectors, found: Vectors, ids: Sequence[str], top: int) -> pl.DataFrame:
    """The best of ``found`` for each query; what is nan is never found, a query of nan finds nothing."""
    there = np.flatnonzero(np.isfinite(found).all(axis=1))
    asked = np.flatnonzero(np.isfinite(queries).all(axis=1))
    count = min(top, len(there))
    similarity = queries[asked] @ found[there].T
    best = np.argsort(-similarity, axis=1, kind="stable")[:, :count]
    return pl.DataFrame(
        {
            "query": np.repeat(asked, count),
            "rank": np.tile(np.arange(count), len(asked)),
            "product_id": pl.Series([ids[there[nth]] for nth in best.ravel()], dtype=pl.String),
            "similarity": np.clip(np.take_along_axis(similarity, best, axis=1).ravel(), -1, 1),
        }
    )
