"""Descriptions of pictures: alike pictures have alike numbers, and what cannot be read is nan."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from danggol.encoders.picture_features import PictureFeatures, read_pixels


def drawn(kind: str, seed: int) -> bytes:
    """Noise in red or blue, with bars across or down."""
    rng = np.random.default_rng(seed)
    colour, bars = kind.split()
    pixels = rng.integers(0, 60, (60, 40, 3))
    pixels[..., 0 if colour == "red" else 2] += 150
    place = np.arange(60)[:, None] if bars == "across" else np.arange(40)[None, :]
    pixels[np.broadcast_to((place + seed) % 10 < 3, (60, 40))] //= 3
    held = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(held, "PNG")
    return held.getvalue()


KINDS = ["red across", "red down", "blue across", "blue down"]


def test_pictures_of_a_kind_are_nearest() -> None:
    pictures = [drawn(KINDS[nth % 4], nth) for nth in range(40)]
    rows = PictureFeatures(strokes=20).fit(pictures).transform(pictures)
    apart = ((rows[:, None] - rows[None]) ** 2).sum(axis=2)
    np.fill_diagonal(apart, np.inf)
    assert (apart.argmin(axis=1) % 4 == np.arange(40) % 4).mean() > 0.9


def test_the_same_picture_has_the_same_numbers() -> None:
    pictures = [drawn(KINDS[nth % 4], nth) for nth in range(8)]
    first, second = (PictureFeatures(strokes=5).fit(pictures) for _ in range(2))
    np.testing.assert_array_equal(first.transform(pictures), second.transform(pictures))
    np.testing.assert_allclose(first.transform(pictures)[3], first.transform([pictures[3]])[0], atol=1e-4)


def test_what_cannot_be_read_is_nan(tmp_path) -> None:
    path = tmp_path / "one.png"
    path.write_bytes(drawn("red down", 0))
    pictures = [path, str(path), None, b"no picture", tmp_path / "absent.png"]
    rows = PictureFeatures(strokes=5).fit([path]).transform(pictures)
    assert np.isfinite(rows[:2]).all()
    assert np.isnan(rows[2:]).all()
    assert np.isfinite(read_pixels([path])).all()
    assert np.isnan(PictureFeatures().fit([None, b"x"]).transform([path])).all()


def test_a_broken_chunk_is_as_no_picture() -> None:
    whole = bytearray(drawn("red down", 0))
    # a wrong length of the pixels' chunk
    whole[35] = 0
    with pytest.raises(SyntaxError), Image.open(io.BytesIO(whole)) as opened:
        opened.convert("RGB")
    assert np.isnan(read_pixels([bytes(whole)])).all()


@pytest.mark.parametrize("error", [SyntaxError, EOFError, struct.error, IndexError, TypeError])
def test_whatever_pillow_says_of_a_broken_picture_is_no_error(error, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise error("broken")

    monkeypatch.setattr(Image.Image, "convert", fail)
    assert np.isnan(read_pixels([drawn("red down", 0)])).all()
