import polars as pl

from danggol.shop import Shop
from danggol.twin import simulate
from danggol.twin.spam import SORTS, plant


def test_spam_is_planted_where_the_truth_says_and_nowhere_else(tmp_path):
    simulate(tmp_path / "shop", "small", seed=3, scale=0.05)
    shop = Shop.open(tmp_path / "shop")
    before = {name: shop.read(name) for name in ("products", "product_images", "offers")}
    truth = plant(shop, seed=3, share=0.05)
    assert truth.group_by("reason_code").len().sort("reason_code").rows() == [(sort, 8) for sort in sorted(SORTS)]
    assert truth["product_id"].n_unique() == 24
    assert pl.read_parquet(shop.path / "truth" / "spam.parquet").equals(truth)
    ids = {sort: set(truth.filter(pl.col("reason_code") == sort)["product_id"]) for sort in SORTS}

    def changed(name, column, key):
        both = before[name].join(shop.read(name), on=key, suffix="_now", nulls_equal=True)
        return set(both.filter(pl.col(column).ne_missing(pl.col(f"{column}_now")))["product_id"])

    assert changed("products", "title", ["product_id"]) == ids["stuffed_title"]
    assert changed("product_images", "image", ["product_id", "position"]) == ids["copied_picture"]
    assert changed("offers", "price", ["product_id", "country", "valid_from"]) == ids["absurd_price"]
    assert not shop.check()
