"""Which item comes next in a session: candidates from many counts, ordered by a LambdaRank that learnt out of fold.

The ranker learns from training sessions whose own items were not counted: the sessions are cut into folds, and the
counts that score one fold come from the others. So it sees scores as honest as those of a new session. Burges, "From
RankNet to LambdaRank to LambdaMART", 2010; the two steps as in the winners of the KDD Cup 2023 on Amazon-M2 (Jin et
al., "Amazon-M2: A multilingual multi-locale shopping session dataset", NeurIPS 2023).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import lightgbm as lgb
import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from danggol.errors import DataError, UsageError
from danggol.progress import stage
from danggol.purchase.artefact import FORMAT, locate, publish, read_config, read_text
from danggol.purchase.nextitem.candidates import candidates
from danggol.purchase.nextitem.sessions import Catalogue, Codes, Sessions
from danggol.purchase.nextitem.sources import Counts, Floats, Ids, filled
from danggol.settings import Settings

_CONFIG, _BOOSTER, _SESSIONS = "config.json", "ranker.txt", "sessions.jsonl"
_KIND = "next item"


class NextItemSettings(Settings):
    """Settings of the model of the next item."""

    folds: int = Field(
        default=5, ge=2, le=50, description="parts of the sessions; each is scored by the others' counts"
    )
    learnt_from: int = Field(default=45_000, ge=10, description="sessions that the ranker learns from, at most")
    rounds: int = Field(default=150, ge=1, le=5000, description="trees of the ranker")
    learning_rate: float = Field(default=0.1, gt=0, le=1, description="of the ranker")
    leaves: int = Field(default=31, ge=2, le=1024, description="of a tree")
    chunk: int = Field(default=5000, ge=1, description="sessions scored at once")
    threads: int = Field(default=2, ge=0, description="threads; 0: as many as there are cores")
    seed: int = Field(default=0, ge=0, lt=2**31, description="seed of everything random")


class NextItemModel:
    """Learns from sessions (lists of item ids, in order) and says which item comes next in new ones."""

    def __init__(self, settings: NextItemSettings | None = None) -> None:
        self.settings = settings or NextItemSettings()
        self.booster: lgb.Booster | None = None

    def fit(self, sessions: Sequence[Sequence[str]], locales: Sequence[str | None] | None = None) -> Self:
        """Learn from whole sessions; ``locales`` (one each) may be left out. Empty ones are skipped.

        With too few sessions to learn an order from, the candidates are ordered by session kNN and repeats.
        DataError: no session holds an item.
        """
        kept = [nth for nth, one in enumerate(sessions) if len(one)]
        if not kept:
            raise DataError("no session holds an item; give sessions as lists of item ids")
        if locales is not None and len(locales) != len(sessions):
            raise UsageError(f"{len(sessions)} sessions and {len(locales)} locales were given; give one locale each")
        self._sessions = [list(sessions[nth]) for nth in kept]
        self._locales = [locales[nth] if locales is not None else None for nth in kept]
        known = self._count()
        self._learn(known)
        return self

    def _count(self) -> Sessions:
        self.catalogue = Catalogue.of(self._sessions, self._locales)
        known, names = self.catalogue.encode(self._sessions, self._locales)
        self._ids = Ids.of(names)
        self._counts = self._counted(known)
        return known

    def _counted(self, sessions: Sessions) -> Counts:
        return Counts(self.catalogue.items, len(self.catalogue.locales), self._ids).fit(sessions)

    def _learn(self, known: Sessions) -> None:
        """Train the ranker on rows out of fold; sessions whose last item is no candidate teach no order."""
        values, hits, groups = [], [], []
        names: list[str] = []
        for counts, part in self._folds(known):
            prefixes, target = part.without_last()
            for rows in self._chunks(len(part)):
                found = candidates(counts, prefixes.take(rows), self._ids)
                hit = found.item == target[rows][found.row]
                good = np.bincount(found.row[hit], minlength=len(rows)) > 0
                kept = good[found.row]
                values.append(found.values[kept])
                hits.append(hit[kept])
                groups.append(np.bincount(found.row[kept], minlength=len(rows))[good])
                names = found.names
        group = np.concatenate(groups) if groups else np.zeros(0, np.int64)
        self.booster = None
        if (group > 1).sum() < 20:
            return
        settings = self.settings
        data = lgb.Dataset(_joined(values), np.concatenate(hits), group=group, feature_name=names)
        chosen = {
            "objective": "lambdarank",
            "learning_rate": settings.learning_rate,
            "num_leaves": settings.leaves,
            "min_data_in_leaf": 50 if len(group) > 2000 else 5,
            "lambdarank_truncation_level": 30,
            "num_threads": settings.threads,
            "seed": settings.seed,
            "deterministic": True,
            "verbose": -1,
        }
        with stage("next item: ranker", settings.rounds) as under_way:
            booster = lgb.train(chosen, data, settings.rounds, callbacks=[lambda _: under_way.advance()])
        self.booster = lgb.Booster(model_str=booster.model_to_string())

    def _folds(self, known: Sessions) -> Iterator[tuple[Counts, Sessions]]:
        """Counts of the other folds, and the sessions drawn from one fold (two items or more)."""
        rng = np.random.default_rng(self.settings.seed)
        fold = rng.permutation(len(known)) % self.settings.folds
        long = np.flatnonzero(known.length > 1)
        drawn = np.zeros(len(known), np.bool_)
        drawn[rng.permutation(long)[: self.settings.learnt_from]] = True
        with stage("next item: folds", self.settings.folds) as under_way:
            for nth in range(self.settings.folds):
                rest, part = fold != nth, known.take((fold == nth) & drawn)
                if rest.any() and len(part):
                    yield self._counted(known.take(rest)), part
                under_way.advance()

    def _chunks(self, size: int) -> Iterator[Codes]:
        for start in range(0, size, self.settings.chunk):
            yield np.arange(start, min(start + self.settings.chunk, size))

    def predict(
        self, sessions: Sequence[Sequence[str]], locales: Sequence[str | None] | None = None, k: int = 20
    ) -> pl.DataFrame:
        """The ``k`` likeliest next items of each session so far: columns session (place), rank (from 1), item, score.

        Unknown items, unknown locales and empty sessions are fine: what is popular in the locale fills the list. A
        session gets fewer than ``k`` only where the catalogue is smaller. Scores order a session's items, no more.
        """
        encoded, names = self.catalogue.encode(sessions, locales)
        top, score = self.rank(encoded, names, k)
        row, rank = np.nonzero(top >= 0)
        return pl.DataFrame(
            {"session": row, "rank": rank + 1, "item": names[top[row, rank]].tolist(), "score": score[row, rank]},
            {"session": pl.Int64, "rank": pl.Int64, "item": pl.String, "score": pl.Float32},
        )

    def rank(self, sessions: Sessions, names: NDArray[np.object_], k: int) -> tuple[Codes, Floats]:
        """Codes (n, k) best first and their scores, of sessions and names from ``catalogue.encode``; -1 where short."""
        if k < 1:
            raise UsageError(f"k must be at least 1, got {k}")
        ids = Ids.of(names)
        popular = np.argsort(-self._popularity(), axis=1, kind="stable")[:, : 2 * k]
        top, score = np.full((len(sessions), k), -1, np.int64), np.full((len(sessions), k), np.nan, np.float32)
        with stage("next item: predict", len(sessions)) as under_way:
            for rows in self._chunks(len(sessions)):
                part = sessions.take(rows)
                found = candidates(self._counts, part, ids)
                top[rows], score[rows] = filled(
                    found.row, found.item, self._scored(found.values, found.names), popular[part.locale], k
                )
                under_way.advance(len(rows))
        return top, score

    def _popularity(self) -> Floats:
        """Of each locale, and of none (the last row), everybody's events breaking ties."""
        counts = self._counts
        return np.asarray(counts.popular + counts.events * np.float32(1e-4), np.float32)

    def _scored(self, values: Floats, names: list[str]) -> Floats:
        if self.booster is not None and len(values):
            return np.asarray(self.booster.predict(values, num_threads=self.settings.threads), np.float32)
        near, own = values[:, names.index("neighbours")], values[:, names.index("own_fading")]
        return np.asarray(np.nan_to_num(near) * np.where(own > 0, 0.5, 1.0) + own * 1e-3, np.float32)

    def save(self, folder: Path) -> None:
        """Write plain files: the configuration, the trees as text, and the sessions that the counts are made of."""
        config = {"format": FORMAT, "capability": "purchase", "model": _KIND, "settings": self.settings.model_dump()}
        lines = [json.dumps([where, items], ensure_ascii=False) for where, items in zip(*self._told(), strict=True)]
        trees = self.booster.model_to_string() if self.booster is not None else ""
        publish(folder, {_CONFIG: json.dumps(config), _BOOSTER: trees, _SESSIONS: "\n".join(lines) + "\n"})

    def _told(self) -> tuple[list[str | None], list[list[str]]]:
        return self._locales, self._sessions

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a saved model. UsageError: there is none; DataError: it is broken, newer, or of another kind."""
        source = locate(folder)
        config = read_config(source, _KIND)
        model = cls(NextItemSettings.of(config["settings"]))
        rows = [json.loads(line) for line in read_text(source, _SESSIONS).splitlines()]
        model._locales, model._sessions = [row[0] for row in rows], [row[1] for row in rows]
        model._count()
        trees = read_text(source, _BOOSTER)
        model.booster = lgb.Booster(model_str=trees) if trees else None
        return model


def _joined(parts: list[Floats]) -> Floats:
    """The parts, one under another; each is let go once copied, so that they are not held twice."""
    out = np.empty((sum(len(part) for part in parts), parts[0].shape[1]), np.float32)
    at = 0
    while parts:
        part = parts.pop(0)
        out[at : at + len(part)] = part
        at += len(part)
    return out
