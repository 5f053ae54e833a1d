"""Settings of the matching of record pairs."""

from __future__ import annotations

from pydantic import Field

from danggol.settings import Settings


class RecordSettings(Settings):
    """How pairs of records are matched."""

    folds: int = Field(default=5, ge=2, le=20, description="parts of the labelled pairs, each judged by the others")
    seeds: int = Field(default=1, ge=1, le=20, description="how often the parts are dealt anew, all models averaged")
    rounds: int = Field(default=300, ge=1, description="trees of a model")
    learning_rate: float = Field(default=0.05, gt=0, le=1, description="of the trees")
    leaves: int = Field(default=15, ge=2, description="leaves of a tree")
    smallest: int = Field(default=15, ge=1, description="pairs of a leaf at least")
    weight_decay: float = Field(default=1.0, gt=0, description="of the learnt weights of words")
    graph: bool = Field(default=True, description="look at the other pairs of either record too")
    labels: bool = Field(default=True, description="look at the labels of the other pairs of either record (graph)")
    seed: int = Field(default=0, ge=0, description="of everything drawn by chance")
