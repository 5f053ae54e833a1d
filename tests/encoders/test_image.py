"""Pictures as regions: what is read, what cannot be, and what is remembered."""

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from danggol.encoders.image import Patches, read_regions

PATCHES = Patches(grid=2, patch=4)


def picture(path: Path, color: tuple[int, int, int], corner: tuple[int, int, int] | None = None) -> Path:
    image = Image.new("RGB", (32, 32), color)
    if corner:
        image.paste(corner, (0, 0, 16, 16))
    image.save(path)
    return path


def bomb(path: Path) -> Path:
    """A few bytes that say they are 60,000 pixels a side."""
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunks = b""
    for kind, data in ((b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")):
        chunks += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    return path


def test_regions_are_where_they_are_in_the_picture(tmp_path: Path) -> None:
    rows, broken = read_regions([picture(tmp_path / "a.png", (0, 0, 0), (255, 255, 255))], PATCHES)
    assert rows.shape == (1, 4, 48)
    assert broken == 0
    assert np.allclose(rows[0, 0], 1)
    assert np.allclose(rows[0, 1:], -1)


def test_what_cannot_be_read_is_nan_and_counted(tmp_path: Path) -> None:
    text = tmp_path / "text.jpg"
    text.write_text("no picture")
    good = picture(tmp_path / "good.png", (9, 9, 9))
    rows, broken = read_regions([text, tmp_path / "missing.jpg", bomb(tmp_path / "bomb.png"), good], PATCHES)
    assert broken == 3
    assert np.isnan(rows[:3]).all()
    assert not np.isnan(rows[3]).any()


def test_the_cache_knows_a_picture_by_its_content(tmp_path: Path) -> None:
    one, other = picture(tmp_path / "1.png", (200, 0, 0)), picture(tmp_path / "2.png", (0, 200, 0))
    first, _ = read_regions([one, other], PATCHES, tmp_path / "cache")
    picture(one, (0, 0, 200))
    third = picture(tmp_path / "3.png", (7, 7, 7))
    again, _ = read_regions([one, other, third], PATCHES, tmp_path / "cache")
    fresh, _ = read_regions([one, other, third], PATCHES)
    assert np.array_equal(again, fresh)
    assert not np.array_equal(again[0], first[0])
    # numbers that do not go with the keys, as a kill between the two would leave them
    (tmp_path / "cache" / "regions-2x4.keys").write_bytes(b"one")
    assert np.array_equal(read_regions([one, other, third], PATCHES, tmp_path / "cache")[0], fresh)
