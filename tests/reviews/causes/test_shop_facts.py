from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from danggol.reviews.causes import CauseModel
from danggol.reviews.causes.shop_facts import REVIEW_COLUMNS, labelled_reviews, review_facts
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
    labelled = labelled_reviews(shop, path)
    assert len(labelled.causes) == 150 and labelled.classes == {"late": "x", "fine": "x"}
    model = CauseModel(folds=2).fit(labelled.reviews.texts, labelled.reviews.facts, labelled.causes)
    reviews = review_facts(shop)
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


def test_purchases_after_the_review_are_not_known_to_it(shop):
    shop = shop[0]
    reviewed = shop.read("reviews")["ts"][3]
    shop.write("products", pl.DataFrame({"product_id": ["p"]}))
    times = [reviewed + timedelta(hours=6), reviewed + timedelta(days=1)]
    rows = {"event_id": ["a", "b"], "ts": times, "kind": ["purchase"] * 2, "order_id": ["o3"] * 2}
    shop.write("events", pl.DataFrame(rows | {"product_id": ["p"] * 2, "quantity": [1.0, 4.0]}))
    found = review_facts(shop)
    assert found.facts["units"][3] == 1
    assert found.known_at[3] == times[0]
    assert found.known_at[4] == shop.read("reviews")["ts"][4]


def test_some_rows_are_read_as_all_are_and_an_order_told_twice_counts_once(shop):
    shop = shop[0]
    whole = review_facts(shop)
    shop.append("orders", shop.read("orders").head(5))
    part = review_facts(shop, shop.read("reviews", REVIEW_COLUMNS)[[4, 2, 199]])
    assert part.review_ids == ["r4", "r2", "r199"]
    assert part.facts.equals(whole.facts[[4, 2, 199]])


def test_labelled_reviews_come_in_the_order_of_their_ids(shop, tmp_path):
    path = tmp_path / "some.csv"
    path.write_text("cause,review_id\nlate,r7\nfine,r3\nlate,r5\n,r9\n", "utf8")
    found = labelled_reviews(shop[0], path)
    assert (found.reviews.review_ids, found.causes) == (["r3", "r5", "r7"], ["fine", "late", "late"])
    assert (found.classes, found.without) == (None, 1)
