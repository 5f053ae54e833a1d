"""What reviews speak of, and how."""

from danggol.reviews.aspects.seeds import SeedAspects
from danggol.reviews.aspects.terms import AspectModel

__all__ = ["AspectModel", "SeedAspects"]
