"""What the most similar known listings are: a memory beside the models, which average over all listings.

Season and usage go with a brand's line or a day of photography rather than with a word or a shape, and the nearest
listings know them. Nearness is the cosine of titles (tf-idf), of picture vectors, or the mean of both; each of the
nearest listings votes with its nearness to a power (Dudani, "The distance-weighted k-nearest-neighbor rule", 1976).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save
from scipy.sparse import csr_matrix

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
_CHUNK = 256
_NEAREST, _POWER = 10, 4
_PRIOR = 0.5
"""Votes that the shares of the values in the whole catalogue have."""


@dataclass(frozen=True)
class Sight:
    """Listings as neighbours see them; rows of zeros where a title or picture is missing."""

    titles: csr_matrix
    """(listings, words) of length one"""
    vectors: NDArray[np.float32]
    """(listings, numbers) of length one"""

    @classmethod
    def of(cls, titles: csr_matrix, vectors: NDArray[np.float32]) -> Self:
        """From title rows and picture vectors of any length; nan vectors become zero."""
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        there = np.isfinite(length) & (length > 0)
        return cls(titles, np.where(there, vectors / np.where(there, length, 1), 0).astype(np.float32))

    def rows(self, chosen: NDArray[np.int64]) -> Sight:
        """Some of the listings."""
        return Sight(self.titles[chosen], self.vectors[chosen])


class Neighbours:
    """Known listings and their classes."""

    def __init__(self, known: Sight, codes: Mapping[str, Codes], classes: Mapping[str, int]) -> None:
        # in half precision, as they will be saved, so that a saved model says the same
        vectors = known.vectors.astype(np.float16).astype(np.float32)
        self._known, self._codes, self._classes = Sight(known.titles, vectors), dict(codes), dict(classes)
        self._turned = known.titles.T.tocsr()

    def votes(self, asked: Sight, kinds: tuple[str, ...]) -> dict[str, Floats]:
        """By attribute log-probabilities (listings, classes), by nearness of ``title``, ``picture`` or both."""
        count = len(asked.vectors)
        known = len(self._known.vectors)
        nearest = min(_NEAREST, known)
        places = np.zeros((count, nearest), np.int64)
        weights = np.zeros((count, nearest))
        for start in range(0, count, _CHUNK):
            part = slice(start, start + _CHUNK)
            near = np.zeros((min(_CHUNK, count - start), known), np.float32)
            if "title" in kinds:
                near += (asked.titles[part] @ self._turned).toarray()
            if "picture" in kinds:
                near += asked.vectors[part] @ self._known.vectors.T
            best = np.argpartition(-near, nearest - 1, axis=1)[:, :nearest]
            places[part] = best
            weights[part] = np.maximum(np.take_along_axis(near, best, axis=1) / len(kinds), 0) ** _POWER
        return {name: self._counted(name, places, weights) for name in self._codes}

    def _counted(self, name: str, places: NDArray[np.int64], weights: Floats) -> Floats:
        codes, classes = self._codes[name], self._classes[name]
        prior = np.bincount(codes[codes >= 0], minlength=classes) + 1.0
        voted = codes[places]
        cells = np.arange(len(places))[:, None] * classes + np.maximum(voted, 0)
        held = np.where(voted >= 0, weights, 0).ravel()
        found = np.bincount(cells.ravel(), held, minlength=len(places) * classes).reshape(len(places), classes)
        found = found + _PRIOR * prior / prior.sum()
        return np.asarray(np.log(found / found.sum(axis=1, keepdims=True)))

    def to_bytes(self) -> bytes:
        """The known listings as safetensors; vectors in half precision."""
        titles = self._known.titles
        tensors = {
            "titles/data": titles.data.astype(np.float32),
            "titles/indices": titles.indices.astype(np.int32),
            "titles/indptr": titles.indptr.astype(np.int32),
            "titles/shape": np.array(titles.shape, np.int64),
            "vectors": self._known.vectors.astype(np.float16),
        }
        return bytes(save(tensors | {f"codes/{name}": codes.astype(np.int32) for name, codes in self._codes.items()}))

    @classmethod
    def from_bytes(cls, content: bytes, classes: Mapping[str, int]) -> Self:
        """Read what :meth:`to_bytes` wrote. KeyError, ValueError or SafetensorError: it is damaged."""
        held = load(content)
        parts = (held["titles/data"], held["titles/indices"], held["titles/indptr"])
        titles = csr_matrix(parts, tuple(held["titles/shape"].tolist()))
        known = Sight(titles, held["vectors"].astype(np.float32))
        return cls(known, {name: held[f"codes/{name}"].astype(np.int64) for name in classes}, classes)
