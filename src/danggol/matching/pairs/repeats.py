"""Listings that are equal in all that is told of them: while neighbours are sought, a few stand for the others.

A hundred equal listings fill each other's lists of neighbours, and a list holds one part of them or another by chance:
the groups would fall apart. So the first :data:`STANDING` of equal listings are searched and grouped; the others take
over their neighbours and their group, and are paired with equal ones before them. The price may differ.
"""

from __future__ import annotations

import numpy as np

from danggol.matching.inputs.listings import Listings
from danggol.matching.inputs.texts import TextView
from danggol.matching.search.index import Floats, Ints, Neighbours, extended

STANDING = 10
"""Equal listings that are matched like any others."""


def stands(listings: Listings, text: TextView) -> Ints:
    """The row (listings,) that stands for each: its own; or, behind :data:`STANDING` equal ones, the first of those.

    Listings without a title stand for themselves. Further rows behind these change nothing for these.
    """
    found = np.arange(len(listings))
    title = np.unique(text.titles, return_inverse=True)[1]
    picture, place = np.unique(listings.hashes, return_inverse=True)
    code = np.unique(title * max(len(picture), 1) + place, return_inverse=True)[1]
    many = (np.bincount(code)[code] > STANDING) & (text.titles != 0) if len(code) else np.zeros(0, np.bool_)
    equal: dict[tuple[object, ...], list[int]] = {}
    for row in np.flatnonzero(many).tolist():
        rows = equal.setdefault((int(code[row]), *_told(listings, row)), [])
        rows.append(row)
        if len(rows) > STANDING:
            found[row] = rows[0]
    return found


def beside(stand: Ints, first: int) -> tuple[Ints, Ints]:
    """Pairs (left below right) of each listing that another stands for with up to ``first`` equal ones before it."""
    other = np.flatnonzero(stand != np.arange(len(stand)))
    order = other[np.argsort(stand[other], kind="stable")]
    head = stand[order]
    nth = np.arange(len(order)) - np.searchsorted(head, head)
    left, right = [head], [order]
    for back in range(1, first):
        there = np.flatnonzero(nth >= back)
        left.append(order[there - back])
        right.append(order[there])
    return np.concatenate(left), np.concatenate(right)


def shared(found: Neighbours, rows: Ints, stand: Ints) -> Neighbours:
    """The neighbours of all, by those found among the listings ``rows`` (rising), which stand for themselves."""
    place = np.where(found.place >= 0, rows[found.place], -1)
    own = np.searchsorted(rows, stand)
    return Neighbours(place[own], found.similarity[own])


def joined(old: Neighbours, new: Neighbours, stand: Ints) -> Neighbours:
    """As :func:`danggol.matching.search.index.extended`; those that another one stands for get into no list."""
    size = len(old.place)
    own = (stand == np.arange(len(stand)))[:, None]
    if own.all():
        return extended(old, new)
    own = own[size:]
    quiet = Neighbours(np.where(own, new.place, -1), np.where(own, new.similarity, -np.inf).astype(np.float32))
    found = extended(old, quiet)
    return Neighbours(found.place[stand], found.similarity[stand])


def between(stand: Ints, left: Ints, right: Ints, value: Floats) -> Floats:
    """The ``value`` (pairs,) of pairs of listings that stand for themselves, 0 of the others, by which groups are made.

    The group of the others is that of the listing that stands for them.
    """
    return np.where((stand[left] == left) & (stand[right] == right), value, 0).astype(np.float32)


def _told(listings: Listings, row: int) -> tuple[object, ...]:
    """What else is told of a listing, its price left out; vectors to three digits."""
    vectors = [(np.round(one[row], 3) + 0.0).tobytes() for one in listings.vectors.values()]
    picture = b"" if listings.pictures is None else listings.pictures[row].tobytes()
    brand = (listings.brands[row] or "").strip().lower()
    return brand, picture, *vectors, *(values[row] for values in listings.details.values())
