import numpy as np

from danggol.matching.search.cells import Cells
from danggol.matching.search.index import overlap

RNG = np.random.default_rng(0)


def near_middles(size, wide=16):
    rows = RNG.normal(size=(100, wide))[RNG.integers(0, 100, size)] + 0.3 * RNG.normal(size=(size, wide))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_looking_into_every_cell_is_exact_and_into_a_few_nearly():
    rows = near_middles(2000)
    cells = Cells(rows)
    truth = np.argsort(-(rows @ rows.T), axis=1, kind="stable")[:, :10]
    whole, similarity = cells.search(rows, cells.home, 10, len(cells.middles))
    assert overlap(whole, truth) > 0.999
    assert (np.diff(similarity, axis=1) <= 0).all()
    assert overlap(cells.search(rows, cells.home, 10, 8)[0], truth) > 0.9


def test_other_queries_and_fewer_rows_than_asked_for():
    rows, queries = near_middles(300), near_middles(50)
    cells = Cells(rows)
    place, similarity = cells.search(queries, cells.homes(queries), 300, 1)
    there = place >= 0
    assert 0 < there.sum() < there.size
    assert np.isneginf(similarity[~there]).all()
    exact = queries @ rows.T
    assert np.allclose(similarity[there], exact[np.nonzero(there)[0], place[there]], atol=1e-5)
