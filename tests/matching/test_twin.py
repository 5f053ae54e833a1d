"""A simulated shop whose truth is known: which listings are copies, what they cost, what spam was planted."""

import numpy as np
import polars as pl
import pytest

from danggol.matching.offers.prices import price_gaps
from danggol.matching.offers.spam import spam
from danggol.matching.verbs import match
from danggol.metrics.matching import pair_f1, row_f1
from danggol.shop import Shop
from danggol.twin import simulate
from danggol.twin.spam import SORTS, plant

MARKET = """
format = 1
base = "small"
name = "copies"
[size]
customers = 200
products = 500
weeks = 8
[goods]
brands = 40
sellers = 20
"""


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    path = tmp_path_factory.mktemp("twin")
    (path / "market.toml").write_text(MARKET)
    simulate(path / "shop", path / "market.toml", seed=5)
    shop = Shop.open(path / "shop")
    match(shop)
    return shop


def truth(shop):
    return pl.read_parquet(shop.path / "truth" / "products.parquet").sort("product_id")


def test_copies_are_found_without_labels(market):
    code = truth(market)
    row = {name: place for place, name in enumerate(code["product_id"].to_list())}
    found = market.read("product_matches")
    left, right = ([row[name] for name in found[column].to_list()] for column in ("product_id", "other_id"))
    groups = code["real_product"].to_numpy()
    assert row_f1(left, right, groups).mean() >= 0.95
    assert pair_f1(left, right, groups) >= 0.95


def test_price_gaps_are_those_of_the_true_groups(market):
    price_gaps(market)
    found = market.read("product_price_gaps")
    assert not [one for one in market.check() if one.table == "product_price_gaps"]
    cheapest = found.filter(pl.col("rank") == 1)
    assert (cheapest["gap"] == 0).all()
    real = dict(truth(market).select("product_id", "real_product").rows())
    compared = found.filter(pl.col("state") == "compared")
    same = [real[one] == real[other] for one, other in compared.select("product_id", "cheapest_id").rows()]
    assert np.mean(same) > 0.95
    assert compared.height > 200


def test_planted_spam_is_found_and_honest_listings_are_left_alone(market):
    planted = plant(market, seed=5)
    match(market)
    spam(market)
    found = market.read("product_spam")
    for sort in SORTS:
        true = set(planted.filter(pl.col("reason_code") == sort)["product_id"])
        said = set(found.filter(pl.col("reason_code") == sort)["product_id"])
        assert len(true & said) >= 0.6 * len(true), sort
        assert len(said - true) <= 0.01 * market.read("products").height, sort
