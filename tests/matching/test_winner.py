import numpy as np
import pytest
from tests.matching.made import market, rows_of

from danggol.errors import DataError, UsageError
from danggol.matching import Matcher
from danggol.metrics import row_f1

WINNER = {"preset": "shopee-winner", "trials": 9}


@pytest.fixture(scope="module")
def learnt():
    return Matcher(**WINNER).fit(*market(products=80))


def test_the_preset_finds_products_it_has_never_seen(learnt):
    listings, groups = market(products=80, seed=9)
    found = learnt.predict(listings)
    code = rows_of(listings, groups)
    assert row_f1(found.left, found.right, code).mean() > 0.8
    assert set(found.by.tolist()) <= {"text", "hash"}
    own = found.frame().unique("product_id", keep="first", maintain_order=True)
    assert own["product_id"].to_list() == own["other_id"].to_list() == listings.ids.tolist()
    assert found.frame()["similarity"].is_between(0, 1).all()


def test_its_groups_keep_their_ids_and_matches_are_few_enough(learnt):
    listings, _ = market(products=20, copies=60, seed=1)
    found = learnt.predict(listings)
    assert np.bincount(found.left).max() <= 50
    former = dict(found.groups().rows())
    assert dict(learnt.predict(listings, former).groups().rows()) == former


def test_the_preset_without_labels_and_what_it_does_not_do(learnt):
    listings, _ = market(products=5)
    with pytest.raises(UsageError, match="labelled groups"):
        Matcher(**WINNER).predict(listings)
    with pytest.raises(UsageError, match="pair model"):
        learnt.match(listings)


def test_a_saved_one_says_the_same(learnt, tmp_path):
    listings, _ = market(products=30, seed=11)
    loaded = Matcher.load(learnt.save(tmp_path / "model"))
    assert loaded.predict(listings).frame().equals(learnt.predict(listings).frame())
    assert loaded.means == "shopee-winner"
    (tmp_path / "model" / "winner.safetensors").write_bytes(b"nothing")
    with pytest.raises(DataError, match="train the model again"):
        Matcher.load(tmp_path / "model")
