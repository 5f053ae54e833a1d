"""Two looks at pairs by gradient boosted trees; the second also sees what the first believes of the pairs around.

The labelled pairs are dealt into parts. The trees of a part learn from the other parts and never see a label of it, not
as a neighbour's either, so what they say of it is honest: it feeds the second look and the threshold. Source of the
idea: Bhattacharya & Getoor, "Collective entity resolution in relational data", TKDD 2007.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from danggol.matching.records.features import Described
from danggol.matching.records.graph import Around, standing
from danggol.matching.records.learnt import Numbers, WordWeights
from danggol.matching.records.reading import RecordPairs
from danggol.matching.records.settings import RecordSettings
from danggol.matching.records.words import Floats, Ints

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Scene:
    """All pairs there are, labelled or not, with their figures."""

    pairs: RecordPairs
    described: Described
    values: Floats
    """(pairs, features), without what labels tell"""
    dense: Numbers
    """(pairs, similarities) for the word weights, each between -1 and 1 or so, 0 where not known"""
    around: Around | None

    @classmethod
    def of(cls, pairs: RecordPairs, described: Described, settings: RecordSettings) -> Self:
        """Put the standing beside the figures, where the graph is looked at."""
        ranked = standing(pairs, described.likeness) if settings.graph else {}
        values = np.column_stack([described.values, *ranked.values()]).astype(np.float32)
        gaps = [value for name, value in ranked.items() if "_gap_" in name]
        dense = np.nan_to_num(np.column_stack([*described.likeness.values(), *gaps])).clip(-2, 2).astype(np.float64)
        return cls(pairs, described, values, dense, Around(pairs, described.whole) if settings.graph else None)

    def first(self, words: Numbers, known: Mask, settings: RecordSettings) -> Floats:
        """What the first look sees (pairs, features) where the labels of ``known`` pairs (pairs,) may be looked at."""
        columns: list[NDArray[np.floating]] = [self.values, words]
        if self.around is not None and settings.labels:
            belief = np.where(known, self.pairs.label, np.nan).astype(np.float32)
            columns += self.around.told(belief, known.astype(np.float32)).values()
        return np.column_stack(columns).astype(np.float32)

    def second(self, first: Floats, said: Floats, known: Mask, settings: RecordSettings) -> Floats:
        """What the second look sees: the ``first``'s figures, and what the first ``said`` (pairs,) around."""
        if self.around is None:
            return np.column_stack([first, said]).astype(np.float32)
        sure = known if settings.labels else np.zeros_like(known)
        belief = np.where(sure, self.pairs.label, said).astype(np.float32)
        columns = self.around.told(belief, sure.astype(np.float32))
        return np.column_stack([first, said, *columns.values()]).astype(np.float32)


@dataclass(frozen=True)
class Looks:
    """What was learnt, by part: word weights, trees of the first and of the second look."""

    words: tuple[WordWeights, ...]
    first: tuple[lgb.Booster, ...]
    second: tuple[lgb.Booster, ...]

    def said(self, scene: Scene, settings: RecordSettings) -> Floats:
        """Probability (pairs,) of every pair; for pairs whose label is not known."""
        known = scene.pairs.label >= 0
        words = np.mean([one.score(scene.described.said, scene.dense) for one in self.words], axis=0)
        seen = scene.first(words, known, settings)
        first = _mean(self.first, seen)
        return _mean(self.second, scene.second(seen, first, known, settings))


def learn(scene: Scene, settings: RecordSettings) -> tuple[Looks, Floats]:
    """Learn from the labelled pairs of a scene; also honest probabilities (pairs,), nan where there is no label."""
    parts = [_learn(scene, settings, seed) for seed in range(settings.seed, settings.seed + settings.seeds)]
    looks = [looks for looks, _ in parts]
    joined = Looks(
        tuple(model for one in looks for model in one.words),
        tuple(model for one in looks for model in one.first),
        tuple(model for one in looks for model in one.second),
    )
    return joined, np.mean([honest for _, honest in parts], axis=0)


def _learn(scene: Scene, settings: RecordSettings, seed: int) -> tuple[Looks, Floats]:
    labelled = np.flatnonzero(scene.pairs.label >= 0)
    part = np.full(len(scene.pairs), -1)
    part[labelled] = np.random.default_rng(seed).permutation(len(labelled)) % settings.folds
    words, weights = _weighed(scene, part, settings)
    known = [(part >= 0) & (part != fold) for fold in range(settings.folds)]
    seen = [scene.first(words, one, settings) for one in known]
    first = [_trees(one, scene.pairs.label, which, settings, seed) for one, which in zip(seen, known, strict=True)]
    said = [np.asarray(model.predict(one), np.float32) for model, one in zip(first, seen, strict=True)]
    own = np.mean(said, axis=0)
    for fold, one in enumerate(said):
        own[part == fold] = one[part == fold]
    honest = np.full(len(scene.pairs), np.nan, np.float32)
    second = []
    for fold, which in enumerate(known):
        told = np.where(part >= 0, own, said[fold]).astype(np.float32)
        more = scene.second(seen[fold], told, which, settings)
        second.append(_trees(more, scene.pairs.label, which, settings, seed + 1000))
        honest[part == fold] = second[-1].predict(more[part == fold])
    return Looks(tuple(weights), tuple(first), tuple(second)), honest


def _weighed(scene: Scene, part: Ints, settings: RecordSettings) -> tuple[Numbers, list[WordWeights]]:
    """Log odds (pairs,) by word weights that never saw the pair's label, and the weights of each part."""
    said, dense, label = scene.described.said, scene.dense, scene.pairs.label
    found, score = [], np.zeros((settings.folds, len(part)))
    for fold in range(settings.folds):
        rows = np.flatnonzero((part >= 0) & (part != fold))
        found.append(WordWeights.fit(said, dense, label, rows, settings.weight_decay))
        score[fold] = found[-1].score(said, dense)
    mean = score.mean(axis=0)
    return np.where(part >= 0, score[np.maximum(part, 0), np.arange(len(part))], mean), found


def _trees(values: Floats, label: Ints, which: Mask, settings: RecordSettings, seed: int) -> lgb.Booster:
    return lgb.train(_parameters(settings, seed), lgb.Dataset(values[which], label[which]), settings.rounds)


def _mean(models: tuple[lgb.Booster, ...], values: Floats) -> Floats:
    told: Floats = np.mean([model.predict(values) for model in models], axis=0).astype(np.float32)
    return told


def _parameters(settings: RecordSettings, seed: int) -> dict[str, Any]:
    return {
        "objective": "binary",
        "learning_rate": settings.learning_rate,
        "num_leaves": settings.leaves,
        "min_data_in_leaf": settings.smallest,
        "feature_fraction": 0.4,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": 3.0,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbose": -1,
    }
