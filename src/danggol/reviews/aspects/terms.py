"""Which words of a review name an aspect, and how each is spoken of: learnt from reviews in which terms are marked.

Terms are found by a conditional random field over words (Korean, Chinese and Japanese: over characters); how each is
spoken of is a model of its own, see :mod:`.polarity`.

    model = AspectModel().fit(texts, [[Term(4, 9, "negative")], ...])
    model.predict(["The staff was rude."])   # row, start, end, span, polarity, score, confidence
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from danggol import artefact
from danggol.encoders.ngram_classes import NgramClasses
from danggol.encoders.ngrams import Ngrams
from danggol.errors import DataError, UsageError
from danggol.reviews.aspects.crf import BEGIN, INSIDE, OUTSIDE, Crf
from danggol.reviews.aspects.polarity import Place, PolarityModel, Scorer
from danggol.reviews.aspects.settings import AspectSettings
from danggol.reviews.aspects.term_features import TermFeatures
from danggol.reviews.aspects.term_tokens import Token, tokens_of
from danggol.reviews.causes.facts import FactSpace
from danggol.version import __version__

_MODEL = "aspects"
_SCORE = {"positive": 1.0, "negative": -1.0}
"""Score of a polarity; any other (neutral, conflict) is 0."""
_SCHEMA = {
    "row": pl.Int64, "start": pl.Int64, "end": pl.Int64, "span": pl.String, "polarity": pl.String,
    "score": pl.Float64, "confidence": pl.Float64,
}  # fmt: skip


class Term(NamedTuple):
    """A marked term: ``text[start:end]``, and how it is spoken of (None: not known)."""

    start: int
    end: int
    polarity: str | None = None


class AspectModel:
    """Finds terms and their polarity; settings by keyword, see :class:`AspectSettings`.

    ``scorer`` may say how pleased texts are (in [-1, 1]); a model that was fitted with one needs it to predict.
    """

    def __init__(self, scorer: Scorer | None = None, **settings: Any) -> None:
        self.settings = AspectSettings.of(settings)
        self.scorer = scorer
        self.features = TermFeatures()
        self.tagger: Crf | None = None
        self.polarities: list[str] = []
        self.polar = PolarityModel(self.settings.polarity_strength, self.settings.scorer_weight)
        self.scored = False
        """whether it was fitted with a scorer"""

    def fit(self, texts: Sequence[str], terms: Sequence[Sequence[Term]]) -> Self:
        """Learn from texts and the terms that are marked in each (none is allowed).

        UsageError: not as many lists as texts. DataError: a term lies outside its text, or no term is marked.
        """
        if len(texts) != len(terms):
            raise UsageError(f"{len(texts)} texts and {len(terms)} lists of terms: give one of each")
        for nth, (text, marked) in enumerate(zip(texts, terms, strict=True)):
            wrong = [one for one in marked if not 0 <= one.start < one.end <= len(text)]
            if wrong:
                raise DataError(
                    f"text {nth + 1} has a term at {wrong[0].start} to {wrong[0].end}, and {len(text)} letters"
                )
        tokens = self._tokens(texts)
        self.features = TermFeatures()
        self.features.fit(tokens, self.settings.fewest)
        tags = [_tags(one, marked) for one, marked in zip(tokens, terms, strict=True)]
        self.tagger = Crf.fit(
            self.features.rows(tokens), np.concatenate([*tags, np.zeros(0, np.int64)]), _lengths(tokens),
            self.settings.strength, self.settings.steps,
        )  # fmt: skip
        self._fit_polarity(texts, terms)
        return self

    def _tokens(self, texts: Sequence[str]) -> list[list[Token]]:
        return [tokens_of(text)[: self.settings.longest] for text in texts]

    def _fit_polarity(self, texts: Sequence[str], terms: Sequence[Sequence[Term]]) -> None:
        told = [(nth, one) for nth, marked in enumerate(terms) for one in marked if one.polarity is not None]
        self.polarities = sorted({str(one.polarity) for _, one in told})
        self.polar = PolarityModel(self.settings.polarity_strength, self.settings.scorer_weight)
        self.scored = self.scorer is not None
        if len(self.polarities) > 1:
            code = np.array([self.polarities.index(str(one.polarity)) for _, one in told], np.int64)
            self.polar.fit(texts, [(nth, one.start, one.end) for nth, one in told], code, self.scorer)

    def predict(self, texts: Sequence[str]) -> pl.DataFrame:
        """The terms of all texts, one row each: ``row`` (the text), ``start``, ``end``, ``span``, ``polarity``.

        And ``score`` in [-1, 1] and ``confidence``, the probability of the term's tags. UsageError: the model is not
        fitted, or was fitted with a scorer and has none.
        """
        if self.tagger is None:
            raise UsageError("the aspect model is not fitted; call fit(texts, terms) first")
        tokens = self._tokens(texts)
        lengths = _lengths(tokens)
        tags, shares = self.tagger.decode(self.features.rows(tokens), lengths, self.settings.eager)
        places: list[Place] = []
        sure: list[float] = []
        for nth, (one, at) in enumerate(zip(tokens, np.cumsum(lengths) - lengths, strict=True)):
            for first, last in _spans(tags[at : at + len(one)]):
                places.append((nth, one[first].start, one[last].end))
                rows = np.arange(at + first, at + last + 1)
                sure.append(float(shares[rows, tags[rows]].min()))
        polarity, score = self._polar(texts, places)
        columns = [list(one) for one in zip(*places, strict=True)] or [[], [], []]
        spans = [texts[nth][start:end] for nth, start, end in places]
        return pl.DataFrame([*columns, spans, polarity, score, sure], schema=_SCHEMA)

    def polarity(self, texts: Sequence[str], places: Sequence[Place]) -> list[str | None]:
        """How terms at known places (number of the text, start, end) are spoken of; None where none was learnt."""
        return self._polar(texts, places)[0]

    def _polar(self, texts: Sequence[str], places: Sequence[Place]) -> tuple[list[str | None], list[float | None]]:
        if self.scored and self.scorer is None:
            raise UsageError(
                "the aspect model was fitted with a scorer; give the same one, AspectModel.load(…, scorer)"
            )
        if len(self.polarities) < 2 or not places:
            only = self.polarities[0] if self.polarities else None
            return [only] * len(places), [None if only is None else _SCORE.get(only, 0.0)] * len(places)
        chance = np.exp(self.polar.log_probabilities(texts, places, self.scorer if self.scored else None))
        score = chance @ np.array([_SCORE.get(name, 0.0) for name in self.polarities])
        return [self.polarities[one] for one in chance.argmax(axis=1)], score.tolist()

    def save(self, folder: Path | str) -> Path:
        """Write the model to a folder, whole or not at all; the scorer is not part of it."""
        if self.tagger is None:
            raise UsageError("the aspect model is not fitted; call fit(texts, terms) first")
        polar = self.polar if len(self.polarities) > 1 else None
        config = {
            "capability": "reviews", "model": _MODEL, "format": artefact.FORMAT, "package_version": __version__,
            "settings": self.settings.model_dump(), "polarities": self.polarities, "scored": self.scored,
            "facts": self.polar.space.to_dict(),
        }  # fmt: skip
        held = {"weights": self.tagger.weights, "moves": self.tagger.moves}
        files: dict[str, str | bytes] = {"features.json": json.dumps(self.features.names, ensure_ascii=False)}
        if polar is not None:
            held |= {"polarity": polar.linear.weights, "bias": polar.linear.bias}
            files |= {"words.json": polar.words.to_json(), "letters.json": polar.letters.to_json()}
        files["weights.safetensors"] = bytes(save(held))
        artefact.publish(Path(folder), files | {artefact.CONFIG: json.dumps(config, indent=1, ensure_ascii=False)})
        return Path(folder)

    @classmethod
    def load(cls, folder: Path | str, scorer: Scorer | None = None) -> Self:
        """Read a saved model. UsageError: there is none. DataError: it is damaged, newer or of another kind."""
        source = artefact.locate(Path(folder))
        config = artefact.read_config(source, "reviews", _MODEL)
        names, content = artefact.read_json(source, "features.json"), artefact.read_bytes(source, "weights.safetensors")
        try:
            model = cls(scorer, **config["settings"])
            model.polarities, model.scored = list(config["polarities"]), bool(config["scored"])
            model.features = TermFeatures(names)
            held = load(content)
            model.tagger = Crf(held["weights"], held["moves"])
            if held["weights"].shape != (len(names), 3):
                raise ValueError(f"weights of shape {held['weights'].shape}")
            if len(model.polarities) > 1:
                model.polar.words = Ngrams.from_json(artefact.read_text(source, "words.json"))
                model.polar.letters = Ngrams.from_json(artefact.read_text(source, "letters.json"))
                model.polar.space = FactSpace.from_dict(config["facts"])
                model.polar.linear = NgramClasses(held["polarity"], held["bias"])
        except (KeyError, TypeError, ValueError, UsageError, SafetensorError) as error:
            raise DataError(f"the model in {source} is damaged ({str(error)[:80]}); train it again") from error
        return model


def _lengths(tokens: Sequence[Sequence[Token]]) -> NDArray[np.int64]:
    return np.array([len(one) for one in tokens], np.int64)


def _tags(tokens: Sequence[Token], terms: Sequence[Term]) -> NDArray[np.int64]:
    """Tags (tokens,) of marked terms; of terms that overlap, the longest."""
    found = np.full(len(tokens), OUTSIDE, np.int64)
    for term in sorted(terms, key=lambda one: one.start - one.end):
        inside = [nth for nth, token in enumerate(tokens) if token.start < term.end and token.end > term.start]
        if inside and not found[inside].any():
            found[inside] = INSIDE
            found[inside[0]] = BEGIN
    return found


def _spans(tags: NDArray[np.int64]) -> list[tuple[int, int]]:
    """First and last token of each term."""
    begins = np.flatnonzero(tags == BEGIN)
    found = []
    for first in begins.tolist():
        last = first
        while last + 1 < len(tags) and tags[last + 1] == INSIDE:
            last += 1
        found.append((first, last))
    return found
