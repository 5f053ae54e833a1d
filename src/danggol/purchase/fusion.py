"""The cross-modal transformer: one readable module, whose settings give the families of the literature.

A row is a person before a listing: subword tokens of its text, regions of its picture, the person's latest events, and
one token a feature (offer, behaviour, customer). Every token is a vector of ``width`` plus the embedding of its
modality and, for text, picture and events, of its position. ``family`` says how modalities meet:

- ``single``: one transformer over [CLS] and all tokens (MMBT: Kiela et al. 2019; ViLT: Kim, Son & Kim 2021)
- ``towers``: a transformer over the person's tokens and one over the listing's, a scaled dot product between (CLIP:
  Radford et al. 2021); the towers also retrieve candidates
- ``late``: a transformer a modality, whose log-odds are added up

Modality dropout hides whole modalities of a row while training, so that a missing one degrades gracefully. A modality
that is hidden or missing is masked out of attention, never replaced by zeros.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from danggol.settings import Settings

MODALITIES = ("text", "image", "events", "offer", "behaviour", "customer")
"""Every modality, in the order of its embedding. The last three are features, one token each."""
PERSON = ("events", "behaviour", "customer")
"""What the person's tower sees; the listing's sees the others."""
Batch = dict[str, Tensor]
"""``text`` (rows, tokens) ids; ``image`` (rows, regions, pixels); ``events`` (rows, events, channels) of ids;
``offer``, ``behaviour``, ``customer`` (rows, features), nan where missing. A modality may be absent."""


class FusionSettings(Settings):
    """The shape of the network."""

    family: Literal["single", "towers", "late"] = "single"
    width: int = Field(default=48, ge=8, le=1024, description="numbers of a token")
    heads: int = Field(default=4, ge=1, le=16, description="of attention; divides the width")
    layers: int = Field(default=2, ge=1, le=24, description="of a transformer")
    dropout: float = Field(default=0.1, ge=0, lt=1, description="in the transformer")
    modality_dropout: float = Field(default=0.15, ge=0, lt=1, description="chance that a modality is hidden in a row")
    bins: int = Field(default=16, ge=2, le=256, description="pieces of the line that embeds a number")


class Shape(Settings):
    """What the data look like; 0 where a modality is absent."""

    vocabulary: int = 0
    text_tokens: int = 0
    regions: int = 0
    pixels: int = 0
    events: int = 0
    event_sizes: list[int] = Field(default_factory=list, description="number of ids of each channel of an event")
    offer: int = 0
    behaviour: int = 0
    customer: int = 0

    def present(self) -> tuple[str, ...]:
        """The modalities that there are."""
        there = {
            "text": self.text_tokens,
            "image": self.regions,
            "events": self.events,
            "offer": self.offer,
            "behaviour": self.behaviour,
            "customer": self.customer,
        }
        return tuple(name for name in MODALITIES if there[name])


class Numbers(nn.Module):
    """One token a number: piecewise-linear over its quantiles, then linear (Gorishniy et al., NeurIPS 2022).

    ``edges`` (features, bins + 1) are the quantiles on the training rows. Missing has a vector of its own.
    """

    edges: Tensor

    def __init__(self, features: int, bins: int, width: int) -> None:
        super().__init__()
        self.register_buffer("edges", torch.zeros(features, bins + 1))
        self.weight = nn.Parameter(torch.randn(features, bins, width) * bins**-0.5)
        self.bias = nn.Parameter(torch.randn(features, width) * 0.02)
        self.missing = nn.Parameter(torch.randn(features, width) * 0.02)

    def forward(self, values: Tensor) -> Tensor:
        """(rows, features) to (rows, features, width)."""
        low, high = self.edges[:, :-1], self.edges[:, 1:]
        known = torch.nan_to_num(values)[:, :, None]
        piece = ((known - low) / (high - low).clamp_min(1e-6)).clamp(0, 1)
        # a quantile that repeats is a step: it is passed or not
        piece = torch.where(high - low > 1e-6, piece, (known >= high).to(piece.dtype))
        token = torch.einsum("nfb,fbw->nfw", piece, self.weight) + self.bias
        return torch.where(torch.isnan(values)[:, :, None], self.missing.expand_as(token), token)


class Tokens(nn.Module):
    """Turns a batch into tokens of each modality, and says which are there."""

    def __init__(self, shape: Shape, settings: FusionSettings) -> None:
        super().__init__()
        self.shape, width = shape, settings.width
        self.kind = nn.Embedding(len(MODALITIES), width)
        if shape.text_tokens:
            self.words = nn.Embedding(shape.vocabulary, width, padding_idx=0)
            self.text_place = nn.Parameter(torch.randn(shape.text_tokens, width) * 0.02)
        if shape.regions:
            self.region = nn.Sequential(nn.Linear(shape.pixels, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
            self.image_place = nn.Parameter(torch.randn(shape.regions, width) * 0.02)
        if shape.events:
            self.channels = nn.ModuleList([nn.Embedding(size, width, padding_idx=0) for size in shape.event_sizes])
            self.event_place = nn.Parameter(torch.randn(shape.events, width) * 0.02)
        features = {name: getattr(shape, name) for name in ("offer", "behaviour", "customer") if getattr(shape, name)}
        self.features = nn.ModuleDict({name: Numbers(size, settings.bins, width) for name, size in features.items()})

    def forward(self, batch: Batch) -> dict[str, tuple[Tensor, Tensor]]:
        """Modality to its tokens (rows, tokens, width) and which are there (rows, tokens)."""
        found: dict[str, tuple[Tensor, Tensor]] = {}
        for place, name in enumerate(MODALITIES):
            if name in batch and name in self.shape.present():
                tokens, there = getattr(self, f"_{name}", lambda values, n=name: self._numbers(n, values))(batch[name])
                found[name] = (tokens + self.kind.weight[place], there)
        return found

    def _text(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        return self.words(ids) + self.text_place[: ids.shape[1]], ids != 0

    def _image(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        there = ~torch.isnan(pixels).any(dim=2)
        return self.region(torch.nan_to_num(pixels)) + self.image_place, there

    def _events(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.event_place[: ids.shape[1]].expand(ids.shape[0], -1, -1)
        for channel, table in enumerate(self.channels):
            tokens = tokens + table(ids[:, :, channel])
        return tokens, ids[:, :, 0] != 0

    def _numbers(self, name: str, values: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.features[name](values)
        return tokens, torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)


class Tower(nn.Module):
    """A transformer over tokens with a [CLS] of its own, pre-norm; gives the [CLS] (rows, width)."""

    def __init__(self, settings: FusionSettings) -> None:
        super().__init__()
        width = settings.width
        self.cls = nn.Parameter(torch.randn(width) * 0.02)
        layer = nn.TransformerEncoderLayer(
            width, settings.heads, 3 * width, settings.dropout, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, settings.layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, there: Tensor) -> Tensor:
        """Read the tokens that are there."""
        rows = tokens.shape[0]
        tokens = torch.cat([self.cls.expand(rows, 1, -1), tokens], dim=1)
        hidden = torch.cat([there.new_zeros(rows, 1), ~there], dim=1)
        read: Tensor = self.norm(self.layers(tokens, src_key_padding_mask=hidden)[:, 0])
        return read


class Fusion(nn.Module):
    """Log-odds that the row's person buys its listing; ``only`` leaves modalities out for good."""

    def __init__(self, shape: Shape, settings: FusionSettings, only: tuple[str, ...] | None = None) -> None:
        super().__init__()
        self.settings, self.shape = settings, shape
        self.modalities = tuple(name for name in shape.present() if only is None or name in only)
        self.tokens = Tokens(shape, settings)
        parts = {"single": ("all",), "towers": ("person", "listing"), "late": self.modalities}[settings.family]
        self.towers = nn.ModuleDict({name: Tower(settings) for name in parts})
        self.heads = nn.ModuleDict({name: nn.Linear(settings.width, 1) for name in parts})
        self.scale = nn.Parameter(torch.tensor(1.0))
        self.base = nn.Parameter(torch.tensor(0.0))

    def forward(self, batch: Batch, hide: frozenset[str] = frozenset()) -> Tensor:
        """Log-odds (rows,); modalities in ``hide`` are not looked at."""
        kept = {name: batch[name] for name in self.modalities if name in batch and name not in hide}
        found = self._dropped(self.tokens(kept))
        if self.settings.family == "late":
            parts = [self._read(name, found, (name,)) for name in found]
            summed: Tensor = self.base + torch.stack(parts).sum(dim=0) if parts else self.base.expand(_rows(batch))
            return summed
        if self.settings.family == "towers":
            person, listing = (self.embed(found, side, _rows(batch)) for side in ("person", "listing"))
            meeting = (nn.functional.normalize(person, dim=1) * nn.functional.normalize(listing, dim=1)).sum(dim=1)
            own = self.heads["person"](person)[:, 0] + self.heads["listing"](listing)[:, 0]
            met: Tensor = self.base + self.scale.exp() * meeting + own
            return met
        return self.base + self._read("all", found, tuple(found), _rows(batch))

    def embed(self, found: dict[str, tuple[Tensor, Tensor]], side: str, rows: int) -> Tensor:
        """The vector (rows, width) of the ``person`` or the ``listing`` (towers only)."""
        names = [name for name in found if (name in PERSON) == (side == "person")]
        read: Tensor = self.towers[side](*self._joined(found, tuple(names), rows))
        return read

    def _read(
        self, part: str, found: dict[str, tuple[Tensor, Tensor]], names: tuple[str, ...], rows: int = 0
    ) -> Tensor:
        vector = self.towers[part](*self._joined(found, names, rows))
        log_odds: Tensor = self.heads[part](vector)[:, 0]
        return log_odds

    def _joined(
        self, found: dict[str, tuple[Tensor, Tensor]], names: tuple[str, ...], rows: int
    ) -> tuple[Tensor, Tensor]:
        if not names:
            empty = self.base.new_zeros(rows, 0, self.settings.width)
            return empty, torch.zeros(rows, 0, dtype=torch.bool, device=empty.device)
        return torch.cat([found[name][0] for name in names], 1), torch.cat([found[name][1] for name in names], 1)

    def _dropped(self, found: dict[str, tuple[Tensor, Tensor]]) -> dict[str, tuple[Tensor, Tensor]]:
        """While training, hide modalities of rows at random."""
        chance = self.settings.modality_dropout
        if not self.training or chance == 0 or len(found) < 2:
            return found
        rows = next(iter(found.values()))[1].shape[0]
        hidden = torch.rand(rows, len(found)) < chance
        # never all of them
        hidden &= ~hidden.all(dim=1, keepdim=True)
        return {
            name: (tokens, there & ~hidden[:, [place]].to(there.device))
            for place, (name, (tokens, there)) in enumerate(found.items())
        }


def _rows(batch: Batch) -> int:
    return int(next(iter(batch.values())).shape[0])
