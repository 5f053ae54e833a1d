"""A picture's perceptual hash: 64 bits that survive scaling, compression and small changes of colour.

The picture is put into 32 x 32 grey pixels; of the 8 x 8 lowest frequencies of its cosine transform, each is one bit:
above the median or not (pHash: Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010).
"""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy.fft import dctn

_SIDE, _LOW = 32, 8
_FLAT = 1.0
"""Spread of grey values below which a picture shows nothing, and gets no hash."""


def picture_hash(picture: Image.Image) -> str | None:
    """The hash as 16 hexadecimal digits; None where the picture shows one shade."""
    small = picture.convert("L").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    grey = np.asarray(small, np.float64)
    if grey.std() < _FLAT:
        return None
    low = dctn(grey, norm="ortho")[:_LOW, :_LOW].ravel()
    bits = low > np.median(low)
    return np.packbits(bits).tobytes().hex()
