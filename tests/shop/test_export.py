"""Exports open in Excel, run nothing, say what the table says, and appear whole or not at all."""

import csv
import io
import json
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from danggol.errors import DataError, UsageError
from danggol.shop import SCHEMAS, Shop
from danggol.shop.export import disarm

AT = datetime(2024, 3, 1, 9, 30, tzinfo=UTC)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    made = Shop.create(tmp_path / "shop")
    products = {
        "product_id": ["p1", "p2", "p3"],
        "title": ['=HYPERLINK("http://evil","x")', '단골, "손님"', "line\nbreak"],
        "attributes": [[("색", "=1+1")], [], None],
        "listed_at": [AT, AT.replace(microsecond=5), None],
    }
    made.write("products", pa.table({n: pa.array(v, SCHEMAS["products"].column(n).arrow) for n, v in products.items()}))
    made.write(
        "offers",
        pl.DataFrame(
            {
                "product_id": ["p1", "p2"],
                "valid_from": [AT, AT],
                "price": [float("nan"), 1.5],
                "badges": [["best"], None],
            }
        ),
    )
    return made


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


def test_csv_opens_in_excel_and_says_what_the_table_says(shop: Shop, tmp_path: Path) -> None:
    target = tmp_path / "products.csv"
    assert shop.export("products", target) == 3
    content = target.read_bytes()
    assert content.startswith(b"\xef\xbb\xbfproduct_id,title")
    assert [row["title"] for row in rows(target)] == ['\'=HYPERLINK("http://evil","x")', '단골, "손님"', "line\nbreak"]
    assert [row["attributes"] for row in rows(target)] == ['{"색":"=1+1"}', "{}", ""]
    assert [row["listed_at"] for row in rows(target)] == ["2024-03-01T09:30:00Z", "2024-03-01T09:30:00.000005Z", ""]


@pytest.mark.parametrize(
    "text",
    [
        "=1",
        "+1+1",
        "-1+1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "＝1",
        "＋1",
        "－1",
        "＠x",
        "+82-10-1234",
        "-",
        "=-1",
        "-1-",
    ],
)
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(text: str) -> None:
    assert pl.DataFrame({"t": [text]}).select(disarm(pl.col("t"))).item() == "'" + text


@pytest.mark.parametrize(
    "text", ["-5", "+5", "-0.5", "+.5", "-1e-9", "+1E5", "-3.", "1=1", "a@b", " =1", "", "'=1", "한"]
)
def test_numbers_and_plain_texts_are_left_alone(text: str) -> None:
    assert pl.DataFrame({"t": [text, None]}).select(disarm(pl.col("t")))["t"].to_list() == [text, None]


def test_headings_are_disarmed_too(shop: Shop, tmp_path: Path) -> None:
    shop.write("sessions", pl.DataFrame({"session_id": ["a"], "=cmd|' /C calc'!A0": [1]}))
    shop.export("sessions", tmp_path / "s.csv")
    assert "'=cmd|' /C calc'!A0" in rows(tmp_path / "s.csv")[0]


def test_json_lines_keep_the_shapes(shop: Shop, tmp_path: Path) -> None:
    shop.export("products", tmp_path / "p.jsonl")
    shop.export("offers", tmp_path / "o.jsonl")
    products = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text("utf8").splitlines()]
    offers = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text("utf8").splitlines()]
    assert [row["attributes"] for row in products] == [{"색": "=1+1"}, {}, None]
    assert products[0]["title"].startswith("=HYPERLINK"), "JSON runs nothing"
    assert [(row["price"], row["badges"]) for row in offers] == [(None, ["best"]), (1.5, None)]
    assert products[0]["listed_at"] == "2024-03-01T09:30:00Z"


def test_parquet_is_the_table_itself(shop: Shop, tmp_path: Path) -> None:
    shop.export("products", tmp_path / "p.parquet")
    assert pl.DataFrame(pq.read_table(tmp_path / "p.parquet")).equals(shop.read("products"))


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_an_empty_table_and_the_manifest_export_too(shop: Shop, tmp_path: Path, suffix: str) -> None:
    shop.write("calendar", pl.DataFrame({"date": [], "kind": []}, schema={"date": pl.Date, "kind": pl.String}))
    assert shop.export("calendar", tmp_path / f"c{suffix}") == 0
    assert shop.export("runs", tmp_path / f"r{suffix}") == 3
    shop.write("calendar", pl.DataFrame({"date": [date(2024, 1, 1)], "kind": ["holiday"]}))
    assert shop.export("calendar", tmp_path / f"c{suffix}") == 1
    assert (tmp_path / f"c{suffix}").stat().st_size > 10


def test_many_batches_make_one_file(shop: Shop, tmp_path: Path) -> None:
    ids = pl.Series("customer_id", range(250_000)).cast(pl.String)
    shop.write("customers", ids.to_frame())
    assert shop.export("customers", tmp_path / "c.csv") == 250_000
    read = pl.read_csv(tmp_path / "c.csv", schema_overrides={"customer_id": pl.String})
    assert read["customer_id"].equals(ids)


def test_wrong_calls_are_clear_and_leave_the_old_file(shop: Shop, tmp_path: Path) -> None:
    target = tmp_path / "x.csv"
    target.write_text("mine")
    with pytest.raises(UsageError, match=r"should end in one of \.csv, \.jsonl, \.parquet; Excel opens \.csv"):
        shop.export("products", tmp_path / "x.xlsx")
    with pytest.raises(UsageError, match="no table 'product'"):
        shop.export("product", target)
    with pytest.raises(DataError, match="has no table 'reviews'"):
        shop.export("reviews", target)
    with pytest.raises(UsageError, match="cannot be written"):
        shop.export("products", tmp_path / "none" / "x.csv")
    with pytest.raises(UsageError, match="shop's own tables"):
        shop.export("products", shop.path / "tables" / "products" / "v000001" / "part-00009.parquet")
    assert target.read_text() == "mine"


def test_a_failure_half_way_leaves_the_old_file(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "x.csv"
    target.write_text("mine")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("danggol.shop.export.os.fsync", full)
    with pytest.raises(UsageError, match="cannot be written: No space left"):
        shop.export("products", target)
    assert target.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["x.csv"]
