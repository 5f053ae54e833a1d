"""A saved model: a directory that is the old one or the new one, also when the process is killed while it saves."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from danggol.errors import DataError, UsageError

if TYPE_CHECKING:
    import polars as pl

FORMAT = 1
CONFIG = "config.json"
_DAMAGED = ("", "")
"""Of a model whose configuration cannot be read; another may take its place."""


def publish(target: Path, files: Mapping[str, str | bytes]) -> None:
    """Write the files to a folder beside ``target``, then let it take its place.

    Where a model is there already it is moved aside first; killed between the two moves, :func:`locate` still finds it.
    Two saves at once follow one another.
    """
    target = target.absolute()
    check_target(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(_lock(target)):
        _publish(target, files)


def _lock(target: Path) -> Path:
    """The lock of a target: among the user's temporary files, so that nothing but the model is left beside it."""
    name = hashlib.sha256(os.fsencode(target.resolve())).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"danggol-{getattr(os, 'getuid', int)()}-{name}.lock"


def check_target(target: Path, capability: str | None = None, model: str | None = None) -> None:
    """UsageError where a model cannot be put: something else lies there, or the place cannot be written to.

    What lies there must be a model of danggol; of this capability and this model where they are given.
    """
    there = any(target.iterdir() if target.is_dir() else [target]) if target.exists() else False
    held = _model_in(target) if there else None
    if capability is not None and held not in {None, _DAMAGED, (capability, model or capability)}:
        raise UsageError(f"{target} holds another model ({' '.join(held or ())}); choose another folder for the model")
    if there and held is None:
        raise UsageError(f"{target} holds something else than a model; choose another folder for the model")
    parent = next(one for one in target.absolute().parents if one.exists())
    try:
        with tempfile.TemporaryFile(dir=parent):
            pass
    except OSError as error:
        raise UsageError(f"cannot write to {parent} ({error.strerror}); choose another folder for the model") from error


def _model_in(target: Path) -> tuple[str, str] | None:
    """Capability and name of the model in a folder; None where there is none of danggol."""
    try:
        config = json.loads((target / CONFIG).read_text("utf8"))
    except OSError:
        return None
    except ValueError:
        return _DAMAGED
    capability = config.get("capability") if isinstance(config, dict) else None
    return None if capability is None else (str(capability), str(config.get("model", capability)))


def _publish(target: Path, files: Mapping[str, str | bytes]) -> None:
    recover(target)
    check_target(target)
    staged, aside = _beside(target, "new"), _beside(target, "old")
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    for name, content in files.items():
        with (staged / name).open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
    if target.exists():
        _moved_aside(target, aside)
    _moved_in(staged, target)
    _swept(aside)


def _moved_aside(target: Path, aside: Path) -> None:
    target.rename(aside)


def _moved_in(staged: Path, target: Path) -> None:
    staged.rename(target)


def _swept(aside: Path) -> None:
    shutil.rmtree(aside, ignore_errors=True)


def recover(target: Path) -> None:
    """Put back a model that was moved aside by a save that did not end, and drop one that has been replaced."""
    aside = _beside(target, "old")
    if not aside.exists():
        return
    if target.exists():
        shutil.rmtree(aside, ignore_errors=True)
    else:
        aside.rename(target)


def locate(target: Path) -> Path:
    """Where the model is to be read from: ``target``, or the one that a killed save moved aside."""
    aside = _beside(target, "old")
    return aside if not target.exists() and aside.exists() else target


def read_config(folder: Path, capability: str, model: str, advice: str = "give the folder of one") -> dict[str, Any]:
    """The configuration of a saved model of a capability; ``advice`` ends the error where there is none.

    A capability's main ``model`` bears its name. UsageError where there is none; DataError where it is broken, of a
    newer format, of another capability or another model.
    """
    try:
        config = json.loads((folder / CONFIG).read_text("utf8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(f"there is no model in {folder}; {advice}") from error
    except (OSError, ValueError) as error:
        raise DataError(f"the model's {folder / CONFIG} cannot be read: {error}; train the model again") from error
    if not isinstance(config, dict) or config.get("capability") != capability:
        raise DataError(f"{folder} does not hold a {capability} model; give the folder of one")
    held = config.get("model", capability)
    if held != model:
        raise DataError(f"{folder} holds a model of another kind ({held}, not {model}); give the folder of one")
    if not isinstance(config.get("format"), int) or config["format"] > FORMAT:
        raise DataError(
            f"the model in {folder} has format {config.get('format')!r}, newer than this danggol's {FORMAT}; "
            "install a newer danggol or train the model again"
        )
    return config


def read_text(folder: Path, name: str) -> str:
    """One file of a saved model; DataError where it is missing or no text."""
    try:
        return read_bytes(folder, name).decode("utf8")
    except UnicodeDecodeError as error:
        raise DataError(f"the model's file {folder / name} cannot be read: {error}; train the model again") from error


def read_json(folder: Path, name: str) -> Any:
    """One JSON file of a saved model; DataError where it is missing or damaged."""
    try:
        return json.loads(read_text(folder, name))
    except ValueError as error:
        raise DataError(f"the model's file {folder / name} is damaged: {error}; train the model again") from error


def read_bytes(folder: Path, name: str) -> bytes:
    """One file of a saved model; DataError where it is missing."""
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise DataError(f"the model's file {folder / name} cannot be read: {error}; train the model again") from error


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
    import polars as pl

    paths = [folder / f"{name}.parquet" for name in names]
    return [pl.read_parquet(path) if path.exists() else None for path in paths]


def _beside(target: Path, word: str) -> Path:
    whole = target.absolute()
    return whole.with_name(f".{whole.name}.{word}")
