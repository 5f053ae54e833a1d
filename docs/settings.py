"""Writes the page of settings from the settings themselves, so that the two cannot disagree."""

from pathlib import Path

from danggol.encoders.contrast_settings import ContrastSettings
from danggol.matching.catalogue.settings import AttributeSettings
from danggol.matching.records.settings import RecordSettings
from danggol.matching.settings import MatchingSettings
from danggol.purchase import PurchaseSettings
from danggol.purchase.coldstart.parts import PartSettings
from danggol.purchase.conversion.settings import ConversionSettings
from danggol.purchase.markets.features import MarketSettings
from danggol.purchase.multimodal.model import MultimodalSettings
from danggol.purchase.nextitem import NextItemSettings
from danggol.purchase.opinion.settings import OpinionSettings
from danggol.reviews.aspects.settings import AspectSettings, RiseSettings, TopicSettings
from danggol.reviews.causes.settings import CauseSettings
from danggol.reviews.sentiment.settings import SentimentSettings
from danggol.settings import Settings

INTRODUCTION = """# Settings

Given by keyword in Python; those of `purchase`, `match`, `attributes` and `reviews` also with `--set name=value`, or in
a TOML file with `--settings`.
"""
_CAPABILITIES: dict[str, type[Settings]] = {
    "purchase": PurchaseSettings,
    "multimodal": MultimodalSettings,
    "conversion": ConversionSettings,
    "next item": NextItemSettings,
    "markets": MarketSettings,
    "new listings": PartSettings,
    "opinions": OpinionSettings,
    "match": MatchingSettings,
    "attributes": AttributeSettings,
    "records": RecordSettings,
    "picture search": ContrastSettings,
    "reviews": SentimentSettings,
    "causes": CauseSettings,
    "aspects": AspectSettings,
    "topics": TopicSettings,
    "rises": RiseSettings,
}


def write_settings_page(path: Path) -> None:
    """Write the page."""
    parts = [INTRODUCTION]
    for name, settings in _CAPABILITIES.items():
        parts += _table(name, settings)
    path.write_text("\n".join(parts) + "\n", "utf8")


def _table(name: str, settings: type[Settings]) -> list[str]:
    """A table of settings, and one for each group of settings within."""
    rows, groups = [], []
    for field, told in settings.model_fields.items():
        default = told.get_default(call_default_factory=True)
        if isinstance(default, Settings):
            rows.append(f"| {field} | | see below |")
            groups += _table(f"{name}: {field}", type(default))
        else:
            rows.append(f"| {field} | {default} | {told.description or ''} |")
    return [f"## {name}\n", "| setting | default | meaning |", "|---|---|---|", *rows, *groups]
