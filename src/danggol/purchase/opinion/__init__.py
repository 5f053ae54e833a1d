"""What a review says of the product, from its text, features and picture."""

from danggol.purchase.opinion.inputs import Opinions
from danggol.purchase.opinion.model import OpinionModel
from danggol.purchase.opinion.settings import OpinionSettings

__all__ = ["OpinionModel", "OpinionSettings", "Opinions"]
