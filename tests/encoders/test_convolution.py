"""The convolutional picture encoder on standing and lying bars."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from danggol.encoders.convolution import PictureEncoder, read_pixels
from danggol.encoders.convolution_settings import ConvolutionSettings
from danggol.errors import DataError, UsageError
from danggol.training import Checkpoint

SETTINGS = ConvolutionSettings(height=20, width=16, channels=8, vector=16, epochs=8, batch_size=32, shift=2)
CLASSES = {"colour": 3, "shape": 2}


def made(count: int, seed: int = 0) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Pixels, colour and shape; the picture is a little off its place."""
    draw = np.random.default_rng(seed)
    colour, shape = draw.integers(0, 3, count), draw.integers(0, 2, count)
    pixels = np.full((count, 20, 16, 3), 240.0)
    for nth in range(count):
        down, across = np.mgrid[:20, :16] - np.array([10, 8])[:, None, None] - draw.integers(-1, 2, 2)[:, None, None]
        inside = (
            np.maximum(abs(down) / 2, abs(across)) < 3 if shape[nth] else np.maximum(abs(down), abs(across) / 2) < 3
        )
        pixels[nth][inside] = np.eye(3)[colour[nth]] * 180 + 30
    return np.clip(pixels + draw.normal(0, 8, pixels.shape), 0, 255).astype(np.uint8), {
        "colour": colour,
        "shape": shape,
    }


@pytest.fixture(scope="module")
def encoder() -> PictureEncoder:
    pixels, labels = made(400)
    labels["shape"] = np.where(np.arange(400) % 5, labels["shape"], -1)  # a fifth is not known
    found = PictureEncoder(SETTINGS)
    found.fit(pixels, labels, CLASSES)
    return found


def test_it_tells_colour_and_shape_of_pictures_never_seen(encoder: PictureEncoder) -> None:
    pixels, labels = made(200, seed=1)
    said = encoder.describe(pixels)
    assert said.vectors.shape == (200, encoder.output_dim) == (200, 32)
    for name, truth in labels.items():
        np.testing.assert_allclose(np.exp(said.log_probabilities[name]).sum(axis=1), 1, atol=1e-6)
        assert (said.log_probabilities[name].argmax(axis=1) == truth).mean() > 0.95


def test_the_mirror_image_is_the_same_picture(encoder: PictureEncoder) -> None:
    pixels, _ = made(20, seed=2)
    mirrored = np.ascontiguousarray(pixels[:, :, ::-1])
    np.testing.assert_allclose(encoder.transform(pixels), encoder.transform(mirrored), atol=0.05)


def test_like_pictures_have_like_vectors(encoder: PictureEncoder) -> None:
    pixels, labels = made(150, seed=3)
    vectors = encoder.transform(pixels)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    likeness = vectors @ vectors.T - 2 * np.eye(150)
    assert (labels["colour"][likeness.argmax(axis=1)] == labels["colour"]).mean() > 0.95


def test_saved_weights_say_the_same_and_broken_ones_are_told(encoder: PictureEncoder) -> None:
    pixels, _ = made(10, seed=4)
    again = PictureEncoder.from_saved(encoder.to_dict(), encoder.to_bytes())
    np.testing.assert_array_equal(again.transform(pixels), encoder.transform(pixels))
    with pytest.raises(DataError, match="damaged"):
        PictureEncoder.from_saved(encoder.to_dict(), encoder.to_bytes()[:-50])
    with pytest.raises(DataError, match="damaged"):
        PictureEncoder.from_saved({"settings": {}}, encoder.to_bytes())


def test_a_seed_gives_the_same_weights_also_when_the_run_was_killed(tmp_path: Path) -> None:
    pixels, labels = made(64)
    settings = SETTINGS.model_copy(update={"epochs": 3})
    whole = PictureEncoder(settings)
    whole.fit(pixels, labels, CLASSES)

    class KilledError(Exception):
        pass

    class Kill(Checkpoint):
        def save(self, *args, **named) -> None:  # type: ignore[no-untyped-def]
            super().save(*args, **named)
            raise KilledError

    with pytest.raises(KilledError):
        PictureEncoder(settings).fit(pixels, labels, CLASSES, checkpoint=Kill(tmp_path / "run", "one"))
    resumed = PictureEncoder(settings)
    resumed.fit(pixels, labels, CLASSES, checkpoint=Checkpoint(tmp_path / "run", "one"))
    np.testing.assert_allclose(resumed.transform(pixels), whole.transform(pixels), atol=1e-4)


def test_pictures_are_read_and_broken_ones_are_marked() -> None:
    out = io.BytesIO()
    Image.new("L", (50, 80), 128).save(out, "PNG")
    pixels, there = read_pixels([out.getvalue(), b"nothing", None], SETTINGS)
    assert pixels.shape == (3, 20, 16, 3)
    assert there.tolist() == [True, False, False]
    assert (pixels[0] == 128).all()


def test_wrong_calls_are_told() -> None:
    with pytest.raises(UsageError, match="read_pixels"):
        PictureEncoder(SETTINGS).fit(np.zeros((4, 8, 8, 3), np.uint8), {}, {})
    with pytest.raises(UsageError, match="fit first"):
        PictureEncoder(SETTINGS).transform(np.zeros((4, 20, 16, 3), np.uint8))
    with pytest.raises(UsageError, match="neither"):
        PictureEncoder(SETTINGS).fit(np.zeros((4, 20, 16, 3), np.uint8), {}, {})


def test_single_precision_can_be_asked_for() -> None:
    pixels, labels = made(64)
    settings = SETTINGS.model_copy(update={"epochs": 1, "precision": "float32"})
    found = PictureEncoder(settings)
    found.fit(pixels, labels, CLASSES)
    assert torch.isfinite(torch.from_numpy(found.transform(pixels))).all()
