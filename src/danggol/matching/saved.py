"""A saved matcher: a folder with config.json and LightGBM's text files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightgbm as lgb

from danggol import artefact
from danggol.errors import DataError
from danggol.matching.pairs.model import PairModel
from danggol.version import __version__

_LOOKS = ("first", "second")


def there(folder: Path) -> bool:
    """Whether a saved model can be read from the folder."""
    return artefact.locate(folder).exists()


def write_model(
    folder: Path, config: dict[str, Any], model: PairModel | None, more: Mapping[str, str | bytes] | None = None
) -> Path:
    """Let the model, and ``more`` files by name, take the folder's place, whole.

    UsageError where something else lies there.
    """
    looks = {} if model is None else dict(zip(_LOOKS, (model.first, model.second), strict=True))
    head = {"capability": "matching", "format": artefact.FORMAT, "package_version": __version__}
    held = head | config | {"looks": {name: len(trees) for name, trees in looks.items()}}
    files = {
        f"{name}-{nth}.txt": tree.model_to_string() for name, trees in looks.items() for nth, tree in enumerate(trees)
    }
    artefact.publish(
        folder, files | dict(more or {}) | {artefact.CONFIG: json.dumps(held, indent=1, ensure_ascii=False)}
    )
    return folder


def read_model(folder: Path) -> tuple[dict[str, Any], PairModel | None]:
    """The configuration and the trees; UsageError where there is none, DataError where it is damaged or newer."""
    source = artefact.locate(folder)
    config = artefact.read_config(source, "matching", "matching", "train one with 'danggol match --labels'")
    kinds = {"settings": dict, "names": list, "limits": dict, "figures": dict, "looks": dict}
    for name, kind in kinds.items():
        if not isinstance(config.get(name), kind):
            raise DataError(f"the model's {source / artefact.CONFIG} lacks '{name}'; train the model again")
    looks = config["looks"]
    if not looks:
        return config, None
    if not all(isinstance(looks.get(name), int) for name in _LOOKS):
        raise DataError(f"the model's {source / artefact.CONFIG} tells no count of trees; train the model again")
    return config, PairModel(*(read_trees(source, name, looks[name]) for name in _LOOKS))


def read_trees(folder: Path, name: str, count: int) -> tuple[lgb.Booster, ...]:
    """The boosters NAME-0.txt, NAME-1.txt …; DataError where one is missing or damaged."""
    found = []
    for nth in range(count):
        file = f"{name}-{nth}.txt"
        try:
            found.append(lgb.Booster(model_str=artefact.read_text(folder, file)))
        except lgb.basic.LightGBMError as error:
            raise DataError(
                f"the model's file {folder / file} cannot be read: {error}; train the model again"
            ) from error
    return tuple(found)
