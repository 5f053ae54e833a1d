"""Blending and min2 beside plain, slow references written from the description alone."""

import math

import numpy as np
import pytest

from danggol.matching.search.blend import blended, concatenated, min2
from danggol.matching.search.index import Neighbours, dense_neighbours
from danggol.matching.winner import modal_vectors, union


def slow_blend(embedding, matches):
    """Each new embedding: the sum of the neighbours' weighted by similarity, itself with one, of length one."""
    found = []
    for row, own in enumerate(embedding):
        total = [float(value) for value in own]
        best = {}
        for left, right, similarity in matches:
            if left == row and right != row:
                best[right] = max(similarity, best.get(right, -9.0))
        for other, weight in best.items():
            for axis, value in enumerate(embedding[other]):
                total[axis] += weight * float(value)
        length = math.sqrt(sum(value * value for value in total))
        found.append([value / length for value in total])
    return found


def slow_min2(similarity, place, threshold, loose):
    """Row by row: all below the threshold; the second-nearest unless it reaches the loose one."""
    found = []
    for values, places in zip(similarity, place, strict=True):
        row = []
        for nth, (value, other) in enumerate(zip(values, places, strict=True)):
            distance = 1 - value
            kept = distance < threshold or (nth == 1 and distance < loose)
            row.append(bool(kept and other >= 0))
        found.append(row)
    return found


@pytest.mark.parametrize("seed", range(4))
def test_blending_agrees_with_the_reference(seed):
    rng = np.random.default_rng(seed)
    embedding = concatenated([rng.normal(size=(25, 6)).astype(np.float32)])
    left, right = rng.integers(0, 25, (2, 140))
    similarity = rng.random(140).astype(np.float32)
    slow = slow_blend(embedding, list(zip(left.tolist(), right.tolist(), similarity.tolist(), strict=True)))
    assert np.allclose(blended(embedding, left, right, similarity), slow, atol=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_min2_agrees_with_the_reference(seed):
    rng = np.random.default_rng(seed)
    rows = concatenated([rng.normal(size=(40, 5)).astype(np.float32)])
    found = dense_neighbours(rows, rows, 8)
    threshold, loose = rng.uniform(0.05, 0.3), rng.uniform(0.1, 0.6)
    slow = slow_min2(found.similarity.tolist(), found.place.tolist(), threshold, loose)
    assert min2(found, threshold, loose).tolist() == slow


def test_a_missing_neighbour_is_never_kept():
    found = Neighbours(np.array([[0, -1]]), np.array([[1.0, -np.inf]], np.float32))
    assert min2(found, 0.5, 9e9).tolist() == [[True, False]]


def test_each_modality_counts_the_same():
    rows = concatenated([np.array([[100.0, 0.0]]), np.array([[0.0, 0.001]])])
    assert rows == pytest.approx(np.array([[0.5**0.5, 0, 0, 0.5**0.5]]))


def test_hashes_as_vectors_have_the_hamming_distance():
    hashes = np.array([0, 1, 3, 2**64 - 1], np.uint64)
    rows = modal_vectors(hashes)
    assert not rows[0].any()
    assert 1 - rows[1] @ rows[2] == pytest.approx(2 * 1 / 64)
    assert 1 - rows[1] @ rows[3] == pytest.approx(2 * 63 / 64)


def test_union_of_matches_keeps_the_larger_similarity():
    one = (np.array([0, 1]), np.array([1, 0]), np.array([0.5, 0.5], np.float32))
    two = (np.array([0]), np.array([1]), np.array([0.9], np.float32))
    left, right, similarity = union([one, two])
    assert (left.tolist(), right.tolist()) == ([0, 1], [1, 0])
    assert similarity.tolist() == pytest.approx([0.9, 0.5])
