"""A saved model of the catalogue: which one a folder holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from danggol import artefact
from danggol.artefact import read_bytes, read_text
from danggol.version import __version__

__all__ = ["located", "publish", "read_bytes", "read_text"]


def publish(target: Path, model: str, config: Mapping[str, Any], files: Mapping[str, str | bytes]) -> Path:
    """Let ``config`` and files take the folder's place, whole; UsageError where it holds something else."""
    head = {"capability": "matching", "model": model, "format": artefact.FORMAT, "package_version": __version__}
    told = json.dumps({**head, **config}, indent=1, ensure_ascii=False)
    artefact.publish(target, {**files, artefact.CONFIG: told})
    return target


def located(target: Path, model: str) -> tuple[Path, dict[str, Any]]:
    """Where a model is to be read from, and its configuration.

    UsageError: there is none. DataError: it is broken, of a newer format, or of another kind than ``model``.
    """
    source = artefact.locate(target)
    return source, artefact.read_config(source, "matching", model)
