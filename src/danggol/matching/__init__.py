"""Product matching: which listings are the same product."""

from danggol.matching.inputs.listings import Listings
from danggol.matching.matcher import Matched, Matcher
from danggol.matching.matches import Matches
from danggol.matching.settings import MatchingSettings

__all__ = ["Listings", "Matched", "Matcher", "Matches", "MatchingSettings"]
