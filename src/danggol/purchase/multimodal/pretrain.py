"""Learning from the catalogue without labels: a listing's title and picture tell of each other.

Two losses over the network's own tokens and towers, added up: image-text contrast (a title is nearer to its own picture
than to the others of the batch, and the picture to its title; CLIP: Radford et al., ICML 2021), and masked tokens (some
subwords of a title are hidden and told from the others with the picture beside; BERT: Devlin et al., NAACL 2019; on
catalogues CommerceMM: Yu et al., KDD 2022). Titles or pictures that are the same are no counterexamples. The contrast
also finds pictures by words: :func:`retrieve`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from danggol.encoders.text import MASK, PAD
from danggol.errors import DataError, UsageError
from danggol.purchase.multimodal.fusion import MODALITIES, Fusion, Tower
from danggol.purchase.multimodal.inputs import Inputs, Ints
from danggol.training import Checkpoint, Schedule, Trained, device_of, train

if TYPE_CHECKING:
    from danggol.purchase.multimodal.model import MultimodalSettings

_MASKED = 0.2
"""Share of a title's subwords that are hidden."""
_WARMTH = 0.07
"""Temperature of the contrast at the start; it is learnt."""
_CHUNK = 1024


class Pretraining(nn.Module):
    """A network with what pretraining adds to it: the projections of the contrast, and a reader of hidden subwords."""

    def __init__(self, network: Fusion) -> None:
        super().__init__()
        self.network, width = network, network.settings.width
        self.project = nn.ModuleDict({name: nn.Linear(width, width, bias=False) for name in ("text", "image")})
        self.warmth = nn.Parameter(torch.tensor(math.log(1 / _WARMTH)))
        self.reader = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width))
        self.bias = nn.Parameter(torch.zeros(network.shape.vocabulary))

    def vectors(self, name: str, values: Tensor) -> Tensor:
        """Vectors of length 1 (rows, width) of ``text`` or ``image``, each read alone."""
        tokens, there = self._tokens({name: values})[name]
        read: Tensor = self.project[name](self._tower(name)(tokens, there))
        return nn.functional.normalize(read, dim=1)

    def contrast(self, text: Tensor, image: Tensor, same: Tensor) -> Tensor:
        """The loss of telling each title's picture, and each picture's title, among those of the batch (InfoNCE).

        ``same`` (rows, rows) says which rows have a title or a picture in common.
        """
        one, other = self.vectors("text", text), self.vectors("image", image)
        near = one @ other.T * self.warmth.exp().clamp(max=100)
        own = torch.arange(len(near), device=near.device)
        near = near.masked_fill(same & (own[:, None] != own), -torch.inf)
        entropy = nn.functional.cross_entropy
        return (entropy(near, own) + entropy(near.T, own)) / 2

    def masked(self, text: Tensor, image: Tensor | None) -> Tensor:
        """The loss of telling hidden subwords from the others, and from the picture where the tower sees it."""
        hidden = (torch.rand(text.shape) < _MASKED).to(text.device) & (text != PAD)
        batch = {"text": text.masked_fill(hidden, MASK)}
        if image is not None and self.network.settings.family != "late":
            batch["image"] = image
        found = self._tokens(batch)
        tokens, there = self.network.joined(found, tuple(found), len(text))
        states = self._tower("text").states(tokens, there)[:, 1 : 1 + text.shape[1]]
        words = self.network.tokens.words
        assert isinstance(words, nn.Embedding)
        told = self.reader(states[hidden]) @ words.weight.T * words.embedding_dim**-0.5 + self.bias
        return nn.functional.cross_entropy(told, text[hidden], reduction="sum") / hidden.sum().clamp_min(1)

    def _tokens(self, batch: dict[str, Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
        rows = len(next(iter(batch.values())))
        shown = torch.zeros(rows, len(MODALITIES), dtype=torch.bool, device=self.bias.device)
        found: dict[str, tuple[Tensor, Tensor]] = self.network.tokens(batch, shown)
        return found

    def _tower(self, name: str) -> Tower:
        """What reads the tokens of a modality, by the family of the network."""
        part = {"single": "all", "towers": "listing", "late": name}[self.network.settings.family]
        tower = self.network.towers[part]
        assert isinstance(tower, Tower)
        return tower


class _Catalogue:
    """The listings and pictures of some showings, each pair once; no outcome is looked at."""

    def __init__(self, data: Inputs, network: Fusion) -> None:
        pairs = np.unique(np.column_stack([data.listing, data.picture]), axis=0)
        self.data, self.listing, self.picture = data, pairs[:, 0], pairs[:, 1]
        self._title, self._look = _codes(data.token_rows("text")), _codes(data.token_rows("image"))
        self._seen = network.modalities

    def __len__(self) -> int:
        return len(self.listing)

    def losses(self, learnt: Pretraining, places: Ints) -> dict[str, Tensor]:
        """The contrast and the masked tokens of some pairs; what cannot be told is left out."""
        device, data = learnt.bias.device, self.data
        listing, picture = self.listing[places], self.picture[places]
        text = torch.from_numpy(data.token_rows("text")[listing]).to(device)
        image = torch.from_numpy(data.token_rows("image")[picture]).to(device) if "image" in self._seen else None
        found = {}
        if "text" not in data.states:
            found["masked"] = learnt.masked(text, image)
        if image is None:
            return found
        empty = (text == PAD) if "text" not in data.states else text.isnan().any(dim=2)
        both = ~empty.all(dim=1) & ~image.isnan().any(dim=2).all(dim=1)
        title, look = (torch.from_numpy(codes).to(device) for codes in (self._title[listing], self._look[picture]))
        same = (title[:, None] == title) | (look[:, None] == look)
        if int(both.sum()) > 1:
            found["contrast"] = learnt.contrast(text[both], image[both], same[both][:, both])
        return found


def pretrain(
    network: Fusion, data: Inputs, epochs: int, schedule: Schedule, checkpoint: Path | None = None
) -> tuple[Pretraining, Trained]:
    """Train the tokens and towers of ``network`` in place on titles and pictures of ``data``; outcomes are not read.

    Batches and learning rate are the schedule's. A killed run goes on from ``checkpoint``. DataError: the network reads
    no titles, or there is neither a picture nor a title of its own subwords to learn from.
    """
    catalogue = _Catalogue(data, network)
    if "text" not in network.modalities or ("text" in data.states and "image" not in network.modalities):
        raise DataError("there is nothing to pretrain on: the network needs titles, and pictures beside frozen titles")
    torch.manual_seed(schedule.seed)
    learnt = Pretraining(network).to(device_of(schedule.device))

    def loss(places: Ints) -> Tensor:
        zero = 0.0 * learnt.bias.sum()
        return torch.stack([zero, *catalogue.losses(learnt, places).values()]).sum()

    chosen = schedule.model_copy(update={"epochs": epochs})
    said = f"{chosen.model_dump_json()} {network.shape.model_dump_json()} {network.settings.model_dump_json()}"
    key = f"pretraining {said} {len(catalogue)} {int(catalogue.listing.sum())}"
    kept = None if checkpoint is None else Checkpoint(checkpoint, key)
    return learnt, train(learnt, loss, len(catalogue), chosen, checkpoint=kept, name="pretraining")


def learn_catalogue(
    data: Inputs, settings: MultimodalSettings, epochs: int = 20, checkpoint: Path | None = None
) -> Pretraining:
    """A network of titles and pictures alone, pretrained: for :func:`retrieve`."""
    torch.manual_seed(settings.schedule.seed)
    network = Fusion(data.shape(), settings.network, ("text", "image")).to(device_of(settings.schedule.device))
    return pretrain(network, data, epochs, settings.schedule, checkpoint)[0]


def retrieve(
    learnt: Pretraining, data: Inputs, titles: Sequence[str], top: int = 10
) -> tuple[Ints, NDArray[np.float32]]:
    """The pictures nearest to each text: places among the pictures of ``data`` (titles, top), and their cosines.

    Rows without a picture are never found; fewer than ``top`` come back where there are fewer pictures. UsageError:
    the network reads a frozen encoder's texts; encode texts and pictures by that encoder instead.
    """
    if "text" in data.states:
        raise UsageError("words are looked up by the network's own subwords; train it with text='own'")
    text = data.words.vocabulary.encode(list(titles), data.text.shape[1])
    pictures = data.token_rows("image")
    there = np.flatnonzero(~np.isnan(pictures).any(axis=2).all(axis=1))
    near = _vectors(learnt, "text", text) @ _vectors(learnt, "image", pictures[there]).T
    best = np.argsort(-near, axis=1, kind="stable")[:, :top]
    return there[best], np.take_along_axis(near, best, axis=1)


def _vectors(learnt: Pretraining, name: str, rows: NDArray[Any]) -> NDArray[np.float32]:
    learnt.eval()
    with torch.no_grad():
        parts = [
            learnt.vectors(name, torch.from_numpy(rows[start : start + _CHUNK]).to(learnt.bias.device)).cpu().numpy()
            for start in range(0, len(rows), _CHUNK)
        ]
    return np.concatenate(parts) if parts else np.zeros((0, learnt.network.settings.width), np.float32)


def _codes(rows: NDArray[Any]) -> Ints:
    """Equal rows have equal codes."""
    known: dict[bytes, int] = {}
    return np.array([known.setdefault(row.tobytes(), len(known)) for row in rows], np.int64)
