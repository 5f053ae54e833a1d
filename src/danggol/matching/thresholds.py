"""From similarities to matches: which pairs pass, and a second-nearest that is taken where it is not too far.

``min2`` is from the winning solution of Shopee's contest: almost every product is sold more than once, so that a
listing's nearest other is taken unless it fails a separate, loose threshold. Thresholds are tuned jointly on labelled
groups (Optuna's tree-structured Parzen estimator: Akiba et al., KDD 2019).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from danggol.matching.search.index import Bools, Floats, Ints


def passing(who: Ints, similarity: Floats, threshold: float, loose: float, largest: int = 50) -> Bools:
    """Which directed pairs (pairs,) are matches.

    ``who`` is the listing, the other never being itself. A pair passes at ``threshold``; a listing's best pair passes
    at ``loose`` (min2). The best ``largest - 1`` of a listing are kept: with itself there are ``largest``.
    """
    found = np.zeros(len(who), np.bool_)
    there = np.flatnonzero(similarity >= min(threshold, loose))
    rank, value = ranks(who[there], similarity[there]), similarity[there]
    kept = (value >= threshold) | ((rank == 0) & (value >= loose))
    found[there[kept & (rank < largest - 1)]] = True
    return found


def ranks(who: Ints, similarity: NDArray[np.floating[Any]]) -> Ints:
    """Place (pairs,) of each pair among those of its listing, from 0; equal ones in the order given."""
    order = np.lexsort((-similarity, who))
    count = np.bincount(who, minlength=1)
    nth = np.arange(len(who)) - np.repeat(np.cumsum(count) - count, count)
    rank = np.empty(len(who), np.int64)
    rank[order] = nth
    return rank


def tuned(
    value: Callable[[Mapping[str, float]], float],
    bounds: Mapping[str, tuple[float, float]],
    start: Mapping[str, float],
    trials: int,
    seed: int,
) -> dict[str, float]:
    """The thresholds within ``bounds`` with the largest value found in ``trials``; the first tried is ``start``."""
    import optuna

    said = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(
            direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=15)
        )
        study.enqueue_trial(dict(start))
        study.optimize(
            lambda trial: value({name: trial.suggest_float(name, *ends) for name, ends in bounds.items()}),
            n_trials=trials,
        )
    finally:
        optuna.logging.set_verbosity(said)
    return {name: float(found) for name, found in study.best_params.items()}
