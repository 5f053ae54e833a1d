"""Why a customer wrote."""

from danggol.reviews.causes.model import CauseModel
from danggol.reviews.causes.settings import CauseSettings

__all__ = ["CauseModel", "CauseSettings"]
