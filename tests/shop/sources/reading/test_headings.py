import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from danggol.errors import DataError
from danggol.shop.sources.reading.headings import column_name, heading_place, refuse_repeats, require_columns

HEADINGS = ["번호", "일시", "고객", "금액"]
ROW = ["1", "2024", "a", "5"]


@pytest.mark.parametrize(
    ("above", "rows"),
    [
        ([], [ROW]),
        ([], []),
        ([["주문 내역"]], [ROW, ROW]),
        ([["주문 내역", None, "", None], [None] * 4], [ROW]),
        ([["기간", "2024-03"], ["조회", "전체"]], [ROW, ROW, ROW, ["2", "2024", None, None]]),
        ([["주문", None, "고객", None]], [ROW]),
    ],
)
def test_headings_are_found_below_titles(above: list[list[str | None]], rows: list[list[str | None]]) -> None:
    assert heading_place([*above, HEADINGS, *rows]) == len(above)


@settings(max_examples=60)
@given(st.lists(st.lists(st.sampled_from(["x", "", None]), min_size=4, max_size=6), max_size=30))
def test_full_headings_at_the_top_are_the_headings_whatever_follows(rows: list[list[str | None]]) -> None:
    assert heading_place([HEADINGS, *rows]) == 0


def test_names_that_a_frame_takes_for_several_columns_are_lengthened() -> None:
    assert [column_name(name, 3) for name in ("가", "", None, "*", "^.*$", "__row__", "a*")] == [
        "가", "column_3", "column_3", "*column", "^.*$column", "__row__column", "a*"
    ]  # fmt: skip


def test_repeated_and_missing_headings_are_named() -> None:
    refuse_repeats("a.csv", HEADINGS)
    with pytest.raises(DataError, match=r"a\.csv has two columns named '금액'"):
        refuse_repeats("a.csv", [*HEADINGS, "금액"])
    with pytest.raises(DataError, match="no column '금엑' \\(is it '금액'"):
        require_columns("a.csv", HEADINGS, ["금엑"])
