"""A text model of the Hugging Face hub: frozen, with logistic regression on its vectors, or trained on (fine-tuned)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save
from scipy.sparse import csr_matrix

from danggol.encoders.ngram_classes import NgramClasses
from danggol.reviews.sentiment.rows import Floats, Rows
from danggol.reviews.sentiment.settings import SentimentSettings

if TYPE_CHECKING:
    from danggol.encoders.hugging_face import TextEncoder

_FILE = "head.safetensors"
_TABLES = ("mean", "spread", "weights", "bias")
_STEPS = 200


class HubReader:
    """Scores that are linear in the vectors of ``hf:NAME``, each number of which is in standard deviations.

    A frozen model stays where it is; one that was trained on is kept with the reader.
    """

    def __init__(self, encoder: TextEncoder, tables: dict[str, NDArray[np.float32]], tuned: bool) -> None:
        self.tables, self.tuned = tables, tuned
        self._encoder = encoder

    @classmethod
    def fit(
        cls, kind: str, rows: Rows, watched: Rows, settings: SentimentSettings, nth: int, checkpoint: Path | None
    ) -> Self:
        """Train on rows; fine-tuned, the epoch of the least log loss on the ``watched`` ones is kept.

        ``nth`` sets the seed. UsageError: there is no such model, or no transformers.
        """
        from danggol.encoders.hugging_face import text_encoder

        found = cls(text_encoder(kind, device=settings.device), {}, settings.finetune)
        vectors = found._vectors(rows.texts)
        found.tables = {"mean": vectors.mean(axis=0), "spread": vectors.std(axis=0) + np.float32(1e-6)}
        counts = rows.shares * rows.often[:, None]
        head = NgramClasses.fit(csr_matrix(found._scaled(vectors)), counts, settings.strength / 10, _STEPS)
        found.tables |= {"weights": head.weights, "bias": head.bias}
        if settings.finetune:
            found._tune(rows, watched, settings, nth, checkpoint)
        return found

    def scores(self, texts: Sequence[str]) -> Floats:
        """Log odds of each class (texts, classes), up to a number that is the same for all classes of a text."""
        found = self._scaled(self._vectors(texts)) @ self.tables["weights"] + self.tables["bias"]
        return np.asarray(found, np.float64)

    def files(self) -> dict[str, str | bytes]:
        """The head; and the model with its tokenizer, where it was trained on."""
        found: dict[str, str | bytes] = {_FILE: bytes(save(self.tables))}
        if self.tuned:
            from danggol.encoders.fine_tuning import encoder_files

            found |= encoder_files(self._encoder)
        return found

    @property
    def parameters(self) -> int:
        """Numbers that were learnt; a frozen model's are not."""
        own = int(self.tables["weights"].size + self.tables["bias"].size)
        return own + self.tuned * sum(one.numel() for one in self._encoder.model.parameters())

    @classmethod
    def from_files(cls, kind: str, files: dict[str, bytes], settings: SentimentSettings) -> Self:
        """Read what :meth:`files` gave; KeyError, ValueError or a SafetensorError where it is damaged."""
        held = load(files[_FILE])
        tables = {name: held[name] for name in _TABLES}
        if settings.finetune:
            from danggol.encoders.fine_tuning import encoder_of

            encoder = encoder_of(files, settings.device)
        else:
            from danggol.encoders.hugging_face import text_encoder

            encoder = text_encoder(kind, device=settings.device)
        sizes = {len(tables["mean"]), len(tables["spread"]), len(tables["weights"]), encoder.output_dim}
        if len(sizes) > 1 or tables["weights"].shape[1:] != tables["bias"].shape:
            raise ValueError(f"{_FILE} is not of the size of the model's vectors")
        return cls(encoder, tables, settings.finetune)

    def _tune(self, rows: Rows, watched: Rows, settings: SentimentSettings, nth: int, checkpoint: Path | None) -> None:
        from danggol.encoders.fine_tuning import Labelled, fine_tune
        from danggol.training import Schedule

        schedule = Schedule(
            epochs=settings.finetune_epochs,
            batch_size=settings.batch,
            learning_rate=settings.finetune_rate,
            patience=2,
            device=settings.device,
            seed=(settings.seed + 1000 * nth) % 2**31,
        )
        learnt, held = (Labelled(one.texts, one.shares, one.often) for one in (rows, watched))
        self.tables = fine_tune(self._encoder, self.tables, learnt, held, schedule, checkpoint)

    def _vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(texts, width), zeros for a blank text."""
        return np.nan_to_num(self._encoder.encode(texts))

    def _scaled(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray((vectors - self.tables["mean"]) / self.tables["spread"], np.float32)
