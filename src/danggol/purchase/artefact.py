"""A saved purchase model: which one a folder holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from danggol import artefact
from danggol.artefact import CONFIG, FORMAT, locate, publish, read_tables, read_text, recover, table_files

__all__ = [
    "CONFIG",
    "FORMAT",
    "locate",
    "publish",
    "read_config",
    "read_tables",
    "read_text",
    "recover",
    "table_files",
    "weights_of",
]


def read_config(folder: Path, model: str = "purchase") -> dict[str, Any]:
    """The configuration of a saved model of this capability; see :func:`danggol.artefact.read_config`."""
    advice = "train one with 'danggol purchase train'" if model == "purchase" else "give the folder of one"
    return artefact.read_config(folder, "purchase", model, advice)


def weights_of(config: Mapping[str, Any], name: str) -> dict[str, float]:
    """Weights by name out of a configuration; KeyError, TypeError or ValueError where they are none."""
    return {str(one): float(weight) for one, weight in dict(config[name]).items()}
