"""Ranking metrics of recommendation lists with binary gain, one value per customer.

Every metric takes ``hits``, a bool array (n_customers, width) that tells whether the r-th recommended item is relevant,
best first, and ``relevant``, an int array (n_customers,) of how many relevant items exist for the customer. A list
shorter than ``k`` counts as filled up with misses, a longer one is cut at ``k``. A customer with no relevant item has
no defined value: nan, in every metric here, so that ``np.nanmean`` and the intervals of this room average over the
customers who could be served.

Sources: Jarvelin & Kekalainen, "Cumulated gain-based evaluation of IR techniques", ACM TOIS 20(4), 2002 (nDCG);
Manning, Raghavan & Schutze, "Introduction to Information Retrieval", 2008, chapter 8 (the others).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from danggol.errors import DataError, UsageError


def ndcg_at(hits: NDArray[np.bool_], relevant: NDArray[np.integer], k: int) -> NDArray[np.float64]:
    """Normalised discounted cumulated gain: ``sum_{r<=k} hit_r / log2(r + 1)`` over its value for an ideal list.

    The ideal list has its first ``min(relevant, k)`` items relevant. Returns (n_customers,) in [0, 1], nan where
    ``relevant`` is 0.
    """
    top, counts = _checked(hits, relevant, k)
    discount = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discount)])[np.minimum(counts, k)]
    # An ideal list may sum to a last bit above its ideal, the two sums being taken in different orders.
    return np.minimum(_ratio(top @ discount[: top.shape[1]], ideal), 1.0)


def recall_at(hits: NDArray[np.bool_], relevant: NDArray[np.integer], k: int) -> NDArray[np.float64]:
    """Share of the relevant items in the first ``k``: ``hits in k / relevant``; nan where ``relevant`` is 0."""
    top, counts = _checked(hits, relevant, k)
    return _ratio(top.sum(axis=1), counts)


def precision_at(hits: NDArray[np.bool_], relevant: NDArray[np.integer], k: int) -> NDArray[np.float64]:
    """Share of ``k`` places with a relevant item: ``hits in k / k``, short lists too; nan where ``relevant`` is 0."""
    top, counts = _checked(hits, relevant, k)
    return _where_relevant(np.asarray(top.sum(axis=1) / k), counts)


def hit_rate_at(hits: NDArray[np.bool_], relevant: NDArray[np.integer], k: int) -> NDArray[np.float64]:
    """1 where at least one of the first ``k`` is relevant, else 0; nan where ``relevant`` is 0."""
    top, counts = _checked(hits, relevant, k)
    return _where_relevant(np.asarray(top.any(axis=1), dtype=np.float64), counts)


def reciprocal_rank_at(hits: NDArray[np.bool_], relevant: NDArray[np.integer], k: int) -> NDArray[np.float64]:
    """One over the rank of the first relevant item, 0 if it is not among the first ``k``; nan where ``relevant`` is 0.

    Its mean over customers is the mean reciprocal rank (``mrr@100`` with ``k=100``).
    """
    top, counts = _checked(hits, relevant, k)
    inverse = 1.0 / np.arange(1, top.shape[1] + 1)
    return _where_relevant(np.asarray((top * inverse).max(axis=1, initial=0.0)), counts)


def average_precision_at(hits: NDArray[np.bool_], relevant: NDArray[np.integer], k: int) -> NDArray[np.float64]:
    """``sum_{r<=k} hit_r * (hits in r / r) / min(relevant, k)``; nan where ``relevant`` is 0. Its mean is MAP@k."""
    top, counts = _checked(hits, relevant, k)
    precision = np.cumsum(top, axis=1) / np.arange(1, top.shape[1] + 1)
    return _ratio(np.where(top, precision, 0.0).sum(axis=1), np.minimum(counts, k))


def hits_from_ids(
    recommended: NDArray[np.integer], indptr: NDArray[np.integer], indices: NDArray[np.integer]
) -> NDArray[np.bool_]:
    """Mark which recommended items are relevant.

    ``recommended`` is (n_customers, k), item numbers best first, negative where a list is short. Row ``i``'s relevant
    items are ``indices[indptr[i]:indptr[i + 1]]`` (CSR, any order), so that ``np.diff(indptr)`` is the ``relevant`` of
    the metrics. An item recommended twice in a row counts at its first place only. Returns bool (n_customers, k); a
    relevant item listed twice is a DataError.
    """
    recommended, indptr, indices = np.asarray(recommended), np.asarray(indptr, np.int64), np.asarray(indices, np.int64)
    if recommended.ndim != 2:
        raise UsageError(f"recommended must have 2 dimensions (customers, places), got {recommended.ndim}")
    rows, places = recommended.shape
    lengths = np.diff(indptr)
    if len(indptr) != rows + 1 or indptr[0] != 0 or indptr[-1] != len(indices) or (lengths < 0).any():
        raise UsageError(
            f"indptr must rise from 0 to {len(indices)} in {rows + 1} steps, one per customer and one at the end"
        )
    if len(indices) and indices.min() < 0:
        raise DataError("relevant items must be numbered from 0; a negative item number was found")
    if rows == 0 or places == 0 or len(indices) == 0:
        return np.zeros((rows, places), dtype=np.bool_)
    span = int(max(indices.max(), recommended.max())) + 1
    wanted = np.sort(np.repeat(np.arange(rows, dtype=np.int64), lengths) * span + indices)
    if (wanted[1:] == wanted[:-1]).any():
        raise DataError("a customer's relevant items must be distinct; remove the repeated ones")
    keys = np.arange(rows, dtype=np.int64)[:, None] * span + recommended
    at = np.minimum(np.searchsorted(wanted, keys), len(wanted) - 1)
    return np.asarray((wanted[at] == keys) & (recommended >= 0) & _first_in_row(recommended))


def _first_in_row(ids: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Whether each entry is the first of its value in its row."""
    order = np.argsort(ids, axis=1, kind="stable")
    ordered = np.take_along_axis(ids, order, axis=1)
    fresh = np.ones(ids.shape, dtype=np.bool_)
    fresh[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    first = np.empty_like(fresh)
    np.put_along_axis(first, order, fresh, axis=1)
    return first


def _checked(
    hits: NDArray[np.bool_], relevant: NDArray[np.integer], k: int
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Cut the lists at ``k`` and refuse shapes and counts that cannot be."""
    hits, counts = np.asarray(hits, dtype=np.bool_), np.asarray(relevant, dtype=np.int64)
    if k < 1:
        raise UsageError(f"k must be at least 1, got {k}")
    if hits.ndim != 2 or counts.shape != hits.shape[:1]:
        raise UsageError(f"hits {hits.shape} must be (customers, places) and relevant {counts.shape} (customers,)")
    if (hits.sum(axis=1) > counts).any():
        row = int(np.argmax(hits.sum(axis=1) > counts))
        raise DataError(f"row {row} has more hits than relevant items ({int(hits[row].sum())} of {int(counts[row])})")
    return hits[:, :k], counts


def _ratio(above: NDArray[Any], below: NDArray[Any]) -> NDArray[np.float64]:
    """Divide, with nan where the divisor is 0."""
    out = np.full(below.shape, np.nan)
    np.divide(above, below, out=out, where=np.asarray(below > 0))
    return out


def _where_relevant(values: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Put nan where the customer has no relevant item."""
    return np.where(counts > 0, values, np.nan)
