import numpy as np
import pytest

from danggol.errors import DataError
from danggol.reviews.sentiment.rows import columns_of, folds_of, kept_apart, labels_of_ratings, median_stars, shares_of


def test_ratings_become_labels() -> None:
    stars = [1, 2, 3, 4, 5]
    assert labels_of_ratings(stars, "stars").tolist() == stars
    assert labels_of_ratings(stars, "score").tolist() == [-1, -0.5, 0, 0.5, 1]
    two = labels_of_ratings(stars, "two")
    assert np.isnan(two[2])
    assert two[[0, 1, 3, 4]].tolist() == [0, 0, 1, 1]


def test_labels_become_shares() -> None:
    assert shares_of([0, 0.25, 1], "two").tolist() == [[1, 0], [0.75, 0.25], [0, 1]]
    assert shares_of([-1, 0, 1], "score").tolist() == [[1, 0], [0.5, 0.5], [0, 1]]
    assert shares_of([3], "stars").tolist() == [[0, 0, 1, 0, 0]]
    assert np.isnan(shares_of([np.nan], "two")).all()
    for labels, target in (([2], "two"), ([2.5], "stars"), ([0], "stars"), ([-2], "score")):
        with pytest.raises(DataError, match="labels of the target"):
            shares_of(labels, target)


def test_shares_may_be_given_themselves() -> None:
    given = np.array([[0.3, 0.7], [np.nan, np.nan], [1.0, 0.0]])
    assert np.array_equal(shares_of(given, "two"), given, equal_nan=True)
    for wrong, target in (([[0.3, 0.3]], "two"), ([[1.2, -0.2]], "score"), ([[0.5, 0.5]], "stars")):
        with pytest.raises(DataError, match="whose sum is 1"):
            shares_of(wrong, target)


def test_repeated_texts_are_of_one_fold() -> None:
    found = folds_of([f"text {nth % 300}" for nth in range(600)], 3, 1)
    assert (found[:300] == found[300:]).all()
    assert np.bincount(found).tolist() == pytest.approx([200, 200, 200], abs=60)


def test_repeated_texts_stay_on_one_side() -> None:
    texts = [f"text {nth % 500}" for nth in range(1000)] + ["\ud800"]
    apart = kept_apart(texts, 0.2, 3)
    assert (apart[:500] == apart[500:1000]).all()
    assert 0.1 < apart.mean() < 0.3
    assert (kept_apart(texts, 0.2, 4) != apart).any()


def test_the_middle_of_what_is_expected() -> None:
    chance = np.array([[0.4, 0.2, 0.1, 0.1, 0.2], [0, 0, 0, 0.4, 0.6], [1, 0, 0, 0, 0]])
    with np.errstate(divide="ignore"):
        logs = np.log(chance)
    assert median_stars(logs).tolist() == [2, 5, 1]
    found = columns_of(logs)
    assert np.allclose(found["score"], [-0.25, 0.8, -1])
    assert np.allclose(found["probability"], [0.3 / 0.9, 1, 0])
