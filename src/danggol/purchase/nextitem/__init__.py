"""Which item comes next in a session."""

from danggol.purchase.nextitem.model import NextItemModel, NextItemSettings

__all__ = ["NextItemModel", "NextItemSettings"]
