"""Pictures as matching sees them: a hash and small pixels, each content looked at once and kept in the shop."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from danggol.encoders.cache import RowCache
from danggol.encoders.pictures import picture_key, read
from danggol.matching.inputs.hashes import picture_hash
from danggol.matching.inputs.looks import SIDE, Pixels, picture_pixels
from danggol.matching.search.index import Hashes
from danggol.progress import stage

_NAME = "matching-1"
"""Of the cache; another number where hashes or pixels are made in another way."""
_HASH = 8
_WIDE = _HASH + 3 * SIDE * SIDE
_BATCH = 64


def picture_rows(files: Sequence[Path | None], folder: Path | None) -> tuple[Hashes, Pixels]:
    """Hash (files,), 0 where there is none, and pixels (files, 32, 32, 3), zeros where a picture cannot be read.

    What was read is kept under ``folder`` by content, where that can be written; a picture that cannot be read is not
    opened again.
    """
    cache = None if folder is None else RowCache(folder, _NAME, (_WIDE,), "uint8")
    rows = np.zeros((len(files), _WIDE), np.uint8)
    places: dict[bytes, list[int]] = {}
    unknown: dict[bytes, Path] = {}
    with stage("pictures", len(files)) as bar:
        for place, file in enumerate(files):
            bar.advance(1)
            key = picture_key(file)
            if key is None or file is None:
                continue
            if key not in places and (cache is None or key not in cache):
                unknown[key] = file
            places.setdefault(key, []).append(place)
            if len(unknown) == _BATCH:
                _look(unknown, places, rows, cache)
        _look(unknown, places, rows, cache)
    known = [] if cache is None else [key for key in places if key in cache]
    for start in range(0, len(known), _BATCH):
        part = known[start : start + _BATCH]
        for key, row in zip(part, cache.get(part) if cache is not None else (), strict=True):
            rows[places[key]] = row
    for same in places.values():
        rows[same] = rows[same[0]]
    hashes = rows[:, :_HASH].copy().view(">u8").ravel().astype(np.uint64)
    return hashes, rows[:, _HASH:].reshape(-1, SIDE, SIDE, 3)


def _look(
    unknown: dict[bytes, Path], places: dict[bytes, list[int]], rows: NDArray[Any], cache: RowCache | None
) -> None:
    """Look at pictures, and empty the list of those that are not known."""
    if not unknown:
        return
    found = np.stack([_row(file) for file in unknown.values()])
    for key, row in zip(unknown, found, strict=True):
        rows[places[key]] = row
    if cache is not None:
        with contextlib.suppress(OSError):
            cache.add(list(unknown), found)
    unknown.clear()


def _row(file: Path) -> NDArray[Any]:
    row = np.zeros(_WIDE, np.uint8)
    picture = read(file, draft=(4 * SIDE, 4 * SIDE))
    if picture is not None:
        row[:_HASH] = np.frombuffer(bytes.fromhex(picture_hash(picture) or "0" * (2 * _HASH)), np.uint8)
        row[_HASH:] = picture_pixels(picture).ravel()
    return row
