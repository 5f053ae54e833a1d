"""Matching without labels: one agreement in [0, 1] from similarities, set by hand and the same for every shop.

Each kind of evidence is stretched so that the similarity from which it speaks for one product lies at one half; the
best counts. Where quantities contradict (500 g and 1 kg) there is no match, nor where details do: of trusted ones
(brand, category, colour) one product has one value.

Where two pictures can be compared point by point, that tells more than their hashes, which are then not looked at.
Pictures that differ do not make two products, since sellers take their own; but then the titles must share more than
listings share by chance, which takes words that are rare in this shop.
"""

from __future__ import annotations

import numpy as np

from danggol.matching.search.index import Floats, Ints

RULE_THRESHOLD = 0.5
"""Agreement from which a pair is a match."""
_HALF = {"words": 0.6, "characters": 0.65, "hash": 1 - 6 / 64}
_HALF_VECTORS = 0.85
"""Cosine from which given vectors speak for one product."""
_AGAINST, _DETAILS_AGAINST = 0.4, 0.4
"""What is left of an agreement where quantities contradict, and where a detail does."""
_LOOKS, _LOOKS_ALONE = 0.89, 0.97
"""Likeness from which pictures speak for one product: where two details agree as well, and without."""
_SURPRISE = 3.0
"""Weight of the shared words, in logarithms of the number of listings, from which titles speak where pictures differ:
the chance that a pair at random shares them is then far below one in the number of pairs."""


def agreement(values: Floats, names: list[str]) -> Floats:
    """Agreement (pairs,) of pairs described by ``values`` (pairs, features) of these names."""
    column = dict(zip(names, values.T, strict=True))
    looks = column.get("looks", np.full(len(values), np.nan, np.float32))
    seen = ~np.isnan(looks)
    details = column.get("details_same", np.zeros(len(values), np.float32))
    half = np.where(details >= 2, _LOOKS, _LOOKS_ALONE).astype(np.float32)
    found = _stretched(looks, half)
    told = ~seen | (looks >= half) | (column.get("surprise", np.zeros(1)) >= _SURPRISE)
    for name in _similarities(names):
        speaks = ~seen if name == "hash" else told
        found = np.where(speaks, np.maximum(found, _stretched(column[name], _HALF.get(name, _HALF_VECTORS))), found)
    found = np.where(column["quantities_against"] > 0, found * _AGAINST, found)
    found = np.where(column.get("details_against", np.zeros(1)) > 0, found * _DETAILS_AGAINST, found)
    return found.astype(np.float32)


def strongest(values: Floats, names: list[str], kinds: list[str]) -> Ints:
    """(pairs,): of the similarities named in ``kinds``, which speaks most for one product, by its place."""
    column = dict(zip(names, values.T, strict=True))
    halves = {"looks": _LOOKS} | _HALF
    told = [_stretched(column[kind], halves.get(kind, _HALF_VECTORS)) for kind in kinds]
    return np.asarray(np.argmax(np.stack(told), axis=0), np.int64)


def _stretched(value: Floats, half: Floats | float) -> Floats:
    """A similarity (pairs,) with ``half`` put at one half; nan counts as 0."""
    value = np.nan_to_num(value, nan=0.0)
    high = 0.5 + np.clip((value - half) / (1 - half), 0, 1) * 0.5
    return np.asarray(np.where(value >= half, high, np.clip(value / half, 0, 1) * 0.4995), np.float32)


def _similarities(names: list[str]) -> list[str]:
    """The features that are similarities: those whose standing among the neighbours is told as well."""
    return [name for name in names if f"{name}_rank_low" in names]
