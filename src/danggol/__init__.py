"""danggol: who will buy what, in which country, why, and what to do about it."""

from typing import TYPE_CHECKING, Any

from danggol.version import __version__

if TYPE_CHECKING:
    from danggol.purchase import PurchaseModel
    from danggol.shop import Shop

__all__ = ["PurchaseModel", "Shop", "__version__"]


def __getattr__(name: str) -> Any:
    """Import the public names on first use, so that ``danggol --help`` stays quick."""
    if name == "Shop":
        from danggol.shop import Shop

        return Shop
    if name == "PurchaseModel":
        from danggol.purchase import PurchaseModel

        return PurchaseModel
    raise AttributeError(f"module 'danggol' has no attribute {name!r}")
