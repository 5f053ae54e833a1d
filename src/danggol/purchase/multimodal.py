"""What goes out: the probability that a showing is bought, from text, picture, events, offer, behaviour and customer.

The network of :mod:`danggol.purchase.fusion`, trained on a shop's showings before a moment; the last part of them by
time chooses when to stop. Showings that were not bought are many and alike: a share of them is learnt from, and the
log-odds are moved back by the logarithm of that share.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import nn

from danggol.encoders.text import Vocabulary
from danggol.errors import DataError, UsageError
from danggol.metrics import auc
from danggol.purchase.fusion import MODALITIES, Fusion, FusionSettings, Numbers, Shape
from danggol.purchase.modalities import Inputs, Ints, Words, inputs
from danggol.purchase.samples import moment
from danggol.settings import Settings
from danggol.training import Checkpoint, Schedule, device_of, train

if TYPE_CHECKING:
    from danggol.purchase.model import When
    from danggol.shop import Shop

FORMAT = 1
_CONFIG, _WEIGHTS, _VOCABULARY = "config.json", "weights.safetensors", "vocabulary.json"
_CHUNK = 2048


class MultimodalSettings(Settings):
    """Settings of the cross-modal model; those of the network and of training under their own names."""

    network: FusionSettings = FusionSettings()
    schedule: Schedule = Schedule(epochs=6, batch_size=256, learning_rate=2e-3, patience=2)
    only: tuple[str, ...] = Field(default=MODALITIES, description="modalities that are looked at")
    quiet_rows: float = Field(default=12, gt=0, description="showings not bought that are learnt from, for each bought")
    held_out: float = Field(
        default=0.15, gt=0, lt=0.9, description="last share of showings, which chooses when to stop"
    )


class MultimodalModel:
    """Predicts whether a showing is bought; ``fit``, ``predict``, ``save``, ``load``."""

    def __init__(self, settings: MultimodalSettings | None = None) -> None:
        self.settings = settings or MultimodalSettings()
        unknown = [name for name in self.settings.only if name not in MODALITIES]
        if unknown:
            raise UsageError(f"there is no modality {unknown[0]!r}; there are {', '.join(MODALITIES)}")
        self.network: Fusion | None = None
        self.words: Words | None = None
        self.offset = 0.0

    def fit(self, shop: Shop, until: When = None, checkpoint: Path | None = None) -> Self:
        """Learn from the showings before ``until``. DataError: no impressions are logged, or too few were bought."""
        at = moment(shop, until)
        return self.learn(inputs(shop, at, before=at), checkpoint)

    def learn(self, data: Inputs, checkpoint: Path | None = None) -> Self:
        """Learn from inputs that were made already; every row of them may be learnt from."""
        bought = np.flatnonzero(data.label)
        if len(bought) < 20:
            raise DataError(f"{len(bought)} showings were bought, too few to learn from; log more, or wait")
        chosen = self.settings
        cut = int(len(data) * (1 - chosen.held_out))
        rows, share = self._drawn(data, np.arange(cut))
        judged, _ = self._drawn(data, np.arange(cut, len(data)))
        self.words, self.offset = data.words, math.log(share)
        device = device_of(chosen.schedule.device)
        torch.manual_seed(chosen.schedule.seed)
        network = Fusion(data.shape(), chosen.network, chosen.only).to(device)
        self.network = network
        self._set_edges(data, rows)
        network.base.data.fill_(math.log(data.label[rows].mean() / (1 - data.label[rows].mean())))
        label = torch.from_numpy(data.label.astype(np.float32))

        def loss(places: Ints) -> torch.Tensor:
            batch = {name: values.to(device) for name, values in data.batch(rows[places]).items()}
            return nn.functional.binary_cross_entropy_with_logits(network(batch), label[rows[places]].to(device))

        def score() -> float:
            return _auc(self._log_odds(data, judged), data.label[judged])

        kept = None if checkpoint is None else Checkpoint(checkpoint, self._key(data, rows))
        train(network, loss, len(rows), chosen.schedule, score=score, checkpoint=kept, name="fusion")
        return self

    def predict(self, data: Inputs, rows: Ints | None = None, hide: Sequence[str] = ()) -> NDArray[np.float64]:
        """Probability (rows,) that each showing is bought; modalities in ``hide`` are not looked at."""
        chosen = np.arange(len(data)) if rows is None else rows
        odds = self._log_odds(data, chosen, frozenset(hide)) + self.offset
        probability: NDArray[np.float64] = 1 / (1 + np.exp(-odds))
        return probability

    def inputs(self, shop: Shop, until: When = None) -> Inputs:
        """A shop's showings before ``until``, coded with this model's words."""
        return inputs(shop, moment(shop, until), self.words)

    def _log_odds(self, data: Inputs, rows: Ints, hide: frozenset[str] = frozenset()) -> NDArray[np.float64]:
        network = self._fitted()
        device = network.base.device
        network.eval()
        found = [np.zeros(0)]
        with torch.no_grad():
            for part in _chunks(rows):
                batch = {name: values.to(device) for name, values in data.batch(part).items()}
                found.append(network(batch, hide).double().cpu().numpy())
        return np.concatenate(found)

    def _drawn(self, data: Inputs, rows: Ints) -> tuple[Ints, float]:
        """All rows that were bought and a share of the others, in order; and that share."""
        bought = data.label[rows]
        share = min(1.0, self.settings.quiet_rows * max(int(bought.sum()), 1) / max(int((~bought).sum()), 1))
        draw = np.random.default_rng([self.settings.schedule.seed, len(rows)])
        return rows[bought | (draw.random(len(rows)) < share)], share

    def _set_edges(self, data: Inputs, rows: Ints) -> None:
        """Quantiles of the training rows' numbers."""
        network = self._fitted()
        bins = self.settings.network.bins
        for name, numbers in network.tokens.features.items():
            values = getattr(data.showings, name)[rows]
            with np.errstate(all="ignore"):
                edges = np.nanquantile(values, np.linspace(0, 1, bins + 1), axis=0).T
            assert isinstance(numbers, Numbers)
            numbers.edges.copy_(torch.from_numpy(np.nan_to_num(edges).astype(np.float32)))

    def _key(self, data: Inputs, rows: Ints) -> str:
        said = f"{len(data)} {len(rows)} {int(rows.sum())}"
        return f"{self.settings.model_dump_json()} {said} {data.shape().model_dump_json()}"

    def _fitted(self) -> Fusion:
        if self.network is None:
            raise UsageError("the cross-modal model is not fitted; call fit(shop) first")
        return self.network

    def save(self, folder: str | Path) -> Path:
        """Save as plain files, taking the place of a model that is there."""
        from danggol.purchase import artefact

        network, words = self._fitted(), self.words
        assert words is not None
        config: dict[str, Any] = {
            "capability": "purchase-multimodal",
            "format": FORMAT,
            "settings": self.settings.model_dump(mode="json"),
            "shape": network.shape.model_dump(mode="json"),
            "offset": self.offset,
        }
        vocabulary = {"text": words.vocabulary.to_json(), "categories": words.categories, "brands": words.brands}
        weights = {name: value.cpu().contiguous() for name, value in network.state_dict().items()}
        target = Path(folder)
        files: dict[str, str | bytes] = {
            _WEIGHTS: save_tensors(weights),
            _VOCABULARY: json.dumps(vocabulary, ensure_ascii=False),
            _CONFIG: json.dumps(config, indent=1),
        }
        artefact.publish(target, files)
        return target

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Load a saved model; DataError where it is damaged or of a newer format, UsageError where there is none."""
        from danggol.purchase import artefact

        source = artefact.locate(Path(folder))
        try:
            config = json.loads(artefact.read_text(source, _CONFIG))
            if config["format"] > FORMAT:
                raise DataError(f"the model in {source} is of format {config['format']}; this package reads {FORMAT}")
            model = cls(MultimodalSettings(**config["settings"]))
            model.offset = float(config["offset"])
            held = json.loads(artefact.read_text(source, _VOCABULARY))
            model.words = Words(Vocabulary.from_json(held["text"], source), held["categories"], held["brands"])
            model.network = Fusion(Shape(**config["shape"]), model.settings.network, model.settings.only)
            model.network.load_state_dict(load_tensors((source / _WEIGHTS).read_bytes()))
        except (KeyError, TypeError, ValueError, RuntimeError, OSError, SafetensorError) as error:
            raise DataError(f"the model in {source} is damaged ({str(error)[:80]}); train it again") from error
        model.network.eval()
        return model


def _chunks(rows: Ints) -> Iterator[Ints]:
    for start in range(0, len(rows), _CHUNK):
        yield rows[start : start + _CHUNK]


def _auc(score: NDArray[np.float64], label: NDArray[np.bool_]) -> float:
    """AUC, or one half where only one outcome is there."""
    return float(auc(score, label)) if 0 < label.sum() < len(label) else 0.5
