import polars as pl
import pytest
from broken_inputs import TEXT_ERRORS, TEXT_REJECTS, Case, Sample, check_case

from danggol.shop import Shop
from danggol.shop.sources import import_source

HEADER = (
    "Administrative", "Administrative_Duration", "Informational", "Informational_Duration", "ProductRelated",
    "ProductRelated_Duration", "BounceRates", "ExitRates", "PageValues", "SpecialDay", "Month", "OperatingSystems",
    "Browser", "Region", "TrafficType", "VisitorType", "Weekend", "Revenue",
)  # fmt: skip
PLAIN = tuple("0,0,0,0,1,0,0.2,0.2,0,0,Feb,1,1,1,1,Returning_Visitor,FALSE,FALSE".split(","))
RICH = tuple("3,87.5,1,4,21,1000.25,0,0.01,53.9,0.8,May,2,2,9,13,Other,TRUE,TRUE".split(","))
ROWS = (PLAIN, PLAIN, RICH)
SAMPLE = Sample("online-shoppers", "shoppers.csv", HEADER, ROWS, "Weekend", "VisitorType", "Administrative")


def test_visits_keep_every_column_and_repeated_rows(tmp_path):
    path = tmp_path / "shoppers.csv"
    path.write_bytes(SAMPLE.encoded())
    report = import_source("online-shoppers", path, tmp_path / "shop")
    sessions = Shop.open(tmp_path / "shop").read("sessions")
    assert sessions["session_id"].to_list() == ["shoppers-1", "shoppers-2", "shoppers-3"]
    assert sessions["converted"].to_list() == [False, False, True]
    last = sessions.to_dicts()[2]
    assert (last["administrative"], last["product_related_duration"], last["region"]) == (3, 1000.25, "9")
    assert (last["month"], last["weekend"], last["visitor_type"]) == ("May", True, "Other")
    assert last["ts"] is None, "the file has months without a year"
    said = " ".join(report.notes)
    assert "1 rows repeat" in said and "page_values is computed after the fact" in said


def test_another_file_of_the_same_form_can_be_appended(tmp_path):
    for name in ("first.csv", "second.csv"):
        (tmp_path / name).write_bytes(SAMPLE.encoded())
    import_source("online-shoppers", tmp_path / "first.csv", tmp_path / "shop")
    assert import_source("online-shoppers", tmp_path / "second.csv", tmp_path / "shop", "append").kept == 3
    assert import_source("online-shoppers", tmp_path / "second.csv", tmp_path / "shop", "append").kept == 0
    assert Shop.open(tmp_path / "shop").read("sessions").height == 6


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("Revenue", "maybe", "bad_flag"),
        ("Weekend", "", "bad_flag"),
        ("ExitRates", "", "bad_number"),
        ("PageValues", "inf", "bad_number"),
        ("Administrative", "1.5", "bad_number"),
        ("BounceRates", "-0.1", "negative_number"),
    ],
)
def test_what_cannot_be_read_is_rejected(tmp_path, column, value, code):
    path = tmp_path / "shoppers.csv"
    path.write_bytes(SAMPLE.with_cell(column, value).encoded())
    assert import_source("online-shoppers", path, tmp_path / "shop").rejected == {code: 1}
    reject = Shop.open(tmp_path / "shop").read("rejects").to_dicts()[0]
    assert (reject["row"], reject["column"]) == (2, column)


@pytest.mark.parametrize("case", [*TEXT_ERRORS, *TEXT_REJECTS[1::2]], ids=str)
def test_broken_input(case: Case, tmp_path, old_shops, copy_of):
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "shoppers.csv").write_bytes(SAMPLE.encoded())
    old = copy_of(old_shops("online-shoppers", tmp_path / "shoppers.csv"))
    check_case(case, case.build(SAMPLE, folder), "online-shoppers", old)


def test_the_real_file_is_read_whole(shared_data, tmp_path):
    report = import_source("online-shoppers", shared_data / "purchase" / "online_shoppers", tmp_path / "shop")
    assert (report.rows, report.kept, report.rejected) == (12_330, 12_330, {})
    assert report.notes[0].startswith("125 rows repeat")
    sessions = Shop.open(tmp_path / "shop").read("sessions")
    assert sessions["converted"].sum() == 1_908
    assert sessions.select(pl.col("product_related", "exit_rates", "month").null_count()).row(0) == (0, 0, 0)
