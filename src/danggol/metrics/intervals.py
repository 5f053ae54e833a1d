"""Intervals and tests: percentile bootstrap over customers (and training seeds), the corrected resampled t-test, and
the interval of a share.

Customers, not rows, are drawn again, because the rows of one customer are not independent. A draw of n customers with
replacement is the same as giving each customer a multinomial count; every statistic here is computed from those counts,
so no row is copied.

Sources: Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13 (percentile interval); Field & Welsh,
"Bootstrapping clustered data", JRSS B 69(3), 2007 (whole clusters are drawn); Owen, "The pigeonhole bootstrap", Ann.
Appl. Stat. 1(2), 2007 (two crossed factors, here customers and seeds); Nadeau & Bengio, "Inference for the
generalization error", Machine Learning 52, 2003; Wilson, "Probable inference, the law of succession, and statistical
inference", JASA 22, 1927.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtr, stdtrit

from danggol.errors import DataError, UsageError

Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""From row weights (draws, rows) to one value per draw (draws,), or to several (draws, figures)."""

_CELLS = 4_000_000  # numbers of a chunk of weights: 32 MB of float64


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval; ``p`` is set by tests only. All nan where nothing could be estimated."""

    value: float
    low: float
    high: float
    p: float | None = None

    @property
    def above_zero(self) -> bool:
        """Whether the whole interval lies above zero ("ahead", when it is of a difference where more is better)."""
        return self.low > 0

    @property
    def contains_zero(self) -> bool:
        """Whether zero lies in the interval ("level", when it is of a difference)."""
        return self.low <= 0 <= self.high


def bootstrap(values: ArrayLike, draws: int = 1000, seed: int = 0, level: float = 0.95) -> Interval:
    """Percentile interval of the mean over customers.

    ``values`` is (n,), one per customer, or (seeds, n), one row per training seed with the customers in the same order.
    With several seeds, seeds and customers are both drawn again, independently of each other, and the interval speaks
    of the mean over training runs and customers; with few seeds it covers the spread between runs only in part (drawing
    again from s rows shrinks their variance by (s-1)/s), and a single row leaves that spread out. nan cells are left
    out, of the estimate and of every draw. All nan or empty: Interval(nan, nan, nan).
    """
    _check(draws, level)
    table = np.atleast_2d(np.asarray(values, dtype=np.float64))
    if table.ndim != 2:
        raise UsageError(f"values must be (customers,) or (seeds, customers), got {table.ndim} dimensions")
    table = table[:, ~np.isnan(table).all(axis=0)]
    table = table[~np.isnan(table).all(axis=1)]
    seeds, customers = table.shape
    if table.size == 0:
        return Interval(np.nan, np.nan, np.nan)
    there = (~np.isnan(table)).astype(np.float64)
    filled = np.where(there > 0, table, 0.0)
    rng = np.random.default_rng(seed)
    means: list[NDArray[np.float64]] = []
    for counts in _counts(rng, customers, draws, customers):
        runs = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=len(counts)).astype(np.float64)
        with np.errstate(invalid="ignore"):
            means.append(((counts @ filled.T) * runs).sum(axis=1) / ((counts @ there.T) * runs).sum(axis=1))
    return _percentile(float(filled.sum() / there.sum()), np.concatenate(means), level)


def paired_bootstrap(
    ours: ArrayLike, theirs: ArrayLike, draws: int = 1000, seed: int = 0, level: float = 0.95
) -> Interval:
    """Percentile interval of the mean difference ``ours - theirs`` over the same customers in the same order.

    Each is (n,) or (seeds, n): two of the same shape are paired by row as well; one row (a peer without randomness) is
    set against every row of the other. A customer for whom either is nan is left out. Resampling as in
    :func:`bootstrap`.
    """
    first, second = (np.atleast_2d(np.asarray(side, dtype=np.float64)) for side in (ours, theirs))
    if first.shape[-1] != second.shape[-1] or (first.shape != second.shape and 1 not in (len(first), len(second))):
        raise UsageError(
            f"ours {first.shape} and theirs {second.shape} must hold the same customers and as many seeds (or one)"
        )
    return bootstrap(first - second, draws, seed, level)


def bootstrap_rows(
    statistic: Statistic, groups: ArrayLike, draws: int = 1000, seed: int = 0, level: float = 0.95
) -> Interval:
    """Percentile interval of any weighted statistic of row-level data, drawing whole customers again.

    ``groups`` (rows,) names each row's customer (any sortable type). ``statistic`` takes weights (draws, rows), each
    row's weight being how often its customer was drawn, and returns (draws,); see ``auc_of_weights``,
    ``average_precision_of_weights`` and ``mean_of_weights``. A paired difference is the difference of two such
    statistics under the same weights: ``lambda w: ours(w) - theirs(w)``. The estimate has all weights 1; draws in which
    the statistic is nan (one class only) are left out. Memory stays bounded: weights are made in chunks of about 32 MB.
    """
    return bootstrap_figures(lambda weights: statistic(weights)[:, None], groups, 1, draws, seed, level)[0]


def bootstrap_figures(
    statistic: Statistic, groups: ArrayLike, figures: int, draws: int = 1000, seed: int = 0, level: float = 0.95
) -> list[Interval]:
    """:func:`bootstrap_rows` of several figures under the same draws; ``statistic`` returns (draws, figures)."""
    _check(draws, level)
    names = np.asarray(groups)
    if names.ndim != 1:
        raise UsageError(f"groups must have 1 dimension (rows,), got {names.ndim}")
    if len(names) == 0:
        return [Interval(np.nan, np.nan, np.nan)] * figures
    codes = np.unique(names, return_inverse=True)[1].reshape(-1)
    rng = np.random.default_rng(seed)
    chunks = [statistic(counts[:, codes]) for counts in _counts(rng, int(codes.max()) + 1, draws, len(codes))]
    value, found = statistic(np.ones((1, len(codes))))[0], np.concatenate(chunks)
    return [_percentile(float(value[nth]), found[:, nth], level) for nth in range(figures)]


def mean_of_weights(values: ArrayLike) -> Statistic:
    """Weighted mean of row values (rows,), as a statistic for :func:`bootstrap_rows`; nan rows are left out."""
    rows = np.asarray(values, dtype=np.float64)
    there = ~np.isnan(rows)
    filled, there = np.where(there, rows, 0.0), there.astype(np.float64)

    def mean(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(invalid="ignore"):
            return np.asarray((weights @ filled) / (weights @ there))

    return mean


def nadeau_bengio(differences: ArrayLike, n_train: int, n_test: int, level: float = 0.95) -> Interval:
    """Corrected resampled t-test of the mean difference over folds or repeated splits (Nadeau & Bengio 2003).

    ``differences`` (folds,) are differences of a metric on the same fold; ``n_train`` and ``n_test`` the rows (or
    customers) of one split. Training parts overlap, so the variance of the mean is ``s^2 * (1/J + n_test/n_train)``
    instead of ``s^2/J``, with J - 1 degrees of freedom. Returns the mean, its interval and the two-sided ``p``. Fewer
    than two folds is a UsageError, nan a DataError.
    """
    _check(1, level)
    folds = np.asarray(differences, dtype=np.float64)
    if folds.ndim != 1 or len(folds) < 2 or n_train < 1 or n_test < 1:
        raise UsageError(f"the corrected t-test needs 2 folds or more and rows, got {folds.shape}, {n_train}, {n_test}")
    if not np.isfinite(folds).all():
        raise DataError("a fold's difference is missing or infinite; leave the fold out, or mend its metric")
    mean, freedom = float(folds.mean()), len(folds) - 1
    error = float(np.sqrt(folds.var(ddof=1) * (1 / len(folds) + n_test / n_train)))
    reach = error * float(stdtrit(freedom, (1 + level) / 2))
    p = 2 * float(stdtr(freedom, -abs(mean) / error)) if error > 0 else float(mean == 0)
    return Interval(mean, mean - reach, mean + reach, p)


def wilson(hits: int, of: int, level: float = 0.95) -> Interval:
    """Interval of a share, ``hits`` of ``of`` rows that do not depend on each other (Wilson 1927).

    It stays between 0 and 1 and holds the share. Of no rows: Interval(nan, 0, 1). UsageError where ``hits`` are none of
    ``of``.
    """
    _check(1, level)
    if not 0 <= hits <= of:
        raise UsageError(f"a share is of 0 to {of} rows, got {hits}")
    if of == 0:
        return Interval(np.nan, 0.0, 1.0)
    z = float(ndtri((1 + level) / 2))
    middle = (hits + z * z / 2) / (of + z * z)
    half = z / (of + z * z) * float(np.sqrt(hits * (of - hits) / of + z * z / 4))
    share = hits / of
    return Interval(share, max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)))


def _counts(rng: np.random.Generator, units: int, draws: int, width: int) -> Iterator[NDArray[np.float64]]:
    """Counts (chunk, units) of ``units`` drawn with replacement; a chunk fits when spread to ``width`` columns."""
    chunk = max(1, _CELLS // max(units, width))
    for start in range(0, draws, chunk):
        size = min(chunk, draws - start)
        counts = np.empty((size, units), dtype=np.float64)
        for row in counts:
            row[:] = np.bincount(rng.integers(0, units, size=units), minlength=units)
        yield counts


def _percentile(value: float, found: NDArray[np.float64], level: float) -> Interval:
    """The central ``level`` of the draws, widened to hold the estimate where rounding or few draws leave it outside."""
    found = found[~np.isnan(found)]
    if np.isnan(value) or len(found) == 0:
        return Interval(value, np.nan, np.nan)
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, min(float(low), value), max(float(high), value))


def _check(draws: int, level: float) -> None:
    if draws < 1 or not 0 < level < 1:
        raise UsageError(f"draws must be at least 1 and level between 0 and 1, got {draws} and {level}")
