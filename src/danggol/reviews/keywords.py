"""The words that set a group of reviews apart from the others: log-odds with an informative Dirichlet prior.

Monroe, Colaresi & Quinn, "Fightin' Words: lexical feature selection and evaluation for identifying the content of
political conflict", Political Analysis 16(4), 2008. The prior is how often each word is used in all reviews, so that a
word which is rare everywhere needs more evidence, and one which is common everywhere says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from danggol.encoders.ngrams import Ngrams, NgramSettings
from danggol.errors import DataError, UsageError
from danggol.reviews.text import clean

Floats = NDArray[np.float64]
_SCHEMA = {"group": pl.String, "rank": pl.Int64, "keyword": pl.String, "log_odds": pl.Float64, "z": pl.Float64,
           "reviews": pl.Int64}  # fmt: skip


def log_odds(counts: Floats, prior: Floats) -> tuple[Floats, Floats]:
    """Log odds ratio of each word in each group against all other groups, and its z score: (groups, words) each.

    ``counts`` (groups, words): how often each word is used in each group; ``prior`` (words,): pseudo-counts, all above
    0. ``delta = log((y_i + a) / (n_i + a_0 - y_i - a)) - the same of the others``, variance ``1 / (y_i + a) + 1 / (y_j
    + a)``. UsageError: shapes differ or a pseudo-count is not above 0.
    """
    if counts.ndim != 2 or prior.shape != counts.shape[1:] or not (prior > 0).all():
        raise UsageError(f"counts {counts.shape} and prior {prior.shape} must be (groups, words) and (words,), above 0")
    others = counts.sum(axis=0) - counts
    whole = prior.sum()
    found, variance = np.zeros_like(counts), np.zeros_like(counts)
    for side, used in ((1, counts), (-1, others)):
        inside = used + prior
        outside = used.sum(axis=1, keepdims=True) + whole - inside
        found += side * (np.log(inside) - np.log(np.maximum(outside, 1e-12)))
        variance += 1 / inside
    return found, found / np.sqrt(variance)


def keywords(
    texts: Sequence[str | None], groups: Sequence[str | None], most: int = 10, strength: float = 500.0, fewest: int = 2
) -> pl.DataFrame:
    """The words and pairs that mark each group: ``group``, ``rank``, ``keyword``, ``log_odds``, ``z``, ``reviews``.

    ``groups`` (reviews,) names the group of each text, None leaves it out. At most ``most`` a group, those with the
    largest z first, and only where z is above 1.96. ``strength``: pseudo-words of the prior altogether; ``fewest``:
    reviews that a word must be in; ``reviews``: those of the group that hold it. A review counts a word once, so that
    one long review does not make a keyword. UsageError: not as many groups as texts. DataError: fewer than two groups.
    """
    if len(texts) != len(groups):
        raise UsageError(f"{len(texts)} texts and {len(groups)} groups: give one of each")
    chosen = [nth for nth, group in enumerate(groups) if group is not None]
    names = sorted({str(groups[nth]) for nth in chosen})
    if len(names) < 2:
        raise DataError(f"{len(names)} groups: keywords tell a group from others, so give two or more")
    grams = Ngrams(NgramSettings(kind="words", low=1, high=2, fewest=fewest))
    rows = grams.fit_transform([texts[nth] for nth in chosen])
    there = csr_matrix((np.ones(rows.nnz), rows.indices, rows.indptr), rows.shape)
    code = np.searchsorted(names, [str(groups[nth]) for nth in chosen])
    member = csr_matrix((np.ones(len(chosen)), (code, np.arange(len(chosen)))), (len(names), len(chosen)))
    counts = (member @ there).toarray()
    total = counts.sum(axis=0)
    odds, z = log_odds(counts, strength * total / total.sum())
    found = []
    for nth, name in enumerate(names):
        order = [one for one in np.argsort(-z[nth], kind="stable") if z[nth, one] > 1.96]
        best = _apart(order, grams.names, most)
        found += [
            (name, rank, clean(grams.names[one]), float(odds[nth, one]), float(z[nth, one]), int(counts[nth, one]))
            for rank, one in enumerate(best, 1)
        ]
    return pl.DataFrame(found, schema=_SCHEMA, orient="row")


def _apart(order: Sequence[int], names: Sequence[str], most: int) -> list[int]:
    """The first words, marks left out, and no word that is part of a pair that stands higher."""
    found: list[int] = []
    said: set[str] = set()
    for one in order:
        words = names[one].split(" ")
        if len(found) == most:
            break
        if not all(word[0].isalnum() for word in words) or all(word in said for word in words):
            continue
        found.append(one)
        said.update(words)
    return found
