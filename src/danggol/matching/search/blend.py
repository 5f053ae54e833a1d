"""Iterative neighbourhood blending, as the winners of Shopee's Price Match Guarantee described it.

A listing's embedding is moved towards those that match it: the new one is the sum of its matches' embeddings, each
weighted by its similarity, itself included with weight one, put back to length one. Searching again among the new
embeddings finds what the old ones hid, and parts what only seemed near.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix

from danggol.matching.search.index import Bools, Floats, Ints, Neighbours


def unit(rows: Floats) -> Floats:
    """Rows (n, d) put to length one; a row of zeros stays."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(length > 0, length, 1), np.float32)


def concatenated(modalities: Sequence[Floats]) -> Floats:
    """One embedding (n, d1 + d2 + …): each modality normalised, then put side by side, then normalised."""
    return unit(np.concatenate([unit(one) for one in modalities], axis=1))


def min2(found: Neighbours, threshold: float, loose: float) -> Bools:
    """Which neighbours (n, k) are matches: distance (1 - similarity) below ``threshold``.

    The second-nearest, the first being the listing itself, is kept unless its distance reaches ``loose``.
    """
    distance = 1 - found.similarity
    kept = (found.place >= 0) & (distance < threshold)
    if kept.shape[1] > 1:
        kept[:, 1] |= (found.place[:, 1] >= 0) & (distance[:, 1] < loose)
    return np.asarray(kept)


def blended(embedding: Floats, left: Ints, right: Ints, similarity: Floats) -> Floats:
    """New embeddings (n, d) from the old ones and directed matches (matches,) with their similarities.

    A match told twice counts once, with the larger similarity; the listing itself always counts with weight one.
    """
    size = len(embedding)
    apart = left != right
    pair, weight = left[apart] * size + right[apart], similarity[apart]
    order = np.lexsort((-weight, pair))
    pair, first = np.unique(pair[order], return_index=True)
    weights = csr_matrix((weight[order][first].astype(np.float32), (pair // size, pair % size)), (size, size))
    return unit(np.asarray(embedding + weights @ embedding, np.float32))
