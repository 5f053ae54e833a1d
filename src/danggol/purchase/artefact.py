"""A saved purchase model: which one a folder holds."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from danggol import artefact
from danggol.artefact import CONFIG, FORMAT, locate, publish, read_text, recover

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


def table_files(tables: Mapping[str, pl.DataFrame | None]) -> dict[str, bytes]:
    """Tables that a model was made of, as NAME.parquet; those that are None are left out."""
    files = {}
    for name, table in tables.items():
        if table is not None:
            held = io.BytesIO()
            table.write_parquet(held)
            files[f"{name}.parquet"] = held.getvalue()
    return files


def read_tables(folder: Path, *names: str) -> list[pl.DataFrame | None]:
    """The tables that :func:`table_files` wrote; None where one is not there."""
    paths = [folder / f"{name}.parquet" for name in names]
    return [pl.read_parquet(path) if path.exists() else None for path in paths]


def weights_of(config: Mapping[str, Any], name: str) -> dict[str, float]:
    """Weights by name out of a configuration; KeyError, TypeError or ValueError where they are none."""
    return {str(one): float(weight) for one, weight in dict(config[name]).items()}
