"""A linear-chain conditional random field on sparse features, by L-BFGS, all sentences at once.

Lafferty, McCallum & Pereira, "Conditional random fields", ICML 2001. Tags are O (outside), B (begins a span) and I
(goes on with it); I never follows O. Sentences lie one after the other and are ordered by length inside, so that each
step forward or back is one array operation for all that are still going on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from danggol.errors import DataError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
OUTSIDE, BEGIN, INSIDE = 0, 1, 2
TAGS = 3
_NEVER = -1e4


@dataclass(frozen=True)
class Chains:
    """Where sentences lie in the rows of tokens: ``start`` and ``length`` (sentences,), longest first."""

    start: Ints
    length: Ints

    @classmethod
    def of(cls, length: Ints) -> Self:
        """From the tokens of each sentence, as the rows lie."""
        start = np.cumsum(length) - length
        order = np.argsort(-length, kind="stable")
        order = order[length[order] > 0]
        return cls(start[order], length[order])

    def steps(self) -> list[Ints]:
        """For each place in a sentence, the rows of the sentences that reach it."""
        return [
            self.start[: np.searchsorted(-self.length, -place, side="left")] + place
            for place in range(int(self.length.max(initial=0)))
        ]


@dataclass(frozen=True)
class Crf:
    """``score = sum of rows @ weights at the tags + sum of moves between them``."""

    weights: NDArray[np.float32]
    """(features, 3)"""
    moves: NDArray[np.float32]
    """(4, 3): from O, B, I and from the beginning of a sentence"""

    @classmethod
    def fit(cls, rows: csr_matrix, tags: Ints, length: Ints, strength: float, steps: int) -> Self:
        """Minimise ``strength * sum of negative log likelihoods + |weights|^2 / 2`` in at most ``steps`` steps.

        ``rows`` (tokens, features), ``tags`` (tokens,), ``length`` (sentences,). DataError: there is no span.
        """
        if not (tags == BEGIN).any():
            raise DataError("no term is marked in the texts; a model of terms needs some")
        width, turned = rows.shape[1], rows.T.tocsr()
        places = Chains.of(length).steps()
        gold = np.eye(TAGS)[tags]
        seen = _moves_of(tags, places)

        def objective(values: Floats) -> tuple[float, Floats]:
            held, moves = values[: width * TAGS].reshape(width, TAGS), values[width * TAGS :].reshape(TAGS + 1, TAGS)
            emitted = rows @ held
            whole, share, between = _expected(emitted, _allowed(moves), places)
            told = float((emitted * gold).sum() + (moves * seen).sum())
            slope = np.concatenate([(turned @ (share - gold)).ravel(), (between - seen).ravel()])
            return strength * (whole - told) + float(values @ values) / 2, strength * slope + values

        start = np.zeros(width * TAGS + (TAGS + 1) * TAGS)
        options = {"maxiter": steps, "maxcor": 6, "ftol": 1e-6, "gtol": 1e-4}
        best = minimize(objective, start, jac=True, method="L-BFGS-B", options=options).x.astype(np.float32)
        return cls(best[: width * TAGS].reshape(width, TAGS), best[width * TAGS :].reshape(TAGS + 1, TAGS))

    def decode(self, rows: csr_matrix, length: Ints, eager: float = 0.0) -> tuple[Ints, Floats]:
        """The likeliest tags (tokens,), and each tag's probability (tokens, 3).

        ``eager`` is added to the score of B and I, for the tags but not for the probabilities.
        """
        emitted = np.asarray(rows @ self.weights, np.float64)
        moves, places = _allowed(self.moves.astype(np.float64)), Chains.of(length).steps()
        _, share, _ = _expected(emitted, moves, places)
        return _best(emitted + np.array([0, eager, eager]), moves, places), share


def _allowed(moves: Floats) -> Floats:
    found = moves.copy()
    found[[OUTSIDE, TAGS], INSIDE] = _NEVER
    return found


def _moves_of(tags: Ints, places: list[Ints]) -> Floats:
    """How often (4, 3) each move is made."""
    found = np.zeros((TAGS + 1, TAGS))
    for nth, rows in enumerate(places):
        before = np.full(len(rows), TAGS) if nth == 0 else tags[rows - 1]
        np.add.at(found, (before, tags[rows]), 1)
    return found


def _expected(emitted: Floats, moves: Floats, places: list[Ints]) -> tuple[float, Floats, Floats]:
    """Sum of the sentences' log totals, probabilities (tokens, 3) of the tags, and expected moves (4, 3)."""
    ahead, back = np.zeros_like(emitted), np.zeros_like(emitted)
    between, inner = moves[:TAGS], np.zeros((TAGS + 1, TAGS))
    for nth, rows in enumerate(places):
        came = moves[TAGS] if nth == 0 else _log_sum(ahead[rows - 1][:, :, None] + between, 1)
        ahead[rows] = emitted[rows] + came
    for rows in reversed(places[1:]):
        back[rows - 1] = _log_sum(between + (emitted[rows] + back[rows])[:, None, :], 2)
    if not places:
        return 0.0, ahead, inner
    first = places[0]
    total = _log_sum(ahead[first] + back[first], 1)
    whole = np.zeros(len(emitted))
    for rows in places:
        whole[rows] = total[: len(rows)]
    share = np.exp(ahead + back - whole[:, None])
    inner[TAGS] = share[first].sum(axis=0)
    for rows in places[1:]:
        reached = ahead[rows - 1][:, :, None] + between + (emitted[rows] + back[rows])[:, None, :]
        inner[:TAGS] += np.exp(reached - whole[rows][:, None, None]).sum(axis=0)
    return float(total.sum()), share, inner


def _log_sum(values: Floats, axis: int) -> Floats:
    """log of the sum of exponentials along an axis of few; scipy's own takes most of the time on small arrays."""
    most = values.max(axis=axis, keepdims=True)
    return np.asarray(np.log(np.exp(values - most).sum(axis=axis)) + most.squeeze(axis))


def _best(emitted: Floats, moves: Floats, places: list[Ints]) -> Ints:
    """The likeliest tags (tokens,): Viterbi."""
    score, came = np.zeros_like(emitted), np.zeros(emitted.shape, np.int64)
    for nth, rows in enumerate(places):
        if nth == 0:
            score[rows] = emitted[rows] + moves[TAGS]
            continue
        reached = score[rows - 1][:, :, None] + moves[:TAGS]
        came[rows] = reached.argmax(axis=1)
        score[rows] = emitted[rows] + reached.max(axis=1)
    tags = score.argmax(axis=1)
    for rows in reversed(places[1:]):
        tags[rows - 1] = came[rows, tags[rows]]
    return np.asarray(tags, np.int64)
