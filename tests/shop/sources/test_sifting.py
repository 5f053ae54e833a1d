from datetime import UTC, datetime

import polars as pl

from danggol.shop.sources.reading.headings import ROW
from danggol.shop.sources.sifting import Rule, moment, number, sift, unreadable


def test_a_row_is_rejected_for_the_first_rule_it_breaks():
    rows = pl.DataFrame({ROW: [4, 5, 6, 7], "a": ["1", None, "x", "-3"]})
    value = number("a")
    rules = [
        Rule(pl.col("a").is_null(), "missing", "a", "nothing"),
        Rule(unreadable("a", value), "bad", "a", "no number"),
        Rule(value < 0, "low", "a", "too low"),
    ]
    kept, rejects = sift(rows, rules, "f.csv", ["a"])
    assert kept.rows() == [(4, "1")]
    assert rejects.select("file", "row", "reason_code", "record").rows() == [
        ("f.csv", 5, "missing", '{"a":null}'), ("f.csv", 6, "bad", '{"a":"x"}'), ("f.csv", 7, "low", '{"a":"-3"}'),
    ]  # fmt: skip


def test_numbers_are_finite_and_plain():
    texts = {"1.5": 1.5, "-2": -2, "1e3": 1000, "nan": None, "inf": None, "1,5": None, "1_000": None, "": None}
    frame = pl.DataFrame({"a": list(texts)})
    assert frame.select(number("a"))["a"].to_list() == list(texts.values())


def test_local_times_become_utc_also_where_clocks_change():
    texts = {
        "2011-07-01 12:00": datetime(2011, 7, 1, 11, 0, tzinfo=UTC),
        "2011-03-27 01:30": datetime(2011, 3, 27, 1, 30, tzinfo=UTC),
        "2011-10-30 01:30": datetime(2011, 10, 30, 0, 30, tzinfo=UTC),
        "2011-02-30 10:00": None,
        "0001-01-01 00:00": None,
        "now": None,
    }
    found = pl.DataFrame({"t": list(texts)}).select(moment("t", ["%Y-%m-%d %H:%M"], "Europe/London"))["t"]
    assert found.to_list() == list(texts.values())
