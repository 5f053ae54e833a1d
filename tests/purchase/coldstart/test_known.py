"""Known listings: time is respected, taste and content are used, and everybody gets an answer."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from danggol.errors import DataError, UsageError
from danggol.purchase.coldstart.content import Field
from danggol.purchase.coldstart.known import KnownItemModel, KnownSettings

START, UNTIL = dt.datetime(2024, 1, 1), dt.datetime(2024, 4, 1)
MAKERS, ITEMS, CUSTOMERS = 5, 80, 200
SETTINGS = KnownSettings(fields=(Field(column="maker", kind="names"),))


def made_up(seed: int = 0) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Customers who mostly like one maker, over four months; some come only in the last one before the moment."""
    rng = np.random.default_rng(seed)
    maker, taste = np.arange(ITEMS) % MAKERS, rng.integers(MAKERS, size=CUSTOMERS)
    items = pl.DataFrame(
        {"product_id": [f"p{nth:02d}" for nth in range(ITEMS)], "maker": [f"Maker {one}" for one in maker]}
    )
    people = pl.DataFrame(
        {"customer_id": [f"c{nth:03d}" for nth in range(CUSTOMERS)], "age": rng.integers(18, 70, CUSTOMERS)}
    )
    chance = np.where(maker == taste[:, None], 0.6, 0.05)
    customer, product = np.nonzero(rng.random((CUSTOMERS, ITEMS)) < 0.35)
    day = rng.integers(0, 120, len(customer))
    day = np.where(customer < 40, np.maximum(day, 70), day)
    rows = pl.DataFrame(
        {
            "customer_id": people["customer_id"].gather(customer),
            "product_id": items["product_id"].gather(product),
            "ts": [START + dt.timedelta(days=int(one)) for one in day],
            "liked": rng.random(len(customer)) < chance[customer, product],
        }
    )
    return rows, items, people.with_columns(taste=pl.Series(taste))


@pytest.fixture(scope="module")
def market() -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    return made_up()


@pytest.fixture(scope="module")
def model(market) -> KnownItemModel:
    rows, items, people = market
    return KnownItemModel(SETTINGS).fit(rows, items, people.drop("taste"), UNTIL)


def test_the_liked_maker_comes_first(model: KnownItemModel, market) -> None:
    _, items, people = market
    first = model.predict(people["customer_id"], top=5).join(items, on="product_id").join(people, on="customer_id")
    right = first["maker"] == ("Maker " + first["taste"].cast(pl.String))
    assert right.mean() > 0.6, "1 of 5 by chance"


def test_nothing_after_the_moment_is_used(model: KnownItemModel, market) -> None:
    rows, items, people = market
    shuffled = rows.with_columns(liked=pl.when(pl.col("ts") >= UNTIL).then(~pl.col("liked")).otherwise("liked"))
    again = KnownItemModel(SETTINGS).fit(shuffled, items, people.drop("taste"), UNTIL)
    np.testing.assert_array_equal(again.score(), model.score())


def test_what_was_met_is_not_recommended(model: KnownItemModel, market) -> None:
    rows, _, people = market
    found = model.predict(people["customer_id"], top=10)
    met = rows.filter(pl.col("ts") < UNTIL)
    assert found.join(met, on=["customer_id", "product_id"], how="semi").height == 0
    assert found.group_by("customer_id").len()["len"].to_list() == [10] * CUSTOMERS


def test_strangers_get_what_is_popular(model: KnownItemModel, market) -> None:
    rows, _, _ = market
    likes = rows.filter(pl.col("ts") < UNTIL, "liked").group_by("product_id").len().sort("len", descending=True)
    found = model.predict(pl.Series(["nobody"]), top=5)
    assert found["rank"].to_list() == [1, 2, 3, 4, 5]
    assert len(set(found["product_id"]) & set(likes["product_id"].head(15))) >= 3


def test_listings_that_nobody_met_are_not_ranked(market) -> None:
    rows, items, people = market
    more = pl.concat([items, pl.DataFrame({"product_id": ["new"], "maker": ["Maker 1"]})])
    model = KnownItemModel(SETTINGS).fit(rows, more, people.drop("taste"), UNTIL)
    assert np.isneginf(model.score()[:, -1]).all()
    assert "new" not in model.predict(top=100)["product_id"].to_list()


