"""Naming the causes of a shop's reviews: every review has a row, a killed run goes on, and nothing half is left."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from filelock import FileLock

from danggol import pipeline
from danggol.errors import DataError, UsageError
from danggol.reviews.causes import CauseModel, CauseSettings, naming
from danggol.reviews.causes.naming import name_causes
from danggol.reviews.causes.shop_facts import review_facts
from danggol.reviews.causes.training import train
from danggol.shop import Shop
from danggol.verbs import reviews_causes

from .made import CLASSES, START, labels_file, shop_with_reviews


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model and the file that it learnt from."""
    folder = tmp_path_factory.mktemp("taught")
    shop, causes = shop_with_reviews(folder / "shop")
    train(shop, labels_file(folder / "causes.csv", causes), folder / "model", CauseSettings(folds=2))
    return folder / "model"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return shop_with_reviews(tmp_path / "shop")[0]


def test_every_review_gets_its_cause(tmp_path: Path, taught: Path) -> None:
    shop, causes = shop_with_reviews(tmp_path / "shop")
    told = name_causes(shop, taught)
    rows = shop.read("review_causes")
    assert rows["review_id"].to_list() == shop.read("reviews")["review_id"].to_list()
    assert np.mean([one == two for one, two in zip(rows["cause"], causes, strict=True)]) > 0.95
    assert rows["class"].is_in(list(CLASSES.values())).all()
    assert rows["probability"].is_between(0, 1).all() and rows["class_probability"].is_between(0, 1).all()
    sure = rows.filter(pl.col("probability") >= 0.5)
    assert (told["reviews"], told["sure"]) == (180, sure.height)
    assert told["causes"] == dict(sure["cause"].value_counts(sort=True).iter_rows())
    assert not shop.check()
    assert not (shop.path / "cache" / "causes").exists()
    assert shop.runs()["verb"].to_list()[-1] == "reviews causes"


def test_a_row_knows_the_model_and_its_own_time(shop: Shop, taught: Path) -> None:
    undated = pl.when(pl.int_range(pl.len()) == 3).then(None).otherwise(pl.col("ts")).alias("ts")
    shop.write("reviews", shop.read("reviews").with_columns(undated))
    name_causes(shop, taught)
    as_of = shop.read("review_causes")["as_of"].to_list()
    learnt, latest = START + timedelta(days=119), START + timedelta(days=179)
    assert as_of[0] == learnt, "what it learnt from is later than the review"
    assert as_of[150] == START + timedelta(days=150)
    assert as_of[-1] == latest
    assert learnt <= as_of[3] <= latest
    (taught / "metrics.json").rename(taught / "kept")
    name_causes(shop, taught)
    (taught / "kept").rename(taught / "metrics.json")
    assert shop.read("review_causes")["as_of"].unique().to_list() == [latest], "it may have learnt from any"


def test_facts_are_those_of_the_day_of_the_review(shop: Shop, taught: Path) -> None:
    """What happens after a review changes nothing of its row."""
    reviews = shop.read("reviews")
    early = reviews.with_columns(ts=pl.col("ts") - timedelta(days=10), text=pl.lit("번호"))
    shop.write("reviews", early)
    name_causes(shop, taught)
    before = shop.read("review_causes").drop("run_id")
    late = pl.when(pl.col("delivered_at") > pl.col("ts") + timedelta(days=10))
    later = late.then(pl.col("delivered_at") + timedelta(days=30)).otherwise("delivered_at")
    shop.write("orders", shop.read("orders").with_columns(delivered_at=later))
    shop.write("products", pl.DataFrame({"product_id": ["p"]}))
    bought = {"event_id": ["e"], "ts": [START + timedelta(days=500)], "kind": ["purchase"], "order_id": ["o5"]}
    shop.write("events", pl.DataFrame(bought | {"product_id": ["p"], "quantity": [9.0]}))
    name_causes(shop, taught)
    assert shop.read("review_causes").drop("run_id").equals(before)
    assert review_facts(shop).facts["units"].null_count() == 180


