"""Small networks over subwords: convolutions, an LSTM, convolutions under an LSTM, a transformer.

Each reads tokens (texts, length), zeros after the end, and gives scores (texts, classes) that do not depend on how many
zeros there are. Kim, "Convolutional neural networks for sentence classification", EMNLP 2014; Hochreiter & Schmidhuber,
"Long short-term memory", 1997; Zhou et al., "A C-LSTM neural network for text classification", 2015; Vaswani et al.,
"Attention is all you need", NeurIPS 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import relu
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from danggol.encoders.text import PAD, UNKNOWN
from danggol.reviews.sentiment.settings import SentimentSettings

_SPANS = (1, 2, 3, 4)
"""Tokens that a convolution sees at once."""
_HEADS = 4
_LOWEST = -1e4


class Convolutions(nn.Module):
    """Convolutions of several widths; the largest and the mean answer of each filter."""

    def __init__(self, width: int, units: int) -> None:
        super().__init__()
        self.spans = nn.ModuleList(nn.Conv1d(width, units, span, padding=span - 1) for span in _SPANS)
        self.output = 2 * units * len(_SPANS)

    def forward(self, states: Tensor, there: Tensor) -> Tensor:
        """Vectors (texts, output) of states (texts, length, width)."""
        inside, found = states.transpose(1, 2), []
        many = there.sum(dim=1)
        for span, layer in zip(_SPANS, self.spans, strict=True):
            answers = relu(layer(inside))
            valid = torch.arange(answers.shape[2], device=answers.device)[None, :] < (many + span - 1)[:, None]
            answers = answers * valid[:, None, :]
            found += [answers.amax(dim=2), answers.sum(dim=2) / valid.sum(dim=1)[:, None]]
        return torch.cat(found, dim=1)


class Recurrent(nn.Module):
    """An LSTM in both directions; the largest and the mean state of each unit."""

    def __init__(self, width: int, units: int, layers: int, dropout: float) -> None:
        super().__init__()
        held = dropout if layers > 1 else 0.0
        self.lstm = nn.LSTM(width, units, layers, batch_first=True, bidirectional=True, dropout=held)
        self.output = 4 * units

    def forward(self, states: Tensor, there: Tensor) -> Tensor:
        """Vectors (texts, output) of states (texts, length, width)."""
        many = there.sum(dim=1)
        packed = pack_padded_sequence(states, many.cpu(), batch_first=True, enforce_sorted=False)
        found = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=states.shape[1])[0]
        return _pooled(found, there)


class ConvolvedRecurrent(nn.Module):
    """An LSTM over what convolutions of three tokens see."""

    def __init__(self, width: int, units: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.span = nn.Conv1d(width, width, 3, padding=1)
        self.after = Recurrent(width, units, layers, dropout)
        self.output = self.after.output

    def forward(self, states: Tensor, there: Tensor) -> Tensor:
        """Vectors (texts, output) of states (texts, length, width)."""
        found: Tensor = self.after(relu(self.span(states.transpose(1, 2))).transpose(1, 2), there)
        return found


class Attention(nn.Module):
    """A transformer encoder with learnt places; the largest and the mean state."""

    def __init__(self, width: int, units: int, layers: int, dropout: float, length: int) -> None:
        super().__init__()
        self.places = nn.Embedding(length, width)
        layer = nn.TransformerEncoderLayer(
            width, _HEADS, units, dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)
        self.output = 2 * width

    def forward(self, states: Tensor, there: Tensor) -> Tensor:
        """Vectors (texts, output) of states (texts, length, width)."""
        states = states + self.places(torch.arange(states.shape[1], device=states.device))
        return _pooled(self.layers(states, src_key_padding_mask=~there), there)


class TextNetwork(nn.Module):
    """Embeds tokens, reads them by one of the bodies, and scores the classes."""

    def __init__(self, size: int, classes: int, settings: SentimentSettings, body: str) -> None:
        super().__init__()
        width, units, layers, dropout = settings.width, settings.units, settings.layers, settings.dropout
        self.embedding = nn.Embedding(size, width, padding_idx=PAD)
        nn.init.normal_(self.embedding.weight, std=0.1)
        if body == "cnn":
            self.body: nn.Module = Convolutions(width, units)
        elif body == "lstm":
            self.body = Recurrent(width, units, layers, dropout)
        elif body == "cnn-lstm":
            self.body = ConvolvedRecurrent(width, units, layers, dropout)
        else:
            self.body = Attention(width, 2 * width, layers, dropout, settings.length)
        self.drop, self.lost = nn.Dropout(dropout), settings.lost
        self.head = nn.Linear(int(self.body.output), classes)

    def forward(self, tokens: Tensor) -> Tensor:
        """Scores (texts, classes) of tokens (texts, length)."""
        there = tokens != PAD
        # a text without a token is one unknown token
        blank = ~there.any(dim=1)
        tokens = torch.where(
            blank[:, None] & (torch.arange(tokens.shape[1], device=tokens.device) == 0), UNKNOWN, tokens
        )
        there = tokens != PAD
        if self.training and self.lost:
            tokens = torch.where(there & (torch.rand(tokens.shape, device=tokens.device) < self.lost), UNKNOWN, tokens)
        states = self.drop(self.embedding(tokens) * there[:, :, None])
        found: Tensor = self.head(self.drop(self.body(states, there)))
        return found


def _pooled(states: Tensor, there: Tensor) -> Tensor:
    """Largest and mean state of the tokens that are there."""
    kept = there[:, :, None]
    mean = (states * kept).sum(dim=1) / kept.sum(dim=1).clamp_min(1)
    return torch.cat([states.masked_fill(~kept, _LOWEST).amax(dim=1), mean], dim=1)
