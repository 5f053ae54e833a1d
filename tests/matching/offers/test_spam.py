from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from PIL import Image, ImageOps

from danggol.errors import DataError
from danggol.matching.offers.spam import absurd_prices, spam
from danggol.matching.offers.stuffed import stuffed_titles
from danggol.shop import Shop

NOUNS = {"lamps": "lamp", "shoes": "sneaker", "teas": "tea", "bags": "tote"}
BRANDS = ("sobe", "nari", "haru", "mito")


def products(many=120, seed=0):
    rng = np.random.default_rng(seed)
    rows = []
    for nth in range(many):
        category, brand = list(NOUNS)[nth % 4], BRANDS[nth // 4 % 4]
        title = f"{brand} {NOUNS[category]} {rng.choice(['red', 'blue', 'green'])} model {nth}"
        rows.append((f"p{nth:03d}", title, brand, category, f"s{nth % 7}", f"g{nth}"))
    names = ["product_id", "title", "brand", "category", "seller_id", "group_id"]
    listed = [datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=nth) for nth in range(many)]
    return pl.DataFrame(rows, schema=names, orient="row").with_columns(pl.Series("listed_at", listed))


def drawn(seed):
    small = Image.fromarray(np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8))
    return small.resize((96, 72), Image.Resampling.BICUBIC)


def shop_of(path, pictures):
    shop = Shop.create(path)
    table = products(len(pictures))
    with shop.run("made") as run:
        run.write("products", table.drop("group_id"))
        groups = table.select("product_id", "group_id")
        run.write("product_groups", groups.with_columns(pl.lit(datetime(2025, 2, 1, tzinfo=UTC)).alias("as_of")))
        images = [f"images/{nth}.png" for nth in range(len(pictures))]
        for picture, name in zip(pictures, images, strict=True):
            picture.save(run.file_path(name))
        run.write("product_images", pl.DataFrame({"product_id": table["product_id"], "image": images}))
    return shop


def test_the_later_listing_with_the_picture_of_another_product_is_flagged(tmp_path):
    pictures = [drawn(nth) for nth in range(24)]
    pictures[20] = pictures[3]
    pictures[22] = ImageOps.mirror(pictures[5])
    shop = shop_of(tmp_path / "shop", pictures)
    told = spam(shop)
    found = shop.read("product_spam").sort("product_id")
    assert found["product_id"].to_list() == ["p020", "p022"]
    assert [dict(one)["other"] for one in found["reason_args"]] == ["p003", "p005"]
    assert told["copied_picture"] == told["flagged"] == 2
    assert not shop.check()


def test_a_seller_may_use_a_picture_twice_and_a_placeholder_is_nobodys(tmp_path):
    pictures = [drawn(nth) for nth in range(24)]
    pictures[10] = pictures[3]
    for nth in range(12, 20):
        pictures[nth] = pictures[11]
    shop = shop_of(tmp_path / "shop", pictures)
    assert spam(shop)["flagged"] == 0
    assert shop.has("product_spam") is False


def test_a_title_of_repeated_or_foreign_words_is_flagged_and_no_other():
    table = products()
    titles = table["title"].to_list()
    titles[7] = titles[7] + " sobe nari lamp sneaker tea"
    titles[9] = "nari tote " * 4
    titles[10] = titles[10] + " tea"
    found = stuffed_titles(table.with_columns(pl.Series("title", titles)))
    assert sorted(found["product_id"]) == ["p007", "p009"]
    words = dict(zip(found["product_id"], found["reason_args"], strict=True))["p007"]["words"].split()
    assert set(words) <= {"sobe", "nari", "lamp", "sneaker", "tea", "haru", "mito"}
    assert (found["score"] >= 0.5).all()


def test_an_absurd_price_is_flagged_in_its_category_and_in_its_group():
    rng = np.random.default_rng(1)
    table = products().with_columns(
        pl.when(pl.int_range(120) < 4).then(pl.lit("g0")).otherwise("group_id").alias("group_id")
    )
    table = table.with_columns(pl.lit("lamps").alias("category"))
    price = 20 * np.exp(rng.normal(size=120) * 0.5)
    price[:4] = [30, 31, 29, 300]
    price[50] = 20_000
    price[60] = 0.02
    rows = pl.DataFrame({"product_id": table["product_id"], "country": "KR", "price": price})
    found = absurd_prices(table, rows).sort("product_id")
    assert found["product_id"].to_list() == ["p003", "p050", "p060"]
    assert [one["against"] for one in found["reason_args"]] == ["group", "category", "category"]
    assert float(found["reason_args"][0]["times"]) == pytest.approx(300 / 30.5, rel=0.01)


def test_of_two_listings_of_a_product_the_odd_one_is_flagged():
    table = products(40).with_columns(pl.lit("lamps").alias("category"))
    table = table.with_columns(pl.when(pl.int_range(40) < 2).then(pl.lit("g0")).otherwise("group_id").alias("group_id"))
    price = np.where(np.arange(40) % 2, 10.0, 40.0)
    price[:2] = [20.0, 2.0]
    rows = pl.DataFrame({"product_id": table["product_id"], "country": None, "price": price})
    rows = rows.with_columns(pl.col("country").cast(pl.String))
    found = absurd_prices(table, rows)
    assert found["product_id"].to_list() == ["p001"]


def test_groups_are_needed(tmp_path):
    with pytest.raises(DataError, match="no table 'product_groups'"):
        spam(Shop.create(tmp_path / "shop"))
