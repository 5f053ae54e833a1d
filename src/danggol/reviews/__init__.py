"""How pleased each review is, about what, and why."""

from danggol.reviews.sentiment import SentimentModel
from danggol.reviews.settings import SentimentSettings

__all__ = ["SentimentModel", "SentimentSettings"]
