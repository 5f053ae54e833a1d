"""How pleased each review is, about what, and why."""

from danggol.reviews.sentiment import SentimentModel, SentimentSettings

__all__ = ["SentimentModel", "SentimentSettings"]
