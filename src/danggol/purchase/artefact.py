"""A saved purchase model: which one a folder holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from danggol import artefact
from danggol.artefact import CONFIG, FORMAT, locate, publish, read_text, recover

__all__ = ["CONFIG", "FORMAT", "locate", "publish", "read_config", "read_text", "recover"]


def read_config(folder: Path, model: str = "purchase") -> dict[str, Any]:
    """The configuration of a saved model of this capability; see :func:`danggol.artefact.read_config`."""
    advice = "train one with 'danggol purchase train'" if model == "purchase" else "give the folder of one"
    return artefact.read_config(folder, "purchase", model, advice)
