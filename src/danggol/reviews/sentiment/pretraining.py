"""What networks can learn before they see a label of the shop: subwords, their vectors, and related reviews.

Texts without labels give the vocabulary and the vectors. Labelled texts of another kind (film comments, where the shop
sells clothes) train the network first; the shop's own labels then train it on. One such start serves many models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from danggol.encoders.text import Vocabulary
from danggol.progress import stage
from danggol.reviews.sentiment.networks import TextNetwork
from danggol.reviews.sentiment.rows import Rows, shares_of
from danggol.reviews.sentiment.settings import SentimentSettings
from danggol.reviews.sentiment.vectors import token_vectors
from danggol.reviews.text import Text, cleaned, readable
from danggol.training import Schedule, device_of, train

Tokens = NDArray[np.uint16]
_CHUNK = 20_000
_SCALE = 0.3
"""Mean size of a vector's numbers where training starts."""
_SAME = 4
"""Parts of a batch of like length, so that short texts are not filled up to the longest."""
_BATCH, _RATE = 256, 3e-3


@dataclass(frozen=True)
class Pretrained:
    """A start for networks; see :func:`pretrain`."""

    vocabulary: Vocabulary
    vectors: NDArray[np.float32]
    """(subwords, width)"""
    bodies: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)
    """The weights of networks that related reviews have trained, by kind."""

    @classmethod
    def of_texts(cls, texts: Sequence[str], settings: SentimentSettings) -> Self:
        """Vocabulary and vectors of cleaned texts."""
        with stage("vocabulary"):
            vocabulary = Vocabulary.learn(texts, settings.vocabulary)
            tokens = tokens_of(texts, vocabulary, settings.length)
            vectors = token_vectors(tokens.astype(np.int64), len(vocabulary), settings.width, seed=settings.seed)
        return cls(vocabulary, vectors * np.float32(_SCALE))

    def network(self, kind: str, classes: int, settings: SentimentSettings, seed: int) -> TextNetwork:
        """A network to train; where related reviews trained one with as many classes, a copy of it."""
        torch.manual_seed(seed)
        found = TextNetwork(len(self.vocabulary), classes, settings, kind)
        with torch.no_grad():
            known = torch.from_numpy(self.vectors)
            blank = (known == 0).all(dim=1)
            found.embedding.weight[~blank] = known[~blank]
        held = self.bodies.get(kind, {})
        fits = {name: value for name, value in held.items() if found.state_dict()[name].shape == value.shape}
        found.load_state_dict(fits, strict=False)
        return found


def pretrain(
    texts: Sequence[Text],
    settings: SentimentSettings,
    related: tuple[Sequence[Text], ArrayLike] | None = None,
    kinds: Sequence[str] = ("cnn",),
    passes: int = 1,
) -> Pretrained:
    """A start from texts without labels, and from ``related`` texts with labels of the same target.

    Of the related texts as many of each side are learnt from as the smaller side has; they train one network of each of
    ``kinds``, ``passes`` times over.
    """
    clean = [text for text in cleaned(texts, settings.longest) if text]
    rows = _balanced(related, settings) if related is not None else None
    if rows is None:
        return Pretrained.of_texts(clean, settings)
    start = Pretrained.of_texts([*clean, *rows.texts], settings)
    tokens = tokens_of(rows.texts, start.vocabulary, settings.length)
    bodies = {}
    for kind in kinds:
        network = start.network(kind, rows.shares.shape[1], settings, settings.seed)
        fit_network(
            network, tokens, rows, schedule_of(settings, settings.seed, passes, _BATCH, _RATE), f"related {kind}"
        )
        bodies[kind] = {name: value.clone() for name, value in network.cpu().state_dict().items()}
    return replace(start, bodies=bodies)


def schedule_of(settings: SentimentSettings, seed: int, epochs: int, batch: int, rate: float) -> Schedule:
    """How a network is trained."""
    return Schedule(
        epochs=epochs, batch_size=batch, learning_rate=rate, patience=2, device=settings.device, seed=seed
    )  # fmt: skip


def fit_network(
    network: TextNetwork,
    tokens: Tokens,
    rows: Rows,
    schedule: Schedule,
    name: str,
    watched: tuple[Tokens, Rows] | None = None,
) -> None:
    """Train in place on rows; with ``watched`` rows, the epoch of the least log loss on them is kept."""
    device = device_of(schedule.device)
    network.to(device)
    shares = torch.from_numpy(rows.shares.astype(np.float32)).to(device)
    often = torch.from_numpy((rows.often / rows.often.mean()).astype(np.float32)).to(device)

    def loss(chosen: NDArray[np.int64]) -> Tensor:
        logs = torch.log_softmax(
            by_length(network, torch.from_numpy(tokens[chosen].astype(np.int64)).to(device)), dim=1
        )
        at = torch.from_numpy(chosen).to(device)
        return -(often[at, None] * shares[at] * logs).sum() / len(chosen)

    def score() -> float:
        held, told = watched or (tokens, rows)
        said = torch.log_softmax(torch.from_numpy(scores_of(network, held)), dim=1).numpy()
        return float((told.often[:, None] * told.shares * said).sum() / told.often.sum())

    train(network, loss, len(rows), schedule, score=None if watched is None else score, name=name)


def by_length(network: TextNetwork, tokens: Tensor) -> Tensor:
    """Scores (texts, classes) of tokens (texts, length), reading texts of like length together."""
    order = torch.argsort((tokens != 0).sum(dim=1))
    parts = []
    for part in order.chunk(_SAME):
        longest = max(int((tokens[part] != 0).sum(dim=1).max()), 1)
        parts.append(network(tokens[part, :longest]))
    return torch.cat(parts)[torch.argsort(order)]


def scores_of(network: TextNetwork, tokens: Tokens) -> NDArray[np.float64]:
    """Scores (texts, classes) in double precision."""
    network.eval()
    device = next(network.parameters()).device
    found = [np.zeros((0, network.head.out_features))]
    with torch.no_grad():
        for start in range(0, len(tokens), 1024):
            part = torch.from_numpy(tokens[start : start + 1024].astype(np.int64)).to(device)
            found.append(by_length(network, part).double().cpu().numpy())
    return np.concatenate(found)


def tokens_of(texts: Sequence[str], vocabulary: Vocabulary, length: int) -> Tokens:
    """Subwords (texts, length) of cleaned texts, zeros after the end."""
    starts = range(0, max(len(texts), 1), _CHUNK)
    return np.concatenate(
        [vocabulary.encode(texts[start : start + _CHUNK], length).astype(np.uint16) for start in starts]
    )


def _balanced(related: tuple[Sequence[Text], ArrayLike], settings: SentimentSettings) -> Rows:
    """As many displeased as pleased texts, drawn by the seed."""
    shares = shares_of(related[1], settings.target)
    clean = cleaned(related[0], settings.longest)
    says = np.array([readable(text) for text in clean], np.bool_) & ~np.isnan(shares[:, 0])
    half = shares.shape[1] // 2
    pleased = shares[:, -half:].sum(axis=1) > 0.5
    sides = [np.flatnonzero(says & pleased), np.flatnonzero(says & ~pleased)]
    fewest, rng = min(map(len, sides)), np.random.default_rng(settings.seed)
    chosen = np.sort(np.concatenate([rng.choice(side, fewest, replace=False) for side in sides]))
    return Rows(clean, shares, np.ones(len(clean))).part(chosen)
