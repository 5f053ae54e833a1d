"""What each modality is worth: a model of its own for every subset of them, and Shapley shares of the held-out AUC.

Hiding inputs from one model says what that model leans on; what a modality is worth is said by models that never had
it. Every subset of the modalities gets boosters of its own (a few seconds each), all with the same settings and rows,
and :func:`danggol.metrics.modality_shares` sets them against each other under the same draws of customers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from danggol.errors import DataError
from danggol.metrics import Interval, Shares, auc_of_weights, bootstrap_rows, modality_shares, subsets
from danggol.progress import track
from danggol.purchase.multimodal.inputs import Ints
from danggol.purchase.multimodal.model import Reading
from danggol.purchase.multimodal.trees import MODALITIES, Trees, TreeSettings

Floats = NDArray[np.float64]
Part = frozenset[str]
QUICK = TreeSettings(rounds=250, learning_rate=0.05, bags=1)
"""Settings of the boosters of a subset."""
MOST_ROWS = 100_000
"""Rows that the boosters of a subset learn from, at most."""


@dataclass(frozen=True)
class Worth:
    """Log-odds (rows,) of the tested rows by every subset of the modalities."""

    tested: Reading
    odds: Mapping[Part, Floats]

    def shares(self, chosen: NDArray[np.bool_] | None = None, draws: int = 100) -> Shares:
        """Shapley shares of the AUC, all rows or the chosen ones. DataError: only one outcome is among them."""
        rows = np.ones(len(self.tested), np.bool_) if chosen is None else chosen
        label, people = self.tested.label[rows], self.people()[rows]
        if not 0 < label.sum() < len(label):
            raise DataError(f"{int(label.sum())} of {len(label)} showings were bought, no AUC can be told")
        worth = {part: auc_of_weights(odds[rows], label) for part, odds in self.odds.items()}
        return modality_shares(worth, people, draws)

    def people(self) -> Ints:
        """Whose rows they are: customers, visits where the customer is not known."""
        frame = self.tested.data.showings.frame[self.tested.rows]
        named = frame.select(pl.coalesce("customer_id", pl.format("?{}", "session_id")))
        return named.to_series().cast(pl.Categorical).to_physical().to_numpy().astype(np.int64)

    def auc(self, part: Part, chosen: NDArray[np.bool_] | None = None, draws: int = 200) -> Interval:
        """AUC of one subset, with its interval over customers."""
        rows = np.ones(len(self.tested), np.bool_) if chosen is None else chosen
        return bootstrap_rows(
            auc_of_weights(self.odds[part][rows], self.tested.label[rows]), self.people()[rows], draws
        )


def worth(learnt: Reading, tested: Reading, settings: TreeSettings = QUICK, seed: int = 0) -> Worth:
    """Boosters of every subset, learnt from some rows (at most :data:`MOST_ROWS`), and their log-odds at others."""
    learnt = few(learnt, seed)
    present = tuple(name for name in MODALITIES if any(name in need for need in learnt.table.needs))
    found: dict[Part, Floats] = {frozenset(): np.zeros(len(tested))}
    for part in track([one for one in subsets(present) if one], "subsets of modalities"):
        some = learnt.table.only(part)
        if not some.names:
            # nothing is told by these alone
            found[part] = np.zeros(len(tested))
            continue
        trees = Trees.learn(some, learnt.label, settings, None, seed, robust=False)
        found[part] = trees.log_odds(tested.table.only(part))
    return Worth(tested, found)


def few(reading: Reading, seed: int = 0) -> Reading:
    """At most :data:`MOST_ROWS` of the rows, drawn at random, in order."""
    if len(reading) <= MOST_ROWS:
        return reading
    drawn = np.random.default_rng(seed).choice(len(reading), MOST_ROWS, replace=False)
    return reading.part(np.sort(drawn))


def rows_of(reading: Reading, country: str) -> NDArray[np.bool_]:
    """Which rows are of a country."""
    return (reading.data.showings.frame["country"][reading.rows] == country).fill_null(value=False).to_numpy()
