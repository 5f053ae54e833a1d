"""What can be set about causes."""

from __future__ import annotations

from pydantic import Field

from danggol.settings import Settings


class CauseSettings(Settings):
    """Settings of the cause model; defaults chosen on four fifths of olist_causes, see the benchmark."""

    shortest: int = Field(default=2, ge=1, le=20, description="letters of the shortest run of letters")
    longest: int = Field(default=5, ge=1, le=20, description="letters of the longest run of letters")
    stem: int = Field(default=5, ge=1, le=100, description="letters of a word that count, from its beginning")
    reach: int = Field(default=4, ge=1, le=20, description="words between which a pair may lie")
    fewest: int = Field(default=2, ge=1, description="reviews that a run of letters or words must be in")
    bins: int = Field(default=6, ge=2, le=100, description="knots of a number among the facts")
    fact_weight: float = Field(default=1.5, ge=0, le=100, description="of the facts, beside a text that weighs 1")
    ridge: float = Field(default=0.3, gt=0, le=1000, description="how strongly weights are held back")
    balance: float = Field(
        default=1.0, ge=0, le=2, description="how far rare causes are weighed up: 0 not at all, 1 to the same sum"
    )
    sharpness: float = Field(default=5.0, gt=0, le=100, description="of the shares that causes get from their scores")
    folds: int = Field(default=5, ge=2, le=20, description="parts that the confidence is learnt on")
    seed: int = Field(default=0, ge=0, lt=2**32, description="of the parts")
