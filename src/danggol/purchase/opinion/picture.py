"""What the picture says: a small network over the picture's regions, pooled by attention."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from danggol.errors import DataError
from danggol.purchase.opinion.inputs import Regions
from danggol.purchase.opinion.settings import OpinionSettings
from danggol.training import Schedule, train

Floats = NDArray[np.float64]
_BATCH, _CHUNK = 128, 4096
_PATIENCE = 3
_WATCHED = 8
"""One row in so many is kept to stop early on."""


class PictureNetwork(nn.Module):
    """From regions (rows, regions, pixels) to log odds or stars (rows,)."""

    def __init__(self, regions: int, pixels: int, width: int) -> None:
        super().__init__()
        self.region = nn.Sequential(nn.Linear(pixels, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.place = nn.Parameter(torch.randn(regions, width) * 0.02)
        self.look = nn.Linear(width, 1)
        self.head = nn.Sequential(
            nn.LayerNorm(2 * width), nn.Dropout(0.1), nn.Linear(2 * width, width), nn.GELU(), nn.Linear(width, 1)
        )
        self.base = nn.Parameter(torch.zeros(()))

    def forward(self, pictures: Tensor) -> Tensor:
        """Attention picks regions; their mean stands beside it."""
        tokens = self.region(pictures) + self.place
        seen = (self.look(tokens).softmax(dim=1) * tokens).sum(dim=1)
        found: Tensor = self.base + self.head(torch.cat([seen, tokens.mean(dim=1)], dim=1))[:, 0]
        return found

    def values(self, pictures: Regions) -> Floats:
        """(rows,) as numpy, in chunks. DataError: the pictures are cut otherwise than those of training."""
        wanted = (len(self.place), self.region[0].in_features)
        if pictures.shape[1:] != wanted:
            raise DataError(
                f"pictures of shape {pictures.shape[1:]}; the model was trained with {wanted}: cut them alike"
            )
        self.eval()
        found = [np.zeros(0)]
        with torch.no_grad():
            for start in range(0, len(pictures), _CHUNK):
                part = torch.from_numpy(np.ascontiguousarray(pictures[start : start + _CHUNK]))
                found.append(self(part).double().numpy())
        return np.concatenate(found)


def train_picture(pictures: Regions, label: Floats, settings: OpinionSettings, nth: int) -> PictureNetwork:
    """Train on pictures (rows, regions, pixels), none of them missing; an eighth of the rows chooses the epoch."""
    seed = settings.seed * 1000 + nth
    watched = np.random.default_rng([seed, len(label)]).permutation(len(label)) % _WATCHED == 0
    torch.manual_seed(seed)
    network = PictureNetwork(pictures.shape[1], pictures.shape[2], settings.width)
    mean, edge = float(label.mean()), 1 / (len(label) + 2)
    if settings.target == "outcome":
        mean = min(max(mean, edge), 1 - edge)
    network.base.data.fill_(float(np.log(mean / (1 - mean))) if settings.target == "outcome" else mean)
    target = torch.from_numpy(label.astype(np.float32))
    values = torch.from_numpy(np.ascontiguousarray(pictures))
    fit, stop = torch.from_numpy(np.flatnonzero(~watched)), torch.from_numpy(np.flatnonzero(watched))

    def cost(rows: Tensor) -> Tensor:
        said = network(values[rows])
        if settings.target == "outcome":
            return nn.functional.binary_cross_entropy_with_logits(said, target[rows])
        return nn.functional.mse_loss(said, target[rows])

    schedule = Schedule(
        epochs=settings.epochs, batch_size=_BATCH, learning_rate=3e-3, weight_decay=0.02, patience=_PATIENCE,
        device="cpu", seed=seed,
    )  # fmt: skip
    train(
        network,
        lambda chosen: cost(fit[torch.from_numpy(chosen)]),
        len(fit),
        schedule,
        score=lambda: -float(cost(stop)),
        name=f"pictures {nth + 1}",
    )
    return network


def picture_of(content: bytes, settings: OpinionSettings) -> PictureNetwork:
    """A network from saved weights. DataError: they are broken or of another shape."""
    try:
        tensors = load(content)
        regions, pixels = tensors["place"].shape[0], tensors["region.0.weight"].shape[1]
        network = PictureNetwork(regions, pixels, settings.width)
        network.load_state_dict(tensors)
    except (KeyError, RuntimeError, SafetensorError) as error:
        raise DataError(f"the weights of a picture network are damaged ({str(error)[:80]}); train it again") from error
    return network.eval()