def test_the_verb_learns_and_a_second_run_by_the_saved_model_says_the_same(tmp_path: Path) -> None:
    shop, causes = shop_with_reviews(tmp_path / "shop")
    file = labels_file(tmp_path / "causes.csv", causes)
    given = {"model": None, "to": None, "settings": None, "pairs": [], "seed": 0}
    first = reviews_causes(shop.path, labels=file, **{**given, "pairs": ["folds=2"], "seed": 3})
    assert first.figures["learnt"]["reviews"] == 120
    assert first.figures["reviews"] == 180
    table = shop.read("review_causes").drop("run_id")
    second = reviews_causes(shop.path, labels=None, **given)
    assert second.figures["learnt"] is None
    assert second.figures["causes"] == first.figures["causes"]
    assert shop.read("review_causes").drop("run_id").equals(table)
    assert CauseModel.load(shop.path / "models" / "causes").settings.seed == 3
    for wrong in ({"model": file}, {"labels": None, "to": tmp_path}, {"labels": None, "pairs": ["folds=2"]}):
        with pytest.raises(UsageError, match=r"choose one|give --labels"):
            reviews_causes(shop.path, **{"labels": file, **given, **wrong})


def test_labels_that_teach_nothing_are_told(shop: Shop, tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    given = {"model": None, "to": tmp_path / "model", "settings": None, "pairs": ["folds=2"], "seed": 0}
    file = labels_file(tmp_path / "drawn.csv", draw.choice(["a", "b", "c"], 60).tolist(), 60, classes=False)
    told = reviews_causes(shop.path, labels=file, **given)
    assert any("not surely right more often than the commonest" in str(part) for part in told.text)
    assert not (shop.path / "models").exists()


def test_the_command_line_passes_everything_on(shop: Shop, tmp_path: Path) -> None:
    file = labels_file(tmp_path / "causes.csv", shop_with_reviews(tmp_path / "other")[1])
    words = [sys.executable, "-c", "from danggol.cli import main; main()", "reviews", "causes", str(shop.path)]
    bare = subprocess.run(words, capture_output=True, text=True, check=False)
    assert bare.returncode == 2
    assert "--labels FILE" in bare.stderr and bare.stderr.count("\n") == 1
    more = ["--labels", str(file), "--to", str(tmp_path / "model"), "--set", "folds=2", "--seed", "5", "--json"]
    done = subprocess.run([*words, *more], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["model"] == str(tmp_path / "model")
    assert CauseModel.load(tmp_path / "model").settings == CauseSettings(folds=2, seed=5)
    assert shop.read("review_causes").height == 180


def test_a_cause_that_rose_in_the_last_week_is_told(shop: Shop, taught: Path) -> None:
    assert name_causes(shop, taught)["rose"] == []
    latest = pl.col("ts") > pl.col("ts").max() - timedelta(days=3)
    late = shop.read("reviews").with_columns(
        text=pl.when(latest).then(pl.lit("배송이 너무 늦어요")).otherwise("text"),
        rating=pl.when(latest).then(2.0).otherwise("rating"),
        order_id=pl.when(latest).then(None).otherwise("order_id"),
    )
    more = pl.concat([late.filter(latest).with_columns(review_id=pl.col("review_id") + f"-{nth}") for nth in range(4)])
    shop.write("reviews", pl.concat([late, more]))
    rose = name_causes(shop, taught)["rose"]
    assert [(one["product_id"], one["cause"]) for one in rose] == [("(all)", "late")]
    assert rose[0]["share"] > 0.8
    said = reviews_causes(shop.path, labels=None, model=taught, to=None, settings=None, pairs=[], seed=0).text
    assert any("Causes that rose" in str(part) for part in said)


def killed_after(shop: Shop, model: Path, batches: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A run that is killed after some batches."""
    real, read = CauseModel.predict, []

    def killed(self: CauseModel, texts: list[str], facts: pl.DataFrame) -> pl.DataFrame:
        if len(read) == batches:
            raise KeyboardInterrupt
        read.append(len(texts))
        return real(self, texts, facts)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(CauseModel, "predict", killed)
        name_causes(shop, model)
    return read


def test_a_killed_run_leaves_no_half_table_and_goes_on(
    shop: Shop, taught: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_causes(shop, taught)
    whole = shop.read("review_causes").drop("run_id")
    monkeypatch.setattr(naming, "_BATCH", 50)
    shop.write("review_causes", shop.read("review_causes").head(0))
    killed_after(shop, taught, 2, monkeypatch)
    assert not shop.has("review_causes")
    real, read = CauseModel.predict, []

    def counted(self: CauseModel, texts: list[str], facts: pl.DataFrame) -> pl.DataFrame:
        read.append(len(texts))
        return real(self, texts, facts)

    monkeypatch.setattr(CauseModel, "predict", counted)
    name_causes(shop, taught)
    assert sum(read) == 80
    again = shop.read("review_causes").drop("run_id")
    assert again.drop("probability", "class_probability").equals(whole.drop("probability", "class_probability"))
    assert np.allclose(again["probability"], whole["probability"])


def test_orders_that_changed_after_a_killed_run_are_read_anew(
    shop: Shop, taught: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(naming, "_BATCH", 50)
    assert sum(killed_after(shop, taught, 2, monkeypatch)) == 100
    shop.write("orders", shop.read("orders").with_columns(status=pl.lit("lost")))
    assert killed_after(shop, taught, 1, monkeypatch) == [50]


@pytest.mark.parametrize("table", ["reviews", "orders"])
def test_what_changes_meanwhile_stops_the_run(
    shop: Shop, taught: Path, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = CauseModel.predict

    def meanwhile(self: CauseModel, texts: list[str], facts: pl.DataFrame) -> pl.DataFrame:
        shop.write(table, shop.read(table).head(10))
        return real(self, texts, facts)

    monkeypatch.setattr(CauseModel, "predict", meanwhile)
    with pytest.raises(DataError, match=f"the {table} changed while"):
        name_causes(shop, taught)
    assert not shop.has("review_causes")


def test_without_a_model_it_says_what_to_do(tmp_path: Path, shop: Shop, taught: Path) -> None:
    with pytest.raises(UsageError, match=r"no model of causes; learn one by .* --labels"):
        name_causes(shop)
    with pytest.raises(UsageError, match="no model in"):
        name_causes(shop, tmp_path / "nowhere")
    with pytest.raises(DataError, match="reviews"):
        name_causes(Shop.create(tmp_path / "empty"), taught)
    (shop.path / "cache").mkdir(exist_ok=True)
    with FileLock(shop.path / "cache" / "causes.lock"), pytest.raises(UsageError, match="another run"):
        name_causes(shop, taught)


def test_a_shop_of_bare_texts_is_named_too(tmp_path: Path, taught: Path) -> None:
    shop = Shop.create(tmp_path / "bare")
    odd = ["", " ", "x", "😀", "a" * 100_000, "\x00", "<p>늦어요</p>", "배송이 너무 늦어요"]
    shop.write("reviews", pl.DataFrame({"review_id": [f"o{nth}" for nth in range(len(odd))], "text": odd}))
    before = datetime.now(UTC)
    assert name_causes(shop, taught)["reviews"] == len(odd)
    rows = shop.read("review_causes")
    assert rows["cause"][-1] == "late"
    assert rows["as_of"].min() >= before


def test_run_names_causes_only_where_the_shop_has_a_model(
    shop: Shop, taught: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "STEPS", [one for one in pipeline.STEPS if one.name.startswith("reviews causes")])
    assert pipeline.run(shop) == {}
    CauseModel.load(taught).save(shop.path / "models" / "causes")
    assert pipeline.run(shop)["reviews causes"]["reviews"] == 180
    (shop.path / "models" / "causes" / "weights.safetensors").write_bytes(b"nothing")
    assert "damaged" in pipeline.run(shop)["reviews causes"]["skipped"]


def test_run_goes_on_to_the_report_beside_another_run_that_labels(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [one for one in pipeline.STEPS if one.name in ("reviews label", "report")]
    monkeypatch.setattr(pipeline, "STEPS", steps)
    (shop.path / "cache").mkdir(exist_ok=True)
    with FileLock(shop.path / "cache" / "reviews.lock"):
        figures = pipeline.run(shop)
    assert "another run is labelling" in figures["reviews label"]["skipped"]
    assert figures["report"] == {"report": str(shop.path / "report" / "index.html")}


def test_run_ends_with_a_wrong_setting_of_what_is_no_review(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "STEPS", [pipeline.Step("match", (), pipeline._match)])
    with pytest.raises(UsageError):
        pipeline.run(shop, settings={"match": {"no_such_setting": 1}})
