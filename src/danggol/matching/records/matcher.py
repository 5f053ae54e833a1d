"""Entity matching of pair files: which pairs of records are the same thing.

``RecordMatcher().fit(train, valid)`` learns from labelled pairs; ``predict(pairs)`` gives a probability and a decision.
Pairs that will be asked for can be given to ``fit`` ahead, without labels: the weights of words and the ranks among the
pairs of a record are then those of the whole file, as a matcher that sees the whole file of candidates has them, and
``judged`` holds what is said of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from danggol.errors import DataError, UsageError
from danggol.matching.records.features import Kinds, describe
from danggol.matching.records.looks import Looks, Scene, learn
from danggol.matching.records.reading import RecordPairs
from danggol.matching.records.saved import read_matcher, write_matcher
from danggol.matching.records.settings import RecordSettings
from danggol.matching.records.words import Floats, Ints

_PLATEAU = 0.001
"""Thresholds whose F1 is so near to the best count as good; the middle one is taken."""


@dataclass(frozen=True)
class Judged:
    """What a matcher says of pairs."""

    probability: Floats
    """(pairs,) of being the same"""
    same: NDArray[np.bool_]
    """(pairs,) the decision"""


class RecordMatcher:
    """Matches pairs of records of any columns."""

    def __init__(self, settings: RecordSettings | None = None, **changes: Any) -> None:
        if settings is not None and changes:
            raise UsageError("give either a settings object or settings by keyword, not both")
        self.settings = settings or RecordSettings.of(changes)
        self.threshold = 0.5
        """probability from which a pair is decided to be the same"""
        self.judged: Judged | None = None
        """what is said of the pairs that were given to :meth:`fit` ahead; not saved"""
        self._labelled: RecordPairs | None = None
        self._kinds: Kinds | None = None
        self._looks: Looks | None = None

    def fit(self, train: RecordPairs, valid: RecordPairs | None = None, ahead: RecordPairs | None = None) -> Self:
        """Learn from labelled pairs; ``ahead`` are pairs to be judged later, whose labels are not looked at.

        The labelled pairs of ``train`` and ``valid`` are dealt into parts, each judged by what the others taught; the
        threshold is that with the best F1 of these honest probabilities, over ``valid`` and ``train`` together.
        DataError: fewer than two pairs of either label in each part.
        """
        parts = [train] if valid is None else [train, valid]
        labelled = RecordPairs.joined([part.rows(part.label >= 0) for part in parts])
        counts = np.bincount(labelled.label, minlength=2)
        if counts.min() < 2 * self.settings.folds:
            raise DataError(
                f"{counts[1]} pairs are the same and {counts[0]} are not; "
                f"at least {2 * self.settings.folds} of either are needed"
            )
        pairs = labelled if ahead is None else RecordPairs.joined([labelled, ahead.unlabelled()])
        kinds = Kinds.of(pairs)
        scene = Scene.of(pairs, describe(pairs, kinds), self.settings)
        looks, honest = learn(scene, self.settings)
        self._labelled, self._kinds, self._looks = labelled, kinds, looks
        self.threshold = best_threshold(honest[: len(labelled)], labelled.label)
        self.judged = None if ahead is None else self._judge(looks.said(scene, self.settings)[len(labelled) :])
        return self

    def predict(self, pairs: RecordPairs) -> Judged:
        """Judge pairs (pairs,), whose labels are not looked at, among themselves and the labelled pairs.

        UsageError: nothing was learnt yet.
        """
        if self._labelled is None or self._kinds is None or self._looks is None:
            raise UsageError("the matcher has learnt nothing; call fit(train, valid) first")
        if not len(pairs):
            return Judged(np.zeros(0, np.float32), np.zeros(0, np.bool_))
        full = RecordPairs.joined([self._labelled, pairs.unlabelled()])
        scene = Scene.of(full, describe(full, self._kinds), self.settings)
        return self._judge(self._looks.said(scene, self.settings)[len(self._labelled) :])

    def _judge(self, probability: Floats) -> Judged:
        return Judged(probability, probability >= self.threshold)

    def save(self, folder: Path) -> Path:
        """Write to a folder of JSON and of LightGBM's text files, whole or not at all; UsageError: nothing to save."""
        if self._labelled is None or self._kinds is None or self._looks is None:
            raise UsageError("the matcher has learnt nothing; call fit(train, valid) first")
        config = {
            "settings": self.settings.model_dump(),
            "threshold": self.threshold,
            "texts": self._kinds.texts,
            "numbers": self._kinds.numbers,
        }
        return write_matcher(folder, config, self._labelled, self._looks)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote; UsageError where there is none, DataError where it is damaged."""
        config, labelled, looks = read_matcher(folder)
        found = cls(RecordSettings.of(config["settings"]))
        found.threshold = float(config["threshold"])
        found._kinds = Kinds(list(config["texts"]), list(config["numbers"]))
        found._labelled, found._looks = labelled, looks
        return found


def best_threshold(probability: NDArray[np.floating], label: Ints) -> float:
    """The middle of the thresholds whose F1 over pairs is within a thousandth of the best."""
    order = np.argsort(-probability, kind="stable")
    value = probability[order].astype(np.float64)
    hits = np.cumsum(label[order])
    score = 2 * hits / (np.arange(1, len(value) + 1) + label.sum())
    last = np.append(value[:-1] > value[1:], True)
    good = value[last & (score >= score[last].max() - _PLATEAU)]
    return float(np.median(good))
