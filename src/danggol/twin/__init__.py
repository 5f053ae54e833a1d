"""A simulated market whose truth is known, as the tables of a shop."""

from danggol.twin.market import MarketFile
from danggol.twin.simulate import simulate

__all__ = ["MarketFile", "simulate"]
