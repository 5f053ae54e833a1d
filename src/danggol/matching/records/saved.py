"""A saved record matcher: a folder of JSON and LightGBM's text files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from danggol import artefact
from danggol.errors import DataError
from danggol.matching.records.learnt import WordWeights
from danggol.matching.records.looks import Looks
from danggol.matching.records.reading import RecordPairs
from danggol.matching.saved import read_trees
from danggol.version import __version__

_PAIRS, _WORDS = "pairs.json", "words.json"
_MODEL = "records"


def write_matcher(folder: Path, config: dict[str, Any], pairs: RecordPairs, looks: Looks) -> Path:
    """Let the matcher take the folder's place, whole; UsageError where something else lies there."""
    head = {"capability": "matching", "model": _MODEL, "format": artefact.FORMAT, "package_version": __version__}
    sides = {name: getattr(pairs, name).tolist() for name in ("left", "right", "label")}
    told = {
        _PAIRS: {"records": pairs.records, **sides},
        _WORDS: [{"words": one.words, "dense": one.dense.tolist()} for one in looks.words],
        artefact.CONFIG: head | {"models": len(looks.first)} | config,
    }
    files: dict[str, str | bytes] = {name: json.dumps(held, ensure_ascii=False) for name, held in told.items()}
    for name, trees in (("first", looks.first), ("second", looks.second)):
        files |= {f"{name}-{nth}.txt": tree.model_to_string() for nth, tree in enumerate(trees)}
    artefact.publish(folder, files)
    return folder


def read_matcher(folder: Path) -> tuple[dict[str, Any], RecordPairs, Looks]:
    """Configuration, labelled pairs and looks; UsageError where there is none, DataError: damaged or newer."""
    source = artefact.locate(folder)
    config = artefact.read_config(source, "matching", _MODEL)
    missing = {"settings", "threshold", "texts", "numbers", "models"} - set(config)
    if missing:
        raise DataError(f"the model's {source / artefact.CONFIG} lacks '{min(missing)}'; train the model again")
    try:
        held, words = (artefact.read_json(source, name) for name in (_PAIRS, _WORDS))
        sides = [np.array(held[name], np.int64) for name in ("left", "right", "label")]
        pairs = RecordPairs(held["records"], *sides)
        weights = tuple(WordWeights(one["words"], np.array(one["dense"])) for one in words)
        looks = Looks(weights, *(read_trees(source, name, config["models"]) for name in ("first", "second")))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"the model in {source} is damaged: {error}; train the model again") from error
    return config, pairs, looks
