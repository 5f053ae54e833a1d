"""The preset ``shopee-winner``: neighbourhoods blended as the winners of Shopee's Price Match Guarantee did.

Modalities are searched apart and together; a match is a distance under a threshold, with min2. Stage 1 blends the
combined embedding over the union of all matches; stages 2 and 3 search the blended one and blend again, as long as
the labelled groups gain. The answer is the last stage's matches, and those of each modality alone. Thresholds are tuned
jointly. Pictures here are what their perceptual hash tells, unless picture vectors are given.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save
from scipy.sparse import csr_matrix

from danggol import artefact
from danggol.encoders.ngrams import Ngrams
from danggol.errors import DataError, UsageError
from danggol.matching.arcface import ArcFaceSettings, embedded, learnt
from danggol.matching.groups import group_ids, partition
from danggol.matching.inputs.listings import Listings
from danggol.matching.inputs.titles import cleaned
from danggol.matching.matches import Matches
from danggol.matching.search.blend import blended, concatenated, min2
from danggol.matching.search.index import Floats, Hashes, Ints, Neighbours, dense_neighbours
from danggol.matching.thresholds import ranks, tuned
from danggol.metrics.matching import row_f1

_TUNED = 6_000
"""Listings that thresholds are tuned on, or few more."""
_TOLD, _NGRAMS, _VECTORS = "winner.json", "winner-ngrams.json", "winner.safetensors"
_FIRM = 0.5
"""How firmly the listings of a group match on average, at least."""
Found = tuple[Ints, Ints, Floats]
"""Directed matches: the listing, the other, the similarity."""
_BOUNDS = {
    "text": (0.0, 0.8), "text_second": (0.0, 0.9), "image": (0.0, 0.5), "image_second": (0.0, 0.5),
    "joined": (0.0, 0.7), "joined_second": (0.0, 0.8), "stage2": (0.0, 0.7), "stage2_second": (0.0, 0.8),
    "stage3": (0.0, 0.7), "stage3_second": (0.0, 0.8),
}  # fmt: skip
_START = {
    "text": 0.25, "text_second": 0.35, "image": 0.15, "image_second": 0.15, "joined": 0.25, "joined_second": 0.35,
    "stage2": 0.25, "stage2_second": 0.35, "stage3": 0.2, "stage3_second": 0.3,
}  # fmt: skip


@dataclass
class ShopeeWinner:
    """Fit on labelled groups, then match others."""

    settings: ArcFaceSettings = field(default_factory=ArcFaceSettings)
    neighbours: int = 51
    trials: int = 30
    thresholds: dict[str, float] = field(default_factory=lambda: dict(_START))
    stages: int = 3
    ngrams: Ngrams = field(default_factory=lambda: Ngrams(kind="characters", low=3, high=4, sublinear=False))
    vectors: Floats | None = None

    def fit(self, listings: Listings, groups: Mapping[str, Any]) -> Self:
        """Learn the text embedding from one half of the groups and the thresholds from the other; then from all."""
        code = np.unique([str(groups[name]) for name in listings.ids.tolist()], return_inverse=True)[1].astype(np.int64)
        side = np.random.default_rng(self.settings.seed).permutation(int(code.max()) + 1) % 2
        rows = self.ngrams.fit_transform(cleaned(listings.titles))
        taught, held = np.flatnonzero(side[code] == 0), np.flatnonzero(side[code] == 1)
        self.vectors = learnt(rows[taught], np.unique(code[taught], return_inverse=True)[1], self.settings)
        held = held[code[held] < np.sort(code[held])[min(_TUNED, len(held)) - 1] + 1]
        self._tune(modalities(listings.take(held), rows[held], self.vectors), code[held])
        self.vectors = learnt(rows, code, self.settings)
        return self

    def predict(self, listings: Listings) -> Found:
        """Directed matches, the listing itself left out. UsageError where nothing was learnt."""
        views = self._views(listings)
        return answer(views, _searched(views, self.neighbours), self.thresholds, self.neighbours, self.stages)

    def matches(self, listings: Listings, former: Mapping[str, str], largest: int) -> Matches:
        """As :meth:`predict`, each listing with itself first, ``largest`` at most; and groups, which keep former ids.

        Two listings are joined in a group as firmly as they match: both ways, or one way and half as firmly.
        """
        size, (who, other, value) = len(listings), self.predict(listings)
        low, high = np.minimum(who, other), np.maximum(who, other)
        code, count = np.unique(low * size + high, return_counts=True)
        firm = (count / 2).astype(np.float32)
        group = partition(size, code // max(size, 1), code % max(size, 1), firm, _FIRM)
        itself = np.arange(size)
        left, right = np.concatenate([itself, who]), np.concatenate([itself, other])
        similarity = np.concatenate([np.ones(size), np.clip(value, 0, 1)]).astype(np.float32)
        order = np.lexsort((right, -similarity, left != right, left))
        rank = ranks(left[order], -np.arange(len(order), dtype=np.float64))
        order, rank = order[rank < largest], rank[rank < largest]
        by = np.concatenate([np.full(size, "text"), self._by(listings, who, other)])[order]
        names = group_ids(listings.ids.tolist(), group, former)
        return Matches(listings.ids, left[order], right[order], similarity[order], by, rank, names)

    def _views(self, listings: Listings) -> dict[str, Floats]:
        if self.vectors is None:
            raise UsageError("shopee-winner learns its embedding from labelled groups; give labels (fit) first")
        return modalities(listings, self.ngrams.transform(cleaned(listings.titles)), self.vectors)

    def _by(self, listings: Listings, who: Ints, other: Ints) -> NDArray[np.str_]:
        """The modality (matches,) in which two are nearer."""
        views = self._views(listings)
        near = [np.einsum("ij,ij->i", rows[who], rows[other]) for rows in (views["text"], views["image"])]
        return np.where(near[0] >= near[1], "text", "image" if "image" in listings.vectors else "hash")

    def files(self) -> dict[str, str | bytes]:
        """All that was learnt, as files of JSON and safetensors; UsageError where nothing was."""
        if self.vectors is None:
            raise UsageError("shopee-winner has learnt nothing to save; give labels (fit) first")
        told = {"thresholds": self.thresholds, "stages": self.stages, "neighbours": self.neighbours}
        return {
            _TOLD: json.dumps(told | {"settings": self.settings.model_dump()}),
            _NGRAMS: self.ngrams.to_json(),
            _VECTORS: save({"vectors": self.vectors}),
        }

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read from a folder what :meth:`files` gave; DataError where it is damaged."""
        try:
            told = json.loads(artefact.read_text(folder, _TOLD))
            found = cls(ArcFaceSettings.of(told["settings"]), int(told["neighbours"]), stages=int(told["stages"]))
            found.thresholds = {name: float(told["thresholds"][name]) for name in _START}
            found.vectors = load(artefact.read_bytes(folder, _VECTORS))["vectors"]
        except (KeyError, TypeError, ValueError, SafetensorError) as error:
            raise DataError(f"the model in {folder} is damaged ({error}); train the model again") from error
        found.ngrams = Ngrams.from_json(artefact.read_text(folder, _NGRAMS))
        if found.vectors.shape != (len(found.ngrams), found.settings.dimensions):
            raise DataError(f"the model in {folder} is damaged (its vectors are not its n-grams'); train it again")
        return found

    def _tune(self, views: dict[str, Floats], code: Ints) -> None:
        searched = _searched(views, self.neighbours)

        def value(limits: Mapping[str, float], stages: int) -> float:
            left, right, _ = answer(views, searched, limits, self.neighbours, stages)
            return float(row_f1(left, right, code).mean())

        best = (-1.0, dict(_START), 1)
        for stages in (1, 2, 3):
            bounds = {
                name: ends for name, ends in _BOUNDS.items() if not name.startswith("stage") or int(name[5]) <= stages
            }
            start = {name: best[1].get(name, _START[name]) for name in bounds}
            trials = max(self.trials // 3, 1)
            limits = tuned(lambda one, n=stages: value(one, n), bounds, start, trials, self.settings.seed)  # type: ignore[misc]
            reached = value(_START | limits, stages)
            if reached <= best[0]:
                break
            best = (reached, _START | limits, stages)
        _, self.thresholds, self.stages = best


def modalities(listings: Listings, rows: csr_matrix, vectors: Floats) -> dict[str, Floats]:
    """Embeddings by modality: text, and image (given, or the hash)."""
    image = listings.vectors.get("image")
    return {
        "text": listings.vectors.get("text", embedded(rows, vectors)),
        "image": modal_vectors(listings.hashes) if image is None else image,
    }


def modal_vectors(hashes: Hashes) -> Floats:
    """Hashes as vectors (listings, 64) of length one: cosine is 1 - distance / 32; zeros where there is none."""
    bits = np.unpackbits(np.ascontiguousarray(hashes).view(np.uint8).reshape(-1, 8), axis=1)
    signs = (2.0 * bits - 1.0) / 8.0
    return np.where((hashes == 0)[:, None], 0.0, signs).astype(np.float32)


def answer(
    views: Mapping[str, Floats],
    searched: Mapping[str, Neighbours],
    limits: Mapping[str, float],
    k: int,
    stages: int,
) -> Found:
    """The matches of the last stage, and those of each modality alone."""
    joined = concatenated(list(views.values()))
    alone = [_matches(searched[name], limits, name) for name in views]
    if stages == 1:
        return union([*alone, _matches(searched["joined"], limits, "joined")])
    current = union([*alone, _matches(searched["joined"], limits, "joined")])
    for stage in range(2, stages + 1):
        joined = blended(joined, *current)
        current = _matches(dense_neighbours(joined, joined, k), limits, f"stage{stage}")
    return union([*alone, current])


def union(parts: Sequence[Found]) -> Found:
    """Directed matches of any of the parts, each once, with its largest similarity."""
    left, right = (np.concatenate([part[side] for part in parts]) for side in (0, 1))
    similarity = np.concatenate([part[2] for part in parts])
    order = np.lexsort((-similarity, right, left))
    left, right, similarity = left[order], right[order], similarity[order]
    first = np.ones(len(left), np.bool_)
    first[1:] = (left[1:] != left[:-1]) | (right[1:] != right[:-1])
    return left[first], right[first], similarity[first]


def _searched(views: Mapping[str, Floats], k: int) -> dict[str, Neighbours]:
    return {
        name: dense_neighbours(rows, rows, k)
        for name, rows in {**views, "joined": concatenated(list(views.values()))}.items()
    }


def _matches(found: Neighbours, limits: Mapping[str, float], name: str) -> Found:
    kept = min2(found, limits[name], limits[f"{name}_second"])
    kept &= found.place != np.arange(len(found.place))[:, None]
    who, nth = np.nonzero(kept)
    return who, found.place[who, nth], found.similarity[who, nth]
