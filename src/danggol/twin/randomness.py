"""Random numbers: one stream for each purpose and week, so that a part can change without moving the others."""

from __future__ import annotations

import zlib

import numpy as np


def stream(seed: int, purpose: str, *numbers: int) -> np.random.Generator:
    """The generator for ``purpose`` (and a week, a product …) of a market with this seed."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(purpose.encode()), *numbers])))
