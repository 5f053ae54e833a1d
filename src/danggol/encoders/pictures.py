"""Opening pictures: one place that knows what a broken file does, and how large a picture may be."""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from danggol.encoders.cache import key_of

Picture = bytes | str | Path | None
"""A file's bytes or its path; None where there is no picture."""
_BROKEN = (
    *(OSError, UnidentifiedImageError, ValueError, Image.DecompressionBombError),
    *(SyntaxError, EOFError, struct.error, IndexError, TypeError),
)
"""What Pillow raises on a broken file; the second row on a file that breaks off or lies within."""
_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF", "ICO", "JPEG2000")
"""What shops show; others, some of which Pillow hands to other programs, are not opened."""
_LARGEST = 50_000_000
"""Pixels beyond which a picture is not opened: a small file can hold a very large one."""


def resized(picture: Picture, size: tuple[int, int], draft: tuple[int, int] | None = None) -> Image.Image | None:
    """A picture in RGB at (width, height), each pixel the mean of its box; None where it cannot be read.

    ``draft``: a JPEG may be decoded at a smaller scale that is no smaller than this, which is quicker.
    """
    opened = read(picture, draft)
    return None if opened is None else opened.resize(size, Image.Resampling.BOX)


def read(picture: Picture, draft: tuple[int, int] | None = None) -> Image.Image | None:
    """A picture in RGB; None where it cannot be read."""
    if picture is None:
        return None
    try:
        source = io.BytesIO(picture) if isinstance(picture, bytes) else picture
        with warnings.catch_warnings(), Image.open(source, formats=_FORMATS) as opened:
            warnings.simplefilter("ignore")
            if opened.width * opened.height > _LARGEST:
                return None
            if draft is not None:
                opened.draft("RGB", draft)
            return opened.convert("RGB")
    except _BROKEN:
        return None


def picture_key(picture: Picture) -> bytes | None:
    """The key of a picture's content; None where there is no file."""
    if picture is None or isinstance(picture, bytes):
        return None if picture is None else key_of(picture)
    try:
        return key_of(Path(picture).read_bytes())
    except (OSError, ValueError):
        return None
