"""What a title says of a listing: linear models for each attribute, on n-grams of words and characters, and on words.

Characters help with words never seen; a word that is an attribute's own, such as a colour, is believed more without.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save
from scipy.sparse import csr_matrix, hstack

from danggol.encoders.ngram_classes import NgramClasses
from danggol.encoders.ngrams import Ngrams
from danggol.matching.catalogue.settings import AttributeSettings
from danggol.progress import track

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
_FEWEST_CHARACTERS = 5
"""Titles that a character n-gram must be in."""


class TitleModel:
    """Learns n-grams from any titles, then classes from titles whose class is known."""

    def __init__(self, settings: AttributeSettings) -> None:
        self.settings = settings
        self.counted: list[Ngrams] = []
        self.models: dict[str, NgramClasses] = {}
        """by attribute, on all n-grams"""
        self.word_models: dict[str, NgramClasses] = {}
        """the same on those of words alone; empty where there are no others"""

    def read(self, titles: Sequence[str]) -> Self:
        """Learn the n-grams of titles. DataError: no word comes twice."""
        settings = self.settings
        counted = [Ngrams(high=settings.words)]
        if settings.longest >= settings.shortest:
            low, high = settings.shortest, settings.longest
            counted.append(Ngrams(kind="characters", low=low, high=high, fewest=_FEWEST_CHARACTERS))
        few = len(titles) < 20 * _FEWEST_CHARACTERS
        self.counted = [one.fit(titles) for one in counted if one.settings.kind == "words" or not few]
        return self

    def rows(self, titles: Sequence[str | None]) -> csr_matrix:
        """(titles, n-grams) of any titles; a missing one has none."""
        return csr_matrix(hstack([one.transform(titles) for one in self.counted]))

    def fit(
        self, titles: Sequence[str], rows: csr_matrix, labels: Mapping[str, Codes], classes: Mapping[str, int]
    ) -> Self:
        """Learn the classes of each attribute (titles,), -1 where not known; go on from weights that are there."""
        _, first, inverse = np.unique(np.array(titles, np.str_), return_index=True, return_inverse=True)
        for name, codes in track(list(labels.items()), "titles"):
            known = codes >= 0
            cells = inverse[known] * classes[name] + codes[known]
            counts = np.bincount(cells, minlength=len(first) * classes[name]).reshape(len(first), classes[name])
            self.models[name] = self._fitted(rows[first], counts, self.models.get(name))
            if len(self.counted) > 1:
                self.word_models[name] = self._fitted(self.words(rows[first]), counts, self.word_models.get(name))
        return self

    def _fitted(self, rows: csr_matrix, counts: Codes, start: NgramClasses | None) -> NgramClasses:
        return NgramClasses.fit(rows, counts.astype(np.float64), self.settings.strength, self.settings.steps, start)

    def words(self, rows: csr_matrix) -> csr_matrix:
        """(titles, words) the columns of rows that are words: tf-idf, of length one."""
        return rows[:, : len(self.counted[0])]

    def log_probabilities(self, rows: csr_matrix) -> dict[str, Floats]:
        """By attribute (titles, classes), natural logarithms."""
        return {name: model.log_probabilities(rows) for name, model in self.models.items()}

    def log_probabilities_by_words(self, rows: csr_matrix) -> dict[str, Floats]:
        """The same by words alone; empty where there is nothing else."""
        words = self.words(rows)
        return {name: model.log_probabilities(words) for name, model in self.word_models.items()}

    def ngrams_to_json(self) -> str:
        """The n-grams as text."""
        return json.dumps([json.loads(one.to_json()) for one in self.counted], ensure_ascii=False)

    def to_bytes(self) -> bytes:
        """The weights as safetensors."""
        tensors: dict[str, NDArray[np.float32]] = {}
        for kind, models in (("", self.models), ("word_", self.word_models)):
            tensors |= {f"{name}/{kind}weights": one.weights for name, one in models.items()}
            tensors |= {f"{name}/{kind}bias": one.bias for name, one in models.items()}
        return bytes(save(tensors))

    @classmethod
    def from_saved(cls, settings: AttributeSettings, ngrams: str, content: bytes) -> Self:
        """Read what :meth:`ngrams_to_json` and :meth:`to_bytes` gave. DataError, KeyError or ValueError: damaged."""
        model = cls(settings)
        model.counted = [Ngrams.from_json(json.dumps(one)) for one in json.loads(ngrams)]
        held = load(content)
        wide = sum(len(one) for one in model.counted), len(model.counted[0])
        for kind, models, width in (("", model.models, wide[0]), ("word_", model.word_models, wide[1])):
            for name in (key.removesuffix(f"/{kind}bias") for key in held if key.endswith(f"/{kind}bias")):
                models[name] = NgramClasses(held[f"{name}/{kind}weights"], held[f"{name}/{kind}bias"])
                if len(models[name].weights) != width:
                    raise ValueError(f"weights for other n-grams than the {width} that are there")
        return model
