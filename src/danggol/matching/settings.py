"""Settings of product matching."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from danggol.settings import Settings


class MatchingSettings(Settings):
    """How listings are matched."""

    preset: Literal["pair-model", "shopee-winner"] = Field(
        default="pair-model",
        description="the pair model (rules where there are no labels), or the winning method of Shopee's contest",
    )
    neighbours: int = Field(default=51, ge=2, le=500, description="nearest listings looked at, itself included")
    candidates: int = Field(default=20, ge=1, le=200, description="of these, how many by each evidence become pairs")
    rounds: int = Field(default=200, ge=1, description="trees of each part of the pair model")
    learning_rate: float = Field(default=0.08, gt=0, le=1, description="of the pair model")
    leaves: int = Field(default=31, ge=2, description="leaves of a tree")
    largest: int = Field(default=50, ge=1, le=50, description="matches of a listing at most, itself included")
    trials: int = Field(default=30, ge=1, description="settings of thresholds tried where there are labelled groups")
    seed: int = Field(default=0, ge=0, description="of everything drawn by chance")

    @model_validator(mode="after")
    def _wide_enough(self) -> Self:
        if self.candidates >= self.neighbours:
            raise ValueError(f"candidates {self.candidates} must be below neighbours {self.neighbours}")
        return self
