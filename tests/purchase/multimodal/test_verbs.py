"""The verb that measures modalities: what it writes, what the report shows of it, and its errors."""

from functools import partial
from pathlib import Path

import polars as pl
import pytest

from danggol.errors import DataError
from danggol.purchase.multimodal.shares import worth
from danggol.purchase.multimodal.trees import TreeSettings
from danggol.purchase.multimodal.verbs import modalities
from danggol.report import build_report
from danggol.shop import Shop
from danggol.twin import simulate
from danggol.verbs import purchase_modalities


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("modalities")
    file = folder / "tiny.toml"
    file.write_text(
        'format = 1\nbase = "small"\nname = "tiny"\n[size]\ncustomers = 500\nproducts = 60\nweeks = 10\n'
        "[choice]\nconversion = 0.15\n",
        "utf8",
    )
    simulate(folder / "shop", file, seed=3)
    return folder / "shop"


def test_shares_are_written_and_add_up_and_the_report_shows_them(market: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = TreeSettings(rounds=30, bags=1, learning_rate=0.2, leaves=7)
    monkeypatch.setattr("danggol.purchase.multimodal.verbs.worth", partial(worth, settings=quick))
    figures = purchase_modalities(market, until=None, seed=0).figures["figures"]
    shop = Shop.open(market)
    told = shop.read("modality_worth")
    everybody = told.filter(pl.col("part") == "all")
    shares = everybody.filter(pl.col("figure") == "share")
    joined = everybody.filter((pl.col("figure") == "auc") & (pl.col("modality") == "joined"))["value"][0]
    assert shares["value"].sum() == pytest.approx(joined - 0.5, abs=1e-6)
    assert (told["low"] <= told["value"]).all()
    assert (told["value"] <= told["high"]).all()
    assert figures["share/offer"][0] == pytest.approx(shares.filter(pl.col("modality") == "offer")["value"][0])
    page = build_report(shop).read_text("utf8")
    assert 'id="worth"' in page
    assert "무엇이 구매를 가르나" in page


def test_a_shop_that_was_not_measured_has_no_such_part(tmp_path: Path) -> None:
    shop = Shop.create(tmp_path / "bare")
    assert 'id="modalities"' not in build_report(shop).read_text("utf8")


def test_too_late_a_day_is_said(market: Path) -> None:
    with pytest.raises(DataError, match="too few to measure; choose an earlier --until"):
        modalities(Shop.open(market), "2030-01-01")
