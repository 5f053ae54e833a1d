"""The model: what it promises about saving, seeds, strangers, and shops with next to nothing in them."""

import json
from pathlib import Path

import polars as pl
import pytest
from tests.purchase.conftest import QUICK, catalogue, events, offers, people

from danggol.errors import DataError, UsageError
from danggol.purchase import PurchaseModel
from danggol.purchase.fallback import Fallback
from danggol.purchase.ranker import Ranker
from danggol.shop import Shop

UNTIL = "2024-05-01"


@pytest.fixture(scope="module")
def model(shop: Shop) -> PurchaseModel:
    return PurchaseModel(**QUICK).fit(shop, UNTIL)


@pytest.fixture(scope="module")
def lists(shop: Shop, model: PurchaseModel) -> pl.DataFrame:
    return model.predict(shop, at=UNTIL, top=5)


def test_lists_are_complete_and_in_order(lists: pl.DataFrame, model: PurchaseModel) -> None:
    assert isinstance(model.learner, Ranker)
    assert lists.columns == ["customer_id", "product_id", "score", "probability", "rank"]
    by_customer = lists.group_by("customer_id").agg(
        pl.col("rank"), pl.col("score").diff().drop_nulls().max().alias("rise"), pl.col("product_id").n_unique()
    )
    assert by_customer.height == 80
    assert all(ranks == [1, 2, 3, 4, 5] for ranks in by_customer["rank"].to_list())
    assert (by_customer["rise"] <= 0).all()
    assert (by_customer["product_id"] == 5).all()
    assert lists["probability"].is_between(0, 1).all()


def test_favourites_come_before_chance(shop: Shop, lists: pl.DataFrame) -> None:
    bought = shop.sql(
        "SELECT DISTINCT customer_id, product_id FROM events WHERE kind = 'purchase' AND ts < '2024-04-30T15:00:00Z'"
    )
    first = lists.filter(pl.col("rank") == 1).join(bought, on=["customer_id", "product_id"], how="semi")
    assert first.height > 60


def test_saved_and_loaded_it_predicts_the_same(
    shop: Shop, model: PurchaseModel, lists: pl.DataFrame, tmp_path: Path
) -> None:
    folder = model.save(tmp_path / "model")
    assert {path.name for path in folder.iterdir()} == {
        "config.json", "vocabulary.json", "metrics.json", "card.md", "ranker_0.txt", "classifier.txt",
            "network.safetensors",
    }  # fmt: skip
    loaded = PurchaseModel.load(folder)
    assert loaded.settings == model.settings
    assert loaded.predict(shop, at=UNTIL, top=5).equals(lists)


def test_the_same_seed_gives_the_same_and_another_seed_another(shop: Shop, lists: pl.DataFrame) -> None:
    assert PurchaseModel(**QUICK).fit(shop, UNTIL).predict(shop, at=UNTIL, top=5).equals(lists)
    other = PurchaseModel(**QUICK, seed=1).fit(shop, UNTIL).predict(shop, at=UNTIL, top=5)
    assert not other.equals(lists)


def test_rows_after_the_moment_change_no_list(shop: Shop, lists: pl.DataFrame, make_shop) -> None:  # type: ignore[no-untyped-def]
    cut = pl.lit("2024-04-30T15:00:00+0000").str.to_datetime(time_zone="UTC")
    past = make_shop(events().filter(pl.col("ts") < cut))
    found = PurchaseModel(**QUICK).fit(past, UNTIL).predict(past, at=UNTIL, top=5)
    assert found.select("customer_id", "rank", "product_id").equals(lists.select("customer_id", "rank", "product_id"))


def test_chosen_customers_get_the_lists_they_get_among_all(
    shop: Shop, model: PurchaseModel, lists: pl.DataFrame
) -> None:
    some = model.predict(shop, at=UNTIL, top=5, customers=["c007", "c003", "c007"])
    expected = lists.filter(pl.col("customer_id").is_in(["c003", "c007"]))
    assert some.select("customer_id", "product_id", "rank").equals(expected.select("customer_id", "product_id", "rank"))


def test_unseen_customers_get_what_their_country_buys(make_shop) -> None:  # type: ignore[no-untyped-def]
    newcomers = pl.DataFrame({"customer_id": ["new-kr", "new-jp", "nowhere"], "country": ["KR", "JP", None]})
    shop = make_shop(events(), customers=pl.concat([people(), newcomers]))
    found = (
        PurchaseModel(**QUICK)
        .fit(shop)
        .predict(shop, top=6, customers=["new-kr", "new-jp", "nowhere", "never-heard-of"])
    )
    assert found["customer_id"].value_counts()["count"].to_list() == [6] * 4
    assert found["probability"].is_between(0, 1).all()
    recent = shop.sql(
        "SELECT country, product_id, count(DISTINCT customer_id) AS buyers FROM events "
        "WHERE kind = 'purchase' AND customer_id IS NOT NULL AND ts >= "
        "(SELECT max(ts) FROM events WHERE kind = 'purchase') "
        "- INTERVAL 30 DAY GROUP BY ALL"
    )
    for customer, country in (("new-kr", "KR"), ("new-jp", "JP")):
        mine = found.filter((pl.col("customer_id") == customer) & (pl.col("rank") == 1))["product_id"][0]
        counts = recent.filter(pl.col("country") == country)
        assert counts.filter(pl.col("product_id") == mine)["buyers"][0] == counts["buyers"].max()


