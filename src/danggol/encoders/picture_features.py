"""Pictures as a few hundred numbers that need no training labels: colours, their layout, edges, and learnt strokes.

A picture is scaled to 48 x 72 pixels. Blocks: the mean and spread of opponent colours in a 4 x 6 grid; a histogram of
hue, saturation and value (Swain & Ballard, "Color indexing", IJCV 1991); directions of edges in the grid (Dalal &
Triggs, "Histograms of oriented gradients", CVPR 2005); and how strongly small patches learnt by spherical k-means on
whitened pixels answer in the upper and lower half (Coates & Ng, "Learning feature representations with k-means", 2012).
Every block counts the same, whatever its length.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from danggol.encoders.pictures import Picture, resized

Floats = NDArray[np.float32]
_WIDTH, _HEIGHT, _ACROSS, _DOWN, _SIDE = 48, 72, 4, 6, 6
_DIRECTIONS, _STRIDE, _BATCH = 8, 2, 64


class PictureFeatures:
    """Learns patches and scales from pictures without labels; then describes any pictures."""

    def __init__(self, strokes: int = 200, seed: int = 0) -> None:
        self.strokes, self.seed = strokes, seed

    def fit(self, pictures: Sequence[Picture]) -> Self:
        """Learn. Pictures that cannot be read are left out; with none at all every description is nan."""
        pixels = read_pixels(pictures)
        there = pixels[np.isfinite(pixels[:, 0, 0, 0])]
        self._ready = len(there) > 0
        if self._ready:
            self._learn_strokes(there)
            blocks = self._blocks(there)
            self._middle = [block.mean(axis=0) for block in blocks]
            self._spread = [block.std(axis=0) + 1e-6 for block in blocks]
        return self

    def transform(self, pictures: Sequence[Picture]) -> Floats:
        """Descriptions (pictures, numbers), nan where a picture is missing or cannot be read."""
        if not self._ready:
            return np.full((len(pictures), 1), np.nan, np.float32)
        pixels = read_pixels(pictures)
        there = np.isfinite(pixels[:, 0, 0, 0])
        size = sum(len(middle) for middle in self._middle)
        rows = np.full((len(pictures), size), np.nan, np.float32)
        if there.any():
            rows[there] = self._scaled(self._blocks(pixels[there]))
        return rows

    def _scaled(self, blocks: list[Floats]) -> Floats:
        """Standard scores, each block's mean square being the same; the strokes count as much as all the others."""
        size = sum(block.shape[1] for block in blocks)
        shares = [0.5 if nth == len(blocks) - 1 else 0.5 / (len(blocks) - 1) for nth in range(len(blocks))]
        scaled = [
            np.clip((block - middle) / spread, -3, 3) * np.sqrt(size * share / block.shape[1])
            for block, middle, spread, share in zip(blocks, self._middle, self._spread, shares, strict=True)
        ]
        return np.concatenate(scaled, axis=1).astype(np.float32)

    def _blocks(self, pixels: Floats) -> list[Floats]:
        bright = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
        return [_layout(pixels, bright), _colours(pixels), _edges(bright), self._strokes(pixels)]

    def _learn_strokes(self, pixels: Floats) -> None:
        """Whitening and spherical k-means on patches drawn at random."""
        rng = np.random.default_rng(self.seed)
        chosen = pixels[rng.permutation(len(pixels))[:400]]
        patches = _patches(chosen, 5).reshape(-1, 3 * _SIDE**2)
        patches = _even(patches[rng.permutation(len(patches))[:30_000]])
        self._mean = patches.mean(axis=0)
        values, vectors = np.linalg.eigh(np.cov((patches - self._mean).T))
        self._white = ((vectors / np.sqrt(np.maximum(values, 0) + 0.1)) @ vectors.T).astype(np.float32)
        white = (patches - self._mean) @ self._white
        centres = rng.normal(size=(self.strokes, white.shape[1])).astype(np.float32)
        centres /= np.linalg.norm(centres, axis=1, keepdims=True)
        for _ in range(10):
            answer = white @ centres.T
            best = np.abs(answer).argmax(axis=1)
            strength = np.zeros_like(answer)
            strength[np.arange(len(best)), best] = answer[np.arange(len(best)), best]
            fresh = strength.T @ white
            length = np.linalg.norm(fresh, axis=1, keepdims=True)
            centres = np.where(length > 1e-6, fresh / np.maximum(length, 1e-6), centres).astype(np.float32)
        self._centres = centres

    def _strokes(self, pixels: Floats) -> Floats:
        """How strongly each patch and its negative answer in the upper and the lower half."""
        found = []
        for start in range(0, len(pixels), _BATCH):
            patches = _patches(pixels[start : start + _BATCH], _STRIDE)
            answer = ((_even(patches) - self._mean) @ self._white) @ self._centres.T
            answer = np.concatenate([np.maximum(answer - 0.5, 0), np.maximum(-answer - 0.5, 0)], axis=-1)
            middle = answer.shape[1] // 2
            halves = [answer[:, :middle].mean(axis=(1, 2)), answer[:, middle:].mean(axis=(1, 2))]
            found.append(np.concatenate(halves, axis=1))
        return np.concatenate(found).astype(np.float32)


