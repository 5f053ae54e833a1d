"""What goes out: the probability that a showing is bought, from text, picture, offer, behaviour and customer.

Two learners read a showing: the network of :mod:`.fusion` and the boosted trees of :mod:`.trees`; both are given the
tastes and trends of :mod:`.tastes`. They are trained on a shop's showings before a moment; the last part of them by
time chooses when to stop and how the two are added up. Showings that were not bought are many and alike: a share of
them is learnt from, and the log-odds are moved back by the logarithm of that share.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from scipy.optimize import minimize
from torch import nn

from danggol.errors import DataError, UsageError
from danggol.metrics import auc
from danggol.progress import stage
from danggol.purchase.multimodal.frozen import OWN
from danggol.purchase.multimodal.fusion import Batch, Fusion, FusionSettings, Numbers, Shape
from danggol.purchase.multimodal.inputs import Inputs, Ints, Words, inputs
from danggol.purchase.multimodal.showings import Array
from danggol.purchase.multimodal.tastes import Taste, Tastes, plan
from danggol.purchase.multimodal.trees import MODALITIES, Columns, Trees, TreeSettings, columns
from danggol.purchase.samples import moment
from danggol.settings import Settings
from danggol.training import Checkpoint, Schedule, device_of, train

if TYPE_CHECKING:
    from danggol.purchase.model import When
    from danggol.shop import Shop

Floats = NDArray[np.float64]
_CHUNK = 2048
_ENCODER = "^(own|hf:.+)$"
_PRIOR = 50.0
"""Bought rows that the prior of the learners' weights counts as."""
_AUXILIARY = 0.3
"""Weight of the losses of views and looks beside that of purchases."""


class MultimodalSettings(Settings):
    """Settings of the cross-modal model; those of its parts under their own names."""

    learners: Literal["both", "trees", "network"] = Field(default="both", description="what is trained and added up")
    network: FusionSettings = FusionSettings()
    trees: TreeSettings = TreeSettings()
    schedule: Schedule = Schedule(epochs=3, batch_size=512, learning_rate=2e-3, patience=2)
    text: str = Field(
        default=OWN, pattern=_ENCODER, description="what reads titles for the network: own subwords, or hf:NAME"
    )
    image: str = Field(
        default=OWN, pattern=_ENCODER, description="what reads pictures for the network: own regions, or hf:NAME"
    )
    pretraining_epochs: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="passes of the network over titles and pictures without labels, beforehand",
    )
    only: tuple[str, ...] = Field(default=MODALITIES, description="modalities that are looked at")
    quiet_rows: float = Field(default=30, gt=0, description="showings not bought that are learnt from, for each bought")
    network_rows: int = Field(default=60_000, ge=100, description="rows that the network learns from, at most")
    held_out: float = Field(
        default=0.15, gt=0, lt=0.9, description="last share of showings, which chooses when to stop and the weights"
    )


@dataclass(frozen=True)
class Reading:
    """Some rows of showings with all that the learners read of them."""

    data: Inputs
    rows: Ints
    """(n,) places among the showings"""
    effects: Array
    """(n, tastes)"""
    table: Columns
    """n rows"""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def label(self) -> NDArray[np.bool_]:
        """(n,) whether it was bought."""
        return self.data.label[self.rows]

    def part(self, chosen: NDArray[np.integer] | NDArray[np.bool_]) -> Reading:
        """Some of these rows."""
        return Reading(self.data, self.rows[chosen], self.effects[chosen], self.table.rows(chosen))

    def batch(self, places: Ints) -> Batch:
        """Tensors of some of these rows."""
        return self.data.batch(self.rows[places]) | {"tastes": torch.from_numpy(self.effects[places])}


