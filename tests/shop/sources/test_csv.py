"""Files of one's own become tables; nothing disappears unsaid."""

import csv
import gzip
import io
import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from broken_files import BROKEN, EVENTS, PLAIN
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from own_files import HEADINGS, LINES, ORDERS, run, write
from PIL import Image
from workbooks import write_workbook

from danggol.errors import DanggolError, DataError, UsageError
from danggol.shop import Shop
from danggol.shop.checks import check
from danggol.shop.sources import import_source
from danggol.shop.sources.csv import preview
from danggol.shop.sources.mapping.rules import Mapping


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_korean_order_export_fills_four_tables(tmp_path: Path, encoding: str, delimiter: str) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows(csv.reader([HEADINGS, *LINES]))
    report = run(write(tmp_path / "주문.csv", out.getvalue(), encoding), ORDERS, tmp_path / "shop")
    shop = Shop.open(tmp_path / "shop")
    assert (report.rows, report.kept, report.created) == (3, 3, True)
    assert any("read as cp949" in note for note in report.notes) == (encoding == "cp949")
    assert (shop.config.timezone, shop.config.currency) == ("Asia/Seoul", "KRW")
    events = shop.read("events").sort("event_id")
    assert events["kind"].to_list() == ["purchase", "purchase", "return"]
    assert events["price"].to_list() == [12000, 8000, 12000]
    assert events["country"].to_list() == ["KR", "KR", "US"]
    assert events["ts"][0] == datetime(2024, 3, 5, 6, 24, tzinfo=UTC)
    orders = shop.read("orders").sort("order_id")
    assert orders["total"].to_list() == [32000, 12000]
    assert shop.read("customers").sort("customer_id")["gender"].to_list() == ["male", "female"]
    products = shop.read("products").sort("product_id")
    assert products["title"].to_list() == ["머그컵 (대형)", "접시"]
    assert dict(products["attributes"].to_list()[0]) == {"색상": "파랑"}


def test_the_same_file_again_adds_nothing_and_a_longer_one_only_the_rest(tmp_path: Path) -> None:
    path = write(tmp_path / "o.csv", [HEADINGS, *LINES])
    run(path, ORDERS, tmp_path / "shop")
    again = run(path, ORDERS, tmp_path / "shop", "append")
    assert again.rejected == {"duplicate_key": 3}
    write(path, [HEADINGS, *LINES, "A3,2024-03-07,C3,여,일본,P3,컵,,1,5000,구매"])
    assert run(path, ORDERS, tmp_path / "shop", "append").kept == 1
    shop = Shop.open(tmp_path / "shop")
    assert {name: table.rows for name, table in shop.tables().items() if name != "rejects"} == {
        "events": 4, "orders": 3, "customers": 3, "products": 3
    }  # fmt: skip
    with pytest.raises(UsageError, match="rows already"):
        run(path, ORDERS, tmp_path / "shop")


def test_another_file_of_the_same_name_gets_other_ids(tmp_path: Path) -> None:
    run(write(tmp_path / "export.csv", PLAIN), EVENTS, tmp_path / "shop")
    other = write(tmp_path / "export.csv", [PLAIN[0], "2024-04-05 10:00,a,1"])
    assert run(other, EVENTS, tmp_path / "shop", "append").kept == 1
    assert Shop.open(tmp_path / "shop").read("events")["event_id"].n_unique() == 3


def test_a_list_of_customers_completes_those_known_from_orders(tmp_path: Path) -> None:
    run(write(tmp_path / "o.csv", [HEADINGS, *LINES]), ORDERS, tmp_path / "shop")
    people = write(tmp_path / "p.csv", ["id,born,g", "C1,1988-02-03,", "C9,1990-01-01,F"])
    mapping = (
        '[customers]\ncustomer_id = "id"\ngender = "g"\nbirth_year = { column = "born", extract = "^(\\\\d{4})" }\n'
    )
    run(people, mapping, tmp_path / "shop", "append")
    found = {row["customer_id"]: row for row in Shop.open(tmp_path / "shop").read("customers").to_dicts()}
    assert found["C1"]["birth_year"] == 1988 and found["C1"]["gender"] == "male" and found["C1"]["country"] == "KR"
    assert found["C2"]["gender"] == "female" and found["C9"]["birth_year"] == 1990


