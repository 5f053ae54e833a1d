"""Orders and what follows them: reviews and returns of what was bought and had arrived."""

import polars as pl
import pytest


@pytest.fixture(scope="module")
def orders(small) -> pl.DataFrame:
    return small.shop.read("orders")


@pytest.fixture(scope="module")
def bought(small) -> pl.DataFrame:
    return small.shop.read("events").filter(pl.col("kind") == "purchase")


@pytest.fixture(scope="module")
def reviews(small) -> pl.DataFrame:
    return small.shop.read("reviews")


def test_an_order_is_one_persons_at_one_moment(orders, bought):
    assert orders["order_id"].is_unique().all()
    lines = bought.group_by("order_id").agg(pl.col("customer_id", "ts", "country", "session_id").n_unique())
    assert (lines.select("customer_id", "ts", "country", "session_id") == 1).to_numpy().all()
    joined = bought.join(orders, on=["order_id", "customer_id", "ts"], how="left")
    assert joined["total"].null_count() == 0
    assert set(orders["order_id"]) == set(bought["order_id"])
    assert bought.select("order_id", "product_id").is_duplicated().sum() == 0
    assert (orders["total"] > 0).all()


def test_orders_are_numbered_in_order_of_time(orders):
    assert orders.sort("order_id")["ts"].is_sorted()


def test_a_review_is_of_what_its_writer_bought_and_had_got(reviews, orders, bought):
    lines = bought.select("order_id", "product_id", "customer_id", paid="ts")
    joined = reviews.join(lines, on=["order_id", "product_id", "customer_id"], how="left")
    assert len(joined) == len(reviews) > 50
    assert joined["paid"].null_count() == 0
    arrived = reviews.join(orders.select("order_id", "customer_id", "delivered_at"), on=["order_id", "customer_id"])
    assert len(arrived) == len(reviews)
    assert arrived["delivered_at"].null_count() == 0
    assert (arrived["ts"] >= arrived["delivered_at"]).all()


def test_a_purchase_is_reviewed_once_at_most(reviews, bought):
    assert reviews.select("order_id", "product_id").is_duplicated().sum() == 0
    assert 0.03 < len(reviews) / len(bought) < 0.3


def test_reviews_are_numbered_in_order_of_time_and_have_a_truth(small, reviews):
    assert reviews.sort("review_id")["ts"].is_sorted()
    truth = pl.read_parquet(small.truth("reviews"))
    assert sorted(truth["review_id"]) == sorted(reviews["review_id"])


def test_what_is_complained_of_had_gone_wrong(small, reviews, bought):
    truth = pl.read_parquet(small.truth("reviews"))
    outcome = pl.read_parquet(small.truth("purchases"))
    lines = bought.select("event_id", "order_id", "product_id").join(outcome, on="event_id")
    joined = truth.join(reviews.select("review_id", "order_id", "product_id"), on="review_id").join(
        lines, on=["order_id", "product_id"], suffix="_line"
    )
    assert len(joined) == len(reviews)
    assert (joined["satisfaction"] - joined["satisfaction_line"]).abs().max() < 1e-9
    told = joined.explode("complains_of").filter(pl.col("complains_of").is_not_null())
    causes = [name.removeprefix("cause_") for name in lines.columns if name.startswith("cause_")]
    named = told.filter(pl.col("complains_of").is_in(causes))
    assert len(named) > 10
    for row in named.iter_rows(named=True):
        assert row[f"cause_{row['complains_of']}"]


def test_what_comes_back_cost_what_was_paid(small, bought):
    back = small.shop.read("events").filter(pl.col("kind") == "return")
    paid = bought.select("order_id", "product_id", "price", "quantity", "country", "discount_rate", "free_shipping")
    joined = back.join(paid, on=["order_id", "product_id"], suffix="_paid")
    assert len(joined) == len(back) > 20
    for column in ("price", "quantity", "country", "discount_rate", "free_shipping"):
        assert (joined[column] == joined[f"{column}_paid"]).all(), column
    assert joined["session_id"].null_count() == len(joined)
