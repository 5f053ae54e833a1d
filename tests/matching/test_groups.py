import numpy as np

from danggol.matching.groups import felt, group_ids, members, partition, partition_again


def test_a_doubtful_pair_does_not_chain_two_products():
    left, right = np.array([0, 0, 1, 3, 3, 4, 2]), np.array([1, 2, 2, 4, 5, 5, 3])
    chance = np.array([0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.6], np.float32)
    assert partition(7, left, right, chance, 0.5).tolist() == [0, 0, 0, 3, 3, 3, 6]


def test_ids_survive_growth_merging_and_splitting():
    first = group_ids(["a", "b", "c", "d"], np.array([0, 0, 2, 3]))
    former = dict(zip("abcd", first, strict=True))
    grown = group_ids(["a", "b", "c", "d", "e"], np.array([0, 0, 2, 3, 2]), former)
    assert grown[:4] == first
    assert grown[4] == first[2]
    merged = group_ids(["a", "b", "c", "d"], np.array([0, 0, 0, 3]), former)
    assert merged == [first[0]] * 3 + [first[3]]
    split = group_ids(["a", "b", "c", "d"], np.array([0, 1, 2, 3]), former)
    assert split[0] == first[0]
    assert len(set(split)) == 4
    assert split[2:] == first[2:]


def test_a_new_group_never_takes_an_id_in_use():
    former = {"b": group_ids(["a"], np.array([0]))[0]}
    ids = group_ids(["a", "b"], np.array([0, 1]), former)
    assert ids[1] == former["b"]
    assert ids[0] != ids[1]


def test_members_are_all_pairs_of_a_group():
    left, right = members(np.array([3, 0, 3, -1, 3, -1]))
    assert sorted(zip(left.tolist(), right.tolist(), strict=True)) == [(0, 2), (0, 4), (2, 0), (2, 4), (4, 0), (4, 2)]


def test_a_group_that_loses_a_listing_to_new_ones_is_made_again_and_others_stay():
    left, right = np.array([0, 2, 0, 2]), np.array([1, 3, 4, 4])
    before, chance = np.array([0.9, 0.9, 0, 0], np.float32), np.array([0.2, 0.9, 0.9, 0.1], np.float32)
    changed = felt(5, left, right, before, chance, 0.5, 0.3)
    assert changed.tolist() == [0, 1, 4]
    group, again = partition_again(5, left, right, chance, 0.5, np.array([0, 0, 2, 2]), changed)
    assert group.tolist() == [0, 1, 2, 2, 0]
    assert again.tolist() == [True, True, False, False, True]


def test_a_pair_that_changes_a_little_matters_within_its_component():
    left, right = np.array([0, 1, 0]), np.array([1, 2, 2])
    before, chance = np.array([0.9, 0.9, 0.1], np.float32), np.array([0.9, 0.9, 0.2], np.float32)
    assert felt(3, left, right, before, chance, 0.5, 0.5).tolist() == [0, 2]
    assert not felt(3, left, right, np.array([0.1, 0.9, 0.1]), np.array([0.2, 0.9, 0.1]), 0.5, 0.5).size


def test_ids_of_groups_elsewhere_are_not_taken():
    own = group_ids(["a"], np.array([0]))
    assert group_ids(["a"], np.array([0]), {}, set(own)) != own
