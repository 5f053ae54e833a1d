"""Pictures as edges, layout and colours, without learning: what a product on a plain ground looks like as a whole.

Three blocks: directions of edges in a grid of 16 x 12 cells, each cell beside the strength of those around it (Dalal &
Triggs, "Histograms of oriented gradients", CVPR 2005); the mean opponent colours of the same cells; and a histogram of
the colours that are not nearly white (Swain & Ballard, "Color indexing", IJCV 1991).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_DOWN, _ACROSS, _DIRECTIONS, _BINS = 16, 12, 8, 6
_WHITE = 0.92
_CHUNK = 512


def picture_blocks(pixels: NDArray[np.uint8]) -> list[NDArray[np.float16]]:
    """Edges (pictures, 1536), layout (pictures, 576) and colours (pictures, 216) of (pictures, height, width, 3)."""
    starts = range(0, max(len(pixels), 1), _CHUNK)
    parts = [_blocks(pixels[at : at + _CHUNK].astype(np.float32) / np.float32(255)) for at in starts]
    return [np.concatenate(blocks) for blocks in zip(*parts, strict=True)]


def _blocks(pixels: Floats) -> tuple[NDArray[np.float16], ...]:
    bright = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
    return tuple(block.astype(np.float16) for block in (_edges(bright), _layout(pixels, bright), _colours(pixels)))


def _edges(bright: Floats) -> Floats:
    """Square roots of how strong each direction is in each cell, beside all edges of the 3 x 3 cells around it."""
    count, height, width = bright.shape
    down, across = np.zeros_like(bright), np.zeros_like(bright)
    down[:, 1:-1] = bright[:, 2:] - bright[:, :-2]
    across[:, :, 1:-1] = bright[:, :, 2:] - bright[:, :, :-2]
    strength = np.hypot(down, across)
    turn = (np.arctan2(down, across) % np.pi) / np.pi * _DIRECTIONS
    low = np.floor(turn)
    share = turn - low
    cell = (np.arange(height) * _DOWN // height)[:, None] * _ACROSS + np.arange(width) * _ACROSS // width
    place = (np.arange(count)[:, None, None] * (_DOWN * _ACROSS) + cell) * _DIRECTIONS
    size = count * _DOWN * _ACROSS * _DIRECTIONS
    first, second = (place + ((low.astype(np.int64) + step) % _DIRECTIONS) for step in (0, 1))
    found = np.bincount(first.ravel(), (strength * (1 - share)).ravel(), minlength=size)
    found += np.bincount(second.ravel(), (strength * share).ravel(), minlength=size)
    cells = found.reshape(count, _DOWN, _ACROSS, _DIRECTIONS)
    power = np.pad((cells**2).sum(axis=-1), ((0, 0), (1, 1), (1, 1)), mode="edge")
    around = sum(power[:, one : one + _DOWN, two : two + _ACROSS] for one in range(3) for two in range(3))
    even = np.sqrt(cells / np.sqrt(around + 0.05)[..., None])
    return even.reshape(count, _DOWN * _ACROSS * _DIRECTIONS).astype(np.float32)


def _layout(pixels: Floats, bright: Floats) -> Floats:
    """Mean brightness, red minus green, and yellow minus blue of each cell."""
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    opponent = np.stack([bright, red - green, (red + green) / 2 - blue], axis=-1)
    rows, columns = _means(pixels.shape[1], _DOWN), _means(pixels.shape[2], _ACROSS)
    found = np.einsum("dh,nhwc,aw->ndac", rows, opponent, columns, optimize=True)
    return np.asarray(found.reshape(len(pixels), 3 * _DOWN * _ACROSS), np.float32)


def _means(pixels: int, cells: int) -> Floats:
    """(cells, pixels) that takes the mean of the pixels of each cell."""
    member = (np.arange(pixels) * cells // pixels == np.arange(cells)[:, None]).astype(np.float32)
    return np.asarray(member / np.maximum(member.sum(axis=1, keepdims=True), 1))


def _colours(pixels: Floats) -> Floats:
    """Square roots of the shares of colours among the pixels that are not nearly white."""
    levels = (pixels * (_BINS - 0.001)).astype(np.int64)
    codes = (levels[..., 0] * _BINS + levels[..., 1]) * _BINS + levels[..., 2]
    shown = (pixels.min(axis=-1) < _WHITE).astype(np.float64)
    places = np.arange(len(pixels))[:, None, None] * _BINS**3 + codes
    found = np.bincount(places.ravel(), shown.ravel(), minlength=len(pixels) * _BINS**3).reshape(-1, _BINS**3)
    shares: Floats = np.sqrt(found / np.maximum(found.sum(axis=1, keepdims=True), 1)).astype(np.float32)
    return shares
