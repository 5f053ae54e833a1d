"""A text model of the Hugging Face hub trained on for classes, and kept whole, so that it needs the hub no more.

Training begins with the frozen model and the head that fits its vectors, and moves both by small steps: a head that
starts at random would first spoil the model (Kumar et al., "Fine-tuning can distort pretrained features and
underperform out-of-distribution", ICLR 2022).
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from danggol.encoders.hugging_face import PREFIX, TextEncoder, text_encoder, transformers_library
from danggol.errors import UsageError
from danggol.training import Checkpoint, Schedule, train

Floats = NDArray[np.float64]
Head = Mapping[str, NDArray[np.float32]]
"""Linear scores of vectors in standard deviations: mean and spread (dim,), weights (dim, classes), bias (classes,)."""
_CONTENTS, _LEAD = "encoder.json", "encoder-"
_PARTS = 4
"""Parts of a batch of like length, so that short texts are not filled up to the longest."""
_READ = 256


@dataclass(frozen=True)
class Labelled:
    """Texts, none of them blank, with how much of each class they are (texts, classes) and how much each counts."""

    texts: Sequence[str]
    shares: Floats
    often: Floats


class TextClasses(nn.Module):
    """An encoder and a head."""

    mean: Tensor
    spread: Tensor

    def __init__(self, encoder: TextEncoder, head: Head) -> None:
        super().__init__()
        self.model, self._vectors = encoder.model, encoder.vectors
        for name in ("mean", "spread"):
            self.register_buffer(name, torch.tensor(head[name]))
        self.weights, self.bias = (nn.Parameter(torch.tensor(head[name])) for name in ("weights", "bias"))
        self.to(encoder.device)

    def forward(self, texts: Sequence[str]) -> Tensor:
        """Log probabilities (texts, classes)."""
        scores = (self._vectors(texts) - self.mean) / self.spread @ self.weights + self.bias
        return torch.log_softmax(scores, dim=1)

    def head(self) -> dict[str, NDArray[np.float32]]:
        """The head as it is now."""
        found = {"mean": self.mean, "spread": self.spread, "weights": self.weights, "bias": self.bias}
        return {name: value.detach().cpu().numpy().copy() for name, value in found.items()}


def fine_tune(
    encoder: TextEncoder,
    head: Head,
    rows: Labelled,
    watched: Labelled,
    schedule: Schedule,
    checkpoint: Path | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Train the encoder in place together with the head, and give the new head.

    The loss is the cross-entropy with the rows' class shares. The epoch of the least log loss on the ``watched`` rows
    is kept, the start where no epoch is better. A run that was killed goes on from the folder ``checkpoint``.
    """
    network = TextClasses(encoder, head)
    kept = None if checkpoint is None else Checkpoint(checkpoint, _key(network, rows, watched, schedule))
    network.model.requires_grad_(True)
    start = {name: value.clone() for name, value in network.state_dict().items()}
    sizes = np.array([len(text) for text in rows.texts])
    shares = torch.from_numpy(rows.shares.astype(np.float32)).to(encoder.device)
    often = torch.from_numpy((rows.often / rows.often.mean()).astype(np.float32)).to(encoder.device)

    def loss(chosen: NDArray[np.int64]) -> Tensor:
        ordered = chosen[np.argsort(sizes[chosen], kind="stable")]
        parts = [part for part in np.array_split(ordered, _PARTS) if len(part)]
        logs = torch.cat([network([rows.texts[one] for one in part]) for part in parts])
        at = torch.from_numpy(ordered).to(encoder.device)
        return -(often[at, None] * shares[at] * logs).sum() / len(chosen)

    def score() -> float:
        parts = range(0, len(watched.texts), _READ)
        logs = torch.cat([network(watched.texts[one : one + _READ]) for one in parts]).double().cpu().numpy()
        return float((watched.often[:, None] * watched.shares * logs).sum() / watched.often.sum())

    network.eval()
    with torch.no_grad():
        before = score()
    seen = train(network, loss, len(rows.texts), schedule, score=score, checkpoint=kept, name="fine-tuning")
    if not max(seen.scores) >= before:
        network.load_state_dict(start)
    encoder.settle()
    return network.head()


def encoder_files(encoder: TextEncoder) -> dict[str, str | bytes]:
    """The encoder as plain files by name, and a list of them with their SHA-256."""
    files: dict[str, str | bytes] = {}
    listed = {}
    with tempfile.TemporaryDirectory() as folder:
        encoder.save(Path(folder))
        for path in sorted(one for one in Path(folder).rglob("*") if one.is_file()):
            name, content = path.relative_to(folder).as_posix(), path.read_bytes()
            files[_file(name)], listed[name] = content, hashlib.sha256(content).hexdigest()
    return {**files, _CONTENTS: json.dumps(listed, indent=1)}


def encoder_of(files: Mapping[str, bytes], device: str = "auto") -> TextEncoder:
    """The encoder of what :func:`encoder_files` gave; no network and no other model is needed.

    KeyError: a file is missing; ValueError: one is damaged; UsageError: there is no transformers.
    """
    transformers_library()
    with tempfile.TemporaryDirectory() as folder:
        for name, told in json.loads(files[_CONTENTS]).items():
            place, content = PurePosixPath(name), files[_file(name)]
            if place.is_absolute() or ".." in place.parts or hashlib.sha256(content).hexdigest() != told:
                raise ValueError(f"{_file(name)} is not what was saved")
            Path(folder, place).parent.mkdir(parents=True, exist_ok=True)
            Path(folder, place).write_bytes(content)
        try:
            return text_encoder(f"{PREFIX}{folder}", device=device)
        except UsageError as error:
            raise ValueError(f"its encoder cannot be read: {error}") from error


def _file(name: str) -> str:
    return _LEAD + name.replace("/", "-")


def _key(network: TextClasses, rows: Labelled, watched: Labelled, schedule: Schedule) -> str:
    """The same for two runs that are to give the same."""
    said = hashlib.sha256(schedule.model_dump_json().encode())
    for part in (rows, watched):
        said.update("\0".join(part.texts).encode("utf8", "surrogatepass"))
        said.update(part.shares.tobytes() + part.often.tobytes())
    for tensor in network.state_dict().values():
        said.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return said.hexdigest()
