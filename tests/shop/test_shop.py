"""What is written reads back equal; paths stay inside; a damaged or foreign folder is one clear sentence."""

import math
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from danggol.errors import DanggolError, DataError, UsageError
from danggol.shop import SCHEMAS, Column, Shop, run
from danggol.shop.conform import conform

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TABLES = ("products", "offers", "posts", "sessions", "demand_forecasts")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["", "한국어", "😀", "\0", "a\nb", "'"]
)
FLOATS = st.floats(width=64)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXT,
    "timestamp": st.integers(-(2**63) + 2**50, 2**63 - 2),
    "date": st.integers(-(10**6), 10**6),
    "double": FLOATS | st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 5e-324]),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "bool": st.booleans(),
    "list": st.lists(TEXT | st.none(), max_size=3),
    "map": st.dictionaries(TEXT, TEXT | st.none(), max_size=3).map(lambda pairs: list(pairs.items())),
    "numbers": st.dictionaries(TEXT, FLOATS | st.none(), max_size=3).map(lambda pairs: list(pairs.items())),
}


def column_of(column: Column, rows: int) -> st.SearchStrategy[pa.Array]:
    values = VALUES[column.type] | st.none()
    stored = {"timestamp": pa.int64(), "date": pa.int32()}.get(column.type, column.arrow)
    return st.lists(values, min_size=rows, max_size=rows).map(lambda v: pa.array(v, stored).cast(column.arrow))


@st.composite
def tables(draw: st.DrawFn, name: str) -> pa.Table:
    rows = draw(st.integers(0, 12))
    filled = [c for c in SCHEMAS[name].columns if c.required or draw(st.booleans())]
    return pa.table({c.name: draw(column_of(c, rows)) for c in filled})


def plain(table: pa.Table) -> list[str]:
    """The cells as comparable texts: times as integers, so that no year is out of reach; NaN equals NaN."""
    for number, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            table = table.set_column(number, field.name, table[number].cast(pa.int64()))
        elif pa.types.is_date(field.type):
            table = table.set_column(number, field.name, table[number].cast(pa.int32()))
    return [repr(row) for row in table.to_pylist()]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop.create(tmp_path / "shop", timezone="Asia/Seoul", currency="KRW", languages=("ko", "en"))


@pytest.mark.parametrize("name", TABLES)
@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_written_table_reads_back_equal(name: str, data: st.DataObject) -> None:
    first, second = data.draw(tables(name)), data.draw(tables(name))
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(run, "_GROUP_ROWS", 4)
        patch.setattr(run, "_FILE_ROWS", 8)
        shop = Shop.create(folder)
        assert shop.write(name, first) == first.num_rows
        given = [column for column in first.column_names if column != "run_id"]
        assert plain(conform(shop.read(name), SCHEMAS[name]).select(given)) == plain(first.select(given))
        shop.append(name, second.to_batches(max_chunksize=5) if second.num_rows else second)
        stored = conform(shop.read(name), SCHEMAS[name])
        whole = pa.concat_tables([conform(part, SCHEMAS[name]) for part in (first, second)])
        assert stored.schema == SCHEMAS[name].arrow
        assert plain(stored) == plain(whole)
        assert [row for batch in shop.batches(name, size=3) for row in plain(pa.Table.from_batches([batch]))] == plain(
            whole
        )
        assert shop.tables()[name].rows == whole.num_rows
        assert shop.has(name) == (whole.num_rows > 0)


