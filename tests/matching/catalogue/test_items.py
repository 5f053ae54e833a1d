"""Listings from tables and from a shop, and what is written back."""

from datetime import UTC, datetime

import polars as pl
import pyarrow as pa
import pytest
from tests.matching.catalogue.made import SMALL, catalogue

from danggol.errors import DataError, UsageError
from danggol.matching.catalogue.attributes import AttributeModel, attributes_of
from danggol.matching.catalogue.items import Items
from danggol.shop import Shop

WHEN = datetime(2024, 5, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A shop of 200 listings; every tenth has no picture, every ninth no attributes."""
    shop = Shop.create(tmp_path_factory.mktemp("market") / "shop")
    items, labels = catalogue(200)
    rows = labels.with_columns(nth=pl.int_range(pl.len())).rows(named=True)
    told = [[("shape", row["shape"])] if row["nth"] % 9 else None for row in rows]
    products = pa.table(
        {
            "product_id": items.ids,
            "title": items.titles,
            "category": labels["colour"].to_list(),
            "attributes": pa.array(told, pa.map_(pa.string(), pa.string())),
            "listed_at": pa.array([WHEN] * 200, pa.timestamp("us", "UTC")),
        }
    )
    (shop.path / "pictures").mkdir()
    images = []
    for nth, (name, content) in enumerate(zip(items.ids, items.pictures, strict=True)):
        if nth % 10:
            (shop.path / "pictures" / f"{name}.png").write_bytes(content)  # type: ignore[arg-type]
            images += [
                {"product_id": name, "image": "https://example.org/1.jpg", "position": 0},
                {"product_id": name, "image": f"pictures/{name}.png", "position": 1},
            ]
    shop.write("products", products)
    shop.write("product_images", pl.DataFrame(images))
    return shop


def test_a_shop_gives_titles_and_the_first_picture_that_is_a_file(shop: Shop) -> None:
    items = Items.from_shop(shop)
    assert items.ids == sorted(items.ids)
    assert len(items) == 200
    assert sum(one is None for one in items.pictures) == 20
    assert all(str(one).endswith(f"{name}.png") for name, one in zip(items.ids, items.pictures, strict=True) if one)
    table = attributes_of(shop, items.ids)
    assert table.columns == ["category", "shape"]
    assert table["shape"].null_count() == 23


def test_predictions_go_to_a_table_of_their_own(shop: Shop) -> None:
    before = shop.read("products")
    few = SMALL.model_copy(update={"epochs": 1})
    rows = AttributeModel(held=0.3, picture=few).fit(shop).write(shop)
    written = shop.read("product_attributes")
    assert rows == written.height == 400
    assert written["as_of"].unique().to_list() == [WHEN]
    assert shop.read("products").equals(before)
    assert not shop.check()


def test_tables_need_distinct_ids() -> None:
    with pytest.raises(DataError, match="no column 'product_id'"):
        Items.of(pl.DataFrame({"id": ["a"]}))
    with pytest.raises(DataError, match="twice"):
        Items.of(pl.DataFrame({"product_id": ["a", "a"]}))
    items = Items.of(pl.DataFrame({"product_id": ["a", "b"], "title": [" ", "bag"]}))
    assert items.titles == [None, "bag"]
    assert items.pictures == [None, None]
    with pytest.raises(UsageError, match="title or picture"):
        items.without("price")
