"""What the text says: three linear models on n-grams, of words, of words by naive Bayes ratios, and of characters.

Words are counted twice, in title and body together and in the title apart, because a title sums the review up. The
words after a negation are other words (Das & Chen, "Yahoo! for Amazon", 2001; Pang, Lee & Vaithyanathan, EMNLP 2002).
"""

from __future__ import annotations

import json
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from safetensors.numpy import load, save
from scipy.sparse import csr_matrix, hstack

from danggol.encoders.ngram_linear import NgramLinear
from danggol.encoders.ngrams import Ngrams, NgramSettings
from danggol.purchase.opinion_inputs import Opinions
from danggol.purchase.opinion_settings import OpinionSettings

Floats = NDArray[np.float64]
TextRows = dict[str, csr_matrix]
"""``words`` and ``characters``: (rows, n-grams)"""
_READS = {"words": "words", "bayes": "words", "characters": "characters"}
"""Which matrix each member reads."""


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
        found = {name: one.fit_transform(_whole(data)) for name, one in counted.items()}
        if sum(title is not None for title in data.title) >= 20:
            counted["title"] = Ngrams(words)
            found["title"] = counted["title"].fit_transform(data.title)
        return cls(counted), _stacked(found)

    def encode(self, data: Opinions) -> TextRows:
        """The rows of any reviews."""
        whole = _whole(data)
        texts = {name: data.title if name == "title" else whole for name in self._counted}
        return _stacked({name: one.transform(texts[name]) for name, one in self._counted.items()})

    def names(self) -> dict[str, pl.DataFrame]:
        """Of each matrix the columns: ngram, where it is counted, and in how many texts of training it is."""
        said = {"words": "review", "title": "title", "characters": "letters"}
        found = {
            name: pl.DataFrame({"ngram": one.names, "texts": one.frequency}).with_columns(where=pl.lit(said[name]))
            for name, one in self._counted.items()
        }
        words = [found[name] for name in ("words", "title") if name in found]
        return {"words": pl.concat(words), "characters": found["characters"]}

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
        words, characters = rows["words"], rows["characters"]
        if settings.target == "rating":
            read = {"words": words, "characters": characters}
            return cls({name: NgramLinear.ridge(one, label, settings.strength) for name, one in read.items()})
        return cls(
            {
                "words": NgramLinear.logistic(words, label, settings.strength),
                "bayes": NgramLinear.logistic(words, label, settings.bayes_strength, bayes=True),
                "characters": NgramLinear.logistic(characters, label, settings.strength),
            }
        )

    def parts(self, rows: TextRows) -> dict[str, Floats]:
        """What each member says (rows,)."""
        return {name: one.values(rows[_READS[name]]) for name, one in self.members.items()}

    def weights(self, stack: dict[str, float]) -> dict[str, NDArray[np.float32]]:
        """Of each matrix the weight (n-grams,) of its columns in the whole, given each member's weight in the stack."""
        found: dict[str, NDArray[np.float32]] = {}
        for name, one in self.members.items():
            share = np.float32(stack.get(name, 0.0)) * one.weights
            found[_READS[name]] = found[_READS[name]] + share if _READS[name] in found else share
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


def _whole(data: Opinions) -> list[str | None]:
    """Title and body as one text; a full stop between, so that no n-gram spans the two."""
    pairs = zip(data.title, data.body, strict=True)
    return [f"{title} . {body}" if title and body else title or body for title, body in pairs]


def _stacked(found: dict[str, csr_matrix]) -> TextRows:
    words = [found[name] for name in ("words", "title") if name in found]
    return {"words": csr_matrix(hstack(words)), "characters": found["characters"]}
