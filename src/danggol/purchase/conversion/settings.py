"""What can be set about conversion; defaults chosen on four fifths of the UCI sessions, see the benchmark."""

from __future__ import annotations

from pydantic import Field

from danggol.settings import Settings


class ConversionSettings(Settings):
    """Settings of the conversion model."""

    arithmetic: bool = Field(default=True, description="derive totals, shares, per-unit and expected numbers")
    gaps: bool = Field(default=True, description="derive by how many units a rate's mean and the total differ")
    boosters: int = Field(default=6, ge=1, le=100, description="LightGBM models with different seeds, averaged")
    rounds: int = Field(default=1000, ge=1, le=20000, description="trees of a booster, at most; stopped early")
    learning_rate: float = Field(default=0.03, gt=0, le=1, description="of the boosters")
    leaves: int = Field(default=15, ge=2, le=1024, description="of a booster's tree")
    network: bool = Field(default=True, description="blend a transformer over the features with the boosters")
    folds: int = Field(default=3, ge=2, le=20, description="parts for out-of-fold blending; a network for each")
    width: int = Field(default=32, ge=4, le=1024, description="numbers of a token; a multiple of heads")
    heads: int = Field(default=4, ge=1, le=64, description="attention heads")
    layers: int = Field(default=1, ge=1, le=24, description="transformer layers")
    dropout: float = Field(default=0.15, ge=0, lt=1, description="of the transformer")
    epochs: int = Field(default=12, ge=1, le=1000, description="of the transformer, at most; stopped early")
    network_rate: float = Field(default=3e-3, gt=0, le=1, description="learning rate of the transformer")
    threads: int = Field(
        default=0, ge=0, description="threads of the boosters; 0: as many as there are cores, 4 at most"
    )
    seed: int = Field(default=0, ge=0, lt=2**31 // 1000, description="seed of everything random")
