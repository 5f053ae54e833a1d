"""A title's embedding learnt from label groups: tf-idf n-grams, one linear layer, additive angular margin.

Each label group is a class. The cosine between an embedding and its class's direction is made harder by a margin on the
angle (ArcFace: Deng et al., CVPR 2019), raised step by step; smaller classes get a larger margin (Ha et al., "Google
landmark recognition 2020 competition third place solution"). The embeddings of groups never seen are as useful.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pydantic import Field
from scipy.sparse import csr_matrix

from danggol.matching.search.blend import unit
from danggol.matching.search.index import Floats, Ints
from danggol.progress import track
from danggol.settings import Settings


class ArcFaceSettings(Settings):
    """How the embedding is learnt."""

    dimensions: int = Field(default=128, ge=2, description="of the embedding")
    epochs: int = Field(default=6, ge=1, description="times the listings are gone through")
    batch: int = Field(default=256, ge=2, description="listings of a step")
    learning_rate: float = Field(default=0.003, gt=0, description="of the n-grams' vectors")
    head_rate: float = Field(default=0.01, gt=0, description="of the classes' directions")
    margins: tuple[float, float] = Field(default=(0.2, 0.7), description="radians at first and at the end")
    scale: float = Field(default=30.0, gt=0, description="what cosines are multiplied by")
    seed: int = Field(default=0, ge=0, description="of everything drawn by chance")


def learnt(rows: csr_matrix, classes: Ints, settings: ArcFaceSettings) -> Floats:
    """Vectors (n-grams, dimensions): a title's embedding is the sum of its n-grams', weighted, put to length one.

    ``rows`` (titles, n-grams) tf-idf; ``classes`` (titles,) whole numbers from 0.
    """
    import torch

    torch.manual_seed(settings.seed)
    bags = torch.nn.EmbeddingBag(rows.shape[1], settings.dimensions, mode="sum")
    torch.nn.init.normal_(bags.weight, std=settings.dimensions**-0.5)
    head = torch.nn.Parameter(torch.randn(int(classes.max()) + 1, settings.dimensions))
    groups = [
        {"params": bags.parameters(), "lr": settings.learning_rate},
        {"params": [head], "lr": settings.head_rate},
    ]
    optimiser = torch.optim.Adam(groups)
    wider = torch.as_tensor(np.bincount(classes)[classes] ** -0.25, dtype=torch.float32)
    target = torch.as_tensor(classes)
    rng = np.random.default_rng(settings.seed)
    steps, done = math.ceil(len(classes) / settings.batch) * settings.epochs, 0
    for _ in track(range(settings.epochs), "text embedding"):
        order = rng.permutation(len(classes))
        for start in range(0, len(order), settings.batch):
            batch = np.sort(order[start : start + settings.batch])
            low, high = settings.margins
            margin = (low + (high - low) * min(1.0, 2 * done / steps)) * wider[batch] / 2**-0.25
            rows_ = torch.nn.functional.normalize(_summed(bags, rows[batch]))
            cosine = rows_ @ torch.nn.functional.normalize(head).T
            loss = torch.nn.functional.cross_entropy(
                settings.scale * _harder(cosine, target[batch], margin), target[batch]
            )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            done += 1
    return bags.weight.detach().numpy().astype(np.float32)


def embedded(rows: csr_matrix, vectors: Floats) -> Floats:
    """Embeddings (titles, dimensions) of length one."""
    return unit(np.asarray(rows @ vectors, np.float32))


def _summed(bags: Any, rows: csr_matrix) -> Any:
    import torch

    return bags(
        torch.as_tensor(rows.indices, dtype=torch.int64),
        torch.as_tensor(rows.indptr[:-1], dtype=torch.int64),
        per_sample_weights=torch.as_tensor(rows.data, dtype=torch.float32),
    )


def _harder(cosine: Any, target: Any, margin: Any) -> Any:
    """Cosines (batch, classes) with the own class's angle widened by the margin (batch,), as far as it goes."""
    import torch

    place = torch.arange(len(target))
    own = cosine[place, target].clamp(-1 + 1e-6, 1 - 1e-6)
    angle = torch.clamp(torch.acos(own) + margin, max=math.pi)
    changed = torch.zeros_like(cosine)
    changed[place, target] = torch.cos(angle) - own
    return cosine + changed
