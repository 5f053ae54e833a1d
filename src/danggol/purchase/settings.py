"""What can be set about purchase prediction; defaults chosen on Online Retail, cuts 2011-09-10 and 2011-10-10."""

from __future__ import annotations

from pydantic import Field

from danggol.settings import Settings


class PurchaseSettings(Settings):
    """Settings of the purchase model; all times in days."""

    horizon_days: float = Field(default=30, gt=0, le=366, description="how far ahead purchases are predicted")
    windows: int = Field(default=20, ge=1, le=60, description="past moments that the model learns from")
    window_step_days: float = Field(default=10, gt=0, le=366, description="days between those moments")
    shortest_history_days: float = Field(default=30, ge=0, description="history that a moment needs before it")
    customers_per_window: int = Field(
        default=2000, ge=10, description="customers a moment is learnt from, drawn beyond that"
    )
    candidates: int = Field(
        default=40, ge=5, le=1000, description="products taken from each scorer, beside the own history"
    )
    history_cap: int = Field(
        default=2000, ge=10, description="products of the own history that are candidates, latest first"
    )
    max_products: int = Field(
        default=10_000, ge=10, description="products in the item-to-item matrices, most bought first"
    )
    neighbours: int = Field(
        default=4000, ge=10, description="recent customers that a customer is compared with, at most"
    )
    rounds: int = Field(default=120, ge=1, le=5000, description="trees of each ranker, at most")
    learning_rate: float = Field(default=0.1, gt=0, le=1, description="of the rankers")
    leaves: int = Field(default=15, ge=2, le=1024, description="of a ranker's tree")
    classifier_rounds: int = Field(default=100, ge=1, le=5000, description="trees of the classifier, at most")
    network_epochs: int = Field(default=9, ge=0, le=200, description="passes of the network over the rows; 0: none")
    tail_share: float = Field(default=0.33, gt=0, le=1, description="share of unlikely candidates that are learnt from")
    rankers: int = Field(default=1, ge=1, le=20, description="rankers with different seeds that are averaged")
    stored_scores: int = Field(
        default=50, ge=1, le=1000, description="products a customer whose probability is written"
    )
    chunk: int = Field(default=1000, ge=1, description="customers scored at once")
    threads: int = Field(default=0, ge=0, description="threads; 0: as many as there are cores, 4 at most")
    seed: int = Field(default=0, ge=0, lt=2**32, description="seed of everything random")
