"""What can be set about sentiment; defaults chosen by cross-validation on Korean shopping reviews."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from danggol.settings import Settings

NETWORKS = ("cnn", "lstm", "cnn-lstm", "transformer")
KINDS = ("linear", "morphemes", *NETWORKS, "ensemble")
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
    fewest: int = Field(default=2, ge=1, description="texts that an n-gram must be in")
    limit: int = Field(default=2_000_000, ge=1, description="n-grams kept, those in most texts first; six bytes each")
    strength: float = Field(default=4.0, gt=0, description="how closely the linear model follows the texts")
    vocabulary: int = Field(default=16_000, ge=100, le=60_000, description="subwords that networks read, at most")
    length: int = Field(default=80, ge=4, le=1024, description="subwords of a text that networks read, at most")
    width: int = Field(default=64, ge=4, le=1024, description="numbers of a subword's vector; transformer: by fours")
    units: int = Field(default=64, ge=1, le=4096, description="filters of each width, or units of an LSTM's direction")
    layers: int = Field(default=1, ge=1, le=12, description="of the LSTM or the transformer")
    dropout: float = Field(default=0.3, ge=0, lt=1, description="share of the states that training drops")
    lost: float = Field(default=0.1, ge=0, lt=1, description="share of the subwords that training hides")
    epochs: int = Field(default=6, ge=1, le=1000, description="passes over the texts, at most; stopped early")
    batch: int = Field(default=64, ge=1, description="texts of a step")
    rate: float = Field(default=2e-3, gt=0, le=1, description="learning rate at its height")
    finetune: bool = Field(default=False, description="hf:NAME is trained on, not only read; it is kept with the model")
    finetune_epochs: int = Field(default=3, ge=1, le=1000, description="passes of that, at most; stopped early")
    finetune_rate: float = Field(default=3e-5, gt=0, le=1, description="learning rate of that, at its height")
    members: tuple[str, ...] = Field(
        default=("linear", "cnn", "cnn"), min_length=1, description="kinds in the ensemble; a kind may be in it often"
    )
    device: Literal["auto", "cpu", "cuda"] = "auto"
    seed: int = Field(default=0, ge=0, lt=2**32, description="seed of everything random")

    @model_validator(mode="after")
    def _counts(self) -> Self:
        linear = self.kind == "linear" or (self.kind == "ensemble" and "linear" in self.members)
        if linear and not (self.characters or self.edges or self.jamo or self.words):
            raise ValueError("characters, edges, jamo and words are all 0; give one, so that a linear model can read")
        return self

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        if kind not in KINDS and not _of_hub(kind):
            raise ValueError(f"there is no kind {kind!r}; say {', '.join(KINDS)} or hf:NAME")
        return kind

    @field_validator("members")
    @classmethod
    def _known_members(cls, members: tuple[str, ...]) -> tuple[str, ...]:
        if any(one not in KINDS[:-1] and not _of_hub(one) for one in members):
            raise ValueError(f"members are of {', '.join(KINDS[:-1])}, or hf:NAME")
        return members


def _of_hub(kind: str) -> bool:
    return kind.startswith("hf:") and len(kind) > 3
