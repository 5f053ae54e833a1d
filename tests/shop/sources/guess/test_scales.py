"""The scale of ratings is told from heading, words and values, so that the angriest review keeps its place."""

from pathlib import Path

import polars as pl
import pytest
from own_files import run, write

from danggol.shop import Shop
from danggol.shop.sources.guess.proposal import guess
from danggol.shop.sources.guess.scales import find_scale
from danggol.shop.sources.mapping.grades import read_grades

MANY = 120


def scale(texts: list[str | None], heading: str = "rating") -> tuple[float, float]:
    found = find_scale(heading, *read_grades(pl.Series("rating", texts, dtype=pl.String)))
    return found.low, found.high


def spread(*grades: float, many: int = MANY) -> list[str]:
    """Each grade in turn, not in order."""
    return [f"{grades[(nth * 17) % len(grades)]:g}" for nth in range(many)]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (spread(1, 2, 3, 4, 5), (1, 5)), (spread(0, 1, 2, 3, 4, 5), (0, 5)), (spread(1, 1.5, 2, 4.5, 5), (1, 5)),
        (spread(0.5, 1, 1.5, 4.5, 5), (0.5, 5)), (spread(0.3, 1.7, 4.9), (0, 5)),
        (spread(*range(1, 11)), (1, 10)), (spread(*range(11)), (0, 10)), (spread(2, 4, 6, 8, 10), (2, 10)),
        (spread(*range(0, 101, 9), 100), (0, 100)), (spread(12, 40, 77, 100), (0, 100)),
        (spread(20, 40, 60, 80, 100), (20, 100)), (spread(4, 9, 17, 20), (0, 20)),
        (spread(1, 2, 3, 4, 4, 4, 4), (1, 4)), (spread(1, 2, 3, 3, 3), (1, 3)), (spread(0, 1, 1), (0, 1)),
        (spread(1, 1, 1, 2, 2, 3), (1, 5)), (["1"] * 80, (1, 5)), (sorted(spread(1, 2, 3, 3, 3)), (1, 5)),
        ([*spread(1, 2, 3, 4, 5)[:-1], "55"], (1, 5)), (["3", "8", "9"], (1, 10)), ([None], (1, 5)),
        (["8/10", "3/10", "1/10"], (1, 10)), (["★★★☆☆", "★☆☆☆☆"], (1, 5)), (["2점/3점", "1점/3점"], (1, 3)),
        (["3/0", "4/0"], (1, 5)), (["-1", "-2"], (0, 5)),
    ],
)  # fmt: skip
def test_the_ends_of_a_scale_are_told_by_the_values(texts: list[str | None], expected: tuple[float, float]) -> None:
    assert scale(texts) == expected


def test_a_heading_that_says_the_scale_decides_unless_the_values_are_others() -> None:
    assert scale(["3", "8"], "평점 (10점 만점)") == (1, 10)
    assert scale(["3", "4"], "score (0-10)") == (0, 10)
    assert scale(["3", "4"], "rating out of 4") == (1, 4)
    assert scale(["3", "80"], "score/5") == (0, 100)


def test_one_wrong_grade_does_not_overrule_the_heading() -> None:
    assert scale(["9", "8", "7", "10", "11"], "별점 (1-10)") == (1, 10)
    assert scale(["5", "4", "3", "10"], "별점 (5점 만점)") == (1, 5)


@pytest.mark.parametrize("heading", ["평점(1점~10점)", "score 1～10", "score 1〜10", "score 1 TO 10", "score(1-10점)"])
def test_a_heading_may_write_the_ends_in_many_ways(heading: str) -> None:
    assert scale(["3", "4"], heading) == (1, 10)


@pytest.mark.parametrize("heading", ["rating_Q1-24", "rating 1-24", "Q1-10 rating", "rating 2.1-10", "rating/1"])
def test_a_heading_that_numbers_a_question_says_no_scale(heading: str) -> None:
    assert scale(spread(1, 2, 3, 4, 5), heading) == (1, 5)


@pytest.mark.parametrize(("low", "high"), [(1, 10), (0, 100), (0, 5), (1, 3)])
def test_the_angriest_and_the_happiest_keep_their_place(tmp_path: Path, low: int, high: int) -> None:
    grades = [low, high, high, *range(low, high + 1, max(1, (high - low) // 10)), *[high] * MANY]
    lines = [f"{nth},말씀 {nth},{grade}" for nth, grade in enumerate(grades)]
    path = write(tmp_path / "r.csv", ["review_id,text,rating", *lines])
    mapping = guess(path)
    assert mapping.tables[0].columns["rating"].range == (low, high)
    report = run(path, mapping.to_toml(), tmp_path / "shop")
    assert (report.kept, report.rejected, report.flaws) == (len(grades), {}, {})
    ratings = Shop.open(tmp_path / "shop").read("reviews")
    assert ratings.filter(review_id="0")["rating"].to_list() == [1]
    assert ratings.filter(review_id="1")["rating"].to_list() == [5]


def test_what_could_be_otherwise_is_said_and_less_sure(tmp_path: Path) -> None:
    lines = [f"{nth},말씀 {nth},{grade}" for nth, grade in enumerate(spread(0, 1, 2, 3, 4, 5))]
    reason = guess(write(tmp_path / "r.csv", ["review_id,text,rating", *lines])).reasons["reviews.rating"]
    assert "if it stands for none, begin the range at 1" in reason.text and reason.confidence < 0.6
    lines = [f"{nth},말씀 {nth},{grade}" for nth, grade in enumerate(spread(1, 1, 2, 3))]
    reason = guess(write(tmp_path / "r.csv", ["review_id,text,rating", *lines])).reasons["reviews.rating"]
    assert "none of 120 grades is above 3" in reason.text and reason.confidence < 0.6
