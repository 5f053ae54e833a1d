"""Pairs of listings that could be the same product, and what speaks for and against it.

Candidates are the nearest by words, by characters, by picture hash and by any vectors given. Every figure of a pair is
the same from both sides, so that a pair has one probability. Ranks, gaps and counts of neighbours say how much a
similarity means here: .6 to the only listing like this one is more than .6 to one of forty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import csr_matrix

from danggol.matching.inputs.details import compared, incidence
from danggol.matching.inputs.listings import Listings
from danggol.matching.inputs.looks import alike
from danggol.matching.inputs.texts import TextEncoder, TextView
from danggol.matching.pairs.repeats import beside, shared, stands
from danggol.matching.search.index import (
    Floats,
    Ints,
    Neighbours,
    dense_neighbours,
    hash_distance,
    hash_neighbours,
    sparse_dots,
    sparse_neighbours,
)
from danggol.matching.settings import MatchingSettings

_DENSE = 0.5
"""Similarity from which a neighbour counts as near."""
_CHUNK = 200_000
_APART = ("mass", "volume", "count", "length", "memory")
OPTIONAL = frozenset(("details_same", "details_against", "looks", "surprise"))
"""Features of what only some shops tell: details and pictures."""
HASH_BITS = 14
"""Bits up to which hashes make a candidate pair."""
_NEAR_BITS = 6
"""Bits from which hashes count as near."""


@dataclass(frozen=True)
class Pairs:
    """Candidate pairs, each once."""

    left: Ints
    """(pairs,) row of the first listing, below ``right``"""
    right: Ints
    values: Floats
    """(pairs, features), nan where not known"""
    names: list[str] = field(default_factory=list)
    """(features,)"""

    def told_as(self, names: Sequence[str]) -> Pairs:
        """The same pairs with the features of these names, nan for one that is not told here."""
        if list(names) == self.names:
            return self
        values = np.full((len(self.left), len(names)), np.nan, np.float32)
        for column, name in enumerate(names):
            if name in self.names:
                values[:, column] = self.values[:, self.names.index(name)]
        return Pairs(self.left, self.right, values, list(names))

    def extended(self, again: Ints, values: Floats, more: Pairs) -> Pairs:
        """These pairs, the ``values`` of those ``again`` (pairs,) being others now, and further ones."""
        size = len(self.left)
        found = np.empty((size + len(more.left), self.values.shape[1]), np.float32)
        found[:size], found[size:] = self.values, more.values
        found[again] = values
        left, right = np.concatenate([self.left, more.left]), np.concatenate([self.right, more.right])
        return Pairs(left, right, found, self.names)


@dataclass(frozen=True)
class Evidence:
    """What is known of listings matched among themselves."""

    listings: Listings
    encoder: TextEncoder
    text: TextView
    near: dict[str, Neighbours]
    pairs: Pairs
    stand: Ints
    """(listings,) row of the listing that stands for each, see :func:`danggol.matching.pairs.repeats.stands`"""


def gather(listings: Listings, settings: MatchingSettings) -> Evidence:
    """Describe listings, find the nearest, and describe the candidate pairs."""
    encoder = TextEncoder()
    text = encoder.fit_transform(listings.titles)
    stand = stands(listings, text)
    found = near(listings, text, settings.neighbours, stand)
    left, right = candidates(found, settings.candidates, stand)
    return Evidence(listings, encoder, text, found, describe(listings, text, found, left, right), stand)


def near(listings: Listings, text: TextView, k: int, stand: Ints) -> dict[str, Neighbours]:
    """The nearest ``k`` of every listing, itself included, by every kind of evidence that there is.

    Listings that another one stands for are not found; they have the neighbours of that one.
    """
    rows = np.flatnonzero(stand == np.arange(len(stand)))
    if len(rows) == len(stand):
        return _near(listings, text, k)
    found = _near(listings.take(rows), text.take(rows), k)
    return {name: shared(one, rows, stand) for name, one in found.items()}


def _near(listings: Listings, text: TextView, k: int) -> dict[str, Neighbours]:
    found = {
        "words": sparse_neighbours(text.words, text.words, k),
        "characters": sparse_neighbours(text.characters, text.characters, k),
        "hash": hash_neighbours(listings.hashes, listings.hashes, k),
    }
    for name, vectors in listings.vectors.items():
        found[name] = dense_neighbours(vectors, vectors, k)
    if listings.details:
        told = incidence(listings.details, len(listings))
        found["details"] = sparse_neighbours(told, told, k)
    return found


def candidates(found: Mapping[str, Neighbours], first: int, stand: Ints, since: int = 0) -> tuple[Ints, Ints]:
    """Pairs (left below right), each once, where one is among the ``first`` of the other by any evidence.

    Listings that another one stands for are paired with that one, and with as many of their like. Only pairs with a
    listing from the row ``since`` on are told.
    """
    size = len(stand)
    fresh = np.arange(size) >= since
    alike = np.stack(beside(stand, first))
    alike = alike[:, fresh[alike[1]]]
    codes = [alike[0] * size + alike[1]]
    own = (stand == np.arange(size))[:, None]
    for name, one in found.items():
        place = one.place[:, : first + 1]
        there = (place >= 0) & own & (fresh[:, None] | (place >= since))
        if name == "hash":
            there &= one.similarity[:, : first + 1] >= 1 - HASH_BITS / 64
        who = np.nonzero(there)[0]
        other = place[there]
        codes.append((np.minimum(who, other) * size + np.maximum(who, other))[who != other])
    pair = np.unique(np.concatenate(codes))
    return pair // size, pair % size


def describe(listings: Listings, text: TextView, found: Mapping[str, Neighbours], left: Ints, right: Ints) -> Pairs:
    """The features of pairs."""
    columns: dict[str, Floats] = {}
    for name, value in similarities(listings, text, left, right).items():
        columns[name] = value
        if name in found:
            columns |= _standing(name, found[name], value, left, right)
    columns |= _words(text, left, right)
    columns |= _told(text, left, right)
    columns |= _offers(listings, left, right)
    columns |= _looks(listings, columns, left, right)
    values = np.stack([np.asarray(one, np.float32) for one in columns.values()], axis=1)
    return Pairs(left, right, values, list(columns))


def similarities(listings: Listings, text: TextView, left: Ints, right: Ints) -> dict[str, Floats]:
    """Similarity (pairs,) by each kind of evidence; nan where either listing has none."""
    bits = hash_distance(listings.hashes[left], listings.hashes[right])
    found = {
        "words": sparse_dots(text.words, text.words, left, right),
        "characters": sparse_dots(text.characters, text.characters, left, right),
        "hash": np.where(bits <= 64, 1 - bits / 64, np.nan).astype(np.float32),
    }
    for name, vectors in listings.vectors.items():
        dots = np.zeros(len(left), np.float32)
        for start in range(0, len(left), _CHUNK):
            part = slice(start, start + _CHUNK)
            dots[part] = np.einsum("ij,ij->i", vectors[left[part]], vectors[right[part]])
        found[name] = dots
    return found


def _standing(name: str, found: Neighbours, value: Floats, left: Ints, right: Ints) -> dict[str, Floats]:
    """Where a similarity stands among those of either listing's neighbours."""
    rows, side = np.unique(np.concatenate([left, right]), return_inverse=True)
    others = np.where(found.place[rows] == rows[:, None], -np.inf, found.similarity[rows])
    others = -np.sort(-others, axis=1)
    near = 1 - _NEAR_BITS / 64 if name == "hash" else _DENSE
    crowd = (others >= near).sum(axis=1).astype(np.float32)
    best = np.where(np.isfinite(others[:, 0]), others[:, 0], 0).astype(np.float32)
    sides = (side[: len(left)], side[len(left) :])
    rank = np.stack([_rank(others, one, value) for one in sides])
    gap = np.stack([value - best[one] for one in sides])
    crowds = np.stack([crowd[one] for one in sides])
    return {
        f"{name}_rank_low": rank.min(axis=0),
        f"{name}_rank_high": rank.max(axis=0),
        f"{name}_gap_low": gap.min(axis=0),
        f"{name}_gap_high": gap.max(axis=0),
        f"{name}_crowd_low": crowds.min(axis=0),
        f"{name}_crowd_high": crowds.max(axis=0),
    }


