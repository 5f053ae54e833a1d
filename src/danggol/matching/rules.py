"""Matching without labels: one agreement in [0, 1] from similarities, set by hand and the same for every shop.

Each kind of evidence is stretched so that the similarity from which it speaks for one product lies at one half; the
best counts. Quantities that contradict (500 g and 1 kg) halve it.
"""

from __future__ import annotations

import numpy as np

from danggol.matching.index import Floats

RULE_THRESHOLD = 0.5
"""Agreement from which a pair is a match."""
_HALF = {"words": 0.6, "characters": 0.65, "hash": 1 - 6 / 64}
_HALF_VECTORS = 0.85
"""Cosine from which given vectors speak for one product."""
_AGAINST = 0.5
"""What is left of an agreement where quantities contradict."""


def agreement(values: Floats, names: list[str]) -> Floats:
    """Agreement (pairs,) of pairs described by ``values`` (pairs, features) of these names."""
    found = np.zeros(len(values), np.float32)
    for name in _similarities(names):
        half = _HALF.get(name, _HALF_VECTORS)
        value = np.nan_to_num(values[:, names.index(name)], nan=0.0)
        low = np.clip(value / half, 0, 1) * 0.5
        high = np.clip((value - half) / (1 - half), 0, 1) * 0.5
        found = np.maximum(found, np.where(value >= half, 0.5 + high, low * 0.999))
    against = values[:, names.index("quantities_against")] > 0
    return np.where(against, found * _AGAINST, found).astype(np.float32)


def _similarities(names: list[str]) -> list[str]:
    """The features that are similarities: those whose standing among the neighbours is told as well."""
    return [name for name in names if f"{name}_rank_low" in names]
