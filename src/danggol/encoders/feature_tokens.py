"""One token a feature: numbers by periodic embeddings, categories by a table, a missing value by a vector of its own.

Gorishniy et al., "Revisiting deep learning models for tabular data", NeurIPS 2021 (the tokens), and "On embeddings for
numerical features in tabular deep learning", NeurIPS 2022 (the waves).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

_WAVES = 8
_FREQUENCY = 0.3
"""Spread of the waves' frequencies at the start, in turns per standard deviation of a number."""


class FeatureTokens(nn.Module):
    """From normal scores (rows, numbers), nan where missing, and codes (rows, categories) to tokens.

    Tokens are (rows, numbers + categories, ``output_dim``); ``sizes`` says how many codes each category has.
    """

    def __init__(self, numbers: int, sizes: Sequence[int], output_dim: int) -> None:
        super().__init__()
        self.output_dim = output_dim
        self.frequency = nn.Parameter(torch.randn(numbers, _WAVES) * _FREQUENCY)
        bound = 1 / math.sqrt(2 * _WAVES + 1)
        self.weight = nn.Parameter(torch.empty(numbers, 2 * _WAVES + 1, output_dim).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(numbers, output_dim).uniform_(-bound, bound))
        self.missing = nn.Parameter(torch.randn(numbers, output_dim) * bound)
        self.table = nn.Parameter(torch.randn(sum(sizes), output_dim) * bound)
        starts = torch.tensor([0, *sizes], dtype=torch.int64).cumsum(0)[:-1]
        self.register_buffer("starts", starts, persistent=False)
        self.starts: Tensor

    def forward(self, scores: Tensor, codes: Tensor) -> Tensor:
        """Tokens of some rows."""
        absent = scores.isnan()
        there = scores.masked_fill(absent, 0.0)
        turns = 2 * math.pi * there.unsqueeze(-1) * self.frequency
        waves = torch.cat([there.unsqueeze(-1), turns.sin(), turns.cos()], dim=-1)
        numbers = torch.einsum("rfw,fwd->rfd", waves, self.weight) + self.bias
        numbers = torch.where(absent.unsqueeze(-1), self.missing, numbers)
        return torch.cat([numbers, self.table[codes + self.starts]], dim=1)
