"""Finding pictures by text and by picture, in a common space learnt from the shop's own listings.

Where a title model is given, a picture is found by two things that are both log odds: its cosine to the text in the
common space, by the factor that the space was learnt with; and the log-probability that the picture network gives to
the attributes that the text is thought to have (a product of experts; Hinton, Neural Computation 14(8), 2002). That
both count the same was chosen on a held-out tenth of the fashion catalogue's training part.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from safetensors import SafetensorError

from danggol.encoders.contrast_settings import ContrastSettings
from danggol.encoders.ngrams import Ngrams
from danggol.encoders.pictures import Picture
from danggol.errors import DataError, UsageError
from danggol.matching.catalogue import artefact
from danggol.matching.catalogue.items import Items
from danggol.matching.catalogue.settings import AttributeSettings
from danggol.matching.catalogue.title_model import TitleModel

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

    ``encoder`` is a trained picture encoder, and ``titles`` a title model of attributes that the encoder tells as well,
    such as those of an attribute model (``model.experts.pictures.encoder``, ``model.experts.titles``).
    """

    def __init__(self, encoder: PictureEncoder, titles: TitleModel | None = None, **settings: Any) -> None:
        self.settings = ContrastSettings.of(settings)
        self.encoder, self.titles = encoder, titles
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
        """Vectors (texts, numbers) whose inner product with a picture's tells how well it is what the text says.

        Without a title model they are of length one in the common space.
        """
        ngrams, space = self._fitted()
        found = space.texts(ngrams.transform(texts))
        if self.titles is None:
            return found
        said = self.titles.log_probabilities(self.titles.rows(texts))
        chances = [np.exp(said[name]) / space.sharpness for name in self._shared(self.titles)]
        return np.concatenate([found, *chances], axis=1, dtype=np.float32)

    def pictures(self, pictures: Sequence[Picture]) -> Vectors:
        """Vectors (pictures, numbers) that go with those of :meth:`texts`; nan where one cannot be read."""
        from danggol.encoders.convolution import read_pixels

        _, space = self._fitted()
        pixels, there = read_pixels(pictures, self.encoder.settings)
        seen = self.encoder.describe(pixels[there])
        parts: list[NDArray[Any]] = [space.pictures(seen.vectors)]
        if self.titles is not None:
            parts += [seen.log_probabilities[name] for name in self._shared(self.titles)]
        found = np.full((len(pictures), sum(one.shape[1] for one in parts)), np.nan, np.float32)
        found[there] = np.concatenate(parts, axis=1)
        return found

    def _shared(self, titles: TitleModel) -> list[str]:
        """Attributes that both title and picture tell."""
        return [name for name in self.encoder.classes if name in titles.models]

    def likeness(self, pictures: Sequence[Picture]) -> Vectors:
        """Vectors (pictures, dimension) of length one by which pictures are like each other; nan where unreadable."""
        from danggol.encoders.convolution import read_pixels

        pixels, there = read_pixels(pictures, self.encoder.settings)
        found = np.full((len(pictures), self.encoder.output_dim), np.nan, np.float32)
        vectors = self.encoder.transform(pixels[there])
        found[there] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
        return found

    def find(self, texts: Sequence[str], items: Items, top: int = 10) -> pl.DataFrame:
        """The ``top`` pictures of listings for each text: query, rank (from 0), product_id, similarity (at most 1).

        The similarity is the cosine in the common space, less how unlikely it is that a picture has the attributes that
        the text is thought to have.
        """
        return _listed(self.texts(texts), self.pictures(items.pictures), items.ids, top)

    def similar(self, pictures: Sequence[Picture], items: Items, top: int = 10) -> pl.DataFrame:
        """The ``top`` most similar pictures of listings for each picture, columns as in :meth:`find`; cosines."""
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
        if self.titles is not None:
            files |= {"titles.json": self.titles.ngrams_to_json(), "titles.safetensors": self.titles.to_bytes()}
        return artefact.publish(Path(folder), _KIND, config | {"titles": self.titles is not None}, files)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Load a saved search; DataError where it is broken or of a newer format, UsageError where there is none."""
        from danggol.encoders.contrast import TextPictureSpace
        from danggol.encoders.convolution import PictureEncoder

        source, config = artefact.located(Path(folder), _KIND)
        titles = None
        try:
            pictures = artefact.read_bytes(source, "pictures.safetensors")
            if config["titles"]:
                parts = artefact.read_text(source, "titles.json"), artefact.read_bytes(source, "titles.safetensors")
                titles = TitleModel.from_saved(AttributeSettings(), *parts)
            search = cls(PictureEncoder.from_saved(config["encoder"], pictures), titles, **config["settings"])
        except (KeyError, TypeError, ValueError, SafetensorError) as error:
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
            "similarity": np.minimum(np.take_along_axis(similarity, best, axis=1).ravel(), 1),
        }
    )
