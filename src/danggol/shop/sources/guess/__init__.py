"""Proposing a mapping for a file from its headings and values."""

from danggol.shop.sources.guess.proposal import Proposal, guess, propose

__all__ = ["Proposal", "guess", "propose"]
