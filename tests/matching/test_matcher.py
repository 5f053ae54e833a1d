from dataclasses import replace

import numpy as np
import pytest
from tests.matching.made import market, rows_of

from danggol.errors import DataError, UsageError
from danggol.matching import Listings, Matcher
from danggol.metrics import row_f1

SMALL = {"rounds": 20, "leaves": 7, "trials": 10}


@pytest.fixture(scope="module")
def learnt():
    listings, groups = market()
    return Matcher(**SMALL).fit(listings, groups)


def test_finds_products_it_has_never_seen(learnt):
    listings, groups = market(seed=9)
    found = learnt.predict(listings)
    assert row_f1(found.left, found.right, rows_of(listings, groups)).mean() > 0.9
    assert set(found.by.tolist()) == {"pair_model"}


def test_without_labels_the_rules_match_and_contradicting_quantities_do_not():
    listings, groups = market(seed=3)
    found = Matcher().predict(listings)
    assert row_f1(found.left, found.right, rows_of(listings, groups)).mean() > 0.8
    pair = Listings.of(["a", "b", "c"], ["gula pasir manis 500 gr", "gula pasir manis 1kg", "gula pasir manis 0,5 kg"])
    assert Matcher().predict(pair).shopee()["matches"].to_list() == ["a c", "b", "c a"]


@pytest.mark.parametrize("known", [True, False])
def test_form(learnt, known):
    listings, _ = market(products=20, copies=60, seed=1)
    found = (learnt if known else Matcher()).predict(listings)
    frame = found.frame()
    assert frame["similarity"].is_between(0, 1).all()
    counts = np.bincount(found.left)
    assert counts.max() <= 50
    assert counts.min() >= 1
    first = frame.filter(frame["rank"] == 0)
    assert (first["product_id"] == first["other_id"]).all()
    assert first["product_id"].to_list() == listings.ids.tolist()
    assert found.groups()["product_id"].n_unique() == len(listings)


def test_order_of_rows_does_not_matter_and_ids_survive(learnt):
    listings, _ = market(seed=5)
    order = np.random.default_rng(1).permutation(len(listings))
    shuffled = Listings.of(
        listings.ids[order].tolist(),
        [listings.titles[row] for row in order],
        [f"{int(listings.hashes[row]):016x}" for row in order],
        listings.prices[order].tolist(),
    )
    one, two = learnt.predict(listings), learnt.predict(shuffled)
    assert one.frame().equals(two.frame())
    assert one.groups().equals(two.groups())
    former = dict(one.groups().rows())
    assert dict(learnt.predict(listings.take(np.arange(300)), former).groups().rows()).items() <= former.items()


@pytest.mark.parametrize("known", [True, False])
def test_joining_gives_the_groups_of_all_at_once(learnt, known):
    matcher = learnt if known else Matcher()
    listings, _ = market(products=150, seed=7)
    new = np.random.default_rng(0).random(len(listings)) < 0.1
    state = matcher.match(listings.take(np.flatnonzero(~new)))
    joined = matcher.join(state, listings.take(np.flatnonzero(new)))
    whole = dict(matcher.predict(listings).groups().rows())
    found = dict(joined.matches.groups().rows())
    mates = [{tuple(sorted(n for n, g in of.items() if g == of[name])) for name in of} for of in (whole, found)]
    assert len(mates[0] & mates[1]) / len(mates[0]) > 0.97
    before = dict(state.matches.groups().rows())
    kept = sum(found[name] == group for name, group in before.items())
    assert kept / len(before) > 0.97
    with pytest.raises(DataError, match="matched already"):
        matcher.join(state, listings.take(np.flatnonzero(~new)))


def test_a_part_of_the_labels_teaches_among_all_listings():
    listings, groups = market(products=150, seed=3)
    known = {name: group for name, group in groups.items() if group < 60}
    matcher = Matcher(rounds=30, trials=5).fit(listings, known)
    assert matcher.figures["row_f1"] > 0.9
    found = matcher.predict(listings)
    code = rows_of(listings, groups)
    left, right = found.left, found.right
    other = code >= 60
    assert row_f1(left, right, code)[other].mean() > 0.9


def test_a_model_bears_pictures_and_details_that_it_did_not_learn_from(learnt):
    listings, _ = market(seed=5)
    told = replace(
        listings,
        details={"brand": [f"b{row % 7}" for row in range(len(listings))]},
        pictures=np.random.default_rng(0).integers(0, 255, (len(listings), 32, 32, 3), np.uint8),
    )
    assert len(learnt.predict(told).group) == len(listings)


def test_a_saved_model_says_the_same(learnt, tmp_path):
    listings, _ = market(seed=11)
    loaded = Matcher.load(learnt.save(tmp_path / "model"))
    assert loaded.predict(listings).frame().equals(learnt.predict(listings).frame())
    assert sorted(path.suffix for path in (tmp_path / "model").iterdir()) == [".json"] + [".txt"] * 4
    (tmp_path / "model" / "first-0.txt").write_text("nothing")
    with pytest.raises(DataError, match="train the model again"):
        Matcher.load(tmp_path / "model")
    with pytest.raises(UsageError, match="no model"):
        Matcher.load(tmp_path / "other")


def test_empty_one_and_twins(learnt):
    for matcher in (learnt, Matcher()):
        assert matcher.predict(Listings.of([])).frame().height == 0
        one = matcher.predict(Listings.of(["a"], ["kaos"]))
        assert one.shopee().rows() == [("a", "a")]
        nothing = matcher.predict(Listings.of(["a", "b"], [None, ""]))
        assert nothing.frame().height == 2
    twins = Matcher().predict(Listings.of(["a", "b"], ["kaos merah polos", "kaos merah polos"]))
    assert twins.frame().height == 4


def test_mistakes_are_said():
    listings, groups = market(products=5)
    with pytest.raises(DataError, match=r"^5 label groups .* 20 are needed"):
        Matcher().fit(listings, groups)
    with pytest.raises(DataError, match=r"^0 label groups"):
        Matcher().fit(listings, {})
    with pytest.raises(DataError, match="there twice"):
        Listings.of(["a", "a"])
    with pytest.raises(DataError, match="hexadecimal"):
        Listings.of(["a"], hashes=["xyz"])
