"""How pleased each review is."""

from danggol.reviews.sentiment.model import SentimentModel
from danggol.reviews.sentiment.settings import SentimentSettings

__all__ = ["SentimentModel", "SentimentSettings"]
