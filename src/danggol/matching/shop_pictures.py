"""Pictures as matching sees them: a hash and small pixels, each content looked at once and kept in the shop."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from danggol.encoders.cache import RowCache
from danggol.encoders.pictures import picture_key, read
from danggol.matching.hashes import picture_hash
from danggol.matching.index import Hashes
from danggol.matching.looks import SIDE, Pixels, picture_pixels
from danggol.progress import stage

_NAME = "matching-1"
"""Of the cache; another number where hashes or pixels are made in another way."""
_HASH = 8
_BATCH = 64


def picture_rows(files: Sequence[Path | None], folder: Path) -> tuple[Hashes, Pixels]:
    """Hash (files,), 0 where there is none, and pixels (files, 32, 32, 3), zeros where a picture cannot be read.

    What was read is kept under ``folder`` by content; a picture that cannot be read is not opened again.
    """
    cache = RowCache(folder, _NAME, (_HASH + 3 * SIDE * SIDE,), "uint8")
    keys: list[bytes | None] = []
    unknown: dict[bytes, Path] = {}
    with stage("pictures", len(files)) as bar:
        for file in files:
            key = picture_key(file)
            keys.append(key)
            bar.advance(1)
            if key is None or file is None or key in cache:
                continue
            unknown[key] = file
            if len(unknown) == _BATCH:
                _add(cache, unknown)
                unknown.clear()
        _add(cache, unknown)
    rows = np.zeros((len(files), _HASH + 3 * SIDE * SIDE), np.uint8)
    there = [place for place, key in enumerate(keys) if key is not None]
    if there:
        rows[there] = cache.get([key for key in keys if key is not None])
    hashes = rows[:, :_HASH].copy().view(">u8").ravel().astype(np.uint64)
    return hashes, rows[:, _HASH:].reshape(-1, SIDE, SIDE, 3)


def _add(cache: RowCache, files: dict[bytes, Path]) -> None:
    if files:
        cache.add(list(files), np.stack([_row(file) for file in files.values()]))


def _row(file: Path) -> NDArray[Any]:
    row = np.zeros(_HASH + 3 * SIDE * SIDE, np.uint8)
    picture = read(file, draft=(4 * SIDE, 4 * SIDE))
    if picture is not None:
        row[:_HASH] = np.frombuffer(bytes.fromhex(picture_hash(picture) or "0" * (2 * _HASH)), np.uint8)
        row[_HASH:] = picture_pixels(picture).ravel()
    return row
