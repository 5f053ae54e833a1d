"""Why two listings are, or are not, taken for the same product."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from danggol.errors import UsageError
from danggol.matching.pairs import describe
from danggol.matching.titles import clean, codes, numbers, quantities

if TYPE_CHECKING:
    from danggol.matching.matcher import Matched, Matcher


def why(matcher: Matcher, state: Matched, first: str, second: str) -> dict[str, Any]:
    """What speaks for and against two listings being one product, by id.

    ``probability``: what the pair model says, or how far the evidence agrees; None where the two lay too far apart to
    be looked at. ``threshold``, ``matched``, ``same_group``. ``similarity`` by kind of evidence. ``shared``, ``only``:
    words with their weight, the rarest first. ``told``: quantities, numbers and codes. UsageError: an id that is not
    there.
    """
    listings = state.evidence.listings
    rows = [_row(listings.ids, name) for name in (first, second)]
    left, right = np.array([min(rows)]), np.array([max(rows)])
    pairs = state.evidence.pairs
    there = np.flatnonzero((pairs.left == left) & (pairs.right == right))
    text = state.evidence.text
    told = describe(listings, text, state.evidence.near, left, right)
    value = dict(zip(told.names, told.values[0].tolist(), strict=True))
    kinds = ["words", "characters", "hash", *listings.vectors]
    matched = (state.matches.left == rows[0]) & (state.matches.right == rows[1])
    titles = [clean(listings.titles[row]) for row in rows]
    words = [_weights(state, row) for row in rows]
    return {
        "listings": [first, second],
        "titles": [listings.titles[row] for row in rows],
        "probability": float(state.value[there[0]]) if len(there) else None,
        "threshold": matcher.limits.alone,
        "matched": bool(matched.any()),
        "same_group": state.matches.group[rows[0]] == state.matches.group[rows[1]],
        "similarity": {name: None if np.isnan(value[name]) else round(value[name], 4) for name in kinds},
        "shared": _heaviest({word: weight for word, weight in words[0].items() if word in words[1]}),
        "only": [
            _heaviest({word: weight for word, weight in own.items() if word not in other})
            for own, other in (words, words[::-1])
        ],
        "told": [
            {"quantities": [one for one, _ in quantities(title)], "numbers": numbers(title), "codes": codes(title)}
            for title in titles
        ],
        "quantities_against": value["quantities_against"] > 0,
    }


def _row(ids: np.ndarray[Any, Any], name: str) -> int:
    found = np.flatnonzero(ids == name)
    if not len(found):
        raise UsageError(f"there is no listing {name!r}; give an id of the products table")
    return int(found[0])


def _weights(state: Matched, row: int) -> dict[str, float]:
    """The words of a title with their weights; words never learnt are left out."""
    held = state.evidence.text.weights[[row]]
    names = state.evidence.encoder.words.names
    return {names[column]: float(weight) for column, weight in zip(held.indices, held.data, strict=True)}


def _heaviest(words: dict[str, float], most: int = 8) -> list[tuple[str, float]]:
    ordered = sorted(words.items(), key=lambda item: (-item[1], item[0]))
    return [(word, round(weight, 2)) for word, weight in ordered[:most]]
