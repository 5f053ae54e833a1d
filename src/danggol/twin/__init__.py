"""A simulated market whose truth is known, as the tables of a shop."""

from danggol.twin.actions import Actions, Broadcast
from danggol.twin.market import MarketFile
from danggol.twin.simulate import simulate
from danggol.twin.step import Market, Week

__all__ = ["Actions", "Broadcast", "Market", "MarketFile", "Week", "simulate"]
