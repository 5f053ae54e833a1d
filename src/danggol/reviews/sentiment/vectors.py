"""Vectors of tokens from the texts alone, without labels: tokens that stand in like company lie close together.

How often two tokens stand within a few places of each other becomes positive pointwise mutual information, whose
leading singular vectors are the vectors (Levy, Goldberg & Dagan, "Improving distributional similarity with lessons
learned from word embeddings", TACL 2015).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from danggol.encoders.text import PAD

_SMOOTHED = 0.75
_ROUNDS, _MORE = 3, 16


def token_vectors(
    tokens: NDArray[np.int64], size: int, width: int, window: int = 4, seed: int = 0
) -> NDArray[np.float32]:
    """Vectors (size, width) of the tokens of texts (texts, length), of mean square one over the tokens that occur."""
    pairs = _company(tokens, size, window)
    total = float(pairs.sum())
    often = np.asarray(pairs.sum(axis=1)).ravel()
    context = often**_SMOOTHED
    context /= max(context.sum(), 1.0)
    place = pairs.tocoo()
    with np.errstate(divide="ignore"):
        value = np.log(place.data / (often[place.row] * context[place.col]))
    kept = value > 0
    table = csr_matrix((value[kept].astype(np.float32), (place.row[kept], place.col[kept])), (size, size))
    if not total or not table.nnz:
        return np.zeros((size, width), np.float32)
    left, strength = _leading(table, min(width, size), seed)
    found = np.zeros((size, width), np.float32)
    found[:, : left.shape[1]] = left * np.sqrt(strength)
    found[often == 0] = 0
    spread = np.sqrt((found[often > 0] ** 2).mean())
    return np.asarray(found / max(float(spread), 1e-12), np.float32)


def _company(tokens: NDArray[np.int64], size: int, window: int) -> csr_matrix:
    """How often (size, size) tokens stand near each other, nearer ones counting more."""
    found = csr_matrix((size, size), dtype=np.float32)
    for apart in range(1, min(window, tokens.shape[1] - 1) + 1):
        one, two = tokens[:, :-apart].ravel(), tokens[:, apart:].ravel()
        there = (one != PAD) & (two != PAD)
        keys, often = np.unique(one[there] * size + two[there], return_counts=True)
        weight = (often * (1 - (apart - 1) / window)).astype(np.float32)
        found = found + csr_matrix((weight, (keys // size, keys % size)), (size, size))
    return csr_matrix(found + found.T)


def _leading(table: csr_matrix, width: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Leading left singular vectors and values, by random projection (Halko, Martinsson & Tropp, SIAM Review 2011)."""
    rng = np.random.default_rng(seed)
    found = rng.standard_normal((table.shape[1], min(width + _MORE, table.shape[1])), np.float32)
    turned = table.T.tocsr()
    for _ in range(_ROUNDS):
        found = np.linalg.qr(table @ found)[0]
        found = np.linalg.qr(turned @ found)[0]
    left, strength, _ = np.linalg.svd(table @ found, full_matrices=False)
    return left[:, :width], strength[:width]
