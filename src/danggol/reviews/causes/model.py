"""Why a customer wrote: the cause of each review, from its words and from what is known of the order.

One linear model: runs of letters, marks of words and facts side by side, each row of length one, and weighted ridge
regression on the indicators of all causes (Rifkin, Yeo & Poggio, "Regularized least-squares classification", 2003) in
which all causes weigh the same, be they rare or not. Scores become shares by a softmax. Where causes belong to classes
(late and lost: delivery), a class has the sum of its causes' shares. How sure an answer is comes from parts of the
reviews that were not learnt from (Platt, 1999).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save
from scipy.sparse import csr_matrix, diags, hstack
from scipy.special import logit, softmax

from danggol import artefact
from danggol.encoders.ngrams import Ngrams, NgramSettings
from danggol.errors import DataError, UsageError
from danggol.metrics import Platt
from danggol.progress import track
from danggol.reviews.causes.facts import FactSpace
from danggol.reviews.causes.ridge import ridge
from danggol.reviews.causes.settings import CauseSettings
from danggol.reviews.causes.views import views
from danggol.version import __version__

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
_MODEL, _WEIGHTS, _LETTERS, _WORDS = "causes", "weights.safetensors", "letters.json", "words.json"
_EDGE = 1e-9
_ENTRIES = 4096
"""Reviews that are scored at a time."""
_WATCHED = 20_000
"""Reviews that the confidence is learnt on, at most."""


class CauseModel:
    """Names the cause of a review; settings by keyword, see :class:`CauseSettings`."""

    def __init__(self, **settings: Any) -> None:
        self.settings = CauseSettings.of(settings)
        self.causes: list[str] = []
        """in the order of the columns of :meth:`shares`"""
        self.classes: dict[str, str] = {}
        """the class of each cause; empty where none were given"""
        self.space = FactSpace({}, {})
        self.letters, self.words = self._ngrams()
        self.weights: NDArray[np.float32] = np.zeros((0, 0), np.float32)
        """(columns, causes): letters, words, facts"""
        self.middle = np.zeros(0)
        """(causes,) the score of a row of zeros"""
        self.sure: dict[str, Platt] = {}

    def fit(
        self,
        texts: Sequence[str | None],
        facts: pl.DataFrame | None,
        causes: Sequence[str | None],
        classes: Mapping[str, str] | None = None,
    ) -> Self:
        """Learn from reviews: texts (reviews,), facts (one row a review, or None) and the cause of each.

        Reviews without a cause are left out. ``classes`` names the class of each cause. UsageError: not as many facts
        or causes as texts. DataError: fewer than two causes, or a cause without a class.
        """
        if len(causes) != len(texts) or (facts is not None and facts.height != len(texts)):
            shown = "no" if facts is None else facts.height
            raise UsageError(f"{len(texts)} texts, {len(causes)} causes and {shown} rows of facts: give one of each")
        told = [nth for nth, cause in enumerate(causes) if cause is not None]
        named = [str(causes[nth]) for nth in told]
        self.causes = sorted(set(named))
        self.classes = _classes(classes, self.causes)
        if len(self.causes) < 2:
            raise DataError(f"{len(self.causes)} causes are known; a model needs reviews of two or more")
        code = np.searchsorted(self.causes, named).astype(np.int64)
        chosen = [texts[nth] for nth in told]
        table = None if facts is None else facts[told]
        self.sure = self._sureness(chosen, table, code)
        self._learn(chosen, table, code)
        return self

    def _learn(self, texts: Sequence[str | None], table: pl.DataFrame | None, code: Rows) -> None:
        letters, words = views(texts, self.settings.stem, self.settings.reach)
        self.letters, self.words = self._ngrams()
        self.letters.fit(letters)
        self.words.fit(words)
        self.space = FactSpace({}, {}) if table is None else FactSpace.fit(table, self.settings.bins)
        rows = self._rows(texts, table)
        count = np.bincount(code, minlength=len(self.causes))
        there = np.maximum(count, 1)
        often = ((count.sum() / len(self.causes) / there) ** self.settings.balance)[code]
        targets = np.eye(len(self.causes))[code]
        self.middle = np.average(targets, axis=0, weights=often)
        self.weights = ridge(rows, targets - self.middle, often, self.settings.ridge).astype(np.float32)

    def _sureness(self, texts: Sequence[str | None], table: pl.DataFrame | None, code: Rows) -> dict[str, Platt]:
        """From the log odds of a share to the chance that the cause, or the class, is right."""
        if len(code) > _WATCHED:
            part = np.sort(np.random.default_rng(self.settings.seed).permutation(len(code))[:_WATCHED]).tolist()
            texts, table, code = [texts[one] for one in part], None if table is None else table[part], code[part]
        fold = _folds(code, self.settings.folds, self.settings.seed)
        found = np.zeros((len(code), len(self.causes)))
        for nth in track(range(self.settings.folds), "causes: how sure"):
            fit, held = np.flatnonzero(fold != nth).tolist(), np.flatnonzero(fold == nth).tolist()
            if len(fit) == 0 or len(held) == 0:
                continue
            model = CauseModel(**self.settings.model_dump())
            model.causes = self.causes
            model._learn([texts[one] for one in fit], None if table is None else table[fit], code[fit])
            found[held] = model.shares([texts[one] for one in held], None if table is None else table[held])
        sure = {"cause": _platt(found, code)}
        if self.classes:
            member, of = self._membership()
            sure["class"] = _platt(found @ member, of[code])
        return sure

    def scores(self, texts: Sequence[str | None], facts: pl.DataFrame | None = None) -> Floats:
        """Scores (reviews, causes) near 1 for the cause and 0 for others, all causes weighed alike.

        ``facts`` None: all are taken for missing. UsageError: the model is not fitted, or rows differ.
        """
        if not self.causes:
            raise UsageError("the cause model is not fitted; call fit(texts, facts, causes) first")
        if facts is not None and facts.height != len(texts):
            raise UsageError(f"{len(texts)} texts and {facts.height} rows of facts: give one of each")
        found = np.empty((len(texts), len(self.causes)))
        for at in range(0, len(texts), _ENTRIES):
            part = slice(at, at + _ENTRIES)
            rows = self._rows(texts[part], None if facts is None else facts[part])
            found[part] = rows @ self.weights + self.middle
        return found

    def shares(self, texts: Sequence[str | None], facts: pl.DataFrame | None = None) -> Floats:
        """What each cause has of each review (reviews, causes), rows summing to 1, all causes weighed alike."""
        return np.asarray(softmax(self.settings.sharpness * self.scores(texts, facts), axis=1))

    def predict(self, texts: Sequence[str | None], facts: pl.DataFrame | None = None) -> pl.DataFrame:
        """The cause of each review: ``cause``, ``probability`` that it is right, and ``class``, ``class_probability``.

        A class is the one whose causes have most together, which need not be the class of the cause.
        """
        shares = self.shares(texts, facts)
        best = shares.argmax(axis=1)
        found = {"cause": [self.causes[one] for one in best], "probability": self._sure("cause", shares)}
        if self.classes:
            member, _ = self._membership()
            of = shares @ member
            names = sorted(set(self.classes.values()))
            found |= {"class": [names[one] for one in of.argmax(axis=1)], "class_probability": self._sure("class", of)}
        return pl.DataFrame(found)

    def telling(self, cause: str, most: int = 20) -> list[tuple[str, float]]:
        """The marks of words that speak most for a cause, with their weights; ``a+b`` is a run, ``a~b`` a pair.

        UsageError: the cause is not known.
        """
        if cause not in self.causes:
            raise UsageError(f"there is no cause '{cause}'; there are {', '.join(self.causes)}")
        weight = self.weights[len(self.letters) : len(self.letters) + len(self.words), self.causes.index(cause)]
        lift = weight * self.words.idf
        order = np.argsort(-lift, kind="stable")[:most]
        return [(self.words.names[one], float(lift[one])) for one in order]

    def save(self, folder: Path | str, more: Mapping[str, str | bytes] | None = None) -> Path:
        """Write the model to a folder, whole or not at all; and ``more`` files by name, such as a card."""
        if not self.causes:
            raise UsageError("the cause model is not fitted; call fit(texts, facts, causes) first")
        config = {
            "capability": "reviews", "model": _MODEL, "format": artefact.FORMAT, "package_version": __version__,
            "settings": self.settings.model_dump(), "causes": self.causes, "classes": self.classes,
            "facts": self.space.to_dict(), "sure": {name: one.to_dict() for name, one in self.sure.items()},
        }  # fmt: skip
        target = Path(folder)
        artefact.publish(
            target,
            {
                artefact.CONFIG: json.dumps(config, indent=1, ensure_ascii=False),
                _LETTERS: self.letters.to_json(),
                _WORDS: self.words.to_json(),
                _WEIGHTS: bytes(save({"weights": self.weights, "middle": self.middle})),
                **(more or {}),
            },
        )
        return target

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read a saved model. UsageError: there is none. DataError: it is damaged, newer or of another kind."""
        source = artefact.locate(Path(folder))
        config = artefact.read_config(source, "reviews", _MODEL)
        letters, words = (artefact.read_text(source, name) for name in (_LETTERS, _WORDS))
        content = artefact.read_bytes(source, _WEIGHTS)
        try:
            model = cls(**config["settings"])
            model.causes, model.classes = list(config["causes"]), dict(config["classes"])
            model.space = FactSpace.from_dict(config["facts"])
            model.sure = {name: Platt.from_dict(one) for name, one in config["sure"].items()}
            model.letters, model.words = Ngrams.from_json(letters), Ngrams.from_json(words)
            held = load(content)
            model.weights, model.middle = held["weights"], held["middle"]
            width = model._rows([""], None).shape[1]
            if model.weights.shape != (width, len(model.causes)):
                raise ValueError(f"weights of shape {model.weights.shape}")
        except (KeyError, TypeError, ValueError, UsageError, SafetensorError) as error:
            raise DataError(f"the model in {source} is damaged ({str(error)[:80]}); train it again") from error
        return model

    def _ngrams(self) -> tuple[Ngrams, Ngrams]:
        chosen = self.settings
        letters = NgramSettings(kind="characters", low=chosen.shortest, high=chosen.longest, fewest=chosen.fewest)
        return Ngrams(letters), Ngrams(NgramSettings(kind="words", high=1, fewest=chosen.fewest, spaced=True))

    def _rows(self, texts: Sequence[str | None], table: pl.DataFrame | None) -> csr_matrix:
        """(reviews, columns): letters and words weigh 1 together, the facts as set, and rows have length one."""
        letters, words = views(texts, self.settings.stem, self.settings.reach)
        text = [self.letters.transform(letters) * np.sqrt(0.5), self.words.transform(words) * np.sqrt(0.5)]
        facts = self.space.encode(table, len(texts)) * np.sqrt(self.settings.fact_weight)
        rows = csr_matrix(hstack([*text, facts]), dtype=np.float64)
        length = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
        return csr_matrix(diags(1 / np.where(length > 0, length, 1)) @ rows)

    def _membership(self) -> tuple[Floats, Rows]:
        """Which causes (causes, classes) a class has, and the class (causes,) of each."""
        names = sorted(set(self.classes.values()))
        of = np.array([names.index(self.classes[cause]) for cause in self.causes], np.int64)
        return np.eye(len(names))[of], of

    def _sure(self, name: str, shares: Floats) -> Floats:
        return self.sure[name].predict(logit(np.clip(shares.max(axis=1), _EDGE, 1 - _EDGE)))


def _platt(shares: Floats, code: Rows) -> Platt:
    odds = logit(np.clip(shares.max(axis=1), _EDGE, 1 - _EDGE))
    return Platt.fit(odds, (shares.argmax(axis=1) == code).astype(np.float64))


def _classes(classes: Mapping[str, str] | None, causes: Sequence[str]) -> dict[str, str]:
    if classes is None:
        return {}
    without = [cause for cause in causes if cause not in classes]
    if without:
        raise DataError(f"the cause '{without[0]}' has no class; name one for each cause")
    return {cause: classes[cause] for cause in causes}


def _folds(code: Rows, folds: int, seed: int) -> Rows:
    """A part (rows,) for each row, each cause spread evenly over them."""
    fold = np.empty(len(code), np.int64)
    for nth in np.unique(code):
        rows = np.flatnonzero(code == nth)
        fold[np.random.default_rng([seed, int(nth)]).permutation(rows)] = (np.arange(len(rows)) + nth) % folds
    return fold
