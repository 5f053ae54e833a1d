"""What was encoded before, by content: rows of numbers in one memory-mapped file, their keys in another.

Rows are appended first and their keys after them, so a run that is killed leaves a file that is whole up to the last
batch, and the next run goes on from there. Two processes may write to one folder; each waits for the other's batch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from danggol.progress import stage

Array = NDArray[Any]
_KEY = 16


def key_of(content: bytes) -> bytes:
    """The key of a content: 16 bytes of its SHA-256."""
    return hashlib.sha256(content).digest()[:_KEY]


class RowCache:
    """Rows of one shape and type under ``folder``; ``name`` says how they were made."""

    def __init__(self, folder: Path, name: str, shape: tuple[int, ...], dtype: str = "float32") -> None:
        self._shape, self._dtype = shape, np.dtype(dtype)
        self._bytes = int(np.prod(shape)) * self._dtype.itemsize
        self._keys_file, self._rows_file = folder / f"{name}.keys", folder / f"{name}.rows"
        self._lock = FileLock(folder / f"{name}.lock")
        self._places: dict[bytes, int] = {}
        self._load()

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: bytes) -> bool:
        return key in self._places

    def get(self, keys: Sequence[bytes]) -> Array:
        """Rows (keys, *shape) of keys that are there; KeyError where one is not."""
        return np.asarray(self._rows[np.array([self._places[key] for key in keys], np.int64)])

    def add(self, keys: Sequence[bytes], rows: Array) -> None:
        """Append rows (keys, *shape); those that another process has added meanwhile are left out."""
        self._keys_file.parent.mkdir(parents=True, exist_ok=True)
        with self._lock:
            if self._sizes() != (len(self) * _KEY, len(self) * self._bytes):
                self._load()
            fresh = [place for place, key in enumerate(keys) if key not in self._places]
            start = len(self)
            for file, size, content in (
                (self._rows_file, self._bytes, np.ascontiguousarray(rows[fresh], self._dtype).tobytes()),
                (self._keys_file, _KEY, b"".join(keys[place] for place in fresh)),
            ):
                with file.open("ab") as opened:
                    # what a killed run left half written
                    opened.truncate(start * size)
                    opened.write(content)
            self._places |= {keys[place]: start + nth for nth, place in enumerate(fresh)}
            self._map(start + len(fresh))

    def _sizes(self) -> tuple[int, int]:
        keys, rows = (file.stat().st_size if file.exists() else 0 for file in (self._keys_file, self._rows_file))
        return keys, rows

    def _load(self) -> None:
        sizes = self._sizes()
        whole = min(sizes[0] // _KEY, sizes[1] // self._bytes)
        names = self._keys_file.read_bytes() if whole else b""
        self._places = {names[place * _KEY : (place + 1) * _KEY]: place for place in range(whole)}
        self._map(whole)

    def _map(self, whole: int) -> None:
        shape = (whole, *self._shape)
        self._rows: Array = np.memmap(self._rows_file, self._dtype, "r", shape=shape) if whole else np.empty(shape)


def encoded(
    keys: Sequence[bytes | None],
    encode: Callable[[list[int]], Array],
    shape: tuple[int, ...],
    dtype: str = "float32",
    *,
    cache: RowCache | None = None,
    batch: int = 32,
    name: str = "encode",
) -> Array:
    """Rows (keys, *shape) of things with such keys, each content encoded once; nan where the key is None.

    ``encode`` is given places of things whose rows are not known, ``batch`` at a time, and gives their rows; a row of
    nan says that the thing cannot be read, and is not kept in the cache.
    """
    rows = np.full((len(keys), *shape), np.nan, dtype)
    first: dict[bytes, int] = {}
    for place, key in enumerate(keys):
        if key is not None:
            first.setdefault(key, place)
    unknown = [place for key, place in first.items() if cache is None or key not in cache]
    with stage(name, len(first)) as under_way:
        under_way.advance(len(first) - len(unknown))
        for start in range(0, len(unknown), batch):
            places = unknown[start : start + batch]
            found = encode(places)
            rows[places] = found
            if cache is not None:
                good = np.flatnonzero(~np.isnan(found).reshape(len(found), -1).all(axis=1)).tolist()
                cache.add([key for nth in good if (key := keys[places[nth]])], found[good])
            under_way.advance(len(places))
    fresh = set(unknown)
    if cache is not None and (old := [(key, place) for key, place in first.items() if place not in fresh]):
        rows[[place for _, place in old]] = cache.get([key for key, _ in old])
    again = [(place, first[key]) for place, key in enumerate(keys) if key is not None and first[key] != place]
    if again:
        rows[[place for place, _ in again]] = rows[[place for _, place in again]]
    return rows
