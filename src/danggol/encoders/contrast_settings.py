"""What can be set about the common space of texts and pictures; see :mod:`danggol.encoders.contrast`."""

from __future__ import annotations

from pydantic import Field

from danggol.settings import Settings


class ContrastSettings(Settings):
    """Settings of the common space; the defaults are not tuned."""

    width: int = Field(default=256, ge=8, le=4096, description="numbers of a word, and of the hidden layers")
    output: int = Field(default=128, ge=2, le=4096, description="numbers of a vector in the common space")
    epochs: int = Field(default=20, ge=1, le=1000, description="passes over the pairs")
    batch_size: int = Field(default=1024, ge=2, description="pairs of a step, each against all the others")
    learning_rate: float = Field(default=3e-3, gt=0, le=1, description="at its height")
    weight_decay: float = Field(default=0.05, ge=0, le=1, description="of AdamW")
    dropout: float = Field(default=0.2, ge=0, lt=1, description="share of numbers and words left out while training")
    seed: int = Field(default=0, ge=0, lt=2**32, description="seed of everything random")
