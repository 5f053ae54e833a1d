"""Rows kept by content: what is there after a kill, and beside another writer."""

from pathlib import Path

import numpy as np
import pytest

from danggol.encoders.cache import RowCache, encoded, key_of

NAMES = [f"thing {n}" for n in range(10)]
KEYS = [key_of(name.encode()) for name in NAMES]


def numbers(places: list[int]) -> np.ndarray:
    return np.array([[place, place + 0.5] for place in places], np.float32)


def all_rows(cache: RowCache | None = None, encode=numbers) -> np.ndarray:
    return encoded(KEYS, encode, (2,), cache=cache, batch=3)


def test_a_killed_run_goes_on_after_its_last_batch(tmp_path: Path) -> None:
    seen: list[int] = []

    def killed(places: list[int]) -> np.ndarray:
        if len(seen) >= 6:
            raise KeyboardInterrupt
        seen.extend(places)
        return numbers(places)

    with pytest.raises(KeyboardInterrupt):
        all_rows(RowCache(tmp_path, "made", (2,)), killed)
    again: list[int] = []
    rows = all_rows(RowCache(tmp_path, "made", (2,)), lambda places: again.extend(places) or numbers(places))
    assert again == [6, 7, 8, 9]
    assert np.array_equal(rows, all_rows())
    assert len(RowCache(tmp_path, "made", (2,))) == 10


@pytest.mark.parametrize(("file", "lost"), [("made.rows", 5), ("made.keys", 20), ("made.rows", 8)])
def test_a_file_that_breaks_off_is_whole_up_to_there(tmp_path: Path, file: str, lost: int) -> None:
    all_rows(RowCache(tmp_path, "made", (2,)))
    whole = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(whole[: len(whole) - lost])
    with (tmp_path / "made.rows").open("ab") as half:
        half.write(b"half")
    assert np.array_equal(all_rows(RowCache(tmp_path, "made", (2,))), all_rows())
    assert np.array_equal(all_rows(RowCache(tmp_path, "made", (2,)), numbers), all_rows())
    assert (tmp_path / "made.rows").stat().st_size == 80


def test_two_writers_keep_each_content_once(tmp_path: Path) -> None:
    one, other = (RowCache(tmp_path, "made", (2,)) for _ in range(2))
    one.add(KEYS[:4], numbers([0, 1, 2, 3]))
    other.add(KEYS[2:6], numbers([2, 3, 4, 5]))
    assert len(other) == 6
    assert np.array_equal(other.get(KEYS[:6]), numbers([0, 1, 2, 3, 4, 5]))


def test_each_content_is_encoded_once_and_what_cannot_be_is_asked_again(tmp_path: Path) -> None:
    asked: list[int] = []

    def encode(places: list[int]) -> np.ndarray:
        asked.extend(places)
        return np.where(np.array(places)[:, None] == 1, np.nan, numbers(places))

    keys = [KEYS[0], KEYS[1], KEYS[0], None]
    for _ in range(2):
        rows = encoded(keys, encode, (2,), cache=RowCache(tmp_path, "made", (2,)))
        assert rows[0].tolist() == rows[2].tolist() == [0, 0.5]
        assert np.isnan(rows[[1, 3]]).all()
    assert asked == [0, 1, 1]