def test_modalities_can_be_left_out_and_people_be_unknown(market) -> None:
    rows, items, people = market
    everything = KnownItemModel(SETTINGS).fit(rows, items, None, UNTIL)
    assert "kind" not in everything.weights
    alone = KnownItemModel(SETTINGS.model_copy(update={"only": ("behaviour",)})).fit(rows, items, people, UNTIL)
    assert set(alone.weights) == {"ever", "of_late", "goes_with", "overlap"}
    assert everything.weights["content"] > 0


def test_wrong_input_is_one_clear_sentence(market) -> None:
    rows, items, people = market
    with pytest.raises(DataError, match="no column ts"):
        KnownItemModel(SETTINGS).fit(rows.drop("ts"), items, people, UNTIL)
    with pytest.raises(DataError, match="no row lies before"):
        KnownItemModel(SETTINGS).fit(rows, items, people, START)


def test_a_short_past_is_enough(market) -> None:
    rows, items, people = market
    late = rows.filter(pl.col("ts") >= UNTIL - dt.timedelta(days=20))
    model = KnownItemModel(SETTINGS).fit(late, items, people.drop("taste"), UNTIL)
    assert set(model.weights.values()) == {1.0}, "no day before to learn weights from"
    assert np.isfinite(model.predict(top=3)["score"].to_numpy()).all()


@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul"])
def test_zones_flags_as_numbers_and_doubled_or_nameless_rows_change_nothing(
    model: KnownItemModel, market, zone
) -> None:
    rows, items, people = market
    odd = rows.with_columns(
        pl.col("ts").dt.replace_time_zone("UTC").dt.convert_time_zone(zone), pl.col("liked").cast(int)
    )
    nameless = odd.head(300).with_columns(customer_id=pl.lit(None, pl.String))
    more = pl.concat([items, items.head(5).with_columns(maker=pl.lit("another"))])
    again = KnownItemModel(SETTINGS).fit(pl.concat([odd, nameless]), more, people.drop("taste"), UNTIL)
    np.testing.assert_array_equal(again.score(), model.score())
    aware = UNTIL.replace(tzinfo=dt.UTC).astimezone(dt.timezone(dt.timedelta(hours=9)))
    np.testing.assert_array_equal(
        KnownItemModel(SETTINGS).fit(rows, items, people.drop("taste"), aware).score(), model.score()
    )


def test_an_unknown_modality_is_named() -> None:
    with pytest.raises(UsageError, match="unknown modality txt"):
        KnownSettings(fields=SETTINGS.fields, only=("txt",))


@pytest.mark.parametrize("with_people", [True, False])
def test_loaded_it_scores_as_when_saved(market, tmp_path: Path, with_people: bool) -> None:
    rows, items, people = market
    model = KnownItemModel(SETTINGS).fit(rows, items, people.drop("taste") if with_people else None, UNTIL)
    model.save(tmp_path / "model")
    loaded = KnownItemModel.load(tmp_path / "model")
    assert (loaded.settings, loaded.until, loaded.weights) == (model.settings, UNTIL, model.weights)
    assert loaded.predict(top=5).equals(model.predict(top=5))
    np.testing.assert_array_equal(loaded.score(pl.Series(["nobody"])), model.score(pl.Series(["nobody"])))


def test_a_save_that_is_killed_leaves_the_model_that_was_there(
    model: KnownItemModel, market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, items, _ = market
    KnownItemModel(SETTINGS).fit(rows, items, None, UNTIL).save(tmp_path / "model")

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("danggol.artefact._moved_in", die)
        with pytest.raises(KeyboardInterrupt):
            model.save(tmp_path / "model")
    assert "kind" not in KnownItemModel.load(tmp_path / "model").weights, "the old one, without people"


def test_what_is_no_such_model_is_said(model: KnownItemModel, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no model"):
        KnownItemModel.load(tmp_path / "none")
    model.save(tmp_path / "model")
    (tmp_path / "model" / "items.parquet").unlink()
    with pytest.raises(DataError, match="is damaged"):
        KnownItemModel.load(tmp_path / "model")
