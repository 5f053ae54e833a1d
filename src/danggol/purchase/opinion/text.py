"""What the text says: linear models on n-grams, of words, of words by naive Bayes ratios, of characters, of the title.

The first three read title and body as one text; the last reads the title alone, because a title sums the review up. The
words after a negation are other words (Das & Chen, "Yahoo! for Amazon", 2001; Pang, Lee & Vaithyanathan, EMNLP 2002).
"""

from __future__ import annotations

import json
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from safetensors.numpy import load, save
from scipy.sparse import csr_matrix

from danggol.encoders.ngram_linear import NgramLinear
from danggol.encoders.ngrams import Ngrams, NgramSettings
from danggol.errors import DataError
from danggol.purchase.opinion.inputs import Opinions, Texts
from danggol.purchase.opinion.settings import OpinionSettings

Floats = NDArray[np.float64]
TextRows = dict[str, csr_matrix]
"""``words``, ``characters`` and, where there are titles, ``title``: (rows, n-grams)"""
_SHOWN = {"words": "review", "title": "title", "characters": "letters"}
"""What each matrix is called where its columns are shown."""
_FEWEST = 20
"""Reviews that need a title for titles to be read apart."""


class TextVocabulary:
    """The n-grams of title and body."""

    def __init__(self, counted: dict[str, Ngrams]) -> None:
        self._counted = counted

    @classmethod
    def learn(cls, data: Opinions, settings: OpinionSettings) -> tuple[Self, TextRows]:
        """Learn the n-grams of some reviews, whose rows come with it. DataError: there is too little text."""
        words = NgramSettings(high=settings.words, negations=settings.negations)
        longest = max(settings.shortest, settings.longest)
        counted = {
            "words": Ngrams(words),
            "characters": Ngrams(kind="characters", low=settings.shortest, high=longest, fewest=3),
        }
        if sum(title is not None for title in data.title) >= _FEWEST:
            counted["title"] = Ngrams(words)
        texts, rows = _texts(data), {}
        for name, one in list(counted.items()):
            try:
                rows[name] = one.fit_transform(texts[name])
            except DataError:
                if name != "title":
                    raise
                # titles that share no word: title and body are read as one text all the same
                del counted[name]
        return cls(counted), rows

    def encode(self, data: Opinions) -> TextRows:
        """The rows of any reviews."""
        texts = _texts(data)
        return {name: one.transform(texts[name]) for name, one in self._counted.items()}

    def names(self) -> dict[str, pl.DataFrame]:
        """Of each matrix the columns: ngram, where it is counted, and in how many texts of training it is."""
        return {
            name: pl.DataFrame({"ngram": one.names, "texts": one.frequency}).with_columns(where=pl.lit(_SHOWN[name]))
            for name, one in self._counted.items()
        }

    def to_json(self) -> str:
        """All n-grams as text."""
        return json.dumps({name: json.loads(one.to_json()) for name, one in self._counted.items()}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what :meth:`to_json` wrote; DataError or ValueError where it is damaged."""
        held = json.loads(text)
        if not {"words", "characters"} <= set(held):
            raise ValueError("there are no words or no characters")
        return cls({name: Ngrams.from_json(json.dumps(one)) for name, one in held.items()})


class TextExpert:
    """The linear models; each gives log odds, or stars."""

    def __init__(self, members: dict[str, NgramLinear]) -> None:
        self.members = members

    @classmethod
    def fit(cls, rows: TextRows, label: Floats, settings: OpinionSettings) -> Self:
        """Train on rows (rows, n-grams) and outcomes or stars (rows,)."""
        if settings.target == "rating":
            return cls({name: NgramLinear.ridge(one, label, settings.strength) for name, one in rows.items()})
        members = {name: NgramLinear.logistic(one, label, settings.strength) for name, one in rows.items()}
        members["bayes"] = NgramLinear.logistic(rows["words"], label, settings.bayes_strength, bayes=True)
        return cls(members)

    def parts(self, rows: TextRows) -> dict[str, Floats]:
        """What each member says (rows,)."""
        return {name: one.values(rows[_read_by(name)]) for name, one in self.members.items()}

    def weights(self, stack: dict[str, float]) -> dict[str, NDArray[np.float32]]:
        """Of each matrix the weight (n-grams,) of its columns in the whole, given each member's weight in the stack."""
        found: dict[str, NDArray[np.float32]] = {}
        for name, one in self.members.items():
            share = np.float32(stack.get(name, 0.0)) * one.weights
            matrix = _read_by(name)
            found[matrix] = found[matrix] + share if matrix in found else share
        return found

    def to_bytes(self) -> bytes:
        """The weights as safetensors."""
        weights = {f"{name}/weights": one.weights for name, one in self.members.items()}
        return bytes(save(weights | {f"{name}/bias": np.array([one.bias]) for name, one in self.members.items()}))

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read what :meth:`to_bytes` wrote."""
        held = load(content)
        names = [name.split("/")[0] for name in held if name.endswith("/bias")]
        return cls({name: NgramLinear(held[f"{name}/weights"], float(held[f"{name}/bias"][0])) for name in names})


def _read_by(member: str) -> str:
    """The matrix that a member reads."""
    return "words" if member == "bayes" else member


def _texts(data: Opinions) -> dict[str, Texts]:
    """What is counted in each matrix."""
    # a full stop between title and body, so that no n-gram spans the two
    pairs = zip(data.title, data.body, strict=True)
    whole = [f"{title} . {body}" if title and body else title or body for title, body in pairs]
    return {"words": whole, "characters": whole, "title": data.title}
