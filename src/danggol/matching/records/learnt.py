"""Learnt weights of words: what it means that both records tell a word, or that only one does.

``upgrade`` in one title alone speaks against a match, ``software`` does not; that is learnt by logistic regression with
a ridge on the words that both, only the left, or only the right record tells, beside a few similarities.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix, hstack
from scipy.special import expit

from danggol.matching.records.reading import RecordPairs

Numbers = NDArray[np.float64]
_STEPS = 150
_FEWEST = 2
"""Pairs that a word must be in."""
_LOOSE = 0.01
"""Ridge of the similarities, beside the words' own."""


@dataclass(frozen=True)
class Said:
    """Which words both records of a pair tell, and which only one."""

    names: list[str]
    """(words,)"""
    there: csr_matrix
    """(pairs, 3 words) of ones: words of both heads, of the left head alone, of the right head alone"""

    @classmethod
    def of(cls, pairs: RecordPairs, names: list[str], head: csr_matrix, whole: csr_matrix) -> Self:
        """From the words of each record's head and whole (records, words); a word is alone where the whole lacks it."""
        one, other = _ones(head[pairs.left]), _ones(head[pairs.right])
        left, right = _ones(whole[pairs.left]), _ones(whole[pairs.right])
        parts = [one.multiply(other), one - one.multiply(right), other - other.multiply(left)]
        found = csr_matrix(hstack(parts, format="csr"), dtype=np.float64)
        found.eliminate_zeros()
        return cls(names, found)

    def spelt(self, columns: NDArray[np.int64]) -> list[str]:
        """Columns by name: ``2 upgrade`` is the word that the right record alone tells."""
        return [f"{column // len(self.names)} {self.names[column % len(self.names)]}" for column in columns]


@dataclass(frozen=True)
class WordWeights:
    """A logistic regression on words and on similarities."""

    words: dict[str, float]
    """weight by :meth:`Said.spelt`"""
    dense: Numbers
    """(1 + similarities,) intercept and weights"""

    @classmethod
    def fit(cls, said: Said, dense: Numbers, label: NDArray[np.int64], rows: NDArray[np.int64], decay: float) -> Self:
        """Learn from ``rows`` of pairs with similarities ``dense`` (pairs, similarities) and labels of 0 and 1."""
        there, dense = said.there[rows], dense[rows]
        columns = np.flatnonzero(np.bincount(there.indices, minlength=there.shape[1]) >= _FEWEST)
        full = np.column_stack([np.ones(len(dense)), dense])
        table = csr_matrix(hstack([csr_matrix(full), there[:, columns]], format="csr"))
        turned, told = csr_matrix(table.T), label[rows].astype(np.float64)
        ridge = np.concatenate([[0.0], np.full(dense.shape[1], _LOOSE), np.full(len(columns), decay)])

        def loss(weights: Numbers) -> tuple[float, Numbers]:
            value = table @ weights
            total = np.logaddexp(0, value).sum() - told @ value + 0.5 * (ridge * weights**2).sum()
            return float(total), turned @ (expit(value) - told) + ridge * weights

        found = minimize(loss, np.zeros(table.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": _STEPS}).x
        split = dense.shape[1] + 1
        return cls(dict(zip(said.spelt(columns), found[split:].tolist(), strict=True)), found[:split])

    def score(self, said: Said, dense: Numbers) -> Numbers:
        """Log odds (pairs,); a word never learnt has no weight."""
        used = np.unique(said.there.indices).astype(np.int64)
        weights = np.zeros(said.there.shape[1])
        weights[used] = [self.words.get(name, 0.0) for name in said.spelt(used)]
        return np.asarray(said.there @ weights + dense @ self.dense[1:] + self.dense[0])


def _ones(rows: csr_matrix) -> csr_matrix:
    return csr_matrix((np.ones_like(rows.data), rows.indices, rows.indptr), rows.shape)
