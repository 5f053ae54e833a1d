"""A saved record matcher: a folder of JSON and LightGBM's text files, which is the old one or the new one whole."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np

from danggol.errors import DataError, UsageError
from danggol.matching.records.learnt import WordWeights
from danggol.matching.records.looks import Looks
from danggol.matching.records.reading import RecordPairs
from danggol.version import __version__

FORMAT = 1
_CONFIG, _PAIRS, _WORDS = "config.json", "pairs.json", "words.json"
_CAPABILITY = "record matching"


def write_matcher(folder: Path, config: dict[str, Any], pairs: RecordPairs, looks: Looks) -> Path:
    """Write to a folder beside, then let it take its place; UsageError where something else lies there."""
    if folder.exists() and not (folder / _CONFIG).exists() and any(folder.iterdir() if folder.is_dir() else [folder]):
        raise UsageError(f"{folder} holds something else than a model; choose another folder for the model")
    staged, aside = folder.with_name(f".{folder.name}.new"), folder.with_name(f".{folder.name}.old")
    for left in (staged, aside):
        shutil.rmtree(left, ignore_errors=True)
    staged.mkdir(parents=True)
    head = {"capability": _CAPABILITY, "format": FORMAT, "version": __version__, "models": len(looks.first)}
    _write(staged / _CONFIG, head | config)
    sides = {name: getattr(pairs, name).tolist() for name in ("left", "right", "label")}
    _write(staged / _PAIRS, {"records": pairs.records, **sides})
    _write(staged / _WORDS, [{"words": one.words, "dense": one.dense.tolist()} for one in looks.words])
    for name, trees in (("first", looks.first), ("second", looks.second)):
        for nth, tree in enumerate(trees):
            (staged / f"{name}-{nth}.txt").write_text(tree.model_to_string(), "utf8")
    if folder.exists():
        folder.rename(aside)
    staged.rename(folder)
    shutil.rmtree(aside, ignore_errors=True)
    return folder


def read_matcher(folder: Path) -> tuple[dict[str, Any], RecordPairs, Looks]:
    """Configuration, labelled pairs and looks; UsageError where there is none, DataError: damaged or newer."""
    aside = folder.with_name(f".{folder.name}.old")
    folder = aside if not folder.exists() and aside.exists() else folder
    if not (folder / _CONFIG).exists():
        raise UsageError(f"there is no model in {folder}; fit one and save it there")
    config = _read(folder / _CONFIG)
    if not isinstance(config, dict) or config.get("capability") != _CAPABILITY:
        raise DataError(f"{folder} does not hold a record matcher; give the folder of one")
    if not isinstance(config.get("format"), int) or config["format"] > FORMAT:
        raise DataError(
            f"the model in {folder} has format {config.get('format')}, newer than this danggol's {FORMAT}; "
            "install a newer danggol or train the model again"
        )
    try:
        held, words = _read(folder / _PAIRS), _read(folder / _WORDS)
        sides = [np.array(held[name], np.int64) for name in ("left", "right", "label")]
        pairs = RecordPairs(held["records"], *sides)
        weights = tuple(WordWeights(one["words"], np.array(one["dense"])) for one in words)
        missing = {"settings", "threshold", "texts", "numbers"} - set(config)
        looks = Looks(weights, *(_trees(folder, name, config["models"]) for name in ("first", "second")))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"the model in {folder} is damaged: {error}; train the model again") from error
    if missing:
        raise DataError(f"the model's {folder / _CONFIG} lacks '{min(missing)}'; train the model again")
    return config, pairs, looks


def _trees(folder: Path, name: str, count: int) -> tuple[lgb.Booster, ...]:
    found = []
    for nth in range(count):
        path = folder / f"{name}-{nth}.txt"
        try:
            found.append(lgb.Booster(model_str=path.read_text("utf8")))
        except (OSError, UnicodeDecodeError, lgb.basic.LightGBMError) as error:
            raise DataError(f"the model's file {path} cannot be read: {error}; train the model again") from error
    return tuple(found)


def _write(path: Path, held: Any) -> None:
    path.write_text(json.dumps(held, ensure_ascii=False), "utf8")


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf8"))
    except (OSError, ValueError) as error:
        raise DataError(f"the model's {path} cannot be read: {error}; train the model again") from error
