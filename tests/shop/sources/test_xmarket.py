from datetime import UTC, datetime

import pytest
from broken_inputs import DATE_REJECTS, TEXT_ERRORS, TEXT_REJECTS, Case, Sample, check_case

from danggol.errors import UsageError
from danggol.shop import Shop
from danggol.shop.sources import import_source

HEADER = ("userId", "itemId", "rate", "date")
ROWS = (
    ("A1", "B1", "5.0", "2016-06-13"),
    ("A1", "B2", "4.0", "2018-01-22"),
    ("A2", "B1", "1.0", "2016-09-07"),
    ("A2", "B1", "2.0", "2017-09-07"),
)
SAMPLE = Sample("xmarket", "de_5core.txt", HEADER, ROWS, "userId", "itemId", "rate", "date", " ")


def test_a_rating_becomes_a_purchase(tmp_path):
    (tmp_path / "uk_5core.txt").write_bytes(SAMPLE.encoded())
    report = import_source("xmarket", tmp_path, tmp_path / "shop")
    shop = Shop.open(tmp_path / "shop")
    events = shop.read("events")
    assert events["kind"].unique().to_list() == ["purchase"] and events["country"].unique().to_list() == ["GB"]
    assert events["ts"][0] == datetime(2016, 6, 13, tzinfo=UTC)
    assert events["event_id"][0] == "gb-A1-B1-2016-06-13"
    assert shop.read("customers")["country"].to_list() == ["GB", "GB"]
    assert shop.read("products")["product_id"].to_list() == ["B1", "B2"]
    assert "stands for a purchase" in report.notes[-1] and "stars are not kept" in report.notes[-1]


def test_ratings_of_one_day_are_one_and_of_two_days_two(tmp_path):
    again = (*ROWS, ROWS[0], ("A1", "B1", "3.0", "2016-06-14"))
    sample = Sample("xmarket", "de_5core.txt", HEADER, again, "", "", "", "", " ")
    (tmp_path / sample.name).write_bytes(sample.encoded())
    report = import_source("xmarket", tmp_path, tmp_path / "shop")
    assert report.rejected == {"duplicate_key": 1} and report.kept == 5
    assert Shop.open(tmp_path / "shop").read("rejects")["row"].to_list() == [5]


def test_markets_of_a_folder_are_read_together(tmp_path):
    for market in ("de", "jp"):
        (tmp_path / f"{market}_5core.txt").write_bytes(SAMPLE.encoded())
    report = import_source("xmarket", tmp_path, tmp_path / "shop")
    assert report.kept == 8
    counts = Shop.open(tmp_path / "shop").sql("SELECT country, count(*) FROM events GROUP BY 1 ORDER BY 1")
    assert counts.rows() == [("DE", 4), ("JP", 4)]


def test_the_market_can_be_given_and_must_be_known(tmp_path):
    path = tmp_path / "ratings.txt"
    path.write_bytes(SAMPLE.encoded())
    with pytest.raises(UsageError, match="market=de"):
        import_source("xmarket", path, tmp_path / "shop")
    assert not (tmp_path / "shop").exists()
    import_source("xmarket", path, tmp_path / "shop", options={"market": "in"})
    assert Shop.open(tmp_path / "shop").read("events")["country"][0] == "IN"


def test_append_adds_a_market_and_keeps_products_that_are_there(tmp_path):
    for market in ("de", "fr"):
        (tmp_path / f"{market}_5core.txt").write_bytes(SAMPLE.encoded())
    import_source("xmarket", tmp_path / "de_5core.txt", tmp_path / "shop")
    report = import_source("xmarket", tmp_path / "fr_5core.txt", tmp_path / "shop", "append")
    assert report.tables == {"events": 4, "products": 0, "customers": 0}
    assert Shop.open(tmp_path / "shop").read("products").height == 2


@pytest.mark.parametrize("case", [*TEXT_ERRORS, *TEXT_REJECTS[::2], *DATE_REJECTS[:3]], ids=str)
def test_broken_input(case: Case, tmp_path, old_shops, copy_of):
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / SAMPLE.name).write_bytes(SAMPLE.encoded())
    old = copy_of(old_shops("xmarket", tmp_path / SAMPLE.name))
    check_case(case, case.build(SAMPLE, folder), "xmarket", old)


def test_the_real_markets_are_accounted_for(shared_data, tmp_path):
    report = import_source("xmarket", shared_data / "purchase" / "xmarket", tmp_path / "shop")
    assert report.rows == 55_045 + 44_515 + 22_905 + 22_247 + 4_485 + 2_015
    assert report.kept + report.rejected["duplicate_key"] == report.rows
