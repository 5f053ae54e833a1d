"""Going on from another shop's model: a small shop gains by it, and nothing of later days leaks in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.purchase.conftest import DAYS, QUICK, START, events, fill

from danggol.errors import DataError, UsageError
from danggol.purchase import PurchaseModel, PurchaseSettings, verbs
from danggol.purchase.fallback import Fallback
from danggol.purchase.listwise import ListwiseNetwork
from danggol.purchase.ranker import Ranker
from danggol.shop import Shop

UNTIL, LATER = "2024-05-01", "2024-05-15"
CUT = datetime(2024, 4, 30, 15, tzinfo=UTC)


SETTINGS = QUICK | {"rounds": 40, "network_epochs": 4}


def made_up(path: Path, letter: str, customers: int, seed: int) -> Shop:
    """A shop whose customers buy each of sixteen products again when it is used up, after four weeks, more or less."""
    rng = np.random.default_rng(seed)
    rows = []
    for customer in range(customers):
        for product in rng.choice(40, 16, replace=False):
            day = float(rng.uniform(0, 30))
            while day < DAYS:
                rows.append((day, customer, int(product)))
                day += rng.uniform(22, 38)
    frame = pl.DataFrame(sorted(rows), ["day", "customer", "product"], orient="row").with_row_index("nth")
    return fill(
        path,
        frame.select(
            pl.format("e{}", "nth").alias("event_id"),
            (pl.lit(START) + pl.duration(minutes=(pl.col("day") * 1440).cast(int))).alias("ts"),
            pl.lit("purchase").alias("kind"),
            pl.format(f"{letter}{{}}", "customer").alias("customer_id"),
            pl.format(f"{letter}{{}}", "product").alias("product_id"),
            pl.format("o{}", "nth").alias("order_id"),
        ),
        products=pl.DataFrame({"product_id": [f"{letter}{nth}" for nth in range(40)]}),
        customers=pl.DataFrame({"customer_id": [f"{letter}{nth}" for nth in range(customers)]}),
        offers=pl.DataFrame(),
    )


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> PurchaseModel:
    return PurchaseModel(**SETTINGS).fit(made_up(tmp_path_factory.mktemp("foreign") / "shop", "f", 120, 0), UNTIL)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return made_up(tmp_path_factory.mktemp("small") / "shop", "s", 6, 5)


@pytest.fixture(scope="module")
def tuned(foreign: PurchaseModel, small: Shop) -> PurchaseModel:
    return foreign.finetune(small, UNTIL)


def gain(model: PurchaseModel, shop: Shop) -> float:
    """Mean nDCG@5 over the customers who bought in the 14 days after the cut."""
    lists = model.predict(shop, at=UNTIL, top=5)
    bought = shop.read("events").filter(
        (pl.col("kind") == "purchase") & (pl.col("ts") >= CUT) & (pl.col("ts") < CUT + timedelta(days=14))
    )
    wanted = bought.select("customer_id", "product_id").drop_nulls().unique()
    hits = lists.join(wanted, on=["customer_id", "product_id"]).with_columns(gain=1 / (pl.col("rank") + 1).log(2))
    best = wanted.group_by("customer_id").len().with_columns(count=pl.col("len").clip(upper_bound=5))
    ideal = np.cumsum(1 / np.log2(np.arange(2, 7)))
    told = best.join(hits.group_by("customer_id").agg(pl.col("gain").sum()), on="customer_id", how="left")
    return float(np.mean(told["gain"].fill_null(0).to_numpy() / ideal[told["count"].to_numpy() - 1]))


def test_a_small_shop_does_no_worse_with_a_large_one_before_it(foreign: PurchaseModel, tmp_path: Path) -> None:
    gains = []
    for seed in (5, 6, 7):
        shop = made_up(tmp_path / f"shop{seed}", "s", 6, seed)
        alone = PurchaseModel(**SETTINGS).fit(shop, UNTIL)
        tuned = foreign.finetune(shop, UNTIL)
        assert isinstance(alone.learner, Ranker)
        gains.append(gain(tuned, shop) - gain(alone, shop))
    assert min(gains) >= 0
    assert np.mean(gains) > 0.01


def test_it_goes_on_from_what_the_other_learnt(foreign: PurchaseModel, tuned: PurchaseModel) -> None:
    before, after = foreign.learner, tuned.learner
    assert isinstance(before, Ranker)
    assert isinstance(after, Ranker)
    trees = before.rankers[0].num_trees()
    assert trees < after.rankers[0].num_trees() < 2 * trees
    values = np.random.default_rng(0).normal(size=(50, len(before.names)))
    np.testing.assert_allclose(
        after.rankers[0].predict(values, num_iteration=trees), before.rankers[0].predict(values), atol=1e-12
    )
    assert isinstance(before.network, ListwiseNetwork)
    assert isinstance(after.network, ListwiseNetwork)
    for (new, _), (old, _) in zip(after.network.layers, before.network.layers, strict=True):
        assert 0 < np.abs(new - old).max() < 0.1
    assert after.calibrator != before.calibrator


def test_saved_and_loaded_it_predicts_the_same_and_tells_where_it_comes_from(
    foreign: PurchaseModel, tuned: PurchaseModel, small: Shop, tmp_path: Path
) -> None:
    folder = tuned.save(tmp_path / "model")
    loaded = PurchaseModel.load(folder)
    assert loaded.predict(small, at=UNTIL, top=5).equals(tuned.predict(small, at=UNTIL, top=5))
    assert loaded.figures["from"]["customers"] == foreign.figures["customers"]
    assert "Goes on from a model of another shop" in (folder / "card.md").read_text()
    again = PurchaseModel.load(foreign.save(tmp_path / "foreign")).finetune(small, UNTIL)
    assert again.predict(small, at=UNTIL, top=5).equals(loaded.predict(small, at=UNTIL, top=5))


def test_its_times_cover_both_shops(foreign: PurchaseModel, small: Shop, tuned: PurchaseModel) -> None:
    assert tuned.until == foreign.until
    assert tuned.as_of >= foreign.as_of
    later = foreign.finetune(small, LATER)
    assert later.until is not None
    assert later.until > (foreign.until or 0)
    assert later.as_of > foreign.as_of
    with pytest.raises(DataError, match="has learnt from rows up to 2024-04-30 15:00 UTC"):
        foreign.finetune(small, "2024-04-30")


def test_own_rows_after_the_moment_change_nothing(foreign: PurchaseModel, tuned: PurchaseModel, tmp_path: Path) -> None:
    past = made_up(tmp_path / "shop", "s", 6, 5)
    past.write("events", past.read("events").filter(pl.col("ts") < CUT))
    again, first = foreign.finetune(past, UNTIL).learner, tuned.learner
    assert isinstance(again, Ranker)
    assert isinstance(first, Ranker)
    assert again.classifier.model_to_string() == first.classifier.model_to_string()
    assert again.calibrator == first.calibrator


def test_with_very_few_purchases_the_other_shops_order_stays(foreign: PurchaseModel, tmp_path: Path) -> None:
    shop = fill(tmp_path / "shop", events(2, seed=8))
    alone, model = PurchaseModel(**QUICK).fit(shop, UNTIL), foreign.finetune(shop, UNTIL)
    assert isinstance(alone.learner, Fallback)
    assert isinstance(model.learner, Ranker)
    assert isinstance(foreign.learner, Ranker)
    assert model.learner.rankers is foreign.learner.rankers
    assert not model.figures["learnt"]
    columns = ["customer_id", "product_id", "rank"]
    found, expected = (one.predict(shop, at=UNTIL, top=5).select(columns) for one in (model, foreign))
    assert found.equals(expected)
    assert "the other shop's model" in (model.save(tmp_path / "model") / "card.md").read_text()


def test_what_cannot_be_gone_on_from_is_said(foreign: PurchaseModel, small: Shop, tmp_path: Path) -> None:
    counts = PurchaseModel(**QUICK).fit(fill(tmp_path / "shop", events(2, seed=8)), UNTIL)
    with pytest.raises(DataError, match="made of counts"):
        counts.finetune(small, UNTIL)
    with pytest.raises(UsageError, match="not fitted"):
        PurchaseModel(**QUICK).finetune(small)
    other = PurchaseModel.load(foreign.save(tmp_path / "model"))
    assert isinstance(other.learner, Ranker)
    other.learner.names = [*other.learner.names[:-1], "another"]
    with pytest.raises(DataError, match="another version of danggol"):
        other.finetune(small, UNTIL)


def test_the_verb_goes_on_from_a_folder(foreign: PurchaseModel, small: Shop, tmp_path: Path) -> None:
    start = foreign.save(tmp_path / "foreign")
    settings = PurchaseSettings.of({"network_epochs": 0})
    figures = verbs.train(small, UNTIL, tmp_path / "model", settings, start=start)
    model = PurchaseModel.load(figures["model"])
    assert figures["from"] == str(start)
    assert model.settings.network_epochs == 0
    assert model.settings.horizon_days == QUICK["horizon_days"], "the other model's settings hold where none are given"
    assert isinstance(model.learner, Ranker)
    assert model.learner.network is not None, "as it was"