def test_row_groups_and_files_split_as_they_fill(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_GROUP_ROWS", 10)
    monkeypatch.setattr(run, "_FILE_ROWS", 20)
    frame = pl.DataFrame({"product_id": [f"p{i}" for i in range(57)]})
    shop.write("products", (frame.slice(start, 7) for start in range(0, 57, 7)))
    files = shop.tables()["products"].files
    assert [pa.parquet.ParquetFile(path).metadata.num_rows for path in files] == [20, 20, 17]
    assert pa.parquet.ParquetFile(files[2]).metadata.num_row_groups == 2
    assert shop.read("products", ["product_id"]).equals(frame)


def test_polars_arrow_and_batches_are_written_alike(shop: Shop) -> None:
    frame = pl.DataFrame({"product_id": ["a", "b"], "title": ["x", None]})
    table = frame.to_arrow()
    read = []
    for form in (frame, table, table.to_batches()[0], [frame.head(1), table.slice(1)], iter(table.to_batches())):
        shop.write("products", form)
        read.append(shop.read("products"))
    assert all(one.equals(read[0]) for one in read)


def test_results_get_the_id_of_their_run(shop: Shop) -> None:
    at = datetime(2024, 1, 1, tzinfo=UTC)
    with shop.run("match") as under_way:
        under_way.write("product_groups", pl.DataFrame({"product_id": ["a"], "group_id": ["g"], "as_of": [at]}))
        under_way.record("rejects", pl.DataFrame({"source": ["csv"], "file": ["f"], "row": [1], "reason_code": ["x"]}))
    assert shop.read("product_groups")["run_id"].to_list() == [under_way.id]
    assert shop.read("rejects")["run_id"].to_list() == [under_way.id]


def test_open_tables_keep_columns_of_the_shops_own(shop: Shop) -> None:
    shop.write("sessions", pl.DataFrame({"session_id": ["a", "b"], "Month": ["Feb", None], "BounceRates": [0.1, None]}))
    read = shop.read("sessions")
    assert read["Month"].to_list() == ["Feb", None] and read["BounceRates"].to_list() == [0.1, None]
    shop.append("sessions", pl.DataFrame({"session_id": ["c"], "Weekend": [True]}))
    assert shop.read("sessions")["Weekend"].to_list() == [None, None, True]


def test_a_run_sees_what_it_staged_once_it_is_closed(shop: Shop) -> None:
    shop.write("products", pl.DataFrame({"product_id": ["old"]}))
    with shop.run("import") as under_way:
        writer = under_way.writer("products", append=True)
        writer.add(pl.DataFrame({"product_id": ["new"]}))
        with pytest.raises(UsageError, match="still open"):
            under_way.staged_sql("SELECT * FROM products")
        writer.close()
        assert under_way.staged_sql("SELECT product_id FROM products")["product_id"].to_list() == ["old", "new"]
        assert shop.read("products").height == 1


def test_queries_take_parameters_and_frames(shop: Shop) -> None:
    at = datetime(2024, 1, 1, tzinfo=UTC)
    times = [at, at + timedelta(microseconds=1)]
    shop.write("events", pl.DataFrame({"event_id": ["a", "b"], "ts": times, "kind": ["view"] * 2}))
    wanted = pl.DataFrame({"event_id": ["b", "z"]})
    read = shop.sql(
        "SELECT event_id, ts FROM events SEMI JOIN wanted USING (event_id) WHERE ts > $at",
        {"at": at},
        extra={"wanted": wanted},
    )
    assert read["event_id"].to_list() == ["b"] and read["ts"].to_list() == times[1:]
    assert read.schema["ts"] == pl.Datetime("us", "UTC")
    assert shop.sql("SELECT count(*) FROM reviews WHERE rating > 3").item() == 0, "a missing table is an empty one"
    with pytest.raises(DataError, match=r"the query failed: .*no_such"):
        shop.sql("SELECT no_such FROM events")


PATHS = ["../x", "images/../../x", "/etc/passwd", "", ".", "a\0b", "..", "tables/../../x"]
OWN = ["tables/products/CURRENT", "shop.toml", "runs/x.json", "journal.json", ".staged/x", ".lock"]


@pytest.mark.parametrize("path", PATHS)
def test_paths_that_leave_the_shop_are_refused(shop: Shop, path: str) -> None:
    with pytest.raises(DataError, match="does not stay inside the shop"):
        shop.resolve(path)
    with shop.run("import") as under_way, pytest.raises(DataError, match="does not stay inside the shop"):
        under_way.add_file(path, b"x")


def test_links_that_leave_the_shop_are_refused(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (shop.path / "images").symlink_to(tmp_path / "outside")
    with pytest.raises(DataError, match="does not stay inside"):
        shop.resolve("images/x.jpg")
    with pytest.raises(DataError, match="does not stay inside"), shop.run("import") as under_way:
        under_way.add_file("images/x.jpg", b"x")
    assert not any((tmp_path / "outside").iterdir())


@pytest.mark.parametrize("path", OWN)
def test_the_shops_own_files_are_refused(shop: Shop, path: str) -> None:
    with shop.run("import") as under_way:
        with pytest.raises(DataError, match="belongs to the shop's own files"):
            under_way.add_file(path, b"x")
        with pytest.raises(DataError, match="belongs to the shop's own files"):
            under_way.remove_file(path)


def test_files_are_added_and_removed_with_the_run(shop: Shop) -> None:
    with shop.run("import") as under_way:
        under_way.add_file("images/ab/x.jpg", b"x")
        assert not shop.resolve("images/ab/x.jpg").exists()
    assert shop.resolve("images/ab/x.jpg").read_bytes() == b"x"
    with shop.run("import") as under_way:
        under_way.remove_file("images/ab/x.jpg")
        assert shop.resolve("images/ab/x.jpg").exists()
    assert not shop.resolve("images/ab/x.jpg").exists()


CONFIGS = {
    "newer": ("format = 2\n", DataError, "made by a newer danggol"),
    "odd format": ('format = "1"\n', DataError, "has the format '1'"),
    "no TOML": ("format = = 1", DataError, "is not valid TOML"),
    "bytes": ("\x00\x01", DataError, "is not valid TOML"),
    "unknown": ('time_zone = "UTC"\n', UsageError, "did you mean 'timezone'"),
    "zone": ('timezone = "Mars/Phobos"\n', UsageError, "not a time zone such as Asia/Seoul"),
    "zone path": ('timezone = "../etc/passwd"\n', UsageError, "not a time zone"),
    "currency": ('currency = "WON"\n', UsageError, "not an ISO 4217 currency"),
    "language": ('languages = ["jp"]\n', UsageError, "not an ISO 639-1 language"),
    "type": ("currency = 3\n", UsageError, "setting 'currency'"),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_a_damaged_shop_toml_is_one_clear_sentence(shop: Shop, case: str) -> None:
    text, kind, words = CONFIGS[case]
    (shop.path / "shop.toml").write_text(text)
    with pytest.raises(kind, match=words) as caught:
        Shop.open(shop.path)
    assert "\n" not in str(caught.value).strip()


def test_settings_survive_and_can_be_changed(shop: Shop) -> None:
    again = Shop.open(shop.path)
    assert again.config == shop.config and again.config.languages == ("ko", "en")
    again.configure(currency="JPY")
    assert Shop.open(shop.path).config.currency == "JPY"
    with pytest.raises(UsageError, match="did you mean 'currency'"):
        again.configure(curency="KRW")


def test_a_folder_is_opened_or_made_only_where_that_is_safe(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no shop in"):
        Shop.open(tmp_path / "none")
    assert Shop.open(tmp_path / "new", create=True).tables() == {}
    with pytest.raises(UsageError, match=r"a shop in .* already"):
        Shop.create(tmp_path / "new")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        Shop.open(tmp_path / "full", create=True)
    (tmp_path / "file").write_text("x")
    for call in (Shop.open, Shop.create):
        with pytest.raises(UsageError):
            call(tmp_path / "file")
    with pytest.raises(UsageError, match="later version"):
        Shop.open("spark://cluster")


AT = datetime(2024, 1, 1, tzinfo=UTC)
BAD_FRAMES: dict[str, tuple[str, dict[str, Any], str]] = {
    "missing column": ("events", {"event_id": ["a"], "ts": [AT]}, "needs the column 'kind'"),
    "extra column": ("products", {"product_id": ["a"], "colour": ["red"]}, "has no column 'colour'"),
    "text": ("reviews", {"review_id": ["a"] * 3, "text": ["x"] * 3, "rating": ["4", "5", "five"]}, "row 3: 'five'"),
    "no zone": ("events", {"event_id": ["a"], "ts": [datetime(2024, 1, 1)], "kind": ["view"]}, "no time zone"),
    "fraction": ("products", {"product_id": ["a"], "listed_at": [True]}, "'listed_at', row 1: True"),
    "list": (
        "posts",
        {"post_id": ["a"], "account_id": ["b"], "ts": [AT], "collected_at": [AT], "views": [[1]]},
        "views",
    ),
}


@pytest.mark.parametrize("case", BAD_FRAMES)
def test_what_does_not_fit_the_schema_is_named_and_nothing_changes(shop: Shop, case: str) -> None:
    table, columns, words = BAD_FRAMES[case]
    with pytest.raises(DataError, match=words) as caught:
        shop.write(table, pl.DataFrame(columns))
    assert f"table '{table}'" in str(caught.value)
    assert shop.tables() == {} and shop.runs().height == 0


@pytest.fixture
def misuses(shop: Shop) -> Iterator[Any]:
    yield {
        "unknown table": lambda: shop.read("product"),
        "unknown to write": lambda: shop.write("product", pl.DataFrame()),
        "no rows yet": lambda: shop.read("products"),
        "column with a quote": lambda: shop.read("runs", ['x" FROM y --']),
        "in batches": lambda: list(shop.batches("customers")),
    }


def test_wrong_calls_are_clear_sentences(misuses: Any) -> None:
    for call in misuses.values():
        with pytest.raises(DanggolError) as caught:
            call()
        assert len(str(caught.value)) > 20
