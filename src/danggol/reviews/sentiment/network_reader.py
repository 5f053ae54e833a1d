"""A small network and the vocabulary that it reads by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from safetensors.torch import load, save

from danggol.encoders.text import Vocabulary
from danggol.errors import DataError
from danggol.reviews.sentiment.networks import TextNetwork
from danggol.reviews.sentiment.pretraining import Pretrained, fit_network, schedule_of, scores_of, tokens_of
from danggol.reviews.sentiment.rows import Floats, Rows
from danggol.reviews.sentiment.settings import SentimentSettings

_VOCABULARY, _WEIGHTS = "vocabulary.json", "network.safetensors"


@dataclass(frozen=True, eq=False)
class NetworkReader:
    """Scores of a network; weights are kept in 16 bits."""

    vocabulary: Vocabulary
    network: TextNetwork
    settings: SentimentSettings

    @classmethod
    def fit(
        cls, kind: str, rows: Rows, watched: Rows, settings: SentimentSettings, start: Pretrained | None, nth: int
    ) -> Self:
        """Train on rows; the epoch of the least log loss on the ``watched`` ones is kept. ``nth`` sets the seed."""
        begun = start or Pretrained.of_texts(rows.texts, settings)
        seed = (settings.seed + 1000 * nth) % 2**31
        network = begun.network(kind, rows.shares.shape[1], settings, seed)
        tokens, held = (tokens_of(one.texts, begun.vocabulary, settings.length) for one in (rows, watched))
        schedule = schedule_of(settings, seed, settings.epochs, settings.batch, settings.rate)
        fit_network(network, tokens, rows, schedule, kind, (held, watched))
        # what is kept is what is used
        return cls(begun.vocabulary, network.cpu().half().float().eval(), settings)

    def scores(self, texts: Sequence[str]) -> Floats:
        """Log odds of each class (texts, classes), up to a number that is the same for all classes of a text."""
        found = scores_of(self.network, tokens_of(texts, self.vocabulary, self.settings.length))
        return np.asarray(found - found.mean(axis=1, keepdims=True))

    def files(self) -> dict[str, str | bytes]:
        """The vocabulary and the weights."""
        weights = {name: value.half().contiguous() for name, value in self.network.state_dict().items()}
        return {_VOCABULARY: self.vocabulary.to_json(), _WEIGHTS: bytes(save(weights))}

    @property
    def parameters(self) -> int:
        """Numbers that were learnt."""
        return sum(one.numel() for one in self.network.parameters())

    @classmethod
    def from_files(cls, kind: str, files: dict[str, bytes], settings: SentimentSettings) -> Self:
        """Read what :meth:`files` gave; DataError, KeyError or a SafetensorError where it is damaged."""
        vocabulary = Vocabulary.from_json(files[_VOCABULARY].decode())
        weights = {name: value.float() for name, value in load(files[_WEIGHTS]).items()}
        network = TextNetwork(len(vocabulary), len(weights["head.bias"]), settings, kind)
        try:
            network.load_state_dict(weights)
        except RuntimeError as error:
            raise DataError(f"the network's weights do not fit its settings: {str(error)[:80]}") from error
        with torch.no_grad():
            return cls(vocabulary, network.eval(), settings)
