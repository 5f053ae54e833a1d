import json
import os
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from broken_inputs import DATE_REJECTS, SECRET, TEXT_CASES, Case, Sample, check_case

from danggol.errors import DataError
from danggol.shop import Shop
from danggol.shop.sources import import_source

HEADER = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
ROWS = (
    ("536365", "85123A", "WHITE HEART", "6", "2010-12-01 08:26:00", "2.55", "17850.0", "United Kingdom"),
    ("536365", "71053", "LANTERN", "2", "2010-12-01 08:26:00", "3.39", "17850.0", "United Kingdom"),
    ("536366", "85123A", "WHITE HEART", "1", "2011-07-01 08:28:00", "2.55", "", "EIRE"),
    ("C536379", "71053", "LANTERN", "-1", "2011-07-02 09:41:00", "3.39", "17850.0", "France"),
    ("536370", "22728", "CLOCK", "24", "2010-12-01 08:45:00", "0", "12583", "Channel Islands"),
    ("536365", "22728", "CLOCK", "1", "2010-12-01 08:26:00", "3.75", "17850.0", "United Kingdom"),
)
SAMPLE = Sample("online-retail", "retail.csv", HEADER, ROWS, "InvoiceNo", "Description", "UnitPrice", "InvoiceDate")
CASES = [*TEXT_CASES, *DATE_REJECTS]


def with_rows(tmp_path: Path, *rows: tuple[str, ...]) -> Path:
    path = tmp_path / "retail.csv"
    path.write_bytes(Sample("online-retail", path.name, HEADER, (*ROWS, *rows), "", "", "").encoded())
    return path


def test_lines_become_purchases_and_cancellations_returns(tmp_path):
    import_source("online-retail", with_rows(tmp_path), tmp_path / "shop")
    events = Shop.open(tmp_path / "shop").read("events")
    assert events["event_id"].to_list() == [
        "536365-1", "536365-2", "536366-1", "C536379-1", "536370-1", "536365-3",
    ]  # fmt: skip
    assert events["kind"].to_list() == ["purchase"] * 3 + ["return"] + ["purchase"] * 2
    assert events["quantity"].to_list() == [6, 2, 1, 1, 24, 1]
    assert events["customer_id"].to_list() == ["17850", "17850", None, "17850", "12583", "17850"]
    assert events["country"].to_list() == ["GB", "GB", "IE", "FR", None, "GB"]
    assert events["price"].to_list() == [2.55, 3.39, 2.55, 3.39, 0, 3.75], "a gift keeps its price of 0"


def test_london_times_become_utc(tmp_path):
    skipped = ("7", "22728", "CLOCK", "1", "2011-03-27 01:30:00", "1", "1", "Spain")
    twice = ("8", "22728", "CLOCK", "1", "2011-10-30 01:30:00", "1", "1", "Spain")
    import_source("online-retail", with_rows(tmp_path, skipped, twice), tmp_path / "shop")
    shop = Shop.open(tmp_path / "shop")
    ts = dict(shop.read("events", ["event_id", "ts"]).iter_rows())
    assert ts["536365-1"] == datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
    assert ts["536366-1"] == datetime(2011, 7, 1, 7, 28, tzinfo=UTC), "summer time"
    assert ts["7-1"] == datetime(2011, 3, 27, 1, 30, tzinfo=UTC), "01:30 did not exist: 02:30 summer time is meant"
    assert ts["8-1"] == datetime(2011, 10, 30, 0, 30, tzinfo=UTC), "01:30 was twice: the first is taken"
    assert (shop.config.timezone, shop.config.currency) == ("Europe/London", "GBP")


def test_orders_products_and_customers_are_summed_up(tmp_path):
    postage = ("536365", "POST", "POSTAGE", "1", "2010-12-01 08:26:00", "18", "17850.0", "United Kingdom")
    named = ("536399", "85123A", "CREAM HEART", "1", "2011-12-01 08:26:00", "2", "12583.0", "Austria")
    report = import_source("online-retail", with_rows(tmp_path, postage, named), tmp_path / "shop")
    shop = Shop.open(tmp_path / "shop")
    orders = {row["order_id"]: row for row in shop.read("orders").to_dicts()}
    assert set(orders) == {"536365", "536370", "536399"}, "orders have a customer; cancellations are none"
    assert orders["536365"]["total"] == pytest.approx(6 * 2.55 + 2 * 3.39 + 3.75 + 18)
    assert orders["536365"]["currency"] == "GBP"
    titles = dict(shop.read("products", ["product_id", "title"]).iter_rows())
    assert titles == {"85123A": "WHITE HEART", "71053": "LANTERN", "22728": "CLOCK"}
    people = dict(shop.read("customers", ["customer_id", "country"]).iter_rows())
    assert people == {"17850": "FR", "12583": "AT"}, "the latest country counts"
    assert report.rejected == {"not_a_product": 1}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"StockCode": "BANK CHARGES"}, "not_a_product"),
        ({"StockCode": "8512"}, "not_a_product"),
        ({"StockCode": "８５１２３A"}, "not_a_product"),
        ({"StockCode": ""}, "missing_id"),
        ({"Quantity": "-5"}, "stock_adjustment"),
        ({"UnitPrice": "0", "CustomerID": ""}, "stock_adjustment"),
        ({"Quantity": "0"}, "bad_quantity"),
        ({"Quantity": "99999999999999999999"}, "bad_quantity"),
        ({"Quantity": "six"}, "bad_quantity"),
        ({"Quantity": ""}, "bad_quantity"),
        ({"InvoiceNo": "C1"}, "bad_quantity"),
        ({"UnitPrice": "-2"}, "price_not_positive"),
        ({"UnitPrice": "1e300"}, "bad_price"),
        ({"InvoiceDate": "2011-02-30 10:00:00"}, "bad_date"),
        ({"InvoiceDate": "2150-01-01 10:00:00"}, "date_in_future"),
    ],
)
def test_what_is_no_sale_is_rejected_with_its_reason(tmp_path, change, code):
    row = dict(zip(HEADER, ROWS[0], strict=True)) | change
    report = import_source("online-retail", with_rows(tmp_path, tuple(row.values())), tmp_path / "shop")
    assert report.rejected == {code: 1}
    reject = Shop.open(tmp_path / "shop").read("rejects").to_dicts()[0]
    assert (reject["row"], reject["file"], reject["source"]) == (7, "retail.csv", "online-retail")
    assert reject["column"] in HEADER and reject["reason"]
    assert json.loads(reject["record"])["StockCode"] == (row["StockCode"] or None)


