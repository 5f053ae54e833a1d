"""The cross-modal transformer: one readable module, whose settings give the families of the literature.

A row is a person before a listing: subword tokens of its text, regions of its picture, the person's latest events, one
token a feature (offer, behaviour, customer), and one token for each subject of the tastes (person, listing, colour …).
Every token is a vector of ``width`` plus the embedding of its modality and, for text, picture and events, of its
position. ``family`` says how modalities meet:

- ``single``: one transformer over [CLS] and all tokens (MMBT: Kiela et al. 2019; ViLT: Kim, Son & Kim 2021)
- ``towers``: a transformer over the person's tokens and one over the listing's, a scaled dot product between (CLIP:
  Radford et al. 2021); the towers also retrieve candidates
- ``late``: a transformer a modality, whose log-odds are added up

Modality dropout hides whole modalities of a row while training, so that a missing one degrades gracefully. A modality
that is hidden or missing is masked out of attention, never replaced by zeros; a taste is hidden with any modality that
it needs. The last layer is asked for [CLS] alone. Besides buying, the network foretells whether the listing is opened
and how long it is looked at, which are told far more often (Ma et al., "Entire space multi-task model", SIGIR 2018).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from danggol.errors import UsageError
from danggol.settings import Settings

MODALITIES = ("text", "image", "events", "offer", "behaviour", "customer")
"""Every modality, in the order of its embedding. The last three are features, one token each."""
PERSON = ("events", "behaviour", "customer")
"""What the person's tower sees; the listing's sees the others."""
Batch = dict[str, Tensor]
"""``text`` (rows, tokens) ids, or (rows, tokens, states) of a frozen encoder; ``image`` (rows, regions, pixels or
states); ``events`` (rows, events, channels) of ids; ``offer``, ``behaviour``, ``customer``, ``tastes`` (rows,
features), nan where missing. A modality may be absent."""
TARGETS = ("bought", "viewed", "dwell")
"""What the network foretells: log-odds, log-odds, and log seconds in standard deviations."""


class FusionSettings(Settings):
    """The shape of the network."""

    family: Literal["single", "towers", "late"] = "single"
    width: int = Field(default=32, ge=8, le=1024, description="numbers of a token")
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
    text_states: int = Field(default=0, description="numbers of a text token of a frozen encoder; 0: own subwords")
    image_states: int = Field(default=0, description="numbers of a region of a frozen encoder; 0: own pixels")
    events: int = 0
    event_sizes: list[int] = Field(default_factory=list, description="number of ids of each channel of an event")
    offer: int = 0
    behaviour: int = 0
    customer: int = 0
    tastes: dict[str, list[list[str]]] = Field(
        default_factory=dict, description="of each subject: the modalities that each of its effects needs"
    )

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

    needed: Tensor
    subject: Tensor

    def __init__(self, shape: Shape, settings: FusionSettings) -> None:
        super().__init__()
        self.shape, width = shape, settings.width
        self.kind = nn.Embedding(len(MODALITIES), width)
        if shape.text_tokens:
            self.words = (
                _projection(shape.text_states, width)
                if shape.text_states
                else nn.Embedding(shape.vocabulary, width, padding_idx=0)
            )
            self.text_place = nn.Parameter(torch.randn(shape.text_tokens, width) * 0.02)
        if shape.regions:
            self.region = (
                _projection(shape.image_states, width)
                if shape.image_states
                else nn.Sequential(nn.Linear(shape.pixels, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
            )
            self.image_place = nn.Parameter(torch.randn(shape.regions, width) * 0.02)
        if shape.events:
            self.channels = nn.ModuleList([nn.Embedding(size, width, padding_idx=0) for size in shape.event_sizes])
            self.event_place = nn.Parameter(torch.randn(shape.events, width) * 0.02)
        features = {name: getattr(shape, name) for name in ("offer", "behaviour", "customer") if getattr(shape, name)}
        if effects := [need for needs in shape.tastes.values() for need in needs]:
            features["tastes"] = len(effects)
            needed = [[name in need for name in MODALITIES] for need in effects]
            self.register_buffer("needed", torch.tensor(needed), persistent=False)
            subject = [place for place, needs in enumerate(shape.tastes.values()) for _ in needs]
            self.register_buffer("subject", torch.tensor(subject), persistent=False)
            self.taste_place = nn.Parameter(torch.randn(len(shape.tastes), width) * 0.02)
        self.features = nn.ModuleDict({name: Numbers(size, settings.bins, width) for name, size in features.items()})

    def forward(self, batch: Batch, hidden: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
        """Modality to its tokens (rows, tokens, width) and which are there (rows, tokens).

        ``hidden`` (rows, modalities) says what is not looked at in a row; ``tastes`` come as another modality.
        """
        found: dict[str, tuple[Tensor, Tensor]] = {}
        for place, name in enumerate(MODALITIES):
            if name in batch and name in self.shape.present():
                tokens, there = getattr(self, f"_{name}", lambda values, n=name: self._numbers(n, values))(batch[name])
                found[name] = (tokens + self.kind.weight[place], there & ~hidden[:, [place]])
        if "tastes" in batch and self.shape.tastes:
            found["tastes"] = self._tastes(batch["tastes"], hidden)
        return found

    def _tastes(self, values: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """One token a subject: the sum of what its effects say."""
        lost = (hidden[:, None, :] & self.needed).any(dim=2) | torch.isnan(values)
        each = self.features["tastes"](values).masked_fill(lost[:, :, None], 0.0)
        rows, subjects = values.shape[0], len(self.shape.tastes)
        summed = each.new_zeros(rows, subjects, each.shape[2]).index_add(1, self.subject, each)
        told = torch.zeros(rows, subjects, device=values.device).index_add(1, self.subject, (~lost).float())
        return summed + self.taste_place, told > 0

    def _text(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        if self.shape.text_states:
            there = ~torch.isnan(ids).any(dim=2)
            return self.words(torch.nan_to_num(ids.float())) + self.text_place[: ids.shape[1]], there
        return self.words(ids) + self.text_place[: ids.shape[1]], ids != 0

    def _image(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        there = ~torch.isnan(pixels).any(dim=2)
        return self.region(torch.nan_to_num(pixels.float())) + self.image_place, there

    def _events(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.event_place[: ids.shape[1]].expand(ids.shape[0], -1, -1)
        for channel, table in enumerate(self.channels):
            tokens = tokens + table(ids[:, :, channel])
        return tokens, ids[:, :, 0] != 0

    def _numbers(self, name: str, values: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.features[name](values)
        return tokens, torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)


class Block(nn.Module):
    """A pre-norm transformer layer whose queries may be some of the tokens; keeps the attention when asked to."""

    def __init__(self, settings: FusionSettings) -> None:
        super().__init__()
        width = settings.width
        self.heads = settings.heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key_value, self.out = (nn.Linear(width, size) for size in (width, 2 * width, width))
        self.wide = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, tokens: Tensor, hidden: Tensor, first: int | None = None) -> tuple[Tensor, Tensor]:
        """The first ``first`` tokens after the layer (rows, first, width), and what the layer's queries attended to
        (rows, heads, first, tokens)."""
        normed = self.before(tokens)
        asked, stream = normed[:, :first], tokens[:, :first]
        query = self._split(self.query(asked))
        key, value = (self._split(part) for part in self.key_value(normed).chunk(2, dim=-1))
        weight = (query @ key.transpose(2, 3)) * query.shape[-1] ** -0.5
        weight = weight.masked_fill(hidden[:, None, None, :], -torch.inf).softmax(dim=-1)
        read = (weight @ value).transpose(1, 2).flatten(2)
        stream = stream + self.dropout(self.out(read))
        return stream + self.dropout(self.wide(self.between(stream))), weight

    def _split(self, values: Tensor) -> Tensor:
        rows, tokens, width = values.shape
        return values.view(rows, tokens, self.heads, width // self.heads).transpose(1, 2)


class Tower(nn.Module):
    """A transformer over tokens with a [CLS] of its own; gives the [CLS] (rows, width)."""

    def __init__(self, settings: FusionSettings) -> None:
        super().__init__()
        if settings.width % settings.heads:
            raise UsageError(f"heads ({settings.heads}) must divide width ({settings.width})")
        self.cls = nn.Parameter(torch.randn(settings.width) * 0.02)
        self.blocks = nn.ModuleList([Block(settings) for _ in range(settings.layers)])
        self.norm = nn.LayerNorm(settings.width)

    def forward(self, tokens: Tensor, there: Tensor) -> Tensor:
        """Read the tokens that are there."""
        return self.read(tokens, there)[0]

    def read(self, tokens: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
        """The [CLS] (rows, width), and what it attended to in the last layer (rows, heads, 1 + tokens)."""
        states, attention = self._through(tokens, there, 1)
        return states[:, 0], attention[:, :, 0]

    def states(self, tokens: Tensor, there: Tensor) -> Tensor:
        """[CLS] and every token after the last layer (rows, 1 + tokens, width)."""
        return self._through(tokens, there, None)[0]

    def _through(self, tokens: Tensor, there: Tensor, asked: int | None) -> tuple[Tensor, Tensor]:
        """The first ``asked`` tokens after the last layer, [CLS] first, and what they attended to in it."""
        rows = tokens.shape[0]
        tokens = torch.cat([self.cls.expand(rows, 1, -1), tokens], dim=1)
        hidden = torch.cat([there.new_zeros(rows, 1), ~there], dim=1)
        attention = tokens.new_zeros(0)
        for nth, block in enumerate(self.blocks):
            tokens, attention = block(tokens, hidden, asked if nth == len(self.blocks) - 1 else None)
        return self.norm(tokens), attention


class Fusion(nn.Module):
    """Log-odds that the row's person buys its listing; ``only`` leaves modalities out for good."""

    def __init__(self, shape: Shape, settings: FusionSettings, only: Sequence[str] | None = None) -> None:
        super().__init__()
        self.settings, self.shape = settings, shape
        self.modalities = tuple(name for name in shape.present() if only is None or name in only)
        self.tokens = Tokens(shape, settings)
        parts = {
            "single": ("all",),
            "towers": ("person", "listing"),
            "late": (*self.modalities, *(["tastes"] if shape.tastes else [])),
        }[settings.family]
        self.towers = nn.ModuleDict({name: Tower(settings) for name in parts})
        self.heads = nn.ModuleDict({name: nn.Linear(settings.width, len(TARGETS)) for name in parts})
        self.scale = nn.Parameter(torch.tensor(1.0))
        self.base = nn.Parameter(torch.zeros(len(TARGETS)))

    def forward(self, batch: Batch, hide: frozenset[str] = frozenset()) -> Tensor:
        """Log-odds of buying (rows,); modalities in ``hide`` are not looked at."""
        return self.foretell(batch, hide)[:, 0]

    def foretell(self, batch: Batch, hide: frozenset[str] = frozenset()) -> Tensor:
        """All targets (rows, 3), in the order of :data:`TARGETS`."""
        return self.of_tokens(self.read_tokens(batch, hide), _rows(batch))

    def of_tokens(self, found: dict[str, tuple[Tensor, Tensor]], rows: int) -> Tensor:
        """All targets (rows, 3) from what :meth:`read_tokens` gave."""
        if self.settings.family == "late":
            parts = [self._read(name, found, (name,), rows) for name in found]
            summed: Tensor = self.base + torch.stack(parts).sum(dim=0) if parts else self.base.expand(rows, -1)
            return summed
        if self.settings.family == "towers":
            person, listing = (self.embed(found, side, rows) for side in ("person", "listing"))
            meeting = (nn.functional.normalize(person, dim=1) * nn.functional.normalize(listing, dim=1)).sum(dim=1)
            own = self.heads["person"](person) + self.heads["listing"](listing)
            met: Tensor = self.base + self.scale.exp() * meeting[:, None] + own
            return met
        return self.base + self._read("all", found, tuple(found), rows)

    def read_tokens(self, batch: Batch, hide: frozenset[str] = frozenset()) -> dict[str, tuple[Tensor, Tensor]]:
        """The tokens of each modality that is looked at, and which of them are there."""
        shown = [name for name in self.modalities if name in batch and name not in hide]
        # a taste is of a person and a listing: towers, which must not see each other, do without
        extra = () if self.settings.family == "towers" else ("tastes",)
        kept = {name: batch[name] for name in (*shown, *extra) if name in batch}
        hidden = torch.tensor([name not in shown for name in MODALITIES], device=self.base.device)
        found: dict[str, tuple[Tensor, Tensor]] = self.tokens(
            kept, hidden.expand(_rows(batch), -1) | self._dropped(_rows(batch), shown)
        )
        return found

    def attended(self, found: dict[str, tuple[Tensor, Tensor]], rows: int) -> Tensor:
        """What [CLS] attended to in the last layer (rows, heads, 1 + tokens), itself first (single stream only)."""
        tower = self.towers["all"]
        assert isinstance(tower, Tower)
        return tower.read(*self.joined(found, tuple(found), rows))[1]

    def embed(self, found: dict[str, tuple[Tensor, Tensor]], side: str, rows: int) -> Tensor:
        """The vector (rows, width) of the ``person`` or the ``listing`` (towers only)."""
        names = [name for name in found if (name in PERSON) == (side == "person")]
        read: Tensor = self.towers[side](*self.joined(found, names, rows))
        return read

    def _read(self, part: str, found: dict[str, tuple[Tensor, Tensor]], names: Sequence[str], rows: int) -> Tensor:
        told: Tensor = self.heads[part](self.towers[part](*self.joined(found, names, rows)))
        return told

    def joined(self, found: dict[str, tuple[Tensor, Tensor]], names: Sequence[str], rows: int) -> tuple[Tensor, Tensor]:
        """The tokens of some modalities in a row, and which are there."""
        if not names:
            empty = self.base.new_zeros(rows, 0, self.settings.width)
            return empty, torch.zeros(rows, 0, dtype=torch.bool, device=empty.device)
        return torch.cat([found[name][0] for name in names], 1), torch.cat([found[name][1] for name in names], 1)

    def _dropped(self, rows: int, shown: Sequence[str]) -> Tensor:
        """While training, modalities of rows hidden at random (rows, modalities), never all that are shown."""
        hidden = torch.zeros(rows, len(MODALITIES), dtype=torch.bool, device=self.base.device)
        chance = self.settings.modality_dropout
        if not self.training or chance == 0 or len(shown) < 2:
            return hidden
        drawn = torch.rand(rows, len(shown)) < chance
        drawn &= ~drawn.all(dim=1, keepdim=True)
        hidden[:, [MODALITIES.index(name) for name in shown]] = drawn.to(hidden.device)
        return hidden


def _projection(states: int, width: int) -> nn.Sequential:
    """States of a frozen encoder, set to one scale, to the network's width."""
    return nn.Sequential(nn.LayerNorm(states), nn.Linear(states, width))


def _rows(batch: Batch) -> int:
    return int(next(iter(batch.values())).shape[0])
