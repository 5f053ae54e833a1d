"""Writes the page of settings from the settings themselves, so that the two cannot disagree."""

from pathlib import Path

from danggol.purchase import PurchaseSettings
from danggol.settings import Settings

INTRODUCTION = """# Settings

Given by keyword in Python, with `--set name=value`, or in a TOML file with `--settings`.
"""
_CAPABILITIES: dict[str, type[Settings]] = {"purchase": PurchaseSettings}


def write_settings_page(path: Path) -> None:
    """Write the page."""
    parts = [INTRODUCTION]
    for name, settings in _CAPABILITIES.items():
        parts += [f"## {name}\n", "| setting | default | meaning |", "|---|---|---|"]
        parts += [f"| {n} | {f.default} | {f.description or ''} |" for n, f in settings.model_fields.items()]
    path.write_text("\n".join(parts) + "\n", "utf8")
