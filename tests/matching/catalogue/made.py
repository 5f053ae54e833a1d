"""A made-up catalogue: squares and discs in three colours, with titles that name them."""

import io

import numpy as np
import polars as pl
from PIL import Image

from danggol.encoders.convolution_settings import ConvolutionSettings
from danggol.matching.catalogue.items import Items

COLOURS = {"red": (200, 30, 40), "green": (40, 170, 60), "blue": (40, 60, 190)}
SHAPES = ("square", "disc")
BRANDS = ("aster", "borea", "cedar")
SMALL = ConvolutionSettings(height=24, width=24, channels=16, vector=32, epochs=12, batch_size=32, shift=2, words=50)


def picture(colour: str, shape: str, draw: np.random.Generator) -> bytes:
    """A PNG of 24 x 24 pixels on white, a little off its place and its colour."""
    pixels = np.full((24, 24, 3), 245, np.float64)
    down, across = np.mgrid[:24, :24] - (12 + draw.integers(-2, 3, 2))[:, None, None]
    inside = (np.hypot(down, across) < 8) if shape == "disc" else (np.maximum(abs(down), abs(across)) < 7)
    pixels[inside] = np.array(COLOURS[colour])
    noisy = np.clip(pixels + draw.normal(0, 12, pixels.shape), 0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(noisy).save(out, "PNG")
    return out.getvalue()


def catalogue(count: int, seed: int = 0) -> tuple[Items, pl.DataFrame]:
    """Listings and their true attributes; every third title does not say the colour, every fourth not the shape."""
    draw = np.random.default_rng(seed)
    colours, shapes = draw.choice(list(COLOURS), count), draw.choice(SHAPES, count)
    brands = draw.choice(BRANDS, count)
    titles = [
        " ".join(
            [brands[nth], *([colours[nth]] if nth % 3 else []), *([shapes[nth]] if nth % 4 else ["thing"]), "for men"]
        )
        for nth in range(count)
    ]
    table = pl.DataFrame(
        {
            "product_id": [f"p{seed}-{nth}" for nth in range(count)],
            "title": titles,
            "image": [picture(colours[nth], shapes[nth], draw) for nth in range(count)],
        }
    )
    labels = pl.DataFrame({"colour": colours, "shape": shapes, "brand": brands})
    return Items.of(table), labels
