"""How much each score counts: weights, none below zero, that make the listings a person liked likely in a list.

The loss is that of a multinomial choice among the listings of a fold (ListNet's top-one: Cao et al., "Learning to rank:
from pairwise approach to listwise approach", ICML 2007). The scores are those of listings that were held out, so the
weights are of what a score says of listings that nobody has met. A few weights, not trees: there are many people but
few listings to learn from, and trees learn the listings by heart.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Floats = NDArray[np.float32]
_EDGE = 1e-3
"""Weights below are taken for zero."""
_CLOSED, _FLAT = -1e4, 1e-6


def fit_weights(
    lists: Sequence[tuple[Floats, Floats]],
    penalty: float = 1e-3,
    steps: int = 60,
    among: NDArray[np.bool_] | None = None,
) -> Floats:
    """Weights (parts,) from lists of scores (parts, people, listings) and likes (people, listings) in {0, 1}.

    A person's likes count with the square root of their number. ``penalty`` is on the squared weights, of scores
    brought to unit spread. ``among`` (people, listings), with one list only: which listings a person chose among.
    Where no score tells anything, all count the same.
    """
    spread = np.sqrt(np.mean([scores.var(axis=2).mean(axis=1) for scores, _ in lists], axis=0))
    spread = np.where(spread > _FLAT, spread, np.inf).astype(np.float32)
    asked = [_prepared(scores / spread[:, None, None], likes, among) for scores, likes in lists]
    total = max(1.0, sum(float(wanted.sum()) for _, wanted, _ in asked))

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, slope = 0.0, np.zeros(len(weights))
        for scores, wanted, closed in asked:
            raised = np.tensordot(weights.astype(np.float32), scores, axes=1) + closed
            raised -= raised.max(axis=1, keepdims=True)
            chance = np.exp(raised)
            whole = chance.sum(axis=1, keepdims=True)
            value -= float((wanted * (raised - np.log(whole))).sum())
            gap = chance / whole * wanted.sum(axis=1, keepdims=True) - wanted
            slope += scores.reshape(len(weights), -1) @ gap.ravel()
        return value / total + penalty * float(weights @ weights), slope / total + 2 * penalty * weights

    start = np.full(len(spread), 1.0 / len(spread))
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(spread), options={"maxiter": steps}
    )
    weights = np.where(found.x > _EDGE, found.x, 0)
    return np.asarray((weights if weights.any() else start) / spread, np.float32)


def _prepared(scores: Floats, likes: Floats, among: NDArray[np.bool_] | None) -> tuple[Floats, Floats, Floats | float]:
    """Only people who liked something; and a very low number where a listing was not to be chosen."""
    some = likes.sum(axis=1) > 0
    liked = likes[some]
    wanted = liked / np.sqrt(np.maximum(liked.sum(axis=1, keepdims=True), 1))
    closed = 0.0 if among is None else np.where(among[some], 0, _CLOSED).astype(np.float32)
    return np.ascontiguousarray(scores[:, some], np.float32), np.asarray(wanted, np.float32), closed
