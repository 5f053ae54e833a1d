"""Whether a session converts, from its sums."""

from danggol.purchase.conversion.model import ConversionModel, features_of
from danggol.purchase.conversion.settings import ConversionSettings

__all__ = ["ConversionModel", "ConversionSettings", "features_of"]
