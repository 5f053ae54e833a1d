"""The verb: missing attributes are told, source columns stay, and a saved model is used again."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from tests.matching.catalogue.made import SMALL, catalogue

from danggol.errors import DataError
from danggol.matching.catalogue.verbs import attributes
from danggol.shop import Shop

FAST = {"held": 0.3, "accuracy": 0.8, "picture": SMALL.model_copy(update={"epochs": 1})}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A shop of 200 listings; every ninth has no shape, each a code of its own and a number."""
    shop = Shop.create(tmp_path / "shop")
    items, labels = catalogue(200)
    told = []
    for nth, shape in enumerate(labels["shape"].to_list()):
        own = [("code", f"c{nth}"), ("weight", str(nth % 30))]
        told.append([*own, ("shape", shape)] if nth % 9 else own)
    products = {
        "product_id": items.ids,
        "title": items.titles,
        "category": labels["colour"].to_list(),
        "attributes": pa.array(told, pa.map_(pa.string(), pa.string())),
    }
    shop.write("products", pa.table(products))
    return shop


def test_what_is_missing_is_told_and_what_is_there_stays(shop: Shop) -> None:
    before = shop.read("products")
    told = attributes(shop, settings=FAST)
    rows = {row["attribute"]: row for row in told["attributes"]}
    assert sorted(rows) == ["category", "shape"]
    assert told["left_out"] == ["code", "weight"]
    assert rows["shape"]["missing"] == 23
    assert 0 < rows["shape"]["filled"] <= 23
    assert 0 <= rows["category"]["told_otherwise"] <= 200
    assert rows["category"]["accuracy"] > 0.5
    assert shop.read("products").equals(before)
    again = attributes(shop)
    assert "accuracy" not in again["attributes"][0]
    assert shop.read("product_attributes").height == told["product_attributes"]


def test_there_must_be_something_to_learn(tmp_path: Path) -> None:
    shop = Shop.create(tmp_path / "shop")
    shop.write("products", pl.DataFrame({"product_id": ["a", "b"], "title": ["x", "y"]}))
    with pytest.raises(DataError, match="nothing to learn from"):
        attributes(shop)
