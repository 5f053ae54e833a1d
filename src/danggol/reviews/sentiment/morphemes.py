"""Korean morphemes by kiwipiepy: a linear model that reads stems and endings, whatever ending a word has here.

It is slower than all else by far (hundreds of texts a second), so it is a kind of its own and a member of ensembles
where its cost is earned.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any, Self

from danggol.errors import UsageError
from danggol.reviews.sentiment.linear import LinearReader
from danggol.reviews.sentiment.rows import Floats, Rows
from danggol.reviews.sentiment.settings import SentimentSettings

_RUN = 3
_FILE = "morphemes.safetensors"


class MorphemeReader:
    """Logistic regression on runs of one to three morphemes with their tags."""

    def __init__(self, linear: LinearReader) -> None:
        self.linear = linear

    @classmethod
    def fit(cls, rows: Rows, settings: SentimentSettings) -> Self:
        """Train on rows. UsageError: kiwipiepy is not installed."""
        return cls(LinearReader.fit(Rows(morphemes(rows.texts), rows.shares, rows.often), _counting(settings)))

    def scores(self, texts: Sequence[str]) -> Floats:
        """Log odds of each class (texts, classes), up to a number that is the same for all classes of a text."""
        return self.linear.scores(morphemes(texts))

    def files(self) -> dict[str, str | bytes]:
        """The tables."""
        return {_FILE: self.linear.to_bytes()}

    @property
    def parameters(self) -> int:
        """Numbers that were learnt."""
        return self.linear.parameters

    @classmethod
    def from_files(cls, files: dict[str, bytes], settings: SentimentSettings) -> Self:
        """Read what :meth:`files` gave; KeyError or a SafetensorError where it is damaged."""
        return cls(LinearReader.from_bytes(files[_FILE], _counting(settings)))


def morphemes(texts: Sequence[str]) -> list[str]:
    """Each text as its morphemes with their tags, a space between. UsageError: kiwipiepy is not installed."""
    return [_read(text) for text in texts]


def _counting(settings: SentimentSettings) -> SentimentSettings:
    return settings.model_copy(update={"characters": 0, "edges": 0, "jamo": 0, "words": _RUN})


@lru_cache(maxsize=1 << 16)
def _read(text: str) -> str:
    return " ".join(f"{one.form}/{one.tag}" for one in kiwi().tokenize(text))


@cache
def kiwi() -> Any:
    """The analyser, loaded once. UsageError: kiwipiepy is not installed."""
    try:
        library = importlib.import_module("kiwipiepy")
    except ImportError as error:
        raise UsageError("morphemes need the library kiwipiepy; pip install 'danggol[korean]'") from error
    return library.Kiwi(num_workers=1)
