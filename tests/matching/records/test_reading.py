"""The file of pairs is read as it is written, and mistakes are named."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from danggol.errors import DataError, UsageError
from danggol.matching.records import RecordPairs, read_pairs

LINE = "COL name VAL a camera COL price VAL  \tCOL name VAL the camera COL maker VAL x inc.\t1"


def test_columns_are_found_and_empty_values_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt.gz"
    path.write_bytes(gzip.compress(f"{LINE}\n\n{LINE[:-1]}0\n".encode()))
    pairs = read_pairs(path)
    assert len(pairs) == 2
    assert pairs.records == [{"name": "a camera"}, {"name": "the camera", "maker": "x inc."}]
    assert pairs.label.tolist() == [1, 0]
    assert pairs.left.tolist() == [0, 0]
    assert pairs.columns() == ["name", "maker"]


def test_labels_may_be_missing(tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text("COL a VAL 1\tCOL a VAL 2\n", "utf8")
    assert read_pairs(path).label.tolist() == [-1]


@pytest.mark.parametrize("line", ["COL a VAL 1", "COL a VAL 1\tCOL a VAL 2\tyes", "a camera\tCOL a VAL 2\t1"])
def test_a_line_of_another_form_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text(f"{LINE}\n{line}\n", "utf8")
    with pytest.raises(DataError, match="line 2"):
        read_pairs(path)


def test_a_missing_file_and_uneven_sides_are_told() -> None:
    with pytest.raises(UsageError, match="no file"):
        read_pairs(Path("nowhere.txt"))
    with pytest.raises(UsageError, match="do not pair"):
        RecordPairs.of([{"a": "1"}], [])


def test_joined_pairs_share_their_records() -> None:
    one = RecordPairs.of([{"a": "1"}], [{"a": "2"}], [1])
    both = RecordPairs.joined([one, one.unlabelled()])
    assert len(both.records) == 2
    assert both.label.tolist() == [1, -1]
