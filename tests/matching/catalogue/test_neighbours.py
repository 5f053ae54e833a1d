"""Votes of the nearest known listings beside a slow count written from the description."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from danggol.matching.catalogue.neighbours import Neighbours, Sight


def made(count: int, seed: int) -> Sight:
    draw = np.random.default_rng(seed)
    words = draw.random((count, 6)) * (draw.random((count, 6)) < 0.5)
    words /= np.maximum(np.linalg.norm(words, axis=1, keepdims=True), 1e-9)
    vectors = draw.normal(size=(count, 5)).astype(np.float16).astype(np.float32)
    vectors[0] = np.nan
    return Sight.of(csr_matrix(words.astype(np.float32)), vectors)


@pytest.mark.parametrize("kinds", [("title",), ("picture",), ("title", "picture")])
def test_votes_are_those_of_a_slow_count(kinds: tuple[str, ...]) -> None:
    known, asked = made(80, 0), made(7, 1)
    codes = np.random.default_rng(2).integers(-1, 3, 80)
    found = Neighbours(known, {"colour": codes}, {"colour": 3}).votes(asked, kinds)["colour"]
    share = np.bincount(codes[codes >= 0], minlength=3) + 1.0
    for nth in range(7):
        near = np.zeros(80)
        if "title" in kinds:
            near += known.titles.toarray() @ asked.titles.toarray()[nth]
        if "picture" in kinds:
            near += known.vectors @ asked.vectors[nth]
        votes = 0.5 * share / share.sum()
        for place in np.argsort(-near)[:10]:
            if codes[place] >= 0:
                votes[codes[place]] += max(near[place] / len(kinds), 0) ** 4
        np.testing.assert_allclose(np.exp(found[nth]), votes / votes.sum(), atol=1e-3)


def test_a_missing_picture_is_like_nothing_and_few_listings_are_enough() -> None:
    known = made(3, 0)
    memory = Neighbours(known, {"colour": np.array([0, 1, 1])}, {"colour": 2})
    nothing = memory.votes(made(1, 1), ("picture",))["colour"]
    np.testing.assert_allclose(np.exp(nothing[0]), [0.4, 0.6])


def test_saved_neighbours_say_the_same() -> None:
    memory = Neighbours(made(50, 0), {"colour": np.arange(50) % 4}, {"colour": 4})
    again = Neighbours.from_bytes(memory.to_bytes(), {"colour": 4})
    asked = made(9, 3)
    np.testing.assert_array_equal(
        again.votes(asked, ("title", "picture"))["colour"], memory.votes(asked, ("title", "picture"))["colour"]
    )
