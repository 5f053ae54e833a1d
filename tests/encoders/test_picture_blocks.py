"""What edges, layout and colours say of pictures that are easy to describe."""

import numpy as np
import pytest

from danggol.encoders.picture_blocks import picture_blocks


def picture(height: int = 80, width: int = 60) -> np.ndarray:
    return np.full((height, width, 3), 255, np.uint8)


def test_stripes_have_edges_across_them() -> None:
    lying, standing = picture(), picture()
    lying[::10] = lying[1::10] = lying[2::10] = lying[3::10] = lying[4::10] = 0
    standing[:, (np.arange(60) % 10) < 5] = 0
    edges = picture_blocks(np.stack([lying, standing]))[0].astype(np.float32).reshape(2, 16, 12, 8)
    strength = (edges**2).sum(axis=(1, 2))
    # the gradient of lying stripes goes down (a quarter turn), that of standing ones across (none)
    assert strength[0].argmax() == 4
    assert strength[1].argmax() == 0
    assert strength[0, 4] > 5 * strength[0, 0]


def test_layout_knows_where_a_colour_is_and_colours_know_which() -> None:
    red, blue, moved = picture(), picture(), picture()
    red[10:30, 10:30] = moved[50:70, 10:30] = (200, 20, 20)
    blue[10:30, 10:30] = (20, 20, 200)
    _, layout, colours = (one.astype(np.float32) for one in picture_blocks(np.stack([red, blue, moved])))
    np.testing.assert_allclose(colours[0], colours[2], atol=1e-3)
    assert np.abs(colours[0] - colours[1]).sum() > 1
    assert (colours**2).sum(axis=1) == pytest.approx(np.ones(3), abs=0.01)
    grid = layout.reshape(3, 16, 12, 3)
    assert grid[0, 3, 3, 1] > 0.5
    assert grid[2, 12, 3, 1] > 0.5
    assert abs(grid[2, 3, 3, 1]) < 0.01


@pytest.mark.parametrize("size", [(80, 60), (24, 24), (33, 50)])
def test_every_size_gives_the_same_numbers_of_numbers(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, *size, 3)).astype(np.uint8)
    assert [one.shape for one in picture_blocks(pixels)] == [(3, 1536), (3, 576), (3, 216)]
    assert [one.shape for one in picture_blocks(pixels[:0])] == [(0, 1536), (0, 576), (0, 216)]
    assert all(np.isfinite(one.astype(np.float32)).all() for one in picture_blocks(pixels))
