"""What a customer buys next, learnt from several countries together."""

from danggol.purchase.markets.features import MarketSettings
from danggol.purchase.markets.history import MarketHistory
from danggol.purchase.markets.model import CrossMarketModel

__all__ = ["CrossMarketModel", "MarketHistory", "MarketSettings"]
