"""The verbs: what they write, and what they leave alone."""

from pathlib import Path

import polars as pl
import pytest
from tests.purchase.conftest import events, fill

from danggol.errors import DataError
from danggol.purchase import PurchaseModel, PurchaseSettings, verbs
from danggol.shop import Shop


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory, settings: PurchaseSettings) -> tuple[Shop, dict[str, dict]]:  # type: ignore[type-arg]
    """A shop on which all verbs were called in a user's order."""
    shop = fill(tmp_path_factory.mktemp("verbs") / "shop", events())
    pictures = [
        ("p001", "https://example.org/detail.jpg", 0, "detail"),
        ("p001", "https://example.org/1.jpg", 1, "thumbnail"),
    ]
    shop.write(
        "product_images", pl.DataFrame(pictures, schema=["product_id", "image", "position", "role"], orient="row")
    )
    return shop, {
        "evaluate": verbs.evaluate(shop, "2024-05-01", 14, settings),
        "train": verbs.train(shop, "2024-05-10", settings=settings),
        "predict": verbs.predict(shop, model=shop.path / "models" / "purchase", top=7),
    }


def test_evaluate_writes_figures_and_keeps_those_of_other_cuts(worked, settings: PurchaseSettings) -> None:  # type: ignore[no-untyped-def]
    shop, figures = worked
    models = figures["evaluate"]["models"]
    assert {"danggol", "frequency", "als+frequency"} <= set(models)
    assert {"ndcg@10", "ndcg@10/new", "auc", "ndcg@10/kr"} <= set(models["danggol"])
    before = shop.read("purchase_metrics")
    verbs.evaluate(shop, "2024-04-15", 14, settings)
    again = verbs.evaluate(shop, "2024-04-15", 14, settings)
    after = shop.read("purchase_metrics")
    assert after["until"].n_unique() == 2
    assert after.filter(pl.col("until") == before["until"][0]).height == before.height
    assert again["models"]["danggol"]["ndcg@10"] > 0


def test_train_saves_a_model_whose_card_quotes_the_figures(worked) -> None:  # type: ignore[no-untyped-def]
    shop, figures = worked
    folder = Path(figures["train"]["model"])
    assert folder == shop.path / "models" / "purchase"
    assert "| all | danggol | ndcg@10 |" in (folder / "card.md").read_text()
    assert figures["train"]["learnt"]


def test_predict_writes_both_tables(worked) -> None:  # type: ignore[no-untyped-def]
    shop, figures = worked
    lists, scores = shop.read("recommendations"), shop.read("purchase_scores")
    assert figures["predict"]["recommendations"] == lists.height == 80 * 7
    assert figures["predict"]["purchase_scores"] == scores.height
    assert lists["rank"].is_between(1, 7).all()
    assert set(lists["reason_code"]) <= {
        "bought_before", "bought_together", "trending", "popular_in_country", "popular", "new_customer", "new_product"
    }  # fmt: skip
    assert set(lists.filter(pl.col("product_id") == "p001")["image"]) == {"https://example.org/1.jpg"}
    last = shop.sql("SELECT max(ts) AS ts FROM events")["ts"][0]
    assert lists["as_of"].max() <= last
    assert (lists["at"] > lists["as_of"]).all()
    assert not [one for one in shop.check() if one.table in {"recommendations", "purchase_scores", "purchase_metrics"}]


def test_a_reason_is_true_of_the_data(worked) -> None:  # type: ignore[no-untyped-def]
    shop, _ = worked
    counts = shop.sql(
        "SELECT customer_id, product_id, count(DISTINCT order_id) AS times FROM events "
        "WHERE kind = 'purchase' AND customer_id IS NOT NULL GROUP BY ALL"
    )
    told = shop.sql(
        "SELECT customer_id, product_id, reason_code, reason_args['times'] AS said FROM recommendations"
    ).join(counts, on=["customer_id", "product_id"], how="left")
    before = told.filter(pl.col("reason_code") == "bought_before")
    assert (before["said"].cast(pl.Int64) == before["times"]).all()
    assert told.filter(pl.col("reason_code") != "bought_before")["times"].null_count() == told.height - before.height
    together = shop.sql(
        "SELECT customer_id, reason_args['product_id'] AS product_id FROM recommendations "
        "WHERE reason_code = 'bought_together'"
    )
    assert together.join(counts, on=["customer_id", "product_id"], how="anti").height == 0


def test_predicting_for_some_leaves_the_others(worked) -> None:  # type: ignore[no-untyped-def]
    shop, _ = worked
    before = shop.read("recommendations")
    done = verbs.predict(shop, model=shop.path / "models" / "purchase", top=2, customers=["c001", "stranger"])
    after = shop.read("recommendations")
    assert done["recommendations"] == 4
    assert after.filter(pl.col("customer_id") == "c001").height == 2
    assert set(after.filter(pl.col("customer_id") == "stranger")["reason_code"]) == {"new_customer"}
    assert after.filter(~pl.col("customer_id").is_in(["c001", "stranger"])).height == before.height - 7


def test_a_model_from_later_is_not_used_for_an_earlier_moment(worked) -> None:  # type: ignore[no-untyped-def]
    shop, _ = worked
    with pytest.raises(DataError, match="after the moment of the prediction"):
        verbs.predict(shop, "2024-03-01", model=shop.path / "models" / "purchase")


def test_without_a_model_one_is_trained(make_shop, settings: PurchaseSettings) -> None:  # type: ignore[no-untyped-def]
    shop = make_shop(events(30))
    verbs.predict(shop, "2024-05-01", top=3, settings=settings, seed=4)
    model = PurchaseModel(**(settings.model_dump(exclude_unset=True) | {"seed": 4})).fit(shop, "2024-05-01")
    expected = model.predict(shop, "2024-05-01", top=3)
    found = shop.read("recommendations").sort("customer_id", "rank")
    assert found["product_id"].to_list() == expected.sort("customer_id", "rank")["product_id"].to_list()
