"""A frozen text model of the Hugging Face hub with logistic regression on its vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save
from scipy.sparse import csr_matrix

from danggol.encoders.ngram_classes import NgramClasses
from danggol.reviews.sentiment.rows import Floats, Rows
from danggol.reviews.sentiment.settings import SentimentSettings

_FILE = "head.safetensors"
_STEPS = 200


class HubReader:
    """Scores that are linear in the vectors of ``hf:NAME``, each number of which is in standard deviations."""

    def __init__(self, settings: SentimentSettings, tables: dict[str, NDArray[np.float32]]) -> None:
        from danggol.encoders.hugging_face import text_encoder

        self.tables = tables
        self._encoder = text_encoder(settings.kind, device=settings.device)

    @classmethod
    def fit(cls, rows: Rows, settings: SentimentSettings) -> Self:
        """Train on rows. UsageError: there is no such model, or no transformers."""
        found = cls(settings, {})
        vectors = found._vectors(rows.texts)
        found.tables = {"mean": vectors.mean(axis=0), "spread": vectors.std(axis=0) + np.float32(1e-6)}
        counts = rows.shares * rows.often[:, None]
        head = NgramClasses.fit(csr_matrix(found._scaled(vectors)), counts, settings.strength / 10, _STEPS)
        found.tables |= {"weights": head.weights, "bias": head.bias}
        return found

    def scores(self, texts: Sequence[str]) -> Floats:
        """Log odds of each class (texts, classes), up to a number that is the same for all classes of a text."""
        found = self._scaled(self._vectors(texts)) @ self.tables["weights"] + self.tables["bias"]
        return np.asarray(found, np.float64)

    def files(self) -> dict[str, str | bytes]:
        """The regression; the hub's model is not copied."""
        return {_FILE: bytes(save(self.tables))}

    @property
    def parameters(self) -> int:
        """Numbers that were learnt; the hub's model is not counted."""
        return int(self.tables["weights"].size + self.tables["bias"].size)

    @classmethod
    def from_files(cls, files: dict[str, bytes], settings: SentimentSettings) -> Self:
        """Read what :meth:`files` gave; KeyError or a SafetensorError where it is damaged."""
        held = load(files[_FILE])
        return cls(settings, {name: held[name] for name in ("mean", "spread", "weights", "bias")})

    def _vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(texts, width), zeros for a blank text."""
        return np.nan_to_num(self._encoder.encode(texts))

    def _scaled(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray((vectors - self.tables["mean"]) / self.tables["spread"], np.float32)