class MultimodalModel:
    """Predicts whether a showing is bought; ``fit``, ``predict``, ``save``, ``load``."""

    def __init__(self, settings: MultimodalSettings | None = None) -> None:
        self.settings = settings or MultimodalSettings()
        unknown = [name for name in self.settings.only if name not in MODALITIES]
        if unknown:
            raise UsageError(f"there is no modality {unknown[0]!r}; there are {', '.join(MODALITIES)}")
        self.network: Fusion | None = None
        self.trees: Trees | None = None
        self.tastes: Tastes | None = None
        self.words: Words | None = None
        self.offset = 0.0
        self.weights = {"trees": 1.0, "network": 1.0, "base": 0.0}
        """How the learners' log-odds are added up."""
        self._foreign: MultimodalModel | None = None

    def fit(self, shop: Shop, until: When = None, checkpoint: Path | None = None) -> Self:
        """Learn from the showings before ``until``. DataError: no impressions are logged, or too few were bought."""
        at = moment(shop, until)
        return self.learn(self._inputs(shop, at, None, before=at), checkpoint)

    def learn(self, data: Inputs, checkpoint: Path | None = None) -> Self:
        """Learn from inputs that were made already; every row of them may be learnt from."""
        reading, early = self.learn_tastes(data)
        first, judged = reading.part(np.arange(early)), reading.part(np.arange(early, len(reading)))
        chosen, odds = self.settings, {}
        if chosen.learners != "network":
            odds["trees"] = self._learn_trees(reading, first, judged)
        if chosen.learners != "trees":
            self._learn_network(first, judged, checkpoint)
            odds["network"] = self._network_odds(judged)
        self.weights = _weights(odds, judged.label)
        return self

    def learn_tastes(self, data: Inputs) -> tuple[Reading, int]:
        """The first step of :meth:`learn`: tastes alone; the rows to learn from, and how many of them come first (the
        others are held out). DataError: too few were bought."""
        cut = int(len(data) * (1 - self.settings.held_out))
        bought = int(data.label.sum())
        if bought < 20 or not data.label[:cut].any():
            raise DataError(f"{bought} showings were bought, too few to learn from; log more, or wait")
        early, share = self._drawn(data, np.arange(cut))
        self.words, self.offset = data.words, math.log(share)
        with stage("tastes", 2) as under_way:
            self.tastes = Tastes.learn(data.showings, data.kinds, self.plans(), np.arange(cut))
            under_way.advance()
            reading = self.sample(data)
            under_way.advance()
        return reading, len(early)

    def finetune(self, shop: Shop, until: When = None, checkpoint: Path | None = None) -> Self:
        """A model for this shop that goes on from this one, which may have learnt from another shop or country.

        Words, kinds and countries stay those of this model; tastes are told anew from the shop's own showings, trees
        are added to this model's, and the network goes on from its weights at a third of the learning rate.
        """
        at = moment(shop, until)
        return self.tuned(self._inputs(shop, at, self._words(), before=at), checkpoint)

    def tuned(self, data: Inputs, checkpoint: Path | None = None) -> Self:
        """:meth:`finetune` on inputs that were made already, with this model's words."""
        schedule = self.settings.schedule
        slower = schedule.model_copy(update={"learning_rate": schedule.learning_rate / 3})
        tuned = type(self)(self.settings.model_copy(update={"schedule": slower}))
        tuned._foreign = self
        tuned.learn(data, checkpoint)
        tuned.settings, tuned._foreign = self.settings, None
        return tuned

    def plans(self) -> list[Taste]:
        """The tastes that are told, by the kinds that were learnt and the modalities that are looked at."""
        words, only = self._words(), set(self.settings.only)
        return [taste for taste in plan([*words.kinds.text, "title"], words.kinds.image) if set(taste.needs) <= only]

    def read(self, data: Inputs, rows: Ints | None = None) -> Reading:
        """Everything that is read of some rows (all of them if not said); predicting from it again costs little."""
        if self.tastes is None:
            raise UsageError("the cross-modal model is not fitted; call fit(shop) first")
        chosen, plans = np.arange(len(data)) if rows is None else rows, self.plans()
        effects = self.tastes.of(data.showings, data.kinds, plans, chosen)
        table = columns(data, chosen, effects, plans).only(frozenset(self.settings.only))
        return Reading(data, chosen, effects, table)

    def sample(self, data: Inputs) -> Reading:
        """The rows that :meth:`learn` learns from, with all that is read of them."""
        cut = int(len(data) * (1 - self.settings.held_out))
        early, share = self._drawn(data, np.arange(cut))
        late, _ = self._drawn(data, np.arange(cut, len(data)), share)
        return self.read(data, np.concatenate([early, late]))

    def predict(self, given: Inputs | Reading, hide: Sequence[str] = ()) -> Floats:
        """Probability (rows,) that each showing is bought; modalities in ``hide`` are not looked at."""
        odds = self.log_odds(given, hide) + self.offset
        probability: Floats = 1 / (1 + np.exp(-odds))
        return probability

    def log_odds(self, given: Inputs | Reading, hide: Sequence[str] = ()) -> Floats:
        """Log-odds (rows,) among rows like those learnt from; for ranking and for explaining."""
        unknown = [name for name in hide if name not in MODALITIES]
        if unknown:
            raise UsageError(f"there is no modality {unknown[0]!r} to hide; there are {', '.join(MODALITIES)}")
        reading = given if isinstance(given, Reading) else self.read(given)
        odds = np.full(len(reading), self.weights["base"])
        if self.trees is not None:
            odds += self.weights["trees"] * self.trees.log_odds(reading.table, hide)
        if self.network is not None:
            odds += self.weights["network"] * self._network_odds(reading, hide)
        return odds

    def inputs(self, shop: Shop, until: When = None) -> Inputs:
        """A shop's showings before ``until``, coded with this model's words."""
        return self._inputs(shop, moment(shop, until), self._words())

    def _inputs(self, shop: Shop, until: int | None, words: Words | None, before: int | None = None) -> Inputs:
        return inputs(shop, until, words, before, self.settings.text, self.settings.image)

    def _learn_trees(self, reading: Reading, first: Reading, judged: Reading) -> Floats:
        """Choose the number of trees on the last rows, give their log-odds, and learn again from all."""
        settings, seed = self.settings.trees, self.settings.schedule.seed
        start = None if self._foreign is None else self._foreign.trees
        with stage("trees", 2) as under_way:
            held = (judged.table, judged.label)
            tried = Trees.learn(first.table, first.label, settings, held, seed, robust=False, start=start)
            odds = tried.log_odds(judged.table)
            under_way.advance()
            fresh = tried.rounds - (0 if start is None else start.rounds)
            rounds = settings.model_copy(update={"rounds": max(1, fresh)})
            self.trees = Trees.learn(reading.table, reading.label, rounds, None, seed, start=start)
            under_way.advance()
        return odds

    def _learn_network(self, first: Reading, judged: Reading, checkpoint: Path | None) -> None:
        chosen = self.settings
        if len(first) > chosen.network_rows:
            draw = np.random.default_rng([chosen.schedule.seed, chosen.network_rows])
            first = first.part(np.sort(draw.choice(len(first), chosen.network_rows, replace=False)))
        device = device_of(chosen.schedule.device)
        torch.manual_seed(chosen.schedule.seed)
        network = Fusion(self._shape(first.data), chosen.network, self._of_network(chosen.only)).to(device)
        self.network = network
        if self._foreign is not None and self._foreign.network is not None:
            network.load_state_dict(self._foreign.network.state_dict())
        else:
            self._pretrain(network, first.data, checkpoint)
            _set_edges(network, first)
            rate = (float(first.label.sum()) + 0.5) / (len(first) + 1)
            network.base.data[0] = math.log(rate / (1 - rate))
        wanted = torch.from_numpy(_targets(first))

        def loss(places: Ints) -> torch.Tensor:
            told = network.foretell({name: values.to(device) for name, values in first.batch(places).items()})
            return _loss(told, wanted[places].to(device))

        def score() -> float:
            return _auc(self._network_odds(judged), judged.label)

        kept = None if checkpoint is None else Checkpoint(checkpoint, self._key(first))
        train(network, loss, len(first), chosen.schedule, score=score, checkpoint=kept, name="fusion")

    def _pretrain(self, network: Fusion, data: Inputs, checkpoint: Path | None) -> None:
        from danggol.purchase.multimodal.pretrain import pretrain

        if not self.settings.pretraining_epochs:
            return
        folder = None if checkpoint is None else checkpoint.with_name(f"{checkpoint.name}-pretraining")
        # towers that have learnt titles and pictures alone are slow to see the other tokens: they start anew
        start = {name: values.clone() for name, values in network.state_dict().items() if "tokens." not in name}
        pretrain(network, data, self.settings.pretraining_epochs, self.settings.schedule, folder)
        network.load_state_dict(start, strict=False)

    def _network_odds(self, reading: Reading, hide: Sequence[str] = ()) -> Floats:
        assert self.network is not None
        network, device = self.network.eval(), self.network.base.device
        hidden, found = frozenset(self._of_network(hide)), [np.zeros(0)]
        with torch.no_grad():
            for part in _chunks(len(reading)):
                batch = {name: values.to(device) for name, values in reading.batch(part).items()}
                found.append(network(batch, hidden).double().cpu().numpy())
        return np.concatenate(found)

    def _shape(self, data: Inputs) -> Shape:
        tastes: dict[str, list[list[str]]] = {}
        for taste in self.plans():
            tastes.setdefault(taste.subject, []).append(list(taste.needs))
        return data.shape().model_copy(update={"tastes": tastes})

    @staticmethod
    def _of_network(modalities: Sequence[str]) -> tuple[str, ...]:
        """The network reads a person's events apart from the counts of behaviour."""
        return (*modalities, *(["events"] if "behaviour" in modalities else []))

    def _drawn(self, data: Inputs, rows: Ints, share: float | None = None) -> tuple[Ints, float]:
        """All rows that were bought and a share of the others (by the settings if not said); and that share."""
        bought = data.label[rows]
        if share is None:
            share = min(1.0, self.settings.quiet_rows * max(int(bought.sum()), 1) / max(int((~bought).sum()), 1))
        draw = np.random.default_rng([self.settings.schedule.seed, len(rows)])
        return rows[bought | (draw.random(len(rows)) < share)], share

    def _key(self, first: Reading) -> str:
        said = f"{len(first.data)} {len(first)} {int(first.rows.sum())}"
        return f"{self.settings.model_dump_json()} {said} {self._shape(first.data).model_dump_json()}"

    def _words(self) -> Words:
        if self.words is None:
            raise UsageError("the cross-modal model is not fitted; call fit(shop) first")
        return self.words

    def save(self, folder: str | Path) -> Path:
        """Save as plain files, taking the place of a model that is there."""
        from danggol.purchase.multimodal.saved import save

        return save(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Load a saved model; DataError where it is damaged or of a newer format, UsageError where there is none."""
        from danggol.purchase.multimodal.saved import load

        return load(cls, Path(folder))


def _set_edges(network: Fusion, first: Reading) -> None:
    """Quantiles of the training rows' numbers."""
    for name, numbers in network.tokens.features.items():
        values = first.effects if name == "tastes" else getattr(first.data.showings, name)[first.rows]
        assert isinstance(numbers, Numbers)
        with np.errstate(all="ignore"):
            shares = np.linspace(0, 1, numbers.edges.shape[1])
            edges = np.nanquantile(values, shares, axis=0).T if len(values) else np.zeros(numbers.edges.shape)
        numbers.edges.copy_(torch.from_numpy(np.nan_to_num(edges).astype(np.float32)))


def _targets(reading: Reading) -> Array:
    """(n, 3): bought, viewed, and log seconds in standard deviations, nan where they are not known."""
    outcome = reading.data.showings.outcome[reading.rows]
    seconds = np.log(np.maximum(outcome[:, 2], 1e-3))
    spread = float(np.nanstd(seconds)) if np.isfinite(seconds).sum() > 1 else 0.0
    standard = (seconds - np.nanmean(seconds)) / spread if spread > 0 else np.full(len(seconds), np.nan)
    return np.column_stack([reading.label, outcome[:, 1], standard]).astype(np.float32)


def _loss(told: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    entropy = nn.functional.binary_cross_entropy_with_logits
    looked = ~torch.isnan(wanted[:, 2])
    away = torch.where(looked, told[:, 2] - torch.nan_to_num(wanted[:, 2]), 0.0)
    also = entropy(told[:, 1], wanted[:, 1]) + away.square().mean()
    return entropy(told[:, 0], wanted[:, 0]) + _AUXILIARY * also


def _weights(odds: dict[str, Floats], label: NDArray[np.bool_]) -> dict[str, float]:
    """Weights of the learners' log-odds, by the likelihood of the held-out rows and a prior that trusts the first.

    Weights lie between 0 and 1; the prior counts as much as :data:`_PRIOR` rows that were bought.
    """
    names = list(odds)
    first = dict.fromkeys(names, 0.0) | dict.fromkeys(names[:1], 1.0) | {"base": 0.0}
    if len(odds) < 2 or not 0 < label.sum() < len(label):
        return first
    values = np.column_stack([np.ones(len(label)), *odds.values()])
    start = np.array([first["base"], *(first[name] for name in names)])
    prior = _PRIOR * float(label.mean()) / max(float(label.sum()), 1.0)

    def loss(weight: Floats) -> tuple[float, Floats]:
        total, away = values @ weight, weight - start
        gradient = values.T @ (1 / (1 + np.exp(-total)) - label) / len(label) + prior * away
        return float(np.mean(np.logaddexp(0, total) - label * total) + prior * (away @ away) / 2), gradient

    bounds = [(-1, 1), *[(0, 1)] * len(names)]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return dict(zip(["base", *names], found.tolist(), strict=True))


def _chunks(rows: int) -> Iterator[Ints]:
    for start in range(0, rows, _CHUNK):
        yield np.arange(start, min(start + _CHUNK, rows))


def _auc(score: Floats, label: NDArray[np.bool_]) -> float:
    """AUC, or one half where only one outcome is there."""
    return float(auc(score, label)) if 0 < label.sum() < len(label) else 0.5