def test_codes_that_differ_in_case_are_kept_apart_and_an_empty_price_is_kept_empty(tmp_path):
    row = ("9", "85123a", "WHITE HEART", "1", "2010-12-01 08:26:00", "", "17850.0", "Nowhere")
    report = import_source("online-retail", with_rows(tmp_path, row), tmp_path / "shop")
    shop = Shop.open(tmp_path / "shop")
    assert {"85123a", "85123A"} <= set(shop.read("products")["product_id"])
    assert shop.read("events").filter(pl.col("order_id") == "9")["price"].to_list() == [None]
    assert any("Nowhere (1)" in note for note in report.notes)


def test_formulas_are_kept_word_for_word(tmp_path):
    sample = SAMPLE.with_cell("Description", "=cmd|'/C calc'!A0", 3).with_cell("Description", "=cmd|'/C calc'!A0", 1)
    (tmp_path / "retail.csv").write_bytes(sample.encoded())
    import_source("online-retail", tmp_path, tmp_path / "shop")
    titles = dict(Shop.open(tmp_path / "shop").read("products", ["product_id", "title"]).iter_rows())
    assert titles["71053"] == "=cmd|'/C calc'!A0"


def test_appending_the_same_file_adds_nothing_and_says_so(tmp_path):
    path = with_rows(tmp_path)
    import_source("online-retail", path, tmp_path / "shop")
    report = import_source("online-retail", path, tmp_path / "shop", "append")
    assert report.rejected == {"duplicate_key": 6} and report.kept == 0
    assert {name: Shop.open(tmp_path / "shop").read(name).height for name in report.tables} == {
        "events": 6, "orders": 2, "products": 3, "customers": 2,
    }  # fmt: skip


def test_the_second_edition_reads_alike(tmp_path):
    header = ("Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country")
    path = tmp_path / "online_retail_II.csv"
    path.write_bytes(Sample("online-retail", path.name, header, ROWS, "", "", "").encoded())
    assert import_source("online-retail", path, tmp_path / "shop").kept == 6


@pytest.mark.parametrize("case", CASES, ids=str)
def test_broken_input(case: Case, tmp_path, old_shops, copy_of):
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "retail.csv").write_bytes(SAMPLE.encoded())
    old = copy_of(old_shops("online-retail", tmp_path / "retail.csv"))
    check_case(case, case.build(SAMPLE, folder), "online-retail", old)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_nobody_may_read(tmp_path):
    path = SECRET.build(SAMPLE, tmp_path)
    with pytest.raises(DataError, match="cannot be read"):
        import_source("online-retail", path, tmp_path / "shop")


def test_all_lines_of_the_real_file_are_accounted_for(shared_data, tmp_path):
    report = import_source("online-retail", shared_data / "purchase" / "online_retail", tmp_path / "shop")
    assert report.rows == 541_909
    assert report.rejected == {"not_a_product": 2_995, "stock_adjustment": 2_452}
    assert report.kept == report.tables["events"] == 536_462
    shop = Shop.open(tmp_path / "shop")
    raw = pl.scan_csv(shared_data / "purchase/online_retail/online_retail.csv.gz", infer_schema=False).filter(
        ~pl.col("InvoiceNo").str.starts_with("C"),
        pl.col("Quantity").cast(pl.Int64) > 0,
        pl.col("CustomerID").is_not_null(),
        pl.col("StockCode").str.contains(r"^\d{5}"),
    )
    bought = shop.sql("SELECT * FROM events WHERE kind = 'purchase' AND customer_id IS NOT NULL")
    expected = raw.select(pl.len(), pl.col("StockCode").n_unique(), pl.col("CustomerID").n_unique()).collect().row(0)
    assert (bought.height, bought["product_id"].n_unique(), bought["customer_id"].n_unique()) == expected
    assert report.first == datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
    assert report.last == datetime(2011, 12, 9, 12, 50, tzinfo=UTC)
    assert shop.read("events")["event_id"].is_unique().all()
