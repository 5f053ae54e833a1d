"""Grades are read as shops write them, from any scale, and one that cannot be used costs no review."""

from pathlib import Path

import polars as pl
import pytest
from own_files import run, write

from danggol.errors import UsageError
from danggol.shop import Shop
from danggol.shop.sources.guess.proposal import guess
from danggol.shop.sources.mapping.grades import read_grades
from danggol.shop.sources.mapping.rules import Mapping

REVIEWS = '[reviews]\nreview_id = "id"\ntext = "text"\nrating = {}\n'


@pytest.mark.parametrize(
    ("text", "grade", "top"),
    [
        ("4", 4, None), ("4점", 4, None), ("4/5", 4, 5), ("4점/5점", 4, 5), ("４／５", 4, 5), ("4 of 5", 4, 5),
        ("4.5 out of 5 stars", 4.5, 5), ("5점 만점에 4점", 4, 5), ("★★★★☆", 4, 5), ("★★★½☆", 3.5, 5),
        ("⭐️⭐️⭐️", 3, None), ("★ 4.5", 4.5, None), ("별점 3점", 3, None), ("1 star", 1, None),
        ("4.0/5.0", 4, 5), ("4.0 out of 5.0", 4, 5), ("4.5점/5.0점", 4.5, 5), ("별점 4/5", 4, 5),
        ("평점: 4.5/5", 4.5, 5), ("5점 (5점 만점)", 5, 5), ("4.5/10점 만점", 4.5, 10),
        ("5つ星のうち4.0", 4, 5), ("4,5 von 5 Sternen", 4.5, 5),
        ("4,0 sur 5,0", 4, 5), ("4 de 5", 4, 5), ("★★★★★(5)", 5, None), ("★★★★☆ (4/5)", 4, 5), ("4½", 4.5, None),
        ("★★★½☆ 3.5", 3.5, None), ("4/5.5", None, None), ("45점 만점", None, None), ("평점", None, None),
        ("좋아요", None, None), ("2024/05/03", None, None), (None, None, None),
    ],
)  # fmt: skip
def test_grades_as_shops_write_them(text: str | None, grade: float | None, top: float | None) -> None:
    grades, tops = read_grades(pl.Series("rating", [text, "x"]))
    assert (grades[0], tops[0]) == (grade, top)


@pytest.mark.parametrize("decimal", [".", ","])
def test_a_grade_with_its_highest_needs_no_sign_for_fractions(decimal: str) -> None:
    grades, tops = read_grades(pl.Series("rating", ["4,5 von 5", "4.5 out of 5.0", "x"]), decimal)
    assert (grades.to_list(), tops.to_list()) == ([4.5, 4.5, None], [5, 5, None])


def test_stars_and_fractions_are_proposed_and_imported(tmp_path: Path) -> None:
    for name, worst, best in (("a", "★☆☆☆☆", "★★★★★"), ("b", "1/5", "5/5"), ("c", "1점/5점", "5점/5점")):
        lines = ["review_id,text,rating", f"1,별로예요,{worst}", f"2,좋아요,{best}"]
        path = write(tmp_path / f"{name}.csv", lines)
        report = run(path, guess(path).to_toml(), tmp_path / name)
        assert report.kept == 2 and not report.flaws
        ratings = Shop.open(tmp_path / name).read("reviews").sort("review_id")["rating"]
        assert ratings.to_list() == [1, 5]


@pytest.mark.parametrize(
    ("rule", "texts", "expected"),
    [
        ('{ column = "r", range = [1, 10] }', ["1", "10", "5.5"], [1, 5, 3]),
        ('{ column = "r", range = [0, 100] }', ["0", "100", "50"], [1, 5, 3]),
        ('{ column = "r", range = [6, 1] }', ["6", "1", "3.5"], [1, 5, 3]),
        ('{ column = "r", range = [1, 10] }', ["1/10", "10/10", "4/5"], [1, 5, None]),
        ('{ column = "r", scale = 0.5 }', ["2", "10", "6/10"], [1, 5, 3]),
        ('{ column = "r", scale = 0.0 }', ["2", "4/5", "x"], [None, None, None]),
        ('"r"', ["1", "5", "6"], [1, 5, None]),
    ],
)  # fmt: skip
def test_a_range_becomes_the_columns_own(
    tmp_path: Path, rule: str, texts: list[str], expected: list[float | None]
) -> None:
    path = write(tmp_path / "a.csv", ["id,text,r", *(f"{nth},말씀,{text}" for nth, text in enumerate(texts))])
    report = run(path, REVIEWS.format(rule), tmp_path / "shop")
    ratings = Shop.open(tmp_path / "shop").read("reviews").sort("review_id")["rating"]
    assert ratings.to_list() == expected
    assert report.kept == 3, "a grade that cannot be used costs the grade, not the review"
    assert sum(report.flaws.values()) == expected.count(None)


def test_a_mapping_may_still_reject_what_has_no_grade(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", ["id,text,r", "1,말씀,9", "2,말씀,3"])
    report = run(path, REVIEWS.format('{ column = "r", bad = "reject" }'), tmp_path / "shop")
    assert (report.kept, report.rejected) == (1, {"above": 1})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (REVIEWS.format('{ column = "r", range = [1] }'), "line 4: range is the worst and the best"),
        (REVIEWS.format('{ column = "r", range = [3, 3] }'), "line 4: range is the worst and the best"),
        (REVIEWS.format('{ column = "r", range = ["1", "10"] }'), "line 4: range is two numbers"),
        (REVIEWS.format('{ column = "r", range = [1, 10], scale = 0.5 }'), "line 4: .* range or scale, not both"),
        ('[events]\nts = "t"\nkind = "k"\nprice = { column = "p", range = [1, 10] }\n', "line 4: .* no least and most"),
    ],
)  # fmt: skip
def test_a_wrong_range_is_told_with_its_line(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Mapping.parse(text)


def test_a_range_is_written_and_read_back_equal() -> None:
    mapping = Mapping.parse(REVIEWS.format('{ column = "r", range = [0.5, 5] }'))
    assert "range = [0.5, 5]" in mapping.to_toml()
    assert Mapping.parse(mapping.to_toml()) == mapping
