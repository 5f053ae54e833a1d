"""How alike two pictures are, whatever was cropped, framed, mirrored or lit differently.

A picture is put into 32 x 32 pixels in colour. Two are compared by the correlation of their pixels (normalised cross-
correlation: Lewis, "Fast normalized cross-correlation", 1995), the best over parts of the one, upright and mirrored,
against the whole of the other, either way round. Light and contrast leave a correlation as it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from danggol.matching.search.index import Floats, Ints

Pixels = NDArray[np.uint8]
SIDE = 32
_COARSE = 16
_CUTS = (0.0, 1.0, 2.0)
"""Pixels of 32 that may be missing at an edge."""
_ROWS = 64
"""Pictures whose parts are held at a time."""


def picture_pixels(picture: Image.Image) -> Pixels:
    """A picture in RGB as (32, 32, 3)."""
    return np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BOX), np.uint8)


def alike(pictures: Pixels, left: Ints, right: Ints) -> Floats:
    """Correlation (pairs,) in [-1, 1] of pictures (n, 32, 32, 3) by row; nan where one has a single shade."""
    found = np.full(len(left), np.nan, np.float32)
    if not len(left):
        return found
    rows, side = np.unique(np.concatenate([left, right]), return_inverse=True)
    whole = _unit(_parts(pictures[rows], (0.0,)))[:, 0]
    first, second = side[: len(left)], side[len(left) :]
    # Every pair twice: parts of the one against the whole of the other, and the other way round.
    owner, other = np.concatenate([first, second]), np.concatenate([second, first])
    order = np.argsort(owner, kind="stable")
    starts = np.searchsorted(owner[order], np.arange(len(rows) + 1))
    best = np.empty(len(owner), np.float32)
    for begin in range(0, len(rows), _ROWS):
        parts = _unit(_parts(pictures[rows[begin : begin + _ROWS]], _CUTS, mirrored=True))
        for nth, own in enumerate(parts, begin):
            pairs = order[starts[nth] : starts[nth + 1]]
            best[pairs] = (whole[other[pairs]] @ own.T).max(axis=1)
    seen = np.abs(whole).max(axis=1) > 0
    there = seen[first] & seen[second]
    found[there] = np.maximum(best[: len(left)], best[len(left) :])[there]
    return found


def _parts(pictures: Pixels, cuts: tuple[float, ...], mirrored: bool = False) -> Floats:
    """Parts of pictures (n, parts, 16 * 16 * 3): what is left when edges are cut, in every combination."""
    frames = np.stack([_frame(low, high) for low in cuts for high in cuts])
    pixels = pictures.astype(np.float32)
    if mirrored:
        pixels = np.concatenate([pixels, pixels[:, :, ::-1]])
    tall = np.tensordot(pixels, frames, axes=([1], [2]))  # n, x, colour, cut, 16
    both = np.tensordot(tall, frames, axes=([1], [2]))  # n, colour, cut, 16, cut, 16
    parts = both.transpose(0, 2, 4, 3, 5, 1).reshape(len(pixels), len(frames) ** 2, -1)
    if mirrored:
        parts = np.concatenate([parts[: len(pictures)], parts[len(pictures) :]], axis=1)
    return np.asarray(parts, np.float32)


def _frame(low: float, high: float) -> Floats:
    """(16, 32) shares of each pixel in 16 equal cells between the two cuts."""
    edges = np.linspace(low, SIDE - high, _COARSE + 1)[:, None]
    pixel = np.arange(SIDE)[None, :]
    share = np.clip(np.minimum(edges[1:], pixel + 1) - np.maximum(edges[:-1], pixel), 0, None)
    return np.asarray(share / share.sum(axis=1, keepdims=True), np.float32)


def _unit(parts: Floats) -> Floats:
    centred = parts - parts.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(centred, axis=-1, keepdims=True)
    return np.where(length > 1.0, centred / np.maximum(length, 1.0), 0).astype(np.float32)
