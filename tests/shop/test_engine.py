"""Queries are bounded, batches are mapped in order, errors come through."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from danggol.errors import DataError, UsageError
from danggol.shop.engine import DuckDBEngine

BATCHES = [pa.RecordBatch.from_pydict({"n": [number]}) for number in range(20)]
THREADS: set[int] = set()


def add(batches: Iterator[pa.RecordBatch], model: str) -> Iterator[pa.RecordBatch]:
    """Take longer for earlier batches, so that they end out of order."""
    for batch in batches:
        THREADS.add(threading.get_ident())
        number = batch["n"][0].as_py()
        time.sleep(0.01 if number % 4 == 0 else 0)
        yield pa.RecordBatch.from_pydict({"n": [number + int(model)]})


def fail(batches: Iterator[pa.RecordBatch], model: str) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if batch["n"][0].as_py() == 7:
            raise ValueError("batch 7 is bad")
        yield batch


def twice(batches: Iterator[pa.RecordBatch], model: str) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield from (batch, batch)


@pytest.mark.parametrize("workers", [1, 3, None])
def test_mapped_batches_come_in_order(workers: int | None) -> None:
    got = DuckDBEngine().map_batches(BATCHES, f"{__name__}:add", "100", workers)
    assert [batch["n"][0].as_py() for batch in got] == [number + 100 for number in range(20)]
    doubled = DuckDBEngine().map_batches(BATCHES[:3], f"{__name__}:twice", "", workers)
    assert [batch["n"][0].as_py() for batch in doubled] == [0, 0, 1, 1, 2, 2]


def test_mapping_uses_several_threads_and_holds_few_batches() -> None:
    drawn: list[int] = []

    def source() -> Iterator[pa.RecordBatch]:
        for number, batch in enumerate(BATCHES):
            drawn.append(number)
            yield batch

    THREADS.clear()
    got = DuckDBEngine().map_batches(source(), f"{__name__}:add", "0", workers=2)
    next(got)
    assert len(drawn) <= 4
    assert len(list(got)) == 19 and len(THREADS) > 1


def test_an_error_in_a_batch_comes_through_after_those_before_it() -> None:
    got = DuckDBEngine().map_batches(BATCHES, f"{__name__}:fail", "", workers=3)
    assert [next(got)["n"][0].as_py() for _ in range(7)] == list(range(7))
    with pytest.raises(ValueError, match="batch 7 is bad"):
        next(got)


@pytest.mark.parametrize("function", ["no.such:thing", "json:no_such", "json"])
def test_a_function_that_cannot_be_imported_is_a_clear_sentence(function: str) -> None:
    with pytest.raises(UsageError, match=r"not an importable function of the form package\.module:name"):
        list(DuckDBEngine().map_batches(BATCHES, function, ""))


def test_streams_give_all_rows_in_batches() -> None:
    frame = pl.DataFrame({"n": range(10_000)})
    batches = list(DuckDBEngine().stream("SELECT n FROM numbers ORDER BY n", {"numbers": frame}, size=3000))
    assert len(batches) > 1 and sum(batch.num_rows for batch in batches) == 10_000
    assert pl.DataFrame(pa.Table.from_batches(batches)).equals(frame)


def test_a_stream_that_is_left_early_closes() -> None:
    stream = DuckDBEngine().stream("SELECT * FROM range(1000000)", {}, size=1000)
    next(stream)
    stream.close()  # type: ignore[attr-defined]


def test_files_of_different_ages_read_as_one(tmp_path: Path) -> None:
    pl.DataFrame({"session_id": ["a"], "old": [1]}).write_parquet(tmp_path / "1.parquet")
    pl.DataFrame({"new": [2], "session_id": ["b"]}).write_parquet(tmp_path / "2.parquet")
    read = DuckDBEngine().query(
        "SELECT session_id, old, new, ts FROM sessions", {"sessions": sorted(tmp_path.iterdir())}
    )
    assert read.to_pylist() == [
        {"session_id": "a", "old": 1, "new": None, "ts": None},
        {"session_id": "b", "old": None, "new": 2, "ts": None},
    ]


def test_errors_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = DuckDBEngine()
    for sql, words in (
        ("SELEC 1", "syntax error"),
        ("SELECT * FROM nowhere", "nowhere"),
        ("SELECT 'x'::INT", "Could not convert"),
    ):
        with pytest.raises(DataError, match=words) as caught:
            engine.query(sql, {})
        assert "\n" not in str(caught.value)
        with pytest.raises(DataError, match=words):
            list(engine.stream(sql, {}))
    with pytest.raises(DataError, match="set DANGGOL_MEMORY higher"):
        DuckDBEngine(memory="20MB", spill=None).query("SELECT list(range) FROM range(20000000)", {})


def test_times_are_utc_whatever_the_machine_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Seoul")
    time.tzset()
    try:
        read = DuckDBEngine().query(
            "SELECT TIMESTAMPTZ '2024-01-01 00:00:00' AS t, DATE '2024-01-01'::TIMESTAMPTZ AS d", {}
        )
        assert read["t"].type == pa.timestamp("us", tz="UTC")
        assert read["t"].cast(pa.int64())[0].as_py() == read["d"].cast(pa.int64())[0].as_py() == 1704067200000000
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("name", ["a*", "a?", "a[bc]", "a\\b", "it's", 'a"b', "{a,b}", "a;b", "단골 %41"])
def test_a_folder_may_bear_any_name_and_its_neighbours_are_not_read(tmp_path: Path, name: str) -> None:
    for place, folder in enumerate([name, "ab", "ac", "a/b"]):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        pl.DataFrame({"n": [place]}).write_parquet(tmp_path / folder / "part.parquet")
    got = DuckDBEngine().query("SELECT n FROM t", {"t": [tmp_path / name / "part.parquet"]})
    assert got["n"].to_pylist() == [0]
