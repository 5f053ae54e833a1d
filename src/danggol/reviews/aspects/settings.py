"""What can be set about aspects, topics and rises."""

from __future__ import annotations

from pydantic import Field

from danggol.settings import Settings


class AspectSettings(Settings):
    """Settings of the model of marked terms; defaults chosen on training rows of SemEval 2014 and M-ABSA."""

    fewest: int = Field(default=2, ge=1, description="words that a feature of the tagger must be at")
    strength: float = Field(default=0.5, gt=0, le=1000, description="how closely the tagger follows the texts")
    longest: int = Field(default=2000, ge=1, description="words or characters of a text that are searched")
    steps: int = Field(default=80, ge=1, le=10_000, description="of the tagger's training, at most")
    eager: float = Field(default=0.2, ge=-10, le=10, description="log odds added to being part of a term")
    polarity_strength: float = Field(default=3.0, gt=0, le=1000, description="how closely polarity follows the texts")
    scorer_weight: float = Field(default=2.0, ge=0, le=100, description="of what a scorer says, beside the words")


class TopicSettings(Settings):
    """Settings of the search for new topics."""

    topics: int = Field(default=20, ge=1, le=1000, description="topics that are proposed, at most")
    fewest: int = Field(default=5, ge=2, description="reviews that a topic must be in")
    together: float = Field(
        default=0.5, gt=0, le=1, description="share of its clauses in which a word must stand beside the topic's first"
    )
    stem: int = Field(default=6, ge=1, le=100, description="letters of a word that count, from its beginning")
    morphemes: bool = Field(default=True, description="Korean as nouns, where kiwipiepy is installed")


class RiseSettings(Settings):
    """Settings of the test for causes that rose."""

    past: int = Field(default=26, ge=1, le=520, description="weeks before the week, that it is compared with")
    level: float = Field(default=0.05, gt=0, lt=1, description="share of false alarms among the alarms, at most")
    examples: int = Field(default=3, ge=0, le=100, description="reviews shown for each cause")
    zone: str = Field(default="UTC", description="time zone in which weeks begin, on Monday")
