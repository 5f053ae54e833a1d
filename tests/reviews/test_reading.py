"""Reading all reviews in parts: the same batches however they come, and parts that stay until they are swept."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from danggol.errors import DataError, UsageError
from danggol.reviews.reading import (
    fingerprint,
    learnt_until,
    one_at_a_time,
    read_in_parts,
    review_batches,
    sweep_parts,
)
from danggol.shop import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop.create(tmp_path / "shop")
    ids = [f"r{nth}" for nth in range(25)]
    shop.write("reviews", pl.DataFrame({"review_id": ids, "text": ids}))
    return shop


@pytest.mark.parametrize("size", [1, 7, 25, 100])
def test_batches_are_of_one_size_in_the_order_of_the_table(
    shop: Shop, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Shop.batches
    monkeypatch.setattr(Shop, "batches", lambda self, name, columns, size: given(self, name, columns, 10))
    found = list(review_batches(shop, ["review_id"], size))
    assert {one.height for one in found[:-1]} <= {size}
    assert pl.concat(found)["review_id"].to_list() == [f"r{nth}" for nth in range(25)]


def test_parts_stay_until_they_are_swept_unless_they_are_of_something_else(shop: Shop) -> None:
    read: list[int] = []

    def told(batch: pl.DataFrame) -> pl.DataFrame:
        read.append(batch.height)
        return batch.select("review_id", answer=pl.col("text").str.len_chars())

    first = read_in_parts(shop, "answers", "a", ["review_id", "text"], 10, told)
    assert read == [10, 10, 5]
    first[1].write_bytes(b"damaged")
    assert read_in_parts(shop, "answers", "a", ["review_id", "text"], 10, told) == first
    assert read[3:] == [10]
    read_in_parts(shop, "answers", "b", ["review_id", "text"], 10, told)
    assert read[4:] == [10, 10, 5]
    assert pl.concat([pl.read_parquet(one) for one in first])["answer"].to_list() == [2] * 10 + [3] * 15
    sweep_parts(shop, "answers")
    assert not (shop.path / "cache" / "answers").exists()


def test_one_run_reads_at_a_time_and_lets_go_whatever_happens(shop: Shop) -> None:
    with pytest.raises(ValueError, match="mine"), one_at_a_time(shop, "answers", "answering"):
        with pytest.raises(UsageError, match="another run is answering"), one_at_a_time(shop, "answers", "answering"):
            pass
        raise ValueError("mine")
    with one_at_a_time(shop, "answers", "answering"):
        pass


def test_a_model_tells_until_when_it_learnt_and_what_it_is(tmp_path: Path) -> None:
    assert learnt_until(tmp_path) is None
    figures = tmp_path / "metrics.json"
    before = fingerprint(tmp_path, 10)
    for held, found in (({}, None), ({"as_of": None}, None), ({"as_of": "2024-03-01T00:00:00+00:00"}, 2024)):
        figures.write_text(json.dumps(held), "utf8")
        assert learnt_until(tmp_path) == (found and datetime(found, 3, 1, tzinfo=UTC))
    assert fingerprint(tmp_path, 10) not in {before, fingerprint(tmp_path, 20)}
    figures.write_text('{"as_of": "yesterday"}', "utf8")
    with pytest.raises(DataError, match="tells no time"):
        learnt_until(tmp_path)
