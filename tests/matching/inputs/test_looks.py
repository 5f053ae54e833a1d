import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from danggol.encoders.pictures import read
from danggol.matching.inputs.looks import alike, picture_pixels


def drawn(seed):
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 255, (7, 9, 3), dtype=np.uint8))
    return small.resize((120, 100), Image.Resampling.BICUBIC)


def test_a_picture_that_was_changed_is_known_again_and_another_is_not(tmp_path):
    first = drawn(1)
    pictures = [
        first,
        first.crop((6, 4, 115, 95)).resize((120, 100)),
        ImageOps.mirror(first),
        ImageOps.expand(first.resize((112, 92)), 4, (200, 30, 30)),
        ImageEnhance.Brightness(first).enhance(0.85),
        drawn(2),
    ]
    pixels = []
    for nth, picture in enumerate(pictures):
        picture.save(tmp_path / f"{nth}.jpg", quality=75)
        pixels.append(picture_pixels(read(tmp_path / f"{nth}.jpg")))
    found = alike(np.stack(pixels), np.array([0, 0, 0, 0, 3, 0]), np.array([1, 2, 3, 4, 0, 5]))
    assert (found[:5] > 0.9).all()
    assert found[2] > 0.98
    assert found[5] < 0.6


def test_likeness_is_the_same_either_way_and_unknown_without_a_picture():
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 255, (5, 32, 32, 3), dtype=np.uint8)
    pictures[4] = 0
    left, right = np.array([0, 1, 2, 0]), np.array([1, 0, 2, 4])
    found = alike(pictures, left, right)
    assert found[0] == found[1]
    assert np.isclose(found[2], 1.0)
    assert np.isnan(found[3])
    assert len(alike(pictures, left[:0], right[:0])) == 0
