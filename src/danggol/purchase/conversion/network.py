"""The network of the conversion model: a small transformer over one token a feature (FT-Transformer).

Gorishniy et al., "Revisiting deep learning models for tabular data", NeurIPS 2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from danggol.encoders.feature_tokens import FeatureTokens
from danggol.encoders.features import Encoded
from danggol.errors import DataError
from danggol.purchase.conversion.settings import ConversionSettings
from danggol.training import Schedule, train

Floats = NDArray[np.float64]
_BATCH, _CHUNK = 256, 4096
_PATIENCE = 3


class Layer(nn.Module):
    """A transformer layer, norms first, that may renew some of the tokens only."""

    def __init__(self, width: int, settings: ConversionSettings) -> None:
        super().__init__()
        self.before = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, settings.heads, settings.dropout, batch_first=True)
        self.within = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Dropout(settings.dropout),
            nn.Linear(2 * width, width),
        )
        self.drop = nn.Dropout(settings.dropout)

    def forward(self, tokens: Tensor, renewed: Tensor) -> Tensor:
        """The ``renewed`` tokens (rows, m, width) after reading all ``tokens`` (rows, n, width)."""
        read = self.before(tokens)
        found, _ = self.attention(self.before(renewed), read, read, need_weights=False)
        renewed = renewed + self.drop(found)
        after: Tensor = renewed + self.drop(self.within(renewed))
        return after


class ConversionNetwork(nn.Module):
    """From the features of a session (rows) to the log odds that it converts (rows,)."""

    def __init__(self, numbers: int, sizes: Sequence[int], settings: ConversionSettings) -> None:
        super().__init__()
        width = settings.width
        self.tokens = FeatureTokens(numbers, sizes, width)
        self.summary = nn.Parameter(torch.randn(width) * 0.02)
        self.layers = nn.ModuleList(Layer(width, settings) for _ in range(settings.layers))
        self.head = nn.Sequential(nn.LayerNorm(width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, scores: Tensor, codes: Tensor) -> Tensor:
        """Log odds (rows,) of normal scores (rows, numbers) and codes (rows, categories)."""
        tokens = self.tokens(scores, codes)
        tokens = torch.cat([self.summary.expand(len(tokens), 1, -1), tokens], dim=1)
        for nth, layer in enumerate(self.layers, 1):
            # of the last layer only the summary is read
            tokens = layer(tokens, tokens[:, :1] if nth == len(self.layers) else tokens)
        found: Tensor = self.head(tokens[:, 0])
        return found[:, 0]

    def margin(self, rows: Encoded) -> Floats:
        """Log odds (rows,) as numpy, in chunks."""
        self.eval()
        found = [np.zeros(0)]
        with torch.no_grad():
            for start in range(0, len(rows), _CHUNK):
                part = rows.rows(np.arange(start, min(start + _CHUNK, len(rows))))
                found.append(self(*_tensors(part)).double().numpy())
        return np.concatenate(found)


def train_network(
    rows: Encoded,
    label: Floats,
    watched: Encoded,
    watched_label: Floats,
    sizes: Sequence[int],
    settings: ConversionSettings,
    nth: int,
) -> ConversionNetwork:
    """Train on ``rows``; the epoch with the best log loss on the ``watched`` rows is kept. ``nth`` sets the seed."""
    seed = settings.seed * 1000 + nth
    torch.manual_seed(seed)
    network = ConversionNetwork(rows.scores.shape[1], sizes, settings)
    scores, codes = _tensors(rows)
    target = torch.from_numpy(label.astype(np.float32))
    watched_target = torch.from_numpy(watched_label.astype(np.float32))

    def loss(chosen: NDArray[np.int64]) -> Tensor:
        at = torch.from_numpy(chosen)
        return nn.functional.binary_cross_entropy_with_logits(network(scores[at], codes[at]), target[at])

    def score() -> float:
        margin = torch.from_numpy(network.margin(watched)).float()
        return -float(nn.functional.binary_cross_entropy_with_logits(margin, watched_target))

    schedule = Schedule(
        epochs=settings.epochs, batch_size=_BATCH, learning_rate=settings.network_rate, weight_decay=0.02,
        patience=_PATIENCE, device="cpu", seed=seed,
    )  # fmt: skip
    train(network, loss, len(rows), schedule, score=score, name=f"network {nth + 1}")
    return network


def network_of(
    tensors: dict[str, Any], numbers: int, sizes: Sequence[int], settings: ConversionSettings
) -> ConversionNetwork:
    """A network with saved weights. DataError: they are of another shape."""
    network = ConversionNetwork(numbers, sizes, settings)
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise DataError(f"the weights of a conversion network do not fit its configuration: {error}") from error
    return network.eval()


def _tensors(rows: Encoded) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(np.ascontiguousarray(rows.scores)), torch.from_numpy(np.ascontiguousarray(rows.codes))
