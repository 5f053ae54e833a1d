import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from broken_inputs import TableCase, cell, check_case, put, save, table_cases

from danggol.shop import Shop
from danggol.shop.sources import import_source

TABLE = pa.table(
    {
        "session_id": [7, 8, 9, 10],
        "locale": ["DE", "UK", "JP", "XX"],
        "items": [["B1", "B2", "B1"], ["B2"], ["B3", "B4"], ["B4"]],
    }
)
CASES = [
    *table_cases("session_id", "items", "locale"),
    TableCase("items that are text", save(lambda t: put(t, "items", ["B1"] * 4, pa.string())), 1),
    TableCase("items of lists", save(lambda t: put(t, "items", [[["B1"]]] * 4, pa.list_(pa.list_(pa.string())))), 1),
    TableCase("session without items", save(lambda t: cell(t, "items", [])), lost=1),
    TableCase("items that are null", save(lambda t: cell(t, "items", None)), lost=1),
    TableCase("items that are blank", save(lambda t: cell(t, "items", [" ", None])), lost=1),
    TableCase("one item that is null", save(lambda t: cell(t, "items", ["B1", None]))),
    TableCase("a hundred thousand items", save(lambda t: cell(t, "items", ["B1"] * 100_000))),
    TableCase("locale that is null", save(lambda t: cell(t, "locale", None))),
    TableCase("huge session id", save(lambda t: cell(t, "session_id", 2**63 - 1))),
]  # fmt: skip


def write(tmp_path, table=TABLE):
    pq.write_table(table, tmp_path / "sessions.parquet")
    return tmp_path / "sessions.parquet"


def test_sessions_become_views_in_their_order(tmp_path):
    report = import_source("amazon-m2", write(tmp_path), tmp_path / "shop")
    shop = Shop.open(tmp_path / "shop")
    views = shop.read("events").sort("ts")
    assert views["session_id"].to_list() == ["7", "7", "7", "8", "9", "9", "10"]
    assert views["product_id"].to_list() == ["B1", "B2", "B1", "B2", "B3", "B4", "B4"]
    assert views["event_id"].is_unique().all() and views["kind"].unique().to_list() == ["view"]
    assert shop.read("sessions").sort("ts")["country"].to_list() == ["DE", "GB", "JP", None]
    assert report.tables == {"sessions": 4, "events": 7, "products": 4}
    said = " ".join(report.notes)
    assert "no times" in said and "1 sessions have a locale" in said


def test_a_session_that_stands_twice_keeps_the_views_of_the_first(tmp_path):
    report = import_source("amazon-m2", write(tmp_path, cell(TABLE, "session_id", 7, 2)), tmp_path / "shop")
    assert report.rejected == {"duplicate_key": 1}
    seen = Shop.open(tmp_path / "shop").sql("SELECT product_id FROM events WHERE session_id = '7' ORDER BY ts")
    assert seen["product_id"].to_list() == ["B1", "B2", "B1"]


def test_a_view_without_product_is_left_out_and_told(tmp_path):
    report = import_source("amazon-m2", write(tmp_path, cell(TABLE, "items", ["B1", None])), tmp_path / "shop")
    assert report.kept == 4 and report.flaws == {"missing_id": 1} and report.tables["events"] == 7


def test_append_leaves_sessions_that_are_there_as_they_are(tmp_path):
    import_source("amazon-m2", write(tmp_path), tmp_path / "shop")
    longer = cell(cell(TABLE, "items", ["B9"] * 9, 0), "session_id", 99, 3)
    report = import_source("amazon-m2", write(tmp_path, longer), tmp_path / "shop", "append")
    assert report.rejected == {"duplicate_key": 3} and report.tables == {"sessions": 1, "events": 1, "products": 0}
    assert Shop.open(tmp_path / "shop").read("events").height == 8


@pytest.mark.parametrize("case", CASES, ids=str)
def test_broken_input(case: TableCase, tmp_path, old_shops, copy_of):
    folder = tmp_path / "in"
    folder.mkdir()
    old = copy_of(old_shops("amazon-m2", write(tmp_path)))
    check_case(case.as_case(TABLE), case.build(TABLE, folder), "amazon-m2", old)


def test_the_real_sessions_are_all_there(shared_data, tmp_path):
    path = shared_data / "purchase" / "amazon_m2_sessions"
    report = import_source("amazon-m2", path, tmp_path / "shop")
    assert report.rows == report.kept == 157_994
    items = pq.read_table(path / "sessions.parquet", columns=["items"])["items"]
    assert report.tables["events"] == sum(len(chunk.flatten()) for chunk in items.chunks)
