"""Titles and pictures as token states of frozen encoders, where the settings name them by ``hf:NAME``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

States = NDArray[np.float16]
OWN = "own"


def text_states(
    name: str, titles: Sequence[str | None], tokens: int, cache: Path
) -> tuple[States, list[list[str]]] | None:
    """States (titles, tokens, numbers), nan beyond a title's end, and the subwords; None for the network's own.

    UsageError: the encoder cannot be loaded.
    """
    if name == OWN:
        return None
    from danggol.encoders.hugging_face import text_encoder

    encoder = text_encoder(name, cache)
    return encoder.encode_tokens(titles, tokens), encoder.pieces(titles, tokens)


def image_states(name: str, pictures: Sequence[Path | None], grid: int, cache: Path) -> States | None:
    """States (pictures, grid x grid, numbers), nan where there is no picture; None for the network's own regions.

    UsageError: the encoder cannot be loaded.
    """
    if name == OWN:
        return None
    from danggol.encoders.hugging_face import image_encoder

    return image_encoder(name, cache).encode_tokens(pictures, grid)
