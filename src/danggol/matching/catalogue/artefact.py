"""A saved catalogue model: a folder of plain files that is the old one or the new one, also when a save is killed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from danggol.errors import DataError, UsageError
from danggol.version import __version__

FORMAT = 1
_CONFIG = "config.json"


def publish(target: Path, model: str, config: Mapping[str, Any], files: Mapping[str, str | bytes]) -> Path:
    """Write ``config`` and files to a folder beside ``target``, then let it take its place.

    A model that is there already is moved aside first; killed between the two moves, :func:`located` still finds it.
    UsageError: the folder holds something else.
    """
    if target.is_file() or (target.is_dir() and any(target.iterdir()) and not (target / _CONFIG).exists()):
        raise UsageError(f"{target} holds something else than a model; choose another folder for the model")
    staged, aside = target.with_name(f".{target.name}.new"), target.with_name(f".{target.name}.old")
    if aside.exists() and not target.exists():
        aside.rename(target)
    shutil.rmtree(aside, ignore_errors=True)
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    head = {"capability": "matching", "model": model, "format": FORMAT, "package_version": __version__}
    whole = {**files, _CONFIG: json.dumps({**head, **config}, indent=1, ensure_ascii=False)}
    for name, content in whole.items():
        with (staged / name).open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
    if target.exists():
        target.rename(aside)
    staged.rename(target)
    shutil.rmtree(aside, ignore_errors=True)
    return target


def located(target: Path, model: str) -> tuple[Path, dict[str, Any]]:
    """Where a model is to be read from, and its configuration.

    UsageError: there is none. DataError: it is broken, of a newer format, or of another kind than ``model``.
    """
    aside = target.with_name(f".{target.name}.old")
    source = aside if not target.exists() and aside.exists() else target
    try:
        config = json.loads((source / _CONFIG).read_text("utf8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(f"there is no model in {target}; give the folder of one") from error
    except (OSError, ValueError) as error:
        raise DataError(f"the model's {source / _CONFIG} cannot be read ({error}); train the model again") from error
    if not isinstance(config, dict) or (config.get("capability"), config.get("model")) != ("matching", model):
        raise DataError(f"{target} holds something else than a model of {model}; give the folder of one")
    if not isinstance(config.get("format"), int) or config["format"] > FORMAT:
        raise DataError(
            f"the model in {target} has format {config.get('format')}, newer than this danggol's {FORMAT}; "
            "install a newer danggol or train the model again"
        )
    return source, config


def read_text(folder: Path, name: str) -> str:
    """One file of a saved model; DataError where it is missing or no text."""
    return _read(folder, name).decode("utf8", errors="replace")


def read_bytes(folder: Path, name: str) -> bytes:
    """One file of a saved model; DataError where it is missing."""
    return _read(folder, name)


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise DataError(f"the model's file {folder / name} cannot be read ({error}); train the model again") from error
