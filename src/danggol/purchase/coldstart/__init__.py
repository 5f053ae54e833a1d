"""Who will like a listing that nobody, or hardly anybody, has met yet."""

from danggol.purchase.coldstart.known import KnownItemModel, KnownSettings
from danggol.purchase.coldstart.model import ColdItemModel, ColdSettings

__all__ = ["ColdItemModel", "ColdSettings", "KnownItemModel", "KnownSettings"]