def _rank(others: Floats, rows: Ints, value: Floats) -> Floats:
    """How many of the neighbours' similarities (listings, k) of ``rows`` (pairs,) lie above the pair's (pairs,)."""
    found = np.zeros(len(value), np.float32)
    for start in range(0, len(value), _CHUNK):
        part = slice(start, start + _CHUNK)
        found[part] = (others[rows[part]] > value[part, None] + 1e-6).sum(axis=1)
    return found


def _words(text: TextView, left: Ints, right: Ints) -> dict[str, Floats]:
    """Weight of the words that two titles share and do not share, weights being inverse document frequencies."""
    weights = text.weights
    there = weights.copy()
    there.data = np.ones_like(there.data)
    total, count = _sum(weights) + text.unknown, _sum(there)
    highest = np.asarray(weights.max(axis=1).todense()).ravel()
    shared, rarest, words = _overlap(weights, there, left, right)
    own = np.stack([total[left], total[right]])
    alone = own - shared
    tops = np.stack([highest[left], highest[right]])
    counts = np.stack([count[left], count[right]])
    return {
        "shared_weight": shared,
        "shared_words": words,
        "shared_rarest": rarest,
        "jaccard": shared / np.maximum(own.sum(axis=0) - shared, 1e-6),
        "covered_low": (shared / np.maximum(own, 1e-6)).min(axis=0),
        "covered_high": (shared / np.maximum(own, 1e-6)).max(axis=0),
        "alone_low": alone.min(axis=0),
        "alone_high": alone.max(axis=0),
        "rarest_low": tops.min(axis=0),
        "rarest_high": tops.max(axis=0),
        "words_low": counts.min(axis=0),
        "words_high": counts.max(axis=0),
    }


