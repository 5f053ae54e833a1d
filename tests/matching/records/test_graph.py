"""What the other pairs of a record tell, and that a pair's own label is never looked at."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from danggol.matching.records import RecordPairs
from danggol.matching.records.graph import Around, standing

RECORDS = [{"a": name} for name in "abcde"]
LEFT = [RECORDS[0], RECORDS[0], RECORDS[1]]
RIGHT = [RECORDS[2], RECORDS[3], RECORDS[3]]


def test_rank_and_gap_are_among_the_pairs_of_a_record() -> None:
    pairs = RecordPairs.of(LEFT, RIGHT)
    found = standing(pairs, {"like": np.array([0.9, 0.4, 0.5], np.float32)})
    assert found["like_rank_left"].tolist() == [0, 1, 0]
    assert found["like_rank_right"].tolist() == [0, 1, 0]
    np.testing.assert_allclose(found["like_gap_left"], [0.5, -0.5, np.nan], rtol=1e-5)
    assert found["pairs_right"].tolist() == [1, 2, 2]


def test_labels_of_other_pairs_are_told_and_never_the_own() -> None:
    pairs = RecordPairs.of(LEFT, RIGHT, [1, 0, 1])
    around = Around(pairs, csr_matrix(np.eye(len(pairs.records), dtype=np.float32)))
    belief = pairs.label.astype(np.float32)
    told = around.told(belief, np.ones(3, np.float32))
    assert told["matched_left"].tolist() == [0, 1, 0]
    assert told["matched_right"].tolist() == [0, 1, 0]
    for nth in range(3):
        flipped = belief.copy()
        flipped[nth] = 1 - flipped[nth]
        again = around.told(flipped, np.ones(3, np.float32))
        for name, value in told.items():
            np.testing.assert_array_equal(value[nth], again[name][nth], err_msg=name)


def test_the_same_pair_given_twice_tells_nothing_of_itself() -> None:
    pairs = RecordPairs.of([RECORDS[0], RECORDS[0]], [RECORDS[1], RECORDS[1]], [1, -1])
    around = Around(pairs, csr_matrix(np.eye(2, dtype=np.float32)))
    assert around.told(np.array([1, np.nan], np.float32), np.array([1, 0], np.float32))["others_left"].tolist() == [
        0,
        0,
    ]
