"""Product matching: which listings are the same product."""

from danggol.matching.listings import Listings
from danggol.matching.matcher import Matcher, Matches
from danggol.matching.settings import MatchingSettings

__all__ = ["Listings", "Matcher", "Matches", "MatchingSettings"]
