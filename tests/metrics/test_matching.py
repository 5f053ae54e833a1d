import numpy as np
import pytest

from danggol.errors import UsageError
from danggol.metrics import pair_f1, row_f1


def test_row_f1_counts_the_listing_itself():
    groups = ["a", "a", "a", "b"]
    assert row_f1([], [], groups) == pytest.approx([0.5, 0.5, 0.5, 1.0])
    # 0 is told 1 and 3; 1 is told 0, twice; 3 is told 0
    found = row_f1([0, 0, 1, 1, 3, 2], [1, 3, 0, 0, 0, 2], groups)
    assert found == pytest.approx([2 * 2 / 6, 2 * 2 / 5, 0.5, 2 / 3])


def test_pair_f1_ignores_direction_and_self():
    groups = np.array([1, 1, 1, 2, 2])
    assert pair_f1([0, 1, 0, 3], [1, 0, 0, 0], groups) == pytest.approx(2 * 1 / (2 + 4))
    assert np.isnan(pair_f1([], [], ["a", "b"]))


def test_rows_that_are_not_there():
    with pytest.raises(UsageError, match="beyond the 2"):
        row_f1([0], [2], ["a", "b"])
