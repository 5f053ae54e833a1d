"""Named groups of listings whose truth is known."""

import numpy as np
import pytest

from danggol.errors import UsageError
from danggol.matching.catalogue.clusters import clustered

KINDS = ("running shoe", "leather bag", "silver ring")


def made(count: int = 300) -> tuple[np.ndarray, list[str | None], np.ndarray]:
    draw = np.random.default_rng(0)
    truth = draw.choice(3, count, p=[0.5, 0.3, 0.2])
    vectors = np.eye(3, 8)[truth] + 0.1 * draw.normal(size=(count, 8))
    brands = draw.choice(["aster", "borea"], count)
    return vectors, [f"{brand} {KINDS[kind]}" for brand, kind in zip(brands, truth, strict=True)], truth


def test_groups_are_found_and_named_by_their_own_words() -> None:
    vectors, titles, truth = made()
    found = clustered(vectors, titles, 3, words=2)
    for kind, words in enumerate(KINDS):
        # the largest group is the first
        assert (found.members[truth == kind] == kind).all()
        assert set(found.names[kind].split()) == set(words.split())


def test_the_order_of_rows_and_their_length_do_not_matter() -> None:
    vectors, titles, _ = made()
    found = clustered(vectors, titles, 3)
    order = np.random.default_rng(1).permutation(len(titles))
    again = clustered(5 * vectors[order], [titles[nth] for nth in order], 3)
    assert (again.members == found.members[order]).all()
    assert again.names == found.names


def test_what_has_no_vector_is_in_no_group() -> None:
    vectors, titles, _ = made()
    vectors[7] = np.nan
    titles[9] = None
    found = clustered(vectors, titles, 3)
    assert found.members[7] == -1
    assert found.nearest(vectors[:10])[7] == -1
    assert found.nearest(np.eye(3, 8)).tolist() == [0, 1, 2]
    table = found.frame([f"p{nth}" for nth in range(len(titles))])
    assert table.height == len(titles) - 1
    assert "p7" not in table["product_id"]


def test_without_titles_groups_have_no_name() -> None:
    vectors, _, _ = made(60)
    assert clustered(vectors, [None] * 60, 2).names == ["", ""]


def test_wrong_calls_are_told() -> None:
    vectors, titles, _ = made(20)
    with pytest.raises(UsageError, match="between 1"):
        clustered(vectors, titles, 21)
    with pytest.raises(UsageError, match="one of both"):
        clustered(vectors, titles[:5], 2)
