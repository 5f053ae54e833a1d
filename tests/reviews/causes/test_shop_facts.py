from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from danggol.errors import DataError, UsageError
from danggol.reviews.causes import CauseModel
from danggol.reviews.causes.shop_facts import read_causes, review_facts
from danggol.shop import Shop

START = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture
def shop(tmp_path):
    rng = np.random.default_rng(0)
    late = rng.random(200) < 0.4
    days = [START + timedelta(days=int(one)) for one in rng.integers(0, 100, 200)]
    shop = Shop.create(tmp_path / "shop")
    orders = {
        "order_id": [f"o{nth}" for nth in range(200)],
        "customer_id": ["c"] * 200,
        "ts": days,
        "promised_at": [one + timedelta(days=5) for one in days],
        "delivered_at": [one + timedelta(days=9 if two else 3) for one, two in zip(days, late, strict=True)],
        "status": ["delivered"] * 200,
    }
    shop.write("customers", pl.DataFrame({"customer_id": ["c"]}))
    shop.write("orders", pl.DataFrame(orders))
    shop.write(
        "reviews",
        pl.DataFrame(
            {
                "review_id": [f"r{nth}" for nth in range(200)],
                "order_id": [f"o{nth}" for nth in range(199)] + [None],
                "text": ["ok"] * 200,
                "rating": np.where(rng.random(200) < 0.5, 3.0, 4.0),
                "ts": [one + timedelta(days=10) for one in days],
            }
        ),
    )
    causes = pl.DataFrame(
        {"review_id": [f"r{nth}" for nth in range(150)], "cause": np.where(late, "late", "fine")[:150]}
    )
    causes.with_columns(pl.lit("x").alias("class")).write_csv(tmp_path / "causes.csv")
    return shop, late, tmp_path / "causes.csv"


def test_a_shops_orders_tell_the_cause_where_texts_do_not(shop):
    shop, late, path = shop
    reviews = review_facts(shop)
    causes, classes = read_causes(path, reviews)
    assert sum(one is not None for one in causes) == 150 and classes == {"late": "x", "fine": "x"}
    model = CauseModel(folds=2).fit(reviews.texts, reviews.facts, causes)
    said = model.predict(reviews.texts, reviews.facts)["cause"].to_list()
    assert said[150:199] == np.where(late, "late", "fine")[150:199].tolist()


def test_facts_are_those_of_the_day_of_the_review(shop):
    shop = shop[0]
    shop.write("reviews", shop.read("reviews").with_columns(pl.col("ts") - timedelta(days=6)))
    facts = review_facts(shop).facts
    assert facts["days_late"].drop_nulls().max() < 0
    assert set(facts["status"].drop_nulls()) == {"delivered", "under way"}
    assert facts["items"].null_count() == facts.height


def test_purchases_are_counted(shop):
    shop = shop[0]
    shop.write("products", pl.DataFrame({"product_id": ["p", "q"]}))
    rows = {"event_id": ["a", "b"], "ts": [START] * 2, "kind": ["purchase"] * 2, "order_id": ["o3"] * 2}
    shop.write("events", pl.DataFrame(rows | {"product_id": ["p", "q"], "quantity": [1.0, 4.0]}))
    assert review_facts(shop).facts.select("items", "units").row(3) == (2, 5.0)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("review_id\nr1\n", "lacks the column 'cause'"),
        ("review_id,cause\nr1,a\nr1,b\n", "'r1' has two causes"),
        ("review_id,cause\nrx,a\n", "'rx', which the shop does not have"),
        ("review_id,cause,class\nr1,a,x\nr2,a,y\n", "'a' has two classes"),
    ],
)
def test_a_wrong_file_is_one_sentence(shop, tmp_path, content, words):
    path = tmp_path / "mine.csv"
    path.write_text(content, "utf8")
    with pytest.raises(DataError, match=words):
        read_causes(path, review_facts(shop[0]))
    with pytest.raises(UsageError, match="there is nothing"):
        read_causes(tmp_path / "none.csv", review_facts(shop[0]))
