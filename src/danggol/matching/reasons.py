"""Why two listings are, or are not, taken for the same product."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from danggol.errors import UsageError
from danggol.matching.inputs.titles import clean, codes, numbers, quantities
from danggol.matching.pairs.evidence import describe

if TYPE_CHECKING:
    from danggol.matching.matcher import Matched, Matcher
    from danggol.matching.matches import Limits


def why(matcher: Matcher, state: Matched, first: str, second: str) -> dict[str, Any]:
    """What speaks for and against two listings being one product, by id.

    ``probability``: what the pair model says, or how far the evidence agrees; None where the two lay too far apart to
    be looked at. ``because``: "alone" (the pair passes), "group" (others hold them together), "best" (the best match of
    one of them) or "" (no match), and the ``threshold`` of that. ``similarity`` by kind of evidence; ``details``: how
    many trusted ones (brand, category, colour) agree and contradict. ``shared``, ``only``: words with their weight, the
    rarest first. ``told``: quantities, numbers and codes. UsageError: an id that is not there, or twice the same.
    """
    if first == second:
        raise UsageError(f"{first!r} was given twice; give two listings")
    listings = state.evidence.listings
    rows = [_row(listings.ids, name) for name in (first, second)]
    left, right = np.array([min(rows)]), np.array([max(rows)])
    pairs = state.evidence.pairs
    there = np.flatnonzero((pairs.left == left) & (pairs.right == right))
    text = state.evidence.text
    told = describe(listings, text, state.evidence.near, left, right)
    value = dict(zip(told.names, told.values[0].tolist(), strict=True))
    kinds = [name for name in ("words", "characters", "hash", "looks", *listings.vectors) if name in value]
    chance = float(state.value[there[0]]) if len(there) else None
    matched = bool(((state.matches.left == rows[0]) & (state.matches.right == rows[1])).any())
    together = state.matches.group[rows[0]] == state.matches.group[rows[1]]
    because = _because(matcher.limits, chance, together, matched)
    titles = [clean(listings.titles[row]) for row in rows]
    words = [_weights(state, row) for row in rows]
    return {
        "listings": [first, second],
        "titles": [listings.titles[row] for row in rows],
        "probability": chance,
        "because": because,
        "threshold": {"group": matcher.limits.group, "best": matcher.limits.second}.get(because, matcher.limits.alone),
        "matched": matched or together,
        "same_group": together,
        "similarity": {name: None if np.isnan(value[name]) else round(value[name], 4) for name in kinds},
        "details": {"agree": _counted(value, "details_same"), "contradict": _counted(value, "details_against")},
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


def _because(limits: Limits, chance: float | None, together: bool, matched: bool) -> str:
    """What made the two a match."""
    if chance is not None and chance >= limits.alone:
        return "alone"
    return "group" if together else "best" if matched else ""


def _counted(value: dict[str, float], name: str) -> int:
    """A count among the features; 0 where it is not told."""
    return int(np.nan_to_num(value.get(name, 0.0)))


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
