"""Known groups come in, matches go out."""

from pathlib import Path

import polars as pl
import pytest

from danggol.errors import DataError, UsageError
from danggol.matching.files import read_labels, write_shopee
from danggol.shop import Shop


@pytest.mark.parametrize("heading", ["product_id,group", "posting_id,label_group"])
def test_known_groups_are_read_as_text(tmp_path: Path, heading: str) -> None:
    file = tmp_path / "groups.csv"
    file.write_text(f"{heading}\n001,7\n002,7\n003,\n001,7\n")
    assert read_labels(file) == {"001": "7", "002": "7"}


@pytest.mark.parametrize(
    ("text", "said"),
    [("a,b\n1,2\n", "needs the columns"), ("product_id,group\n1,2\n1,3\n", "two groups"), ("", "empty")],
)
def test_a_bad_file_is_told(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "groups.csv"
    file.write_text(text)
    with pytest.raises(DataError, match=said):
        read_labels(file)


def test_a_korean_excel_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "groups.csv"
    file.write_bytes("product_id,group\n1,사과\n2,사과\n".encode("cp949"))
    assert read_labels(file) == {"1": "사과", "2": "사과"}


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is nothing"):
        read_labels(tmp_path / "none.csv")


def test_matches_are_written_in_the_contests_form(tmp_path: Path) -> None:
    shop = Shop.create(tmp_path / "shop")
    rows = [("a", "a", 0), ("b", "b", 0), ("a", "b", 1), ("b", "a", 1), ("c", "c", 0)]
    frame = pl.DataFrame(rows, schema=["product_id", "other_id", "rank"], orient="row").with_columns(
        similarity=pl.lit(1.0), by=pl.lit("text"), as_of=pl.datetime(2026, 1, 1, time_zone="UTC")
    )
    with shop.run("match", settings={}, seed=0) as run:
        run.write("product_matches", frame)
    assert write_shopee(shop, tmp_path / "out.csv") == 3
    assert (tmp_path / "out.csv").read_text() == "posting_id,matches\na,a b\nb,b a\nc,c\n"
