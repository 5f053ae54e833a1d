"""What can be set about the convolutional picture encoder; see :mod:`danggol.encoders.convolution`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from danggol.settings import Settings


class ConvolutionSettings(Settings):
    """Settings of the picture encoder; as many epochs as a benchmark on two cores has time for."""

    height: int = Field(
        default=80, ge=16, le=1024, description="pixels that a picture is scaled to, from top to bottom"
    )
    width: int = Field(default=60, ge=16, le=1024, description="pixels that a picture is scaled to, from left to right")
    channels: int = Field(
        default=48, ge=8, le=1024, description="channels of the first stage; each next has twice as many"
    )
    vector: int = Field(
        default=384, ge=8, le=4096, description="numbers of the last layer; a vector holds 2 x channels more"
    )
    epochs: int = Field(default=5, ge=1, le=1000, description="passes over the pictures")
    batch_size: int = Field(default=128, ge=2, description="pictures of a step")
    learning_rate: float = Field(default=3e-3, gt=0, le=1, description="at its height")
    weight_decay: float = Field(default=0.05, ge=0, le=1, description="of AdamW")
    smoothing: float = Field(default=0.05, ge=0, lt=1, description="share of a label that is spread over all classes")
    shift: int = Field(default=3, ge=0, le=64, description="pixels by which a picture is moved at most while training")
    words: int = Field(default=1000, ge=0, description="most frequent title words that a picture learns to tell")
    word_weight: float = Field(default=0.5, ge=0, description="what telling words counts, beside 1 for each attribute")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto", description="of convolutions; auto: bfloat16 where the processor multiplies it, else float32"
    )
    seed: int = Field(default=0, ge=0, lt=2**32, description="seed of everything random")
