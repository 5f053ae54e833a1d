"""The experts of a listing's attributes: a title model, a picture network, and the nearest known listings.

They learn from most of the listings and tell the classes of the others, which joins them. Then the title model and the
neighbours learn from the others as well; the network, whose training takes longest, stays as it is.
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
    from danggol.encoders.convolution import PictureEncoder

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
    """What the title model and the network make of listings."""

    has: dict[str, Flags]
    """by modality, which listings (listings,) have what can be read"""
    said: dict[str, Said]
    """by modality, of those listings alone"""
    sight: Sight
    """of all listings"""


class Experts:
    """Learns, and tells classes by everything that can be read of a listing."""

    def __init__(self, settings: AttributeSettings, classes: Mapping[str, int]) -> None:
        self.settings, self.classes = settings, dict(classes)
        self.titles: TitleModel | None = None
        self.pictures: PictureEncoder | None = None
        self.neighbours: Neighbours | None = None

    def learn(
        self, items: Items, codes: Mapping[str, Codes], held: Flags, checkpoint: Path | None = None
    ) -> dict[str, tuple[Rows, dict[str, Said]]]:
        """Learn from listings with classes (listings,), -1 where not known; ``held`` (listings,) are joined on.

        Gives, by what is read (``title``, ``picture``, ``title+picture``), the held-out listings that have it and what
        each expert says of them. DataError: too few listings have a title or a picture.
        """
        self._learn_pictures(items, codes, held, checkpoint)
        fit = np.array([title is not None for title in items.titles]) & ~held
        self._learn_titles(items, codes, fit)
        if self.titles is None and self.pictures is None:
            raise DataError(f"fewer than {_FEWEST} listings have a title or a picture; give more listings")
        seen = self._see(items)
        inside, out = np.flatnonzero(~held), np.flatnonzero(held)
        self.neighbours = Neighbours(seen.sight.rows(inside), _of(codes, inside), self.classes)
        found: dict[str, tuple[Rows, dict[str, Said]]] = {}
        for kinds in KINDS:
            if set(kinds) <= set(seen.said):
                rows = out[np.all([seen.has[kind][out] for kind in kinds], axis=0)]
                found["+".join(kinds)] = (rows, self._told(seen, rows, kinds))
        if self.titles is not None:
            self._learn_titles(items, codes, np.array([title is not None for title in items.titles]))
        self.neighbours = Neighbours(seen.sight, codes, self.classes)
        return found

    def say(self, items: Items) -> dict[str, tuple[Rows, dict[str, Said]]]:
        """By what can be read of listings, those of which no more can be read, and what each expert says of them."""
        seen = self._see(items)
        found: dict[str, tuple[Rows, dict[str, Said]]] = {}
        for kinds in KINDS:
            if set(kinds) <= set(seen.said):
                others = [~seen.has[kind] for kind in seen.said if kind not in kinds]
                rows = np.flatnonzero(np.all([*(seen.has[kind] for kind in kinds), *others], axis=0))
                found["+".join(kinds)] = (rows, self._told(seen, rows, kinds))
        return found

    def _learn_titles(self, items: Items, codes: Mapping[str, Codes], chosen: Flags) -> None:
        """Train on the titles of some listings, going on from what was learnt; n-grams are those of all titles."""
        rows = np.flatnonzero(chosen)
        if len(rows) < _FEWEST:
            return
        if self.titles is None:
            self.titles = TitleModel(self.settings)
            self.titles.read([title for title in items.titles if title is not None])
        texts = [str(items.titles[nth]) for nth in rows]
        self.titles.fit(texts, self.titles.rows(texts), _of(codes, rows), self.classes)

    def _learn_pictures(self, items: Items, codes: Mapping[str, Codes], held: Flags, checkpoint: Path | None) -> None:
        if sum(picture is not None for picture in items.pictures) < _FEWEST:
            return
        from danggol.encoders.convolution import PictureEncoder, read_pixels
        from danggol.training import Checkpoint

        pixels, there = read_pixels(items.pictures, self.settings.picture)
        fit = np.flatnonzero(there & ~held)
        if len(fit) < _FEWEST:
            return
        words = self._words([items.titles[nth] for nth in fit])
        encoder = PictureEncoder(self.settings.picture)
        run = None
        if checkpoint is not None:
            key = json.dumps([self.settings.picture.model_dump(), self.classes, len(items), len(fit)])
            run = Checkpoint(checkpoint, key)
        encoder.fit(pixels[fit], _of(codes, fit), self.classes, words, run)
        self.pictures = encoder

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
        said: dict[str, Said] = {}
        words = csr_matrix((count, 1), dtype=np.float32)
        vectors = np.zeros((count, 1), np.float32)
        if self.titles is not None:
            has[TITLE] = np.array([title is not None for title in items.titles], np.bool_)
            rows = self.titles.rows(items.titles)
            said[TITLE] = self.titles.log_probabilities(rows[has[TITLE]])
            words = self.titles.words(rows)
        if self.pictures is not None:
            from danggol.encoders.convolution import read_pixels

            pixels, has[PICTURE] = read_pixels(items.pictures, self.settings.picture)
            described = self.pictures.describe(pixels[has[PICTURE]])
            said[PICTURE] = described.log_probabilities
            vectors = np.zeros((count, self.pictures.output_dim), np.float32)
            vectors[has[PICTURE]] = described.vectors
        return _Seen(has, said, Sight.of(words, vectors))

    def _told(self, seen: _Seen, rows: Rows, kinds: tuple[str, ...]) -> dict[str, Said]:
        """What each expert that reads ``kinds`` says of rows that have them all."""
        found: dict[str, Said] = {}
        for kind in kinds:
            place = np.cumsum(seen.has[kind])[rows] - 1
            found[kind] = {name: logs[place] for name, logs in seen.said[kind].items()}
        if self.neighbours is not None:
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
            files |= {
                "pictures.json": json.dumps(self.pictures.to_dict()),
                "pictures.safetensors": self.pictures.to_bytes(),
            }
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
            from danggol.encoders.convolution import PictureEncoder

            held = json.loads(artefact.read_text(folder, "pictures.json"))
            experts.pictures = PictureEncoder.from_saved(held, artefact.read_bytes(folder, "pictures.safetensors"))
        if "neighbours.safetensors" in files:
            known = artefact.read_bytes(folder, "neighbours.safetensors")
            experts.neighbours = Neighbours.from_bytes(known, experts.classes)
        return experts


def _of(codes: Mapping[str, Codes], rows: Rows) -> dict[str, Codes]:
    return {name: one[rows] for name, one in codes.items()}
