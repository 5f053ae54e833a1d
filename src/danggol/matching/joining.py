"""New listings join those that were matched: what is known grows, and only what they touch is judged again.

The new are searched among all. An old listing is touched where the first look gives a new one some chance of being the
same product; its pairs are then described anew, since ranks and gaps among its neighbours changed. What changed a
little for listings farther away is left as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from danggol.matching.inputs.details import incidence
from danggol.matching.inputs.listings import Listings
from danggol.matching.inputs.texts import TextView
from danggol.matching.pairs.evidence import Evidence, Pairs, candidates, describe
from danggol.matching.pairs.repeats import joined, stands
from danggol.matching.search.index import (
    Floats,
    Ints,
    Neighbours,
    dense_neighbours,
    hash_neighbours,
    sparse_neighbours,
)
from danggol.matching.settings import MatchingSettings


@dataclass(frozen=True)
class Grown:
    """What is known after new listings joined."""

    evidence: Evidence
    first: Floats
    """(pairs,) what the first look says"""
    open: Ints
    """the pairs to be judged again"""


def extend(
    evidence: Evidence,
    first: Floats,
    new: Listings,
    settings: MatchingSettings,
    look: Callable[[Pairs], Floats],
    chance: float,
) -> Grown:
    """Add new listings, their pairs, and what the first ``look`` says of them; ``first`` (pairs,) is what it said.

    A listing is touched from this ``chance`` on to be the same as a new one.
    """
    size = len(evidence.listings)
    listings = evidence.listings.extended(new)
    more = evidence.encoder.transform(new.titles)
    text = evidence.text.extended(more)
    stand = stands(listings, text)
    found = _searched(new, more, listings, text, settings.neighbours, stand)
    near = {name: joined(one, found[name], stand) for name, one in evidence.near.items()}
    left, right = candidates(near, settings.candidates, stand, since=size)
    fresh = describe(listings, text, near, left, right)
    said = look(fresh)
    touched = np.zeros(len(listings), np.bool_)
    touched[left[said >= chance]] = True
    touched[size:] = True
    again = np.flatnonzero(touched[evidence.pairs.left] | touched[evidence.pairs.right])
    told = describe(listings, text, near, evidence.pairs.left[again], evidence.pairs.right[again])
    pairs = evidence.pairs.extended(again, told.values, fresh)
    said = np.concatenate([first, said])
    said[again] = look(told)
    opened = np.concatenate([again, np.arange(len(first), len(said))])
    grown = Evidence(listings, evidence.encoder, text, near, pairs, stand)
    return Grown(grown, said, opened)


def _searched(
    new: Listings, more: TextView, listings: Listings, text: TextView, k: int, stand: Ints
) -> dict[str, Neighbours]:
    """The nearest of the new listings among all that stand for themselves."""
    rows = np.flatnonzero(stand == np.arange(len(stand)))
    every = len(rows) == len(stand)
    words, characters = (one if every else one[rows] for one in (text.words, text.characters))
    found = {
        "words": sparse_neighbours(more.words, words, k),
        "characters": sparse_neighbours(more.characters, characters, k),
        "hash": hash_neighbours(new.hashes, listings.hashes[rows], k),
    }
    for name, vectors in listings.vectors.items():
        found[name] = dense_neighbours(new.vectors[name], vectors if every else vectors[rows], k)
    if listings.details:
        told = incidence(listings.details, len(listings))
        found["details"] = sparse_neighbours(told[len(listings) - len(new) :], told[rows], k)
    return {
        name: Neighbours(np.where(one.place >= 0, rows[one.place], -1), one.similarity) for name, one in found.items()
    }
