"""Equal listings, however many, are one product; and they do not hide others."""

import numpy as np
import pytest
from tests.matching.made import market

from danggol.matching import Listings, Matcher
from danggol.matching.inputs.texts import TextEncoder
from danggol.matching.pairs.repeats import STANDING, beside, stands

ODD = ["kipas angin miyako kzx", "panci set maxim", "buku gambar anak"]


def crowd(copies, first=0, others=ODD):
    """So many equal listings at different prices, and a few others."""
    ids = [f"c{first + nth:05d}" for nth in range(copies)] + [f"odd{nth}" for nth in range(len(others))]
    titles = ["tas ransel anti air hitam"] * copies + list(others)
    hashes = ["8765432112345678"] * copies + [None] * len(others)
    return Listings.of(ids, titles, hashes, [5.0 + nth % 7 for nth in range(len(ids))])


@pytest.mark.parametrize("copies", [2, STANDING + 1, 60, 1_500])
def test_equal_listings_are_one_group(copies):
    found = Matcher().predict(crowd(copies))
    groups = found.groups()
    assert groups["group_id"].n_unique() == 1 + len(ODD)
    assert groups.head(copies)["group_id"].n_unique() == 1
    count = np.bincount(found.left)
    assert count.max() <= 50
    assert count[:copies].min() >= min(copies, STANDING)
    assert (found.group[0] == np.array(found.group)[found.right[found.left < copies]]).all()


def test_a_crowd_does_not_hide_what_is_like_it():
    others = ["hitam tas ransel anti air", *ODD]
    found = Matcher().predict(crowd(300, others=others))
    assert found.group[0] == found.group[300]


def test_new_ones_join_a_crowd_or_make_one():
    matcher = Matcher()
    state = matcher.match(crowd(30))
    before = dict(state.matches.groups().rows())
    state = matcher.join(state, crowd(40, first=30, others=[]))
    state = matcher.join(state, Listings.of([f"n{nth:03d}" for nth in range(80)], ["kipas angin miyako kzx"] * 80))
    found = dict(state.matches.groups().rows())
    crowds = [{found[name] for name in found if name.startswith(one)} for one in ("c", "n")]
    assert [len(one) for one in crowds] == [1, 1]
    assert found["odd0"] in crowds[1]
    assert all(found[name] == group for name, group in before.items())
    assert np.bincount(state.matches.left).max() <= 50
    whole = matcher.predict(state.evidence.listings.take(np.arange(len(found)))).groups()
    assert len(set(whole["group_id"])) == len(set(found.values()))


def test_a_fitted_model_keeps_a_crowd_together():
    listings, groups = market(products=60)
    matcher = Matcher(rounds=20, leaves=7, trials=5).fit(listings, groups)
    found = matcher.predict(crowd(200))
    assert len(set(found.group[:200])) == 1
    assert not set(found.group[:200]) & set(found.group[200:])


def test_what_differs_in_anything_told_is_not_equal():
    titles = ["tas"] * 60
    plain = Listings.of([f"{nth:02d}" for nth in range(60)], titles, brands=["a", "b"] * 30)
    view = TextEncoder().fit_transform(titles)
    found = stands(plain, view)
    assert np.unique(found[:20]).tolist() == list(range(20))
    assert found[20:].tolist() == [0, 1] * 20
    vectors = Listings.of(plain.ids.tolist(), titles, vectors={"image": np.eye(60)})
    assert (stands(vectors, view) == np.arange(60)).all()
    nothing = Listings.of(plain.ids.tolist(), [None] * 60)
    assert (stands(nothing, TextEncoder().fit_transform(nothing.titles)) == np.arange(60)).all()


def test_pairs_of_those_that_another_stands_for():
    left, right = beside(np.array([0, 1, 0, 0, 1, 0]), 2)
    assert sorted(zip(left.tolist(), right.tolist(), strict=True)) == [(0, 2), (0, 3), (0, 5), (1, 4), (2, 3), (3, 5)]
