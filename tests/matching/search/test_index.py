import numpy as np
from scipy.sparse import csr_matrix

from danggol.matching.search import index
from danggol.matching.search.index import dense_neighbours, hash_distance, hash_neighbours, overlap, sparse_neighbours

RNG = np.random.default_rng(0)


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_sparse_search_agrees_with_all_products():
    rows = RNG.random((60, 30)) * (RNG.random((60, 30)) < 0.2)
    rows[:, 0] += 0.1
    table = csr_matrix(unit(rows))
    dense = np.asarray((table @ table.T).todense())
    found = sparse_neighbours(table, table, 5, most=1_000, floor=0.0)
    assert np.allclose(found.similarity, -np.sort(-dense, axis=1)[:, :5], atol=1e-6)
    without = sparse_neighbours(table, table, 5, most=50, floor=0.0)
    assert np.allclose(without.similarity[:, 0], 1.0, atol=1e-6)
    there = without.place >= 0
    assert np.allclose(without.similarity[there], dense[np.nonzero(there)[0], without.place[there]], atol=1e-6)


def test_an_inverted_file_finds_what_exact_search_finds(monkeypatch):
    middles = RNG.normal(size=(200, 16))
    rows = unit(middles[RNG.integers(0, 200, 3000)] + 0.3 * RNG.normal(size=(3000, 16)))
    exact = dense_neighbours(rows, rows, 10)
    monkeypatch.setattr(index, "EXACT", 1000)
    assert overlap(dense_neighbours(rows, rows, 10).place, exact.place) > 0.95


def test_hashes():
    hashes = np.array([0b1111, 0b1110, 0, 0xFFFF], np.uint64)
    assert hash_distance(hashes[[0, 0, 0]], hashes[[1, 2, 3]]).tolist() == [1, 65, 12]
    found = hash_neighbours(hashes, hashes, 10)
    assert found.place[0].tolist() == [0, 1, 3] + [-1] * 7
    assert (found.place[2] == -1).all()


def test_lists_take_up_new_neighbours_as_if_searched_anew():
    rows = unit(RNG.normal(size=(400, 4)))
    old, whole = dense_neighbours(rows[:300], rows[:300], 400), dense_neighbours(rows, rows, 400)
    grown = index.extended(old, dense_neighbours(rows[300:], rows, 400))
    assert np.allclose(grown.similarity, whole.similarity, atol=1e-6)
    assert overlap(grown.place[:, :60], whole.place[:, :60]) > 0.999


def test_rows_with_very_many_are_cut_to_the_nearest():
    table = csr_matrix(unit(RNG.random((80, 6))))
    dense = np.asarray((table @ table.T).todense())
    found = sparse_neighbours(table, table, 5)
    assert np.allclose(found.similarity, -np.sort(-dense, axis=1)[:, :5], atol=1e-6)