def test_of_several_rows_the_latest_value_that_is_there_stands_or_the_first(tmp_path: Path) -> None:
    rows = ["ts,c,country", "2024-03-07,a,KR", "2024-03-05,a,US", "2024-03-09,a,", "2024-03-08,b,미국"]
    mapping = EVENTS.replace('price = "price"\n', '[customers]\nkeep = "{}"\ncustomer_id = "c"\ncountry = "country"\n')
    for keep, expected in (("latest", "KR"), ("first", "US")):
        run(write(tmp_path / "e.csv", rows), mapping.replace("{}", keep), tmp_path / keep)
        people = Shop.open(tmp_path / keep).read("customers")
        assert dict(people.select("customer_id", "country").iter_rows()) == {"a": expected, "b": "US"}


def test_formats_that_hold_the_same_rows_fill_the_same_tables(tmp_path: Path) -> None:
    rows = [{"ts": "2024-03-05 10:00:00", "c": "1", "price": "1.5", "tags": "a, b"},
            {"ts": "2024-03-06 11:30:00", "c": "2", "price": None, "tags": None}]  # fmt: skip
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    times = [datetime.fromisoformat(str(row["ts"])) for row in rows]
    files = {
        "csv": write(tmp_path / "a.csv", out.getvalue()),
        "gz": tmp_path / "a.csv.gz",
        "jsonl": write(tmp_path / "a.jsonl", [json.dumps({**row, "c": int(str(row["c"]))}) for row in rows]),
        "parquet": tmp_path / "a.parquet",
        "xlsx": write_workbook(
            tmp_path / "a.xlsx",
            {"s": [["주문 내역"], [None], list(rows[0]), [times[0], 1, 1.5, "a, b"], [times[1], 2.0, None, None]],
             "empty": []},
        ),
    }  # fmt: skip
    files["gz"].write_bytes(gzip.compress(files["csv"].read_bytes()))
    frame = pl.DataFrame(rows).with_columns(
        pl.Series("ts", times), pl.col("c").cast(pl.Int64), pl.col("price").cast(float)
    )
    frame.write_parquet(files["parquet"])
    found = []
    for kind, path in files.items():
        mapping = (
            EVENTS + 'event_id = "c"\n[products]\nproduct_id = { columns = ["c", "ts"], join = "-" }\ntitle = "tags"\n'
        )
        run(path, mapping, tmp_path / kind)
        found.append(Shop.open(tmp_path / kind).read("events").sort("event_id"))
    assert all(table.equals(found[0]) for table in found)
    assert found[0]["price"].to_list() == [1.5, None]


def test_nested_json_and_parquet_columns_are_reached_by_their_path(tmp_path: Path) -> None:
    rows = [{"ts": 1709620000, "user": {"id": "u", "geo": {"country": "kr"}}, "badges": ["new", "best"], "free": True}]
    write(tmp_path / "a.jsonl", [json.dumps(rows[0]), "", json.dumps({"user": {"id": "v"}, "ts": 1709620001})])
    pl.DataFrame(rows).write_parquet(tmp_path / "a.parquet")
    mapping = (
        '[offers]\nproduct_id = "user.id"\nvalid_from = "ts"\n'
        'country = { column = "user.geo.country", default = "US" }\n'
        'badges = "badges"\nfree_shipping = "free"\n'
    )
    for name in ("a.jsonl", "a.parquet"):
        run(tmp_path / name, mapping, tmp_path / name[2:])
        offer = Shop.open(tmp_path / name[2:]).read("offers").sort("product_id").to_dicts()[0]
        assert (offer["country"], offer["badges"], offer["free_shipping"]) == ("KR", ["new", "best"], True)
    assert Shop.open(tmp_path / "jsonl").read("offers").height == 2


def test_quoted_line_breaks_and_formulas_stay_and_rejects_count_rows_of_the_file(tmp_path: Path) -> None:
    path = write(
        tmp_path / "r.csv",
        'id,text,stars\n1,"two\nlines, and ""quotes""",5\n\n2,=HYPERLINK("x"),4\n3,@SUM(1),9\n4,,3\n',
    )
    report = run(path, '[reviews]\nreview_id = "id"\ntext = "text"\nrating = "stars"\n', tmp_path / "shop")
    shop = Shop.open(tmp_path / "shop")
    texts = ['two\nlines, and "quotes"', '=HYPERLINK("x")', "@SUM(1)"]
    assert shop.read("reviews").sort("review_id")["text"].to_list() == texts
    assert shop.read("rejects").sort("row").select("row", "reason_code", "column").rows() == [
        (4, "above:reviews.rating", "stars"),
        (5, "required", "text"),
    ]
    assert any("1 blank row passed over" in note for note in report.notes)


