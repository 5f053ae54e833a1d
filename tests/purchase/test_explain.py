"""What the model goes by: found where it is known, written as tables, and adding up to what was predicted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from scipy.special import logit
from tests.purchase.conftest import QUICK, events

from danggol.errors import DataError
from danggol.purchase import PurchaseModel, PurchaseSettings, verbs
from danggol.purchase.explain import FAMILIES, HeldOut, dependence, family_of
from danggol.purchase.model import Prediction
from danggol.purchase.ranker import Ranker
from danggol.purchase.samples import DAY, moment, read
from danggol.shop import Shop
from danggol.verbs import purchase_explain

UNTIL = "2024-05-01"
CUT = datetime(2024, 4, 30, 15, tzinfo=UTC)


@pytest.fixture(scope="module")
def model(shop: Shop) -> PurchaseModel:
    return PurchaseModel(**QUICK).fit(shop, UNTIL)


@pytest.fixture(scope="module")
def prediction(shop: Shop, model: PurchaseModel) -> Prediction:
    at = moment(shop, UNTIL)
    return Prediction(model, read(shop, at), at)


@pytest.fixture(scope="module")
def held(shop: Shop, prediction: Prediction) -> HeldOut:
    return HeldOut(prediction, read(shop, prediction.at + 14 * DAY), 200)


@pytest.fixture(scope="module")
def needed(held: HeldOut) -> pl.DataFrame:
    return held.importance()


def test_every_feature_has_a_family(model: PurchaseModel) -> None:
    assert isinstance(model.learner, Ranker)
    assert {family_of(name) for name in model.learner.names} == set(FAMILIES)
    with pytest.raises(DataError, match="no family"):
        family_of("weather")


def test_customers_with_favourites_need_what_they_bought(needed: pl.DataFrame, held: HeldOut) -> None:
    families = needed.filter(pl.col("kind") == "family")
    worth = dict(families.select("name", "value").rows())
    assert families["name"][0] == "own_purchases"
    assert families["low"][0] > 0
    assert abs(worth["customer"]) < worth["own_purchases"]
    assert needed.height == len(FAMILIES) + len(held.batch.names)
    assert (needed["low"] <= needed["value"]).all()
    assert (needed["value"] <= needed["high"]).all()


def test_what_is_shuffled_stays_a_customers_own(held: HeldOut) -> None:
    names, rng = held.batch.names, np.random.default_rng(0)
    orders, since = names.index("customer_orders"), names.index("pair_since")
    values = held.shuffled([orders], rng)
    for nth in range(len(held.batch.customers)):
        assert len(np.unique(values[held.batch.row == nth, orders])) == 1
    np.testing.assert_array_equal(values[:, since], held.batch.values[:, since])
    assert not np.array_equal(values[:, orders], held.batch.values[:, orders])


def test_the_probability_rises_with_what_is_bought_often(prediction: Prediction) -> None:
    moved = dependence(prediction, np.arange(60), ["pair_by_order_9", "customer_orders"])
    often = moved.filter(pl.col("feature") == "pair_by_order_9")
    assert often["probability"][-1] > often["probability"][0]
    assert ((moved["low"] <= moved["probability"]) & (moved["probability"] <= moved["high"])).all()
    assert often["value"].is_sorted()


def test_the_verb_writes_both_tables(make_shop: Callable[..., Shop], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("danggol.purchase.verbs._EXPLAINED", 15)
    shop = make_shop(events())
    figures = purchase_explain(
        shop.path, until=UNTIL, model=None, customers=None, top=5, settings=None, pairs=pairs(), seed=0
    ).figures
    needed, moved = shop.read("purchase_importance"), shop.read("purchase_dependence")
    assert needed["until"].unique().to_list() == [CUT]
    assert needed["horizon_days"].unique().to_list() == [14.0]
    assert (needed["as_of"] > CUT).all()
    assert (moved["as_of"] > CUT).all(), "which features are told was chosen on the held-out rows"
    main = needed.filter(pl.col("kind") == "feature")["name"].head(6).to_list()
    assert set(moved["feature"]) == set(main) == set(figures["dependence"])
    assert figures["importance"]["family/own_purchases"][0] > 0


def test_a_lists_reasons_add_up_and_leave_other_customers_alone(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(events())
    settings = PurchaseSettings.of(QUICK)
    verbs.train(shop, UNTIL, settings=settings)
    given = {"until": UNTIL, "model": shop.path / "models" / "purchase", "top": 4}
    figures = verbs.explain(shop, customers=["c003", "c007"], **given)
    told = shop.read("purchase_reasons")
    assert len(figures["reasons"]) == told.height == 2 * 4 * (1 + len(FAMILIES))
    lists = PurchaseModel.load(given["model"]).predict(shop, UNTIL, 4, ["c003", "c007"])
    sums = told.group_by("customer_id", "rank", "product_id").agg(pl.col("contribution").sum())
    both = lists.join(sums, on=["customer_id", "product_id", "rank"])
    assert both.height == 8
    np.testing.assert_allclose(both["contribution"], logit(both["probability"].to_numpy()), atol=1e-6)
    assert (told["as_of"] < CUT).all()
    assert told.filter(pl.col("family") == "base")["feature"].null_count() == 8
    verbs.explain(shop, customers=["c003"], **given | {"top": 2})
    again = shop.read("purchase_reasons")
    assert again.filter(pl.col("customer_id") == "c007").height == told.height / 2
    assert again.filter(pl.col("customer_id") == "c003").height == told.height / 4


def test_what_cannot_be_explained_is_said(shop: Shop, model: PurchaseModel, make_shop: Callable[..., Shop]) -> None:
    settings = PurchaseSettings.of(QUICK)
    few = make_shop(events(2, seed=8), "few")
    with pytest.raises(DataError, match="too few purchases to learn from"):
        verbs.explain(few, UNTIL, settings=settings)
    newcomer = pl.DataFrame({"customer_id": ["new"], "country": ["KR"]})
    fresh = make_shop(events(), "fresh", customers=newcomer)
    folder = model.save(fresh.path / "models" / "purchase")
    for name, says in (("new", "has bought nothing yet"), ("nobody", "knows no customer nobody")):
        with pytest.raises(DataError, match=says):
            verbs.explain(fresh, UNTIL, folder, [name])
    with pytest.raises(DataError, match="trained on rows up to"):
        verbs.explain(fresh, "2024-04-01", folder)
    with pytest.raises(DataError, match="no customer with a past bought after"):
        verbs.explain(fresh, "2024-08-01", folder)


def pairs() -> list[str]:
    return [f"{name}={value}" for name, value in (QUICK | {"network_epochs": 0}).items()]
