"""How pleased a review is: one estimator over several kinds of model, with probabilities that are calibrated.

    model = SentimentModel(kind="linear").fit(texts, labels)
    table = model.predict(texts)   # score, label, probability, confidence, language

Every text gets an answer. One that says nothing (empty, markup only, mostly lost characters) has score 0, confidence 0
and the label ``unreadable``; one that the model is not sure of is labelled ``unsure`` and keeps its score, and so is
one in a language that it has not learnt, with confidence 0.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError

from danggol import artefact
from danggol.errors import DataError, UsageError
from danggol.reviews.language import UNKNOWN, languages
from danggol.reviews.sentiment.calibration import ClassCalibration
from danggol.reviews.sentiment.readers import Ensemble, Reader, loaded, trained
from danggol.reviews.sentiment.rows import Floats, Rows, columns_of, kept_apart, shares_of
from danggol.reviews.sentiment.settings import SentimentSettings
from danggol.reviews.text import Text, cleaned, readable
from danggol.version import __version__

if TYPE_CHECKING:
    from danggol.reviews.sentiment.pretraining import Pretrained

_CHUNK = 4096
_HELD = 1000
"""Texts that are kept to calibrate by, at most."""
_MODEL = "sentiment"
_LOOKED, _SURE, _SOME, _SHARE, _MANY = 20_000, 0.6, 20, 0.02, 500
"""Texts that are looked at; a language is learnt where some are surely of it, and these a share of all, or many."""
LABELS = ("negative", "neutral", "positive")


class SentimentModel:
    """Learns from texts and labels (:meth:`fit`), tells how pleased any text is (:meth:`predict`)."""

    def __init__(self, settings: SentimentSettings | None = None, **changes: Any) -> None:
        if settings is not None and changes:
            raise UsageError("give either a settings object or settings by keyword, not both")
        self.settings = settings or SentimentSettings.of(changes)
        self._reader: Reader | None = None
        self._calibration: ClassCalibration | None = None
        self.languages: frozenset[str] | None = None
        """ISO 639-1 codes of the languages that were learnt; None where it is not known, as of models of the hub"""

    def fit(
        self,
        texts: Sequence[Text],
        labels: ArrayLike,
        weights: ArrayLike | None = None,
        start: Pretrained | None = None,
        checkpoint: Path | None = None,
    ) -> Self:
        """Learn from texts and labels (texts,): 0 or 1, stars, or scores, as the target says; nan is no label.

        A text may be in part of each class: labels are (texts, classes) then, a row sums to one.
        ``weights`` (texts,) say how much each text counts; ``start``, by :func:`.pretraining.pretrain`, is what
        networks begin with; ``checkpoint``, a folder: the fine-tuning of a killed run goes on from it. Texts that say
        nothing are left out. DataError: fewer than two classes are there, or a label is off its range.
        """
        rows = self._rows(texts, labels, weights)
        settings = self.settings
        apart = kept_apart(rows.texts, min(settings.held, _HELD / max(len(rows), 1)), settings.seed)
        held = rows.part(np.flatnonzero(apart))
        if not _several(rows.part(np.flatnonzero(~apart))) or not _several(held):
            raise DataError("there are too few texts of each class to learn from; give more reviews with labels")
        self._reader, scores = trained(settings.kind, rows, apart, settings, start, checkpoint)
        self.languages = self.languages_of(rows.texts)
        self._calibration = ClassCalibration.fit(scores, held.shares, held.often)
        return self

    def predict(self, texts: Sequence[Text]) -> pl.DataFrame:
        """One row a text, in order: score, label, probability, confidence, language, and stars where they were learnt.

        ``score`` is from -1 to 1; ``label`` positive, neutral, negative, unsure or unreadable; ``probability`` that the
        text is pleased rather than displeased; ``confidence`` the probability of the likeliest class.
        """
        parts = [self._told(texts[start : start + _CHUNK]) for start in range(0, max(len(texts), 1), _CHUNK)]
        return pl.concat(parts)

    def predict_many(self, batches: Iterator[Sequence[Text]]) -> Iterator[pl.DataFrame]:
        """The same for a stream of batches, one table each; memory does not grow with their number."""
        return (self.predict(batch) for batch in batches)

    def log_probabilities(self, texts: Sequence[Text]) -> Floats:
        """Calibrated log probabilities (texts, classes); for a text that says nothing, those of an empty one."""
        return self._logs(cleaned(texts, self.settings.longest))

    def languages_of(self, texts: Sequence[Text]) -> frozenset[str] | None:
        """The languages that a model with these settings learns from labelled texts."""
        return None if _of_hub(self.settings) else _learnt(cleaned(texts, self.settings.longest))

    def parts(self, texts: Sequence[Text]) -> dict[str, Floats]:
        """Calibrated log probabilities (texts, classes) by each member of an ensemble, ``nth kind``."""
        reader, _ = self._fitted()
        if not isinstance(reader, Ensemble):
            raise UsageError(f"a model of the kind {self.settings.kind} has no parts; an ensemble has")
        found = reader.parts(cleaned(texts, self.settings.longest))
        return {
            f"{nth} {kind}": one for nth, (kind, one) in enumerate(zip(self.settings.members, found, strict=True), 1)
        }

    @property
    def parameters(self) -> int:
        """Numbers that were learnt from labels."""
        return self._fitted()[0].parameters

    def save(self, folder: str | Path, more: Mapping[str, str | bytes] | None = None) -> Path:
        """Save to a folder as plain files: JSON and safetensors; and ``more`` files by name, such as a card."""
        reader, calibration = self._fitted()
        files = reader.files()
        config = {
            "capability": "reviews",
            "model": _MODEL,
            "format": artefact.FORMAT,
            "package_version": __version__,
            "settings": self.settings.model_dump(),
            "languages": None if self.languages is None else sorted(self.languages),
            "files": sorted(files),
        }
        files["calibration.json"] = calibration.to_json()
        files[artefact.CONFIG] = json.dumps(config, indent=1, ensure_ascii=False)
        artefact.publish(Path(folder), files | dict(more or {}))
        return Path(folder)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Load a saved model; DataError where it is broken or of a newer format, UsageError where there is none."""
        source = artefact.locate(Path(folder))
        config = artefact.read_config(source, "reviews", _MODEL, "train one with 'danggol reviews train'")
        try:
            model = cls(**config["settings"])
            known = config.get("languages")
            model.languages = None if known is None else frozenset(map(str, known))
            model._calibration = ClassCalibration.from_json(artefact.read_text(source, "calibration.json"))
            files = {name: artefact.read_bytes(source, name) for name in map(str, config["files"])}
            model._reader = loaded(model.settings.kind, files, model.settings)
            if len(model._calibration.shifts) != (5 if model.settings.target == "stars" else 2):
                raise ValueError("its calibration is of another target")
        except (KeyError, TypeError, ValueError, OSError, SafetensorError) as error:
            raise DataError(f"the model in {source} is damaged ({str(error)[:80]}); train it again") from error
        return model

    def _rows(self, texts: Sequence[Text], labels: ArrayLike, weights: ArrayLike | None) -> Rows:
        """Labelled texts that say something."""
        shares = shares_of(labels, self.settings.target)
        often = np.ones(len(shares)) if weights is None else np.asarray(weights, np.float64)
        if not len(texts) == len(shares) == len(often):
            raise UsageError(f"{len(texts)} texts, {len(shares)} labels and {len(often)} weights; give one each a text")
        if not (np.isfinite(often).all() and (often >= 0).all()):
            raise DataError("weights must be numbers of 0 or more")
        clean = cleaned(texts, self.settings.longest)
        says = np.array([readable(text) for text in clean], np.bool_)
        told = says & ~np.isnan(shares[:, 0]) & (often > 0) if len(clean) else says
        return Rows(clean, shares, often).part(np.flatnonzero(told))

    def _told(self, texts: Sequence[Text]) -> pl.DataFrame:
        clean = cleaned(texts, self.settings.longest)
        logs = self._logs(clean)
        says = np.array([readable(text) for text in clean], np.bool_)
        columns = columns_of(logs)
        codes = [one.code for one in languages(clean, self.languages or ())]
        known = None if self.languages is None else {*self.languages, UNKNOWN}
        strange = np.array([known is not None and code not in known for code in codes], np.bool_)
        confidence = np.where(says & ~strange, np.exp(logs).max(axis=1, initial=0.0), 0.0)
        sure = (confidence >= self.settings.sure) & ~strange
        label = np.where(sure, np.array(LABELS)[_classes(logs, columns["score"])], "unsure")
        found = pl.DataFrame(
            {
                "score": np.where(says, columns["score"], 0.0),
                "label": np.where(says, label, "unreadable").astype(object).tolist(),
                "probability": np.where(says, columns["probability"], 0.5),
                "confidence": confidence,
                "language": codes,
            },
            schema_overrides={"label": pl.String, "language": pl.String},
        )
        if "stars" in columns:
            found = found.with_columns(stars=pl.Series(np.where(says, columns["stars"], 3)))
        return found

    def _logs(self, clean: Sequence[str]) -> Floats:
        reader, calibration = self._fitted()
        return calibration.logs(reader.scores(clean))

    def _fitted(self) -> tuple[Reader, ClassCalibration]:
        if self._reader is None or self._calibration is None:
            raise UsageError("the sentiment model is not trained; call fit(texts, labels) or load one")
        return self._reader, self._calibration


def _of_hub(settings: SentimentSettings) -> bool:
    """Whether a model of the hub has a say, which may know more languages than the texts."""
    return any(one.startswith("hf:") for one in (settings.kind, *settings.members * (settings.kind == "ensemble")))


def _learnt(texts: Sequence[str]) -> frozenset[str] | None:
    """The languages of texts; None where there are too few of any to tell."""
    some = texts[:: max(len(texts) // _LOOKED, 1)]
    counts = Counter(one.code for one in languages(some) if one.share >= _SURE and one.code != UNKNOWN)
    least = min(_SHARE * len(some), _MANY * len(some) / max(len(texts), 1))
    return frozenset(code for code, count in counts.items() if count >= max(least, _SOME)) or None


def _several(rows: Rows) -> bool:
    """Whether more than one class is there."""
    return bool(np.count_nonzero(rows.shares.sum(axis=0)) > 1)


def _classes(logs: Floats, score: Floats) -> NDArray[np.int64]:
    """0 negative, 1 neutral, 2 positive; neutral is a middle star that is the likeliest."""
    found = np.where(score > 0, 2, 0)
    if logs.shape[1] > 2:
        found[logs.argmax(axis=1) == logs.shape[1] // 2] = 1
    return found
