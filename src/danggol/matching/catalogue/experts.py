"""The experts of a listing's attributes: a title model, a picture model, and the nearest known listings.

They learn from most of the listings and tell the classes of the others, which joins them. Then all but the picture
model's network, whose training takes longest, learn from the others as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from danggol.encoders.ngrams import Ngrams
from danggol.errors import DataError
from danggol.matching.catalogue import artefact
from danggol.matching.catalogue.items import Items
from danggol.matching.catalogue.neighbours import Neighbours, Sight
from danggol.matching.catalogue.settings import AttributeSettings
from danggol.matching.catalogue.title_model import TitleModel

if TYPE_CHECKING:
    from danggol.matching.catalogue.picture_model import PictureModel

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Rows = NDArray[np.int64]
Flags = NDArray[np.bool_]
Said = dict[str, Floats]
"""By attribute (listings, classes), natural logarithms of probabilities."""
TITLE, PICTURE = "title", "picture"
KINDS = ((TITLE,), (PICTURE,), (TITLE, PICTURE))
"""What can be read of a listing."""
_FEWEST = 50
"""Listings with a modality that it needs to be learnt."""


@dataclass(frozen=True)
class _Seen:
    """What can be read of listings."""

    has: dict[str, Flags]
    """by modality that was learnt, which listings (listings,) have it"""
    titles: csr_matrix
    """(listings, n-grams)"""
    looks: NDArray[np.float32]
    """(listings, numbers) what the picture model's kernel reads"""
    sight: Sight