@pytest.mark.parametrize(
    ("setting", "text", "expected"),
    [
        ("", "1,234원", 1234), ("", "₩1,234.5", 1234.5), ("", "US$ 3.50", 3.5), ("", "(7)", None), ("", "1.5만", 15000),
        ('decimal = ","', "1.234,56 €", 1234.56), ("", "1.234,56", None), ("scale = 0.01", "250", 2.5),
        ("absolute = true", "-3", 3), ("", "-3", None), ("", "nan", 0), ("", "12 34", None), ("", "1'000", 1000),
        ('extract = "([0-9]+)원"', "총 500원 결제", 500), ("", "-", 0), ("", "１２", 12),
    ],
)  # fmt: skip
def test_amounts_as_people_write_them(tmp_path: Path, setting: str, text: str, expected: float | None) -> None:
    path = write(tmp_path / "a.csv", ["ts;c;price", f"2024-03-05;a;{text}"])
    rule = f'price = {{ column = "price"{", " + setting if setting else ""} }}'
    made = preview(path, Mapping.parse(EVENTS.replace('price = "price"', rule)))
    if expected is None:
        assert made.tables["events"].height == 0 and made.rejects.height == 1
    else:
        assert (made.tables["events"]["price"][0] or 0) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("setting", "text", "expected"),
    [
        ("", "2024.03.05", "2024-03-04T15:00:00"), ("", "2024-03-05 오후 3:24", "2024-03-05T06:24:00"),
        ("", "2024. 3. 5. 오전 12:10:05", "2024-03-04T15:10:05"), ("", "20240305", "2024-03-04T15:00:00"),
        ("", "20240305152430", "2024-03-05T06:24:30"), ("", "2024년 3월 5일 15시 24분", "2024-03-05T06:24:00"),
        ("", "2024-03-05 (화) 15:24", "2024-03-05T06:24:00"), ("", "2024-03-05T15:24:00Z", "2024-03-05T15:24:00"),
        ("", "2024-03-05T15:24:00.25+02:00", "2024-03-05T13:24:00.250000"), ("", "1709620000", "2024-03-05T06:26:40"),
        ("", "1709620000000", "2024-03-05T06:26:40"), ("", "45356.5", "2024-03-05T03:00:00"),
        ("", "Mar 5, 2024 3:24 PM", "2024-03-05T06:24:00"), ("", "5 March 2024", "2024-03-04T15:00:00"),
        ('format = "dmy"', "05/03/2024", "2024-03-04T15:00:00"),
        ('format = "mdy"', "05/03/2024", "2024-05-02T15:00:00"),
        ('format = "%y/%m/%d %p %I:%M"', "24/03/05 오후 3:24", "2024-03-05T06:24:00"),
        ('timezone = "UTC"', "2024-03-05", "2024-03-05T00:00:00"),
        ('format = "unix"', "1709620000", "2024-03-05T06:26:40"),
        ("", "2024年3月5日 15時24分", "2024-03-05T06:24:00"), ("", "2024-02-30", None), ("", "어제", None),
        ("", "2024-13-01", None), ("", "1066-10-14", None), ("", "2199-01-01", None),
    ],
)  # fmt: skip
def test_times_as_people_write_them(tmp_path: Path, setting: str, text: str, expected: str | None) -> None:
    path = write(tmp_path / "a.csv", ["ts;c;price", f"{text};a;1"])
    rule = f'ts = {{ column = "ts"{", " + setting if setting else ""} }}'
    made = preview(path, Mapping.parse('[file]\ntimezone = "Asia/Seoul"\n' + EVENTS.replace('ts = "ts"', rule)))
    found = made.tables["events"]["ts"].to_list()
    assert found == ([] if expected is None else [datetime.fromisoformat(expected).replace(tzinfo=UTC)])


