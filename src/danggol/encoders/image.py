"""Pictures as regions: a small grid of patches, read once and kept in a memory-mapped file by the picture's content.

A picture is scaled to ``grid x patch`` pixels a side and cut into ``grid x grid`` patches; each is a token for a model
to read (as in ViT: Dosovitskiy et al., ICLR 2021). A picture that cannot be read gives nan, and is counted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from danggol.progress import track

Regions = NDArray[np.float32]
_LARGEST = 50_000_000
"""Pixels beyond which a picture is not opened: a small file can hold a very large one."""


@dataclass(frozen=True)
class Patches:
    """How pictures are cut."""

    grid: int = 3
    patch: int = 8

    @property
    def regions(self) -> int:
        """Regions of a picture."""
        return self.grid**2

    @property
    def pixels(self) -> int:
        """Numbers of a region."""
        return 3 * self.patch**2

    def cut(self, path: Path) -> Regions | None:
        """(regions, pixels) in [-1, 1]; None where the file is no picture that can be read."""
        side = self.grid * self.patch
        try:
            with Image.open(path) as picture:
                if picture.width * picture.height > _LARGEST:
                    return None
                picture.draft("RGB", (2 * side, 2 * side))
                small = picture.convert("RGB").resize((side, side), Image.Resampling.BOX)
        except (OSError, UnidentifiedImageError, ValueError, Image.DecompressionBombError):
            return None
        array = np.asarray(small, np.float32) / 127.5 - 1.0
        cut = array.reshape(self.grid, self.patch, self.grid, self.patch, 3).swapaxes(1, 2)
        return cut.reshape(self.regions, self.pixels)


def read_regions(paths: Sequence[Path], patches: Patches, cache: Path | None = None) -> tuple[Regions, int]:
    """Regions (pictures, regions, pixels) of files, nan where one cannot be read, and how many could not.

    ``cache`` is a folder: what was read before, by content, is taken from there, and what is new is added.
    """
    known = _Cache(cache, patches) if cache is not None else None
    rows = np.full((len(paths), patches.regions, patches.pixels), np.nan, np.float32)
    broken = 0
    for place, path in enumerate(track(paths, "pictures")):
        key = _digest(path) if known is not None else ""
        found = known.get(key) if known is not None else None
        if found is None:
            found = patches.cut(path)
            if found is not None and known is not None:
                known.add(key, found)
        if found is None:
            broken += 1
        else:
            rows[place] = found
    if known is not None:
        known.save()
    return rows, broken


class _Cache:
    """Regions by content hash: keys in one file, numbers in another that is memory-mapped."""

    def __init__(self, folder: Path, patches: Patches) -> None:
        self._folder, self._shape = folder, (patches.regions, patches.pixels)
        self._name = f"regions-{patches.grid}x{patches.patch}"
        self._keys: dict[str, int] = {}
        self._old: Regions | None = None
        self._fresh: list[Regions] = []
        keys, values = self._files()
        if keys.exists() and values.exists():
            names = keys.read_text("utf8").split()
            held = np.load(values, mmap_mode="r", allow_pickle=False)
            if held.shape == (len(names), *self._shape):
                self._keys, self._old = {name: place for place, name in enumerate(names)}, held

    def _files(self) -> tuple[Path, Path]:
        return self._folder / f"{self._name}.txt", self._folder / f"{self._name}.npy"

    def get(self, key: str) -> Regions | None:
        place = self._keys.get(key)
        if place is None:
            return None
        old = 0 if self._old is None else len(self._old)
        return self._fresh[place - old] if self._old is None or place >= old else np.asarray(self._old[place])

    def add(self, key: str, regions: Regions) -> None:
        self._keys[key] = len(self._keys)
        self._fresh.append(regions)

    def save(self) -> None:
        """Write what is new, numbers first; a kill in between leaves the shapes apart, and the cache is made anew."""
        if not self._fresh:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        parts = [] if self._old is None else [np.asarray(self._old)]
        keys, values = self._files()
        for path, write in (
            (values, lambda file: np.save(file, np.concatenate([*parts, np.stack(self._fresh)]), allow_pickle=False)),
            (keys, lambda file: file.write("\n".join(self._keys).encode())),
        ):
            part = path.with_suffix(".part")
            with part.open("wb") as file:
                write(file)
            part.replace(path)


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:32]
    except OSError:
        return f"missing:{path.name}"
