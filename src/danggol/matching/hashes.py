"""A picture's perceptual hash: 64 bits that survive scaling, compression and small changes of colour.

The picture is put into 32 x 32 grey pixels; of the 8 x 8 lowest frequencies of its cosine transform, each is one bit:
above the median or not (pHash: Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010).
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.fft import dctn

_SIDE, _LOW = 32, 8
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF", "ICO", "JPEG2000")
LARGEST = 50_000_000
"""Pixels beyond which a picture is not opened: a small file can hold a very large one."""
_FLAT = 1.0
"""Spread of grey values below which a picture shows nothing, and gets no hash."""
BROKEN = (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError, IndexError, TypeError)
"""What Pillow raises on a broken file."""


def picture_hash(path: Path) -> str | None:
    """The hash as 16 hexadecimal digits; None where the file is no picture that can be read, or shows one shade."""
    try:
        with warnings.catch_warnings(), Image.open(path, formats=FORMATS) as picture:
            warnings.simplefilter("ignore")
            if picture.width * picture.height > LARGEST:
                return None
            picture.draft("L", (4 * _SIDE, 4 * _SIDE))
            small = picture.convert("L").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
            grey = np.asarray(small, np.float64)
    except BROKEN:
        return None
    if grey.std() < _FLAT:
        return None
    low = dctn(grey, norm="ortho")[:_LOW, :_LOW].ravel()
    bits = low > np.median(low)
    return np.packbits(bits).tobytes().hex()
