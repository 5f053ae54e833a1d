"""Pictures are looked at once: what was read is kept by content, and what cannot be read stays empty."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from danggol.matching.inputs import shop_pictures
from danggol.matching.inputs.hashes import picture_hash
from danggol.matching.inputs.listings import parse_hashes
from danggol.matching.inputs.shop_pictures import picture_rows


@pytest.fixture
def files(tmp_path: Path) -> list[Path | None]:
    made = np.random.default_rng(0).integers(0, 255, (2, 40, 40, 3), np.uint8)
    for name, pixels in zip("ab", made, strict=True):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    (tmp_path / "copy.png").write_bytes((tmp_path / "a.png").read_bytes())
    (tmp_path / "broken.png").write_bytes(b"no picture")
    Image.new("RGB", (40, 40), (200, 10, 10)).save(tmp_path / "flat.png")
    return [tmp_path / "b.png", None, *(tmp_path / f"{one}.png" for one in ("a", "copy", "broken", "lost", "flat"))]


def test_hashes_and_pixels_are_those_of_the_pictures(files: list[Path | None], tmp_path: Path) -> None:
    hashes, pixels = picture_rows(files, tmp_path / "cache")
    with Image.open(tmp_path / "b.png") as picture:
        assert hashes[0] == parse_hashes([picture_hash(picture.convert("RGB"))])[0]
    assert hashes[2] == hashes[3] != 0
    assert hashes[[1, 4, 5, 6]].tolist() == [0] * 4
    assert [bool(one.any()) for one in pixels] == [True, False, True, True, False, False, True]


def test_a_second_run_opens_only_what_is_new(
    files: list[Path | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = picture_rows(files, tmp_path / "cache")
    opened: list[Path] = []

    def read(file: Path, draft: tuple[int, int]) -> Image.Image:
        opened.append(file)
        return Image.new("RGB", (64, 64))

    monkeypatch.setattr(shop_pictures, "read", read)
    (tmp_path / "lost.png").write_bytes(b"found")
    again = picture_rows(files, tmp_path / "cache")
    assert opened == [tmp_path / "lost.png"]
    assert np.array_equal(before[0], again[0])
    assert np.array_equal(before[1], again[1])


def test_no_picture_at_all(tmp_path: Path) -> None:
    hashes, pixels = picture_rows([None, None], tmp_path / "cache")
    assert hashes.tolist() == [0, 0]
    assert pixels.shape == (2, 32, 32, 3)
    assert not pixels.any()