class Experts:
    """Learns, and tells classes by everything that can be read of a listing."""

    def __init__(self, settings: AttributeSettings, classes: Mapping[str, int]) -> None:
        self.settings, self.classes = settings, dict(classes)
        self.titles: TitleModel | None = None
        self.pictures: PictureModel | None = None
        self.neighbours: Neighbours | None = None

    def learn(
        self, items: Items, codes: Mapping[str, Codes], held: Flags, checkpoint: Path | None = None
    ) -> dict[str, tuple[Rows, dict[str, Said]]]:
        """Learn from listings with classes (listings,), -1 where not known; ``held`` (listings,) are joined on.

        Gives, by what is read (``title``, ``picture``, ``title+picture``), the held-out listings that have it and what
        each expert says of them. DataError: too few listings have a title or a picture.
        """
        self._learn_network(items, codes, held, checkpoint)
        self._learn_ngrams(items)
        if self.titles is None and self.pictures is None:
            raise DataError(f"fewer than {_FEWEST} listings have a title or a picture; give more listings")
        seen = self._see(items)
        fit, out = np.flatnonzero(~held), np.flatnonzero(held)
        self._fit(seen, items, codes, fit)
        if self.pictures is not None:
            shown = fit[seen.has[PICTURE][fit]]
            self.pictures.fit(seen.looks[shown], _of(codes, shown))
        found: dict[str, tuple[Rows, dict[str, Said]]] = {}
        for kinds in KINDS:
            if set(kinds) <= set(seen.has):
                rows = out[np.all([seen.has[kind][out] for kind in kinds], axis=0)]
                found["+".join(kinds)] = (rows, self._told(seen, rows, kinds))
        self._fit(seen, items, codes, np.arange(len(items)))
        if self.pictures is not None:
            shown = out[seen.has[PICTURE][out]]
            self.pictures.extend(seen.looks[shown], _of(codes, shown))
        return found

    def say(self, items: Items) -> dict[str, tuple[Rows, dict[str, Said]]]:
        """By what can be read of listings, those of which no more can be read, and what each expert says of them."""
        seen = self._see(items)
        found: dict[str, tuple[Rows, dict[str, Said]]] = {}
        for kinds in KINDS:
            if set(kinds) <= set(seen.has):
                others = [~seen.has[kind] for kind in seen.has if kind not in kinds]
                rows = np.flatnonzero(np.all([*(seen.has[kind] for kind in kinds), *others], axis=0))
                found["+".join(kinds)] = (rows, self._told(seen, rows, kinds))
        return found

    def _learn_ngrams(self, items: Items) -> None:
        """The n-grams of all titles; which classes they go with is learnt later."""
        told = [title for title in items.titles if title is not None]
        if len(told) >= _FEWEST:
            self.titles = TitleModel(self.settings).read(told)

    def _fit(self, seen: _Seen, items: Items, codes: Mapping[str, Codes], rows: Rows) -> None:
        """Learn the classes of some listings, but for the picture model; the titles go on from what was learnt."""
        if self.titles is not None:
            told = rows[seen.has[TITLE][rows]]
            self.titles.fit([str(items.titles[nth]) for nth in told], seen.titles[told], _of(codes, told), self.classes)
        self.neighbours = Neighbours(seen.sight.rows(rows), _of(codes, rows), self.classes)

    def _learn_network(self, items: Items, codes: Mapping[str, Codes], held: Flags, checkpoint: Path | None) -> None:
        if sum(picture is not None for picture in items.pictures) < _FEWEST:
            return
        from danggol.encoders.convolution import read_pixels
        from danggol.matching.catalogue.picture_model import PictureModel
        from danggol.training import Checkpoint

        pixels, there = read_pixels(items.pictures, self.settings.picture)
        fit = np.flatnonzero(there & ~held)
        if len(fit) < _FEWEST:
            return
        run = None
        if checkpoint is not None:
            key = json.dumps([self.settings.picture.model_dump(), self.classes, len(items), len(fit)])
            run = Checkpoint(checkpoint, key)
        words = self._words([items.titles[nth] for nth in fit])
        self.pictures = PictureModel(self.settings, self.classes)
        self.pictures.learn_network(pixels[fit], _of(codes, fit), words, run)

    def _words(self, titles: list[str | None]) -> csr_matrix | None:
        """Which of the most frequent title words each listing (listings, words) has; None where there are no titles."""
        limit = self.settings.picture.words
        if not limit:
            return None
        try:
            rows = Ngrams(high=1, fewest=5, limit=limit).fit_transform(titles)
        except DataError:
            return None
        return csr_matrix((np.ones_like(rows.data), rows.indices, rows.indptr), rows.shape)

    def _see(self, items: Items) -> _Seen:
        """Read titles and pictures."""
        count = len(items)
        has: dict[str, Flags] = {}
        titles = words = csr_matrix((count, 1), dtype=np.float32)
        looks = vectors = np.zeros((count, 1), np.float32)
        if self.titles is not None:
            has[TITLE] = np.array([title is not None for title in items.titles], np.bool_)
            titles = self.titles.rows(items.titles)
            words = self.titles.words(titles)
        if self.pictures is not None:
            from danggol.encoders.convolution import read_pixels

            pixels, there = read_pixels(items.pictures, self.settings.picture)
            seen, rows = self.pictures.look(pixels[there])
            vectors, looks = _spread(seen, there), _spread(rows, there)
            has[PICTURE] = there
        return _Seen(has, titles, looks, Sight.of(words, vectors))

    def _told(self, seen: _Seen, rows: Rows, kinds: tuple[str, ...]) -> dict[str, Said]:
        """What each expert that reads ``kinds`` says of rows that have them all."""
        found: dict[str, Said] = {}
        if TITLE in kinds and self.titles is not None:
            found[TITLE] = self.titles.log_probabilities(seen.titles[rows])
            if by_words := self.titles.log_probabilities_by_words(seen.titles[rows]):
                found["words"] = by_words
        if PICTURE in kinds and self.pictures is not None:
            found[PICTURE] = self.pictures.log_probabilities(seen.looks[rows])
        if self.neighbours is not None and kinds != (PICTURE,):
            # the picture model is itself made of likeness; beside a title, the neighbours know more
            sight = seen.sight.rows(rows)
            for near in KINDS:
                if set(near) <= set(kinds):
                    found[f"near {'+'.join(near)}"] = self.neighbours.votes(sight, near)
        return found

    def to_files(self) -> dict[str, str | bytes]:
        """Everything that was learnt, as files of JSON and safetensors."""
        files: dict[str, str | bytes] = {}
        if self.titles is not None:
            files |= {"ngrams.json": self.titles.ngrams_to_json(), "titles.safetensors": self.titles.to_bytes()}
        if self.pictures is not None:
            files |= self.pictures.to_files()
        if self.neighbours is not None:
            files["neighbours.safetensors"] = self.neighbours.to_bytes()
        return files

    @classmethod
    def from_folder(
        cls, settings: AttributeSettings, classes: Mapping[str, int], folder: Path, files: list[str]
    ) -> Self:
        """Read what :meth:`to_files` gave. DataError, KeyError, ValueError, SafetensorError: it is damaged."""
        experts = cls(settings, classes)
        if "ngrams.json" in files:
            ngrams, weights = (
                artefact.read_text(folder, "ngrams.json"),
                artefact.read_bytes(folder, "titles.safetensors"),
            )
            experts.titles = TitleModel.from_saved(settings, ngrams, weights)
        if "pictures.json" in files:
            from danggol.matching.catalogue.picture_model import PictureModel

            experts.pictures = PictureModel.from_saved(
                settings,
                experts.classes,
                artefact.read_text(folder, "pictures.json"),
                artefact.read_bytes(folder, "pictures.safetensors"),
                artefact.read_bytes(folder, "kernel.safetensors"),
            )
        if "neighbours.safetensors" in files:
            known = artefact.read_bytes(folder, "neighbours.safetensors")
            experts.neighbours = Neighbours.from_bytes(known, experts.classes)
        return experts


def _of(codes: Mapping[str, Codes], rows: Rows) -> dict[str, Codes]:
    return {name: one[rows] for name, one in codes.items()}


def _spread(rows: NDArray[np.float32], there: Flags) -> NDArray[np.float32]:
    """Rows of a part put where they belong; zero elsewhere."""
    found = np.zeros((len(there), rows.shape[1]), np.float32)
    found[there] = rows
    return found
