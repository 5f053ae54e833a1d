"""What a picture says of a listing: kernel ridge regression on edges, layout, colours and a network's vectors.

The network learns what the shop's pictures have in common; the kernel remembers what single pictures look like. On the
fashion catalogue the two together are right more often than either.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from danggol.encoders.convolution import PictureEncoder
from danggol.encoders.kernel_classes import BlockScale, KernelClasses
from danggol.encoders.picture_blocks import picture_blocks
from danggol.matching.catalogue.settings import AttributeSettings
from danggol.training import Checkpoint

Floats = NDArray[np.float64]
Single = NDArray[np.float32]
Codes = NDArray[np.int64]
Pixels = NDArray[np.uint8]


class PictureModel:
    """Learns a network, then a kernel on what it and the fixed blocks make of pictures."""

    def __init__(self, settings: AttributeSettings, classes: Mapping[str, int]) -> None:
        self.settings, self.classes = settings, dict(classes)
        self.encoder = PictureEncoder(settings.picture)
        self.scale: BlockScale | None = None
        self.kernel: KernelClasses | None = None

    def learn_network(
        self, pixels: Pixels, codes: Mapping[str, Codes], words: csr_matrix | None, checkpoint: Checkpoint | None
    ) -> Self:
        """Train the network on pictures (pictures, height, width, 3), their classes and title words."""
        self.encoder.fit(pixels, codes, self.classes, words, checkpoint)
        return self

    def look(self, pixels: Pixels) -> tuple[Single, Single]:
        """The network's vectors (pictures, output_dim), and the rows (pictures, numbers) that the kernel reads."""
        vectors = self.encoder.transform(pixels)
        blocks: list[NDArray[Any]] = [*picture_blocks(pixels), vectors]
        if self.scale is None:
            self.scale = BlockScale.fit(blocks, self.settings.block_weights)
        return vectors, self.scale.rows(blocks)

    def fit(self, rows: Single, codes: Mapping[str, Codes]) -> Self:
        """Fit the kernel on rows that :meth:`look` gave, and classes (pictures,), -1 where not known."""
        settings = self.settings
        landmarks = len(rows) if len(rows) <= settings.compared else settings.landmarks
        self.kernel = KernelClasses.fit(
            rows, codes, self.classes, landmarks, settings.kernel_width, settings.ridge, settings.seed
        )
        return self

    def extend(self, rows: Single, codes: Mapping[str, Codes]) -> None:
        """Fit the kernel on more pictures besides, once."""
        assert self.kernel is not None
        self.kernel.extend(rows, codes)

    def log_probabilities(self, rows: Single) -> dict[str, Floats]:
        """By attribute (pictures, classes), natural logarithms; not calibrated."""
        assert self.kernel is not None
        return self.kernel.log_probabilities(rows)

    def to_files(self) -> dict[str, str | bytes]:
        """Files of JSON and safetensors."""
        assert self.kernel is not None
        assert self.scale is not None
        return {
            "pictures.json": json.dumps(self.encoder.to_dict()),
            "pictures.safetensors": self.encoder.to_bytes(),
            "kernel.safetensors": self.kernel.to_bytes(self.scale),
        }

    @classmethod
    def from_saved(
        cls, settings: AttributeSettings, classes: Mapping[str, int], encoder: str, weights: bytes, kernel: bytes
    ) -> Self:
        """Read what :meth:`to_files` gave. DataError, KeyError, ValueError, SafetensorError: it is damaged."""
        model = cls(settings, classes)
        model.encoder = PictureEncoder.from_saved(json.loads(encoder), weights)
        model.kernel, model.scale = KernelClasses.from_bytes(kernel, classes)
        return model
