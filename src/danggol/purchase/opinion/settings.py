"""What can be set about opinions; defaults chosen by cross-validation on four fifths of the clothing reviews."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from danggol.settings import Settings

NEGATIONS = tuple(
    "not no never nor cannot without hardly don't didn't doesn't isn't wasn't aren't weren't won't wouldn't can't "
    "couldn't shouldn't haven't hasn't hadn't 안 못".split()
)
"""English and Korean words after which the next words mean something else."""


class OpinionSettings(Settings):
    """Settings of the opinion model."""

    target: Literal["outcome", "rating"] = Field(
        default="outcome", description="a yes or no (recommended), or a number of stars"
    )
    folds: int = Field(default=5, ge=2, le=20, description="parts of the rows for the out-of-fold scores of the stack")
    words: int = Field(default=2, ge=1, le=5, description="words of the longest word n-gram")
    shortest: int = Field(default=3, ge=1, le=10, description="characters of the shortest character n-gram")
    longest: int = Field(default=5, ge=1, le=10, description="characters of the longest character n-gram; not below")
    negations: tuple[str, ...] = Field(default=NEGATIONS, description="words after which the next ones are marked")
    strength: float = Field(default=4.0, gt=0, description="how closely the linear text models follow the rows")
    bayes_strength: float = Field(default=2.0, gt=0, description="the same of the model on naive Bayes ratios")
    rounds: int = Field(default=400, ge=1, le=20000, description="trees of the features' model, at most; stopped early")
    learning_rate: float = Field(default=0.03, gt=0, le=1, description="of the features' trees")
    leaves: int = Field(default=7, ge=2, le=1024, description="of a features' tree")
    width: int = Field(default=32, ge=4, le=1024, description="numbers of a picture region's token")
    epochs: int = Field(default=12, ge=1, le=1000, description="of the picture network, at most; stopped early")
    sure: float = Field(
        default=2.0, ge=0, description="standard errors by which a modality must lower the loss to be joined"
    )
    threads: int = Field(default=0, ge=0, description="threads of the trees; 0: as many as there are cores, 4 at most")
    seed: int = Field(default=0, ge=0, lt=2**31 // 1000, description="seed of everything random")
