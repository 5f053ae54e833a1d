import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from danggol.errors import DataError, UsageError
from danggol.shop.sources.reading.delimited import open_delimited
from danggol.shop.sources.reading.files import inspect_text
from danggol.shop.sources.reading.headings import ROW, require_columns

CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\x1c\x1d\x1e\x1f"), max_size=8)


def read(path, data: str | bytes, delimiter=None, size=3):
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    file = open_delimited(inspect_text(path), delimiter)
    return file, list(file.batches(size))


@settings(max_examples=60)
@given(st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=9), st.sampled_from(",;\t|"))
def test_what_a_csv_writer_writes_is_read_back_stripped(tmp_path_factory, rows, delimiter):
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerow(("a", "b", "c"))
    writer.writerows(rows)
    file, batches = read(tmp_path_factory.mktemp("csv") / "a.csv", out.getvalue())
    assert file.delimiter == delimiter
    found = [row for batch in batches for row in batch.rows.iter_rows()]
    assert [row[0] for row in found] == list(range(1, len(rows) + 1))
    assert [row[1:] for row in found] == [tuple(cell.strip() or None for cell in row) for row in rows]
    assert sum(batch.rejects.height for batch in batches) == 0


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from(["1,2", "1", "", "1,2,3", '"x"y,2', "  ", "a\x00,b", "z" * 140_000 + ",1"]), max_size=12)
)
def test_every_line_is_a_row_a_reject_or_blank(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    file, batches = read(path, "\n".join(["a,b", *lines]) + "\n")
    kept = [n for batch in batches for n in batch.rows[ROW]]
    rejected = [n for batch in batches for n in batch.rejects["row"]]
    assert len(kept) + len(rejected) + file.blank == len(lines)
    assert kept == [n for n, line in enumerate(lines, 1) if line == "1,2"]
    codes = {n: code for batch in batches for n, code in batch.rejects.select("row", "reason_code").iter_rows()}
    expected = {
        "1": "field_count", "1,2,3": "field_count", '"x"y,2': "bad_quote", "a\x00,b": "bad_character",
        "z" * 140_000 + ",1": "field_too_long",
    }  # fmt: skip
    assert codes == {n: expected[line] for n, line in enumerate(lines, 1) if line in expected}


def test_line_breaks_within_quotes_do_not_shift_row_numbers(tmp_path):
    _, batches = read(tmp_path / "a.csv", 'a,b\n1,"x\ny\n"\n2\n3,z\n')
    assert [row for batch in batches for row in batch.rows.rows()] == [(1, "1", "x\ny"), (3, "3", "z")]
    assert [row for batch in batches for row in batch.rejects["row"]] == [2]


def test_a_quote_never_closed_names_its_row_and_line(tmp_path):
    with pytest.raises(DataError, match=r"a.csv has a quote in row 2 \(line 3\)"):
        read(tmp_path / "a.csv", 'a,b\n1,2\n3,"4\n5,6\n')
    with pytest.raises(DataError, match=r"row 1 \(line 2\)"):
        read(tmp_path / "a.csv", 'a,b\n1,"2\n' + "3,4\n" * 60_000)


def test_a_line_of_many_megabytes_costs_one_row_only(tmp_path):
    _, batches = read(tmp_path / "a.csv", "a,b\n1," + "x" * 5_000_000 + "\n2,y\n")
    assert [row for batch in batches for row in batch.rows.rows()] == [(2, "2", "y")]
    assert batches[0].rejects["reason_code"].to_list() == ["field_too_long"]


def test_delimiters_within_quotes_of_the_heading_do_not_count(tmp_path):
    file, _ = read(tmp_path / "a.csv", '"a;b;c;d",e\n1,2\n')
    assert (file.delimiter, file.columns) == (",", ("a;b;c;d", "e"))


def test_empty_headings_get_names_and_doubled_ones_are_refused(tmp_path):
    file, _ = read(tmp_path / "a.csv", "a,,c\n1,2,3\n")
    assert file.columns == ("a", "column_2", "c")
    with pytest.raises(DataError, match="two columns named 'a'"):
        read(tmp_path / "a.csv", "a,b,a\n1,2,3\n")


def test_a_missing_column_is_named_with_the_nearest_there_is():
    with pytest.raises(DataError, match=r"no column 'StockCode' \(is it 'Stock Code'\?"):
        require_columns("a.csv", ["Invoice", "Stock Code"], ["Invoice", "StockCode"])


@pytest.mark.parametrize("line", [1, 2, 4])
def test_the_line_of_the_headings_can_be_said(tmp_path, line):
    path = tmp_path / "a.csv"
    path.write_text("t,u\nx,y\n\na,b\n1,2\n")
    file = open_delimited(inspect_text(path), None, line)
    assert file.columns == {1: ("t", "u"), 2: ("x", "y"), 4: ("a", "b")}[line]
    assert [row for batch in file.batches() for row in batch.rows.iter_rows()][-1][1:] == ("1", "2")


@pytest.mark.parametrize("line", [3, 6, 999])
def test_a_line_that_holds_no_headings_is_refused(tmp_path, line):
    path = tmp_path / "a.csv"
    path.write_text("t,u\nx,y\n\na,b\n1,2\n")
    with pytest.raises(UsageError, match=f"line {line} of a.csv"):
        open_delimited(inspect_text(path), None, line)


def test_titles_beyond_the_headings_search_do_not_hide_the_file(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("\n" * 500 + "a,b\n1,2\n")
    assert open_delimited(inspect_text(path), None, 0).columns == ("a", "b")
