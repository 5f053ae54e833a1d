"""A saved matcher: a folder with config.json and LightGBM's text files, which is the old one or the new one whole."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import lightgbm as lgb

from danggol.errors import DataError, UsageError
from danggol.matching.pair_model import PairModel
from danggol.version import __version__

FORMAT = 1
_CONFIG = "config.json"


def write_model(folder: Path, config: dict[str, Any], model: PairModel | None) -> Path:
    """Write to a folder beside, then let it take its place; UsageError where something else lies there."""
    if folder.exists() and not (folder / _CONFIG).exists() and any(folder.iterdir() if folder.is_dir() else [folder]):
        raise UsageError(f"{folder} holds something else than a model; choose another folder for the model")
    staged, aside = folder.with_name(f".{folder.name}.new"), folder.with_name(f".{folder.name}.old")
    for left in (staged, aside):
        shutil.rmtree(left, ignore_errors=True)
    staged.mkdir(parents=True)
    looks = {} if model is None else {"first": model.first, "second": model.second}
    head = {"capability": "matching", "format": FORMAT, "version": __version__}
    held = head | config | {"looks": {name: len(trees) for name, trees in looks.items()}}
    for name, trees in looks.items():
        for nth, tree in enumerate(trees):
            (staged / f"{name}-{nth}.txt").write_text(tree.model_to_string(), "utf8")
    (staged / _CONFIG).write_text(json.dumps(held, indent=1, ensure_ascii=False), "utf8")
    if folder.exists():
        folder.rename(aside)
    staged.rename(folder)
    shutil.rmtree(aside, ignore_errors=True)
    return folder


def read_model(folder: Path) -> tuple[dict[str, Any], PairModel | None]:
    """The configuration and the trees; UsageError where there is none, DataError where it is damaged or newer."""
    aside = folder.with_name(f".{folder.name}.old")
    folder = aside if not folder.exists() and aside.exists() else folder
    try:
        config = json.loads((folder / _CONFIG).read_text("utf8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(f"there is no model in {folder}; fit one and save it there") from error
    except (OSError, ValueError) as error:
        raise DataError(f"the model's {folder / _CONFIG} cannot be read: {error}; train the model again") from error
    if not isinstance(config, dict) or config.get("capability") != "matching":
        raise DataError(f"{folder} does not hold a matching model; give the folder of one")
    if not isinstance(config.get("format"), int) or config["format"] > FORMAT:
        raise DataError(
            f"the model in {folder} has format {config.get('format')}, newer than this danggol's {FORMAT}; "
            "install a newer danggol or train the model again"
        )
    missing = [name for name in ("settings", "names", "limits", "figures", "looks") if name not in config]
    if missing:
        raise DataError(f"the model's {folder / _CONFIG} lacks '{missing[0]}'; train the model again")
    looks = config["looks"]
    if not looks:
        return config, None
    return config, PairModel(*(_trees(folder, name, looks[name]) for name in ("first", "second")))


def _trees(folder: Path, name: str, count: int) -> tuple[lgb.Booster, ...]:
    found = []
    for nth in range(count):
        path = folder / f"{name}-{nth}.txt"
        try:
            found.append(lgb.Booster(model_str=path.read_text("utf8")))
        except (OSError, UnicodeDecodeError, lgb.basic.LightGBMError) as error:
            raise DataError(f"the model's file {path} cannot be read: {error}; train the model again") from error
    return tuple(found)