def test_the_night_the_clocks_change_has_no_hole(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", ["ts,c,price", "2024-03-31 01:30,a,1", "2024-10-27 01:30,a,1"])
    made = preview(path, Mapping.parse('[file]\ntimezone = "Europe/London"\n' + EVENTS))
    assert [t.hour for t in made.tables["events"]["ts"]] == [1, 0]


def test_day_or_month_first_is_told_from_the_whole_column(tmp_path: Path) -> None:
    lines = ["ts,c,price", *["05/03/2024,a,1"] * 30_000]
    with pytest.raises(DataError, match='format = "dmy" or format = "mdy"'):
        run(write(tmp_path / "a.csv", lines), EVENTS, tmp_path / "shop")
    run(write(tmp_path / "a.csv", [*lines, "31/03/2024,a,1"]), EVENTS, tmp_path / "shop")
    assert str(Shop.open(tmp_path / "shop").read("events")["ts"].min()) == "2024-03-05 00:00:00+00:00"
    with pytest.raises(DataError, match="month first"):
        run(write(tmp_path / "b.csv", [*lines, "31/03/2024,a,1", "03/31/2024,a,1"]), EVENTS, tmp_path / "other")


def test_pictures_are_copied_urls_kept_and_others_told(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "img").mkdir(parents=True)
    Image.new("RGB", (4, 4), "red").save(folder / "img" / "a.png")
    (tmp_path / "secret.png").write_bytes((folder / "img" / "a.png").read_bytes())
    (folder / "img" / "fake.png").write_bytes(b"no picture")
    (folder / "img" / "link.png").symlink_to(tmp_path / "secret.png")
    names = ["a.png", "https://x.kr/a.jpg", "missing.png", "fake.png", "../../secret.png", "/etc/passwd", "link.png"]
    lines = ["p,picture", *(f"P{i},{name}" for i, name in enumerate(names))]
    mapping = '[file]\npictures = "img"\n[product_images]\nproduct_id = "p"\nimage = "picture"\n'
    report = run(write(folder / "p.csv", lines), mapping, tmp_path / "shop")
    shop = Shop.open(tmp_path / "shop")
    kept = dict(shop.read("product_images").select("product_id", "image").iter_rows())
    assert set(kept) == {"P0", "P1"} and kept["P1"] == names[1]
    assert shop.resolve(kept["P0"]).read_bytes() == (folder / "img" / "a.png").read_bytes()
    assert report.rejected == {"outside_shop": 3, "missing_picture": 1, "not_a_picture": 1}
    assert len(list((tmp_path / "shop").rglob("*.png"))) == 1


def test_a_value_that_cannot_be_read_rejects_the_row_or_is_left_out_and_told(tmp_path: Path) -> None:
    lines = ["ts,c,price,country,born", "2024-03-05,a,1,화성,1988", "2024-03-05,b,1,KR,비밀", "2024-03-05,c,x,KR,1990"]
    people = '[customers]\ncustomer_id = "c"\nbirth_year = "born"\n'
    mapping = EVENTS + 'country = "country"\n' + people
    report = run(write(tmp_path / "a.csv", lines), mapping, tmp_path / "shop")
    assert report.rejected == {"bad_number": 1}
    assert report.flaws == {"bad_country:events.country": 1, "bad_number:customers.birth_year": 1}
    strict = mapping.replace('"born"', '{ column = "born", bad = "reject" }').replace(
        'price = "price"', 'price = { column = "price", bad = "empty" }'
    )
    report = run(write(tmp_path / "a.csv", lines), strict, tmp_path / "strict")
    assert (report.kept, report.rejected, report.flaws["bad_number:events.price"]) == (2, {"bad_number": 1}, 1)


def test_what_check_calls_blank_is_blank_and_ids_are_not_padded(tmp_path: Path) -> None:
    lines = ["id,text,title", "1,\u200b,a", "2, \u3000\ufeff,b", "\u200b3\ufeff,좋아요\u200b,\u200b", "4,가\u200b나,c"]
    mapping = '[reviews]\nreview_id = "id"\ntext = "text"\ntitle = "title"\n'
    report = run(write(tmp_path / "a.csv", lines), mapping, tmp_path / "shop")
    shop = Shop.open(tmp_path / "shop")
    assert report.rejected == {"required": 2}
    found = shop.read("reviews").sort("review_id").select("review_id", "text", "title")
    assert found.rows() == [("3", "좋아요", None), ("4", "가\u200b나", "c")]
    assert check(shop).ok


def test_words_are_mapped_exactly_by_beginning_and_otherwise(tmp_path: Path) -> None:
    lines = ["no,ts,q,kind", "C1,2024-03-05,-2,x", "A1,2024-03-05,2,x", "A2,2024-03-05,,구매"]
    mapping = (
        '[events]\nts = "ts"\norder_id = "no"\nquantity = { column = "q", absolute = true, default = 1 }\n'
        'kind = { column = "no", map = { A2 = "view", "C*" = "return", "*" = "purchase" } }\n'
    )
    made = preview(write(tmp_path / "a.csv", lines), Mapping.parse(mapping)).tables["events"]
    assert made["kind"].to_list() == ["return", "purchase", "view"] and made["quantity"].to_list() == [2, 2, 1]


def test_one_row_may_give_several_rows_of_a_table_and_columns_of_ones_own(tmp_path: Path) -> None:
    lines = ["s,bought,returned,c,pages", "1,2024-03-05,2024-03-09,a,7"]
    mapping = (
        '[[events]]\nts = "bought"\nkind = { value = "purchase" }\n'
        '[[events]]\nts = "returned"\nkind = { value = "return" }\n'
        '[sessions]\nsession_id = "s"\npages = { column = "pages", type = "number" }\n'
    )
    run(write(tmp_path / "a.csv", lines), mapping, tmp_path / "shop")
    shop = Shop.open(tmp_path / "shop")
    assert shop.read("events").sort("ts")["kind"].to_list() == ["purchase", "return"]
    assert shop.read("sessions")["pages"].to_list() == [7.0]


def test_two_rules_of_a_table_are_merged_and_look_around_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", ["ts,c,a,b", "2024-03-05,p,q,빨강"])
    pair = '[[products]]\nproduct_id = "a"\nattributes = { columns = ["b"] }\n'
    pair += '[[products]]\nproduct_id = "c"\ntitle = "b"\n'
    run(path, EVENTS.replace('price = "price"\n', "") + pair, tmp_path / "shop")
    found = Shop.open(tmp_path / "shop").read("products").sort("product_id")
    assert found["title"].to_list() == ["빨강", None] and dict(found["attributes"][1]) == {"b": "빨강"}
    with pytest.raises(UsageError, match="look-around") as error:
        preview(path, Mapping.parse('[customers]\ncustomer_id = { column = "c", extract = "(?=p)" }\n'))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files_end_in_one_sentence_or_with_every_row_accounted_for(tmp_path: Path, case: str) -> None:
    build, expected = BROKEN[case]
    (tmp_path / "data").mkdir()
    path, shop = build(tmp_path / "data"), tmp_path / "shop"
    if isinstance(expected, str):
        with pytest.raises(DanggolError, match=expected) as error:
            import_source("csv", path, shop, options={"mapping_text": EVENTS})
        assert "\n" not in str(error.value) and 20 < len(str(error.value)) < 400
        assert not shop.exists()
        return
    report = run(path, EVENTS, shop)
    assert (report.kept, sum(report.rejected.values())) == expected
    assert Shop.open(shop).read("events").height == expected[0]
    assert expected[1] == 0 or Shop.open(shop).read("rejects")["reason"].is_not_null().all()


def test_duplicate_ids_are_rejected_or_merged_and_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", ["id,t", "1,one", "1,again", "2,two", ",none"])
    report = run(path, '[products]\nkeep = "all"\nproduct_id = "id"\ntitle = "t"\n', tmp_path / "all")
    assert report.rejected == {"duplicate_key": 1, "required": 1} and report.kept == 2
    report = run(path, '[products]\nproduct_id = "id"\ntitle = "t"\n', tmp_path / "latest")
    assert report.kept == 3 and report.tables["products"] == 2 and any("3 rows made 2" in note for note in report.notes)
    assert Shop.open(tmp_path / "latest").read("products").sort("product_id")["title"].to_list() == ["again", "two"]


WORDS = st.text(st.characters(codec="cp949", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp")), max_size=12)
TEXTS = st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=12)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=TEXTS,
    delimiter=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp949"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    line=st.sampled_from(["\n", "\r\n"]),
)
def test_any_table_written_as_csv_reads_back_equal(
    rows: list[tuple[str, str]], delimiter: str, encoding: str, quoting: int, line: str
) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=line)
    writer.writerow(["번호", "제목", "설명"])
    writer.writerows((f"n{i}", *row) for i, row in enumerate(rows))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        path.write_bytes(out.getvalue().encode(encoding))
        mapping = '[products]\nproduct_id = "번호"\ntitle = "제목"\ndescription = "설명"\n'
        made = preview(path, Mapping.parse(mapping), rows=100)
    assert not made.rejects.height
    assert made.tables["products"].select("title", "description").rows() == [(a or None, b or None) for a, b in rows]


NAMES = st.text("가나다라마바사아자차카타파하각난닫랄힘뷁", min_size=2, max_size=8)


@settings(max_examples=8)
@given(names=st.lists(NAMES, min_size=1, max_size=5, unique=True))
def test_korean_text_survives_from_cp949_to_the_shop(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(
            Path(folder) / "상품.csv", ["상품코드,상품명", *(f"{i},{n}" for i, n in enumerate(names))], "cp949"
        )
        run(path, '[products]\nproduct_id = "상품코드"\ntitle = "상품명"\n', Path(folder) / "shop")
        assert (
            Shop.open(Path(folder) / "shop").read("products").sort(pl.col("product_id").cast(int))["title"].to_list()
            == names
        )
