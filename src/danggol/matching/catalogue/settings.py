"""What can be set about the attribute model; see :mod:`danggol.matching.catalogue.attributes`."""

from __future__ import annotations

from pydantic import Field

from danggol.encoders.convolution_settings import ConvolutionSettings
from danggol.settings import Settings


class AttributeSettings(Settings):
    """Settings of the attribute model; defaults chosen on a held-out tenth of the fashion catalogue's training part."""

    held: float = Field(
        default=0.1, gt=0, lt=0.9, description="share of the listings that title and picture are joined on"
    )
    accuracy: float = Field(
        default=0.95, gt=0, le=1, description="accuracy wanted among the answers; below it, abstain"
    )
    words: int = Field(default=2, ge=1, le=5, description="words of the longest n-gram of a title")
    shortest: int = Field(default=3, ge=1, le=10, description="characters of the shortest character n-gram")
    longest: int = Field(default=5, ge=0, le=10, description="characters of the longest one; below shortest: none")
    strength: float = Field(default=8.0, gt=0, description="how closely the linear title models follow the rows")
    steps: int = Field(default=60, ge=1, description="steps in which a title model is fitted, at most")
    compared: int = Field(
        default=40_000, ge=0, le=100_000, description="pictures all compared with all, in 4 bytes a pair of memory"
    )
    landmarks: int = Field(
        default=6000, ge=10, le=50_000, description="where there are more, pictures that all are compared with"
    )
    kernel_width: float = Field(default=0.25, gt=0, description="how quickly likeness to a picture falls with distance")
    ridge: float = Field(default=0.1, gt=0, description="how strongly the picture model's weights are held back")
    block_weights: tuple[float, float, float, float] = Field(
        default=(2.0, 1.0, 1.0, 4.0), description="what edges, layout, colours and the network's vector count"
    )
    picture: ConvolutionSettings = Field(default_factory=ConvolutionSettings, description="the picture network")
    seed: int = Field(default=0, ge=0, lt=2**32, description="seed of the held-out share")
