"""Pictures as regions: a small grid of patches, read once and kept in a memory-mapped file by the picture's content.

A picture is scaled to ``grid x patch`` pixels a side and cut into ``grid x grid`` patches; each is a token for a model
to read (as in ViT: Dosovitskiy et al., ICLR 2021). A picture that cannot be read gives nan, and is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from danggol.encoders.cache import RowCache, encoded
from danggol.encoders.pictures import picture_key, resized

Regions = NDArray[np.float32]
_BATCH = 256
"""Pictures that are written to the cache together."""


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
        small = resized(path, (side, side), draft=(2 * side, 2 * side))
        if small is None:
            return None
        array = np.asarray(small, np.float32) / 127.5 - 1.0
        cut = array.reshape(self.grid, self.patch, self.grid, self.patch, 3).swapaxes(1, 2)
        return cut.reshape(self.regions, self.pixels)


def read_regions(paths: Sequence[Path], patches: Patches, cache: Path | None = None) -> tuple[Regions, int]:
    """Regions (pictures, regions, pixels) of files, nan where one cannot be read, and how many could not.

    ``cache`` is a folder: what was read before, by content, is taken from there, and what is new is added.
    """
    shape = (patches.regions, patches.pixels)
    known = None if cache is None else RowCache(cache, f"regions-{patches.grid}x{patches.patch}", shape)
    nothing = np.full(shape, np.nan, np.float32)

    def cut(places: list[int]) -> Regions:
        found = (patches.cut(paths[place]) for place in places)
        return np.stack([nothing if one is None else one for one in found])

    keys = [picture_key(path) for path in paths]
    rows: Regions = encoded(keys, cut, shape, cache=known, batch=_BATCH, name="pictures")
    return rows, int(np.isnan(rows).all(axis=(1, 2)).sum())
