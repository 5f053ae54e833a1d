import numpy as np

from danggol.matching.inputs.details import compared, incidence, placeholders, trusted


def shop_of(copies=12):
    """Pairs of listings with the very same picture: their colours agree, their ratings do not."""
    rng = np.random.default_rng(0)
    pictures = np.repeat(rng.integers(1, 255, (copies, 32, 32, 3), dtype=np.uint8), 2, axis=0)
    titles = [f"lamp model{row // 2} offer{row}" for row in range(2 * copies)]
    names = ["Red", "blue", "green"]
    color = [names[row // 2 % 3] if row % 2 else names[row // 2 % 3].upper() + " " for row in range(2 * copies)]
    return pictures, titles, {"color": color, "rating": [str(row) for row in range(2 * copies)]}


def test_a_detail_on_which_the_same_products_agree_is_trusted():
    pictures, titles, details = shop_of()
    found = trusted(details, titles, pictures)
    assert list(found) == ["color"]
    assert found["color"][:2] == ["red", "red"]


def test_without_evidence_brand_and_category_are_trusted_alone():
    _, titles, details = shop_of()
    told = details | {"brand": ["A", "b"] * 12, "category": [None] * 24}
    assert list(trusted(told, titles, None)) == ["brand"]


def test_a_placeholder_is_no_evidence():
    pictures, titles, details = shop_of()
    assert trusted(details, titles, np.repeat(pictures[:1], len(titles), axis=0)) == {}


def test_comparison_counts_what_both_tell():
    details = {"brand": ["a", "a", None, "b"], "color": ["red", "blue", "red", ""]}
    same, against = compared(details, np.array([0, 0, 0]), np.array([1, 2, 3]))
    assert same.tolist() == [1, 1, 0]
    assert against.tolist() == [1, 0, 1]
    rows = incidence(details, 4)
    assert np.allclose(np.sqrt(rows.multiply(rows).sum(axis=1)).ravel(), 1)


def test_a_picture_that_many_unlike_titles_bear_is_a_placeholder():
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 255, (40, 32, 32, 3), dtype=np.uint8)
    pictures[:30] = pictures[0]
    unlike = [f"one{row} two{row} three{row}" for row in range(40)]
    assert placeholders(unlike, pictures).tolist() == [True] * 30 + [False] * 10
    assert not placeholders(["the same red dress"] * 40, pictures).any()
    assert not placeholders(unlike, pictures[20:]).any()
