"""What can be set about sentiment; defaults chosen by cross-validation on Korean shopping reviews."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from danggol.settings import Settings

KINDS = ("linear",)
"""Kinds of model that are trained here; ``hf:NAME`` is one too."""
Target = Literal["two", "stars", "score"]


class SentimentSettings(Settings):
    """Settings of the sentiment model."""

    kind: str = Field(default="linear", description=f"{', '.join(KINDS)}, or hf: and the name of a Hugging Face model")
    target: Target = Field(
        default="two", description="pleased or not (labels 0 and 1), stars 1 to 5, or a score from -1 to 1"
    )
    sure: float = Field(
        default=0.6, ge=0.0, le=1.0, description="a text whose likelier class has less probability is labelled unsure"
    )
    longest: int = Field(default=2000, ge=10, description="characters of a text that are read: its first and last half")
    held: float = Field(
        default=0.1, gt=0, le=0.5, description="share of the texts kept to calibrate the probabilities, and to stop by"
    )
    bits: int = Field(default=20, ge=8, le=24, description="a family of n-grams is hashed to 2^bits columns")
    characters: int = Field(default=4, ge=0, le=12, description="longest run of characters without spaces; 0: none")
    edges: int = Field(default=4, ge=0, le=12, description="longest run of characters with spaces; 0: none")
    jamo: int = Field(default=0, ge=0, le=12, description="longest run of Korean letters, from three; 0: none")
    words: int = Field(default=2, ge=0, le=5, description="longest run of words; 0: none")
    morphemes: int = Field(default=0, ge=0, le=5, description="longest run of Korean morphemes; 0: none")
    fewest: int = Field(default=2, ge=1, description="texts that an n-gram must be in")
    strength: float = Field(default=2.0, gt=0, description="how closely the linear model follows the texts")
    seed: int = Field(default=0, ge=0, lt=2**31, description="seed of everything random")

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        if kind not in KINDS and not (kind.startswith("hf:") and len(kind) > 3):
            raise ValueError(f"there is no kind {kind!r}; say {', '.join(KINDS)} or hf:NAME")
        return kind