def _overlap(weights: csr_matrix, there: csr_matrix, left: Ints, right: Ints) -> tuple[Floats, Floats, Floats]:
    """Weight, largest weight, and number (pairs,) of shared words."""
    parts = [np.zeros((3, 0), np.float32)]
    for start in range(0, len(left), _CHUNK):
        both = weights[left[start : start + _CHUNK]].multiply(there[right[start : start + _CHUNK]]).tocsr()
        highest = np.asarray(both.max(axis=1).todense()).ravel()
        parts.append(np.stack([_sum(both), highest, np.diff(both.indptr)]).astype(np.float32))
    shared, rarest, words = np.concatenate(parts, axis=1)
    return shared, rarest, words


def _told(text: TextView, left: Ints, right: Ints) -> dict[str, Floats]:
    """Which quantities, numbers and codes agree, and which speak against: both tell, and nothing is the same."""
    size = len(left)
    agreed, against = np.zeros(size, np.float32), np.zeros(size, np.float32)
    columns: dict[str, Floats] = {}
    for name, values in text.told.items():
        count = _sum(values)
        both = (count[left] > 0) & (count[right] > 0)
        same = np.zeros(size, np.float32)
        same[both] = sparse_dots(values, values, left[both], right[both])
        if name in ("number", "code"):
            columns[f"{name}_same"] = same
            columns[f"{name}_low"] = np.minimum(count[left], count[right]) - same
            columns[f"{name}_high"] = np.maximum(count[left], count[right]) - same
        else:
            agreed += same
            against += both & (same == 0)
            if name in _APART:
                columns[f"{name}_agrees"] = np.where(both, same > 0, np.nan).astype(np.float32)
    return columns | {"quantities_same": agreed, "quantities_against": against}


def _offers(listings: Listings, left: Ints, right: Ints) -> dict[str, Floats]:
    """Price and brand; nan where either is not known."""
    with np.errstate(invalid="ignore"):
        ratio = np.abs(np.log(listings.prices[left]) - np.log(listings.prices[right]))
    codes = np.unique([(brand or "").strip().lower() for brand in listings.brands], return_inverse=True)
    empty = np.array([name == "" for name in codes[0]], np.bool_)[codes[1]]
    told = ~empty[left] & ~empty[right]
    same = np.where(told, codes[1][left] == codes[1][right], np.nan)
    return {"price_ratio": ratio.astype(np.float32), "brand_same": same.astype(np.float32)}


def _looks(listings: Listings, columns: Mapping[str, Floats], left: Ints, right: Ints) -> dict[str, Floats]:
    """How many details are told alike and differently, how alike the pictures are (nan where there is none, or where
    a detail is told differently), and by how much the shared words exceed what listings share by chance."""
    found: dict[str, Floats] = {}
    open_ = np.ones(len(left), np.bool_)
    if listings.details:
        found["details_same"], found["details_against"] = compared(listings.details, left, right)
        open_ = found["details_against"] == 0
    if listings.pictures is not None:
        looks = np.full(len(left), np.nan, np.float32)
        looks[open_] = alike(listings.pictures, left[open_], right[open_])
        found["looks"] = looks
        found["surprise"] = columns["shared_weight"] / np.float32(np.log(max(len(listings), 3)))
    return found


def _sum(rows: csr_matrix) -> Floats:
    return np.asarray(rows.sum(axis=1), np.float32).ravel()