def read_pixels(pictures: Sequence[Picture]) -> Floats:
    """Pixels (pictures, 72, 48, 3) in [0, 1], nan where a picture is missing or cannot be read."""
    rows = np.full((len(pictures), _HEIGHT, _WIDTH, 3), np.nan, np.float32)
    for nth, picture in enumerate(pictures):
        small = resized(picture, (_WIDTH, _HEIGHT))
        if small is not None:
            rows[nth] = np.asarray(small, np.float32) / 255
    return rows


def _cells(values: Floats) -> Floats:
    """(n, height, width, channels) cut into a grid: (n, down, rows, across, columns, channels)."""
    return values.reshape(len(values), _DOWN, _HEIGHT // _DOWN, _ACROSS, _WIDTH // _ACROSS, values.shape[-1])


def _layout(pixels: Floats, bright: Floats) -> Floats:
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    cells = _cells(np.stack([bright, red - green, (red + green) / 2 - blue], axis=-1))
    return np.concatenate([cells.mean(axis=(2, 4)), cells.std(axis=(2, 4))], axis=-1).reshape(len(pixels), -1)


def _colours(pixels: Floats) -> Floats:
    """Square roots of the shares of 72 bins of hue (8), saturation (3) and value (3)."""
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    most, least = pixels.max(axis=-1), pixels.min(axis=-1)
    width = most - least + 1e-9
    hue = np.where(
        most == red,
        ((green - blue) / width) % 6,
        np.where(most == green, (blue - red) / width + 2, (red - green) / width + 4),
    )
    parts = [(hue / 6 * 8, 8), ((most - least) / (most + 1e-9) * 3, 3), (most * 3, 3)]
    codes = np.zeros(most.shape, np.int64)
    for value, bins in parts:
        codes = codes * bins + np.clip(value.astype(np.int64), 0, bins - 1)
    codes = codes.reshape(len(pixels), -1) + 72 * np.arange(len(pixels))[:, None]
    counts = np.bincount(codes.ravel(), minlength=72 * len(pixels)).reshape(len(pixels), 72)
    return np.sqrt(counts / (_WIDTH * _HEIGHT)).astype(np.float32)


def _edges(bright: Floats) -> Floats:
    """Of each cell the shares of eight directions of edges, and how many edges there are."""
    down, across = np.gradient(bright, axis=1), np.gradient(bright, axis=2)
    strength = np.hypot(down, across)
    turn = np.clip(((np.arctan2(down, across) % np.pi) / np.pi * _DIRECTIONS).astype(np.int64), 0, _DIRECTIONS - 1)
    each = np.where(turn[..., None] == np.arange(_DIRECTIONS), strength[..., None], 0).astype(np.float32)
    cells = _cells(each).sum(axis=(2, 4))
    total = cells.sum(axis=-1, keepdims=True)
    return np.concatenate([np.sqrt(cells / (total + 1e-3)), total / 100], axis=-1).reshape(len(bright), -1)


def _patches(pixels: Floats, stride: int) -> Floats:
    """(n, down, across, 108) patches of 6 x 6 pixels."""
    cut = sliding_window_view(pixels, (_SIDE, _SIDE), axis=(1, 2))[:, ::stride, ::stride]
    return cut.reshape(*cut.shape[:3], -1)


def _even(patches: Floats) -> Floats:
    """Patches with mean 0 and spread near 1: light and contrast of the place do not count."""
    centred = patches - patches.mean(axis=-1, keepdims=True)
    return np.asarray(centred / np.sqrt(patches.var(axis=-1, keepdims=True) + 0.01), np.float32)
