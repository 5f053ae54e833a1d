"""Pictures of the goods, drawn so that colour, pattern, shape and background are there to be seen.

A picture is a silhouette (of the category's shape) filled with a pattern in the product's colour, on one of four
backgrounds: white, grey, a room, outdoors. Place, size and shade differ a little between products, the pattern's phase
and the brand's mark too, so that no two products share a picture. A copy shows its original's picture, changed or not.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from danggol.twin.copies import changed_picture
from danggol.twin.goods import Goods, image_path
from danggol.twin.parameters import Parameters
from danggol.twin.randomness import stream
from danggol.twin.words import CATEGORIES, COLORS, PATTERNS

PALETTE: dict[str, tuple[int, int, int]] = {
    "red": (205, 32, 38),
    "pink": (244, 140, 180),
    "orange": (245, 130, 32),
    "yellow": (245, 205, 40),
    "green": (45, 145, 70),
    "blue": (35, 85, 190),
    "purple": (120, 60, 160),
    "brown": (115, 72, 40),
    "grey": (128, 128, 132),
    "black": (28, 28, 32),
}
"""What the colours look like."""

_GRID = 64
Polygon = tuple[tuple[int, int], ...]

# Silhouettes on a grid of 64: polygons, and ellipses as (left, top, right, bottom).
_SHAPES: dict[str, tuple[tuple[Polygon, ...], tuple[tuple[int, int, int, int], ...]]] = {
    "tee": ((((20, 8), (44, 8), (60, 22), (52, 30), (46, 25), (46, 58), (18, 58), (18, 25), (12, 30), (4, 22)),), ()),
    "longsleeve": (
        (
            (
                (20, 8),
                (44, 8),
                (54, 16),
                (62, 50),
                (54, 52),
                (46, 26),
                (46, 58),
                (18, 58),
                (18, 26),
                (10, 52),
                (2, 50),
                (10, 16),
            ),
        ),
        (),
    ),
    "vest": ((((20, 6), (26, 6), (32, 16), (38, 6), (44, 6), (46, 22), (48, 58), (16, 58), (18, 22)),), ()),
    "aline": ((((22, 4), (42, 4), (42, 24), (58, 60), (6, 60), (22, 24)),), ()),
    "sheath": ((((20, 4), (44, 4), (41, 28), (46, 60), (18, 60), (23, 28)),), ()),
    "tote": (
        (
            ((8, 24), (56, 24), (52, 60), (12, 60)),
            ((20, 24), (20, 6), (44, 6), (44, 24), (40, 24), (40, 10), (24, 10), (24, 24)),
        ),
        (),
    ),
    "satchel": ((((4, 20), (60, 20), (60, 54), (4, 54)), ((24, 20), (24, 12), (40, 12), (40, 20))), ((4, 36, 60, 60),)),
    "sneaker": ((((4, 20), (22, 20), (34, 34), (58, 40), (62, 52), (2, 52)),), ()),
    "boot": ((((12, 4), (36, 4), (36, 36), (58, 44), (60, 58), (12, 58)),), ()),
    "jar": ((((10, 24), (54, 24), (54, 56), (10, 56)), ((14, 12), (50, 12), (50, 22), (14, 22))), ()),
    "bottle": ((((20, 24), (44, 24), (46, 60), (18, 60)), ((26, 4), (38, 4), (38, 24), (26, 24))), ()),
    "tube": ((((14, 4), (50, 4), (42, 48), (22, 48)), ((24, 50), (40, 50), (40, 60), (24, 60))), ()),
    "lipstick": ((((22, 30), (42, 30), (42, 62), (22, 62)), ((26, 12), (38, 4), (38, 28), (26, 28))), ()),
    "compact": ((), ((4, 4, 60, 34), (4, 30, 60, 60))),
    "tin": ((((12, 14), (52, 14), (52, 56), (12, 56)),), ((12, 4, 52, 22),)),
    "pouch": ((((12, 6), (52, 6), (48, 14), (56, 58), (8, 58), (16, 14)),), ()),
    "box": ((((6, 20), (32, 8), (58, 20), (58, 50), (32, 62), (6, 50)),), ()),
    "mug": (
        (
            ((8, 12), (46, 12), (44, 58), (10, 58)),
            ((46, 20), (60, 20), (60, 44), (45, 44), (45, 38), (54, 38), (54, 26), (46, 26)),
        ),
        (),
    ),
    "pot": ((((10, 24), (54, 24), (50, 56), (14, 56)), ((2, 28), (62, 28), (62, 34), (2, 34))), ((12, 12, 52, 32),)),
    "cushion": ((((8, 6), (32, 10), (56, 6), (60, 32), (56, 58), (32, 54), (8, 58), (4, 32)),), ()),
    "blanket": ((((4, 14), (60, 8), (60, 50), (34, 46), (4, 56)),), ()),
    "overear": (
        (
            (
                (10, 30),
                (12, 14),
                (24, 5),
                (40, 5),
                (52, 14),
                (54, 30),
                (48, 30),
                (46, 18),
                (38, 11),
                (26, 11),
                (18, 18),
                (16, 30),
            ),
        ),
        ((4, 28, 24, 60), (40, 28, 60, 60)),
    ),
    "inear": (
        (((16, 26), (24, 26), (26, 58), (18, 58)), ((40, 26), (48, 26), (46, 58), (38, 58))),
        ((6, 6, 28, 34), (36, 6, 58, 34)),
    ),
    "case": ((((18, 2), (46, 2), (50, 6), (50, 58), (46, 62), (18, 62), (14, 58), (14, 6)),), ()),
    "walletcase": ((((6, 6), (30, 2), (30, 62), (6, 58)), ((33, 2), (58, 6), (58, 58), (33, 62))), ()),
    "bear": ((), ((8, 2, 24, 18), (40, 2, 56, 18), (12, 4, 52, 36), (10, 28, 54, 62))),
    "rabbit": ((), ((16, 0, 28, 30), (36, 0, 48, 30), (14, 16, 50, 44), (12, 34, 52, 63))),
    "notebook": ((((10, 4), (54, 4), (54, 60), (10, 60)),), ()),
    "planner": ((((6, 10), (50, 10), (50, 60), (6, 60)), ((52, 12), (60, 16), (60, 58), (52, 58))), ()),
}


def draw_pictures(goods: Goods, parameters: Parameters, seed: int) -> Iterator[tuple[str, bytes]]:
    """The path and the JPEG bytes of every picture, by listing."""
    pixels = parameters.goods.picture_pixels
    names = [category.name for category in parameters.goods.category]
    draws = stream(seed, "pictures").random((len(goods), 2, 8))
    changes = stream(seed, "changed pictures").random((len(goods), 2, 6))
    for product in range(len(goods)):
        shapes = CATEGORIES[names[goods.category[product]]]["shapes"]
        first = int(goods.real[product])
        for position in (0, 1):
            background = int(goods.backgrounds[product, position])
            if background >= 0:
                # The second picture keeps the product's shade and pattern, and changes where it stands.
                draw = np.concatenate([draws[first, 0, :4], draws[first, position, 4:]])
                picture = _picture(
                    shapes[goods.shape[product]],
                    COLORS[goods.color[product]],
                    PATTERNS[goods.pattern[product]],
                    background,
                    pixels,
                    draw,
                    int(goods.brand[product]),
                )
                if goods.picture_changed[product]:
                    picture = changed_picture(picture, changes[product, position])
                yield image_path(goods.ids[product], position), picture


def _picture(
    shape: str, color: str, pattern: str, background: int, pixels: int, draw: NDArray[np.float64], brand: int
) -> bytes:
    shade = 0.9 + 0.2 * draw[0]
    main = tuple(min(255, int(part * shade)) for part in PALETTE[color])
    accent = (245, 242, 235) if sum(PALETTE[color]) < 480 else (60, 60, 70)
    size = int(pixels * (0.68 + 0.16 * draw[4]))
    room = pixels - size
    at = (int(room * (0.3 + 0.4 * draw[5])), int(room * (0.3 + 0.4 * draw[6])))
    offset = (int(draw[1] * 20), int(draw[2] * 20))
    stripes = _pattern(pattern, pixels, 8 + int(draw[3] * 5)).crop((*offset, offset[0] + size, offset[1] + size))
    body = Image.new("RGB", (size, size), main)
    body.paste(accent, (0, 0), stripes)
    picture = _background(background, pixels).copy()
    picture.paste(body, at, _silhouette(shape).resize((size, size), Image.Resampling.BILINEAR))
    corner, side = divmod(brand, 7)
    mark = PALETTE[COLORS[brand % len(COLORS)]]
    left = 3 + side * pixels // 24
    ImageDraw.Draw(picture).rectangle((left, 3, left + 3 + corner % 5, 5), fill=mark)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


@cache
def _silhouette(shape: str) -> Image.Image:
    """A mask of 192 by 192, to be made smaller."""
    zoom = 3
    mask = Image.new("L", (_GRID * zoom, _GRID * zoom))
    pen = ImageDraw.Draw(mask)
    polygons, ellipses = _SHAPES[shape]
    for polygon in polygons:
        pen.polygon([(x * zoom, y * zoom) for x, y in polygon], fill=255)
    for ellipse in ellipses:
        pen.ellipse([part * zoom for part in ellipse], fill=255)
    return mask


@cache
def _pattern(pattern: str, pixels: int, period: int) -> Image.Image:
    """Where the accent colour goes: a mask a little larger than a picture."""
    y, x = np.mgrid[0 : pixels + 24, 0 : pixels + 24]
    thin = period // 4 + 1
    if pattern == "stripes":
        marked = x % period < thin
    elif pattern == "diagonal":
        marked = (x + y) % (period + 2) < thin
    elif pattern == "checks":
        marked = (x // period + y // period) % 2 == 0
    elif pattern == "dots":
        marked = (x % period - period / 2) ** 2 + (y % period - period / 2) ** 2 < (period / 3.4) ** 2
    else:
        marked = np.zeros_like(x, dtype=bool)
    return Image.fromarray((marked * 255).astype(np.uint8))


@cache
def _background(kind: int, pixels: int) -> Image.Image:
    y, x = np.mgrid[0:pixels, 0:pixels] / pixels
    if kind == 0:
        return Image.new("RGB", (pixels, pixels), (255, 255, 255))
    if kind == 1:
        grey = 232 - 40 * np.hypot(x - 0.5, y - 0.5)
        return Image.fromarray(np.repeat(grey[..., None], 3, axis=2).astype(np.uint8))
    if kind == 2:
        floor = (y > 0.7)[..., None]
        wall = np.array([232, 214, 190]) - 12 * (x[..., None] * 8 % 2 < 1)
        return Image.fromarray(np.where(floor, [172, 132, 96], wall).astype(np.uint8))
    sky = np.stack([170 + 60 * y, 205 + 30 * y, 238 - 10 * y], axis=2)
    grass = (y > 0.66 + 0.05 * np.sin(7 * x))[..., None]
    return Image.fromarray(np.where(grass, [136, 176, 104], sky).astype(np.uint8))
