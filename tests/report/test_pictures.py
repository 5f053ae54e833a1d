"""Pictures: small, local, and never a reason to fail."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from danggol.report.pictures import EDGE, Pictures
from danggol.shop import Shop


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    (tmp_path / "outside.png").write_bytes(_png(8, 8))
    shop = Shop.create(tmp_path / "shop")
    (shop.path / "images").mkdir()
    return Pictures(shop)


def _png(width: int, height: int, mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    Image.new(mode, (width, height)).save(out, "PNG")
    return out.getvalue()


def _claimed(width: int, height: int) -> bytes:
    """A PNG whose head claims a size that its few bytes do not hold."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(64))) + chunk(b"IEND", b"")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1", "I;16", "LA"])
def test_a_picture_becomes_a_small_data_uri(pictures: Pictures, mode: str) -> None:
    (pictures.shop.path / "images" / "a.png").write_bytes(_png(400, 200, mode))
    uri = pictures.uri("images/a.png")
    assert uri is not None
    head, _, body = uri.partition(",")
    assert head == "data:image/webp;base64"
    with Image.open(io.BytesIO(base64.b64decode(body))) as small:
        assert small.size == (EDGE, EDGE // 2)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no picture",
        b"\xff\xd8\xff\xe0 cut",
        _png(64, 64)[:60],
        _claimed(60_000, 60_000),
        _claimed(9_000, 9_000),
        b"<svg/>",
    ],
    ids=["empty", "text", "jpeg", "cut", "bomb", "large", "svg"],
)
def test_a_picture_that_cannot_be_read_is_none(pictures: Pictures, content: bytes) -> None:
    (pictures.shop.path / "images" / "a.png").write_bytes(content)
    assert pictures.uri("images/a.png") is None


@pytest.mark.parametrize(
    "image",
    [
        None,
        "",
        "images/gone.png",
        "images",
        "../outside.png",
        "/etc/hostname",
        "images/../../outside.png",
        "https://shop.example/a.png",
        "data:image/png;base64,AAAA",
        "a\x00b.png",
        "x" * 5000,
    ],
)
def test_what_is_not_a_picture_in_the_shop_is_none(pictures: Pictures, image: str | None) -> None:
    assert pictures.uri(image) is None


def test_a_link_that_leaves_the_shop_is_not_followed(pictures: Pictures) -> None:
    (pictures.shop.path / "images" / "link.png").symlink_to(pictures.shop.path.parent / "outside.png")
    assert pictures.uri("images/link.png") is None