def test_unseen_products_are_scored(make_shop) -> None:  # type: ignore[no-untyped-def]
    fresh = pl.DataFrame({"product_id": ["fresh"], "title": ["red tin 0"], "category": ["group 0"]})
    shop = make_shop(events(), products=pl.concat([catalogue(), fresh]))
    found = PurchaseModel(**QUICK).fit(shop).predict(shop, top=60)
    scored = found.filter(pl.col("product_id") == "fresh")
    assert scored.height > 0
    assert scored["probability"].is_between(0, 1).all()


@pytest.mark.parametrize("customers", [1, 2, 5])
@pytest.mark.parametrize("days", [1, 10, 40])
def test_a_tiny_shop_gets_counts_instead_of_a_model(make_shop, customers: int, days: int) -> None:  # type: ignore[no-untyped-def]
    rows = events(5, 6, 60).filter(pl.col("customer_id").is_not_null())
    first = rows["ts"].min()
    ids = sorted(rows["customer_id"].unique())[:customers]
    few = rows.filter((pl.col("ts") < first + pl.duration(days=days)) & pl.col("customer_id").is_in(ids))
    few = few if few.height else rows.filter(pl.col("kind") == "purchase").head(1)
    if not few.filter(pl.col("kind") == "purchase").height:
        few = rows.filter(pl.col("kind") == "purchase").head(1)
    shop = make_shop(few, products=catalogue(6), customers=people(5), offers=offers(6))
    model = PurchaseModel(**QUICK).fit(shop)
    found = model.predict(shop, top=3)
    assert isinstance(model.learner, Fallback) or model.figures["hits"] >= 30
    assert set(people(5)["customer_id"]) <= set(found["customer_id"])
    assert found["probability"].is_between(0, 1).all()
    assert PurchaseModel.load(model.save(shop.path / "models" / "purchase")).predict(shop, top=3).equals(found)


def test_a_shop_without_customers_offers_or_products_still_predicts(make_shop) -> None:  # type: ignore[no-untyped-def]
    nothing = pl.DataFrame()
    shop = make_shop(events(30), products=nothing, customers=nothing, offers=nothing)
    found = PurchaseModel(**QUICK).fit(shop).predict(shop, top=4)
    assert found["customer_id"].n_unique() == 30


def test_no_purchases_is_one_sentence(make_shop) -> None:  # type: ignore[no-untyped-def]
    shop = make_shop(events(5).filter(pl.col("kind") != "purchase"))
    with pytest.raises(DataError, match="no purchase of a known customer"):
        PurchaseModel(**QUICK).fit(shop)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (lambda config: config | {"format": 99}, DataError, "newer danggol"),
        (lambda config: config | {"capability": "culture"}, DataError, "does not hold a purchase model"),
        (lambda config: {name: config[name] for name in config if name != "calibrator"}, DataError, "damaged"),
        (lambda config: config | {"rankers": ["gone.txt"]}, DataError, "cannot be read"),
    ],
)
def test_a_model_that_cannot_be_loaded_says_why(  # type: ignore[no-untyped-def]
    model: PurchaseModel, tmp_path: Path, change, error, says: str
) -> None:
    folder = model.save(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(change(config)))
    with pytest.raises(error, match=says):
        PurchaseModel.load(folder)


def test_where_there_is_no_model_it_says_so(tmp_path: Path, shop: Shop) -> None:
    with pytest.raises(UsageError, match="there is no model"):
        PurchaseModel.load(tmp_path / "none")
    with pytest.raises(UsageError, match="not fitted"):
        PurchaseModel().predict(shop)
    with pytest.raises(UsageError, match="did you mean 'windows'"):
        PurchaseModel(window=3)


def test_saving_refuses_a_folder_of_something_else(model: PurchaseModel, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "me.jpg").write_text("x")
    with pytest.raises(UsageError, match="something else"):
        model.save(tmp_path / "photos")
    assert (tmp_path / "photos" / "me.jpg").exists()


def test_the_card_says_what_was_measured(model: PurchaseModel, tmp_path: Path) -> None:
    card = (model.save(tmp_path / "model") / "card.md").read_text()
    for words in ("KR 48", "offers that held", "Not measured yet", "within 14 days", "association, not cause"):
        assert words in card
