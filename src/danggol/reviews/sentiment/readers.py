"""The kinds of model behind one face: trained on some texts, they score the classes of any text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from danggol.reviews.sentiment.calibration import ClassCalibration
from danggol.reviews.sentiment.linear import LinearReader
from danggol.reviews.sentiment.rows import Floats, Rows
from danggol.reviews.sentiment.settings import NETWORKS, SentimentSettings

if TYPE_CHECKING:
    from danggol.reviews.sentiment.pretraining import Pretrained

_LINEAR = "linear.safetensors"
_FEW = 0.02


class Reader(Protocol):
    """What every kind can do."""

    def scores(self, texts: Sequence[str]) -> Floats:
        """Log odds of each class (texts, classes), up to a number that is the same for all classes of a text."""

    def files(self) -> dict[str, str | bytes]:
        """What is saved, by file name."""

    @property
    def parameters(self) -> int:
        """Numbers that were learnt."""


@dataclass(frozen=True, eq=False)
class Ensemble:
    """The mean of its members' calibrated log probabilities."""

    members: tuple[tuple[Reader, ClassCalibration], ...]

    def scores(self, texts: Sequence[str]) -> Floats:
        """Log odds of each class (texts, classes), up to a number that is the same for all classes of a text."""
        return np.asarray(np.mean(self.parts(texts), axis=0))

    def parts(self, texts: Sequence[str]) -> list[Floats]:
        """Log probabilities (texts, classes) by each member."""
        return [mended.logs(one.scores(texts)) for one, mended in self.members]

    @property
    def parameters(self) -> int:
        """Numbers that were learnt."""
        return sum(one.parameters for one, _ in self.members)

    def files(self) -> dict[str, str | bytes]:
        """Those of the members, whose place stands before each name."""
        found: dict[str, str | bytes] = {}
        for nth, (one, mended) in enumerate(self.members):
            found |= {f"{nth}_{name}": content for name, content in one.files().items()}
            found[f"{nth}_calibration.json"] = mended.to_json()
        return found


def trained(
    kind: str,
    rows: Rows,
    apart: NDArray[np.bool_],
    settings: SentimentSettings,
    start: Pretrained | None,
    checkpoint: Path | None = None,
    nth: int = 0,
) -> tuple[Reader, Floats]:
    """A model, and the scores of the rows kept ``apart`` by one that did not learn from them.

    Where they are more than a few, a linear model then learns from those rows too; a network stops by them. ``nth``
    sets the seed of a network. A model of the hub that is trained on is laid down in the folder ``checkpoint``.
    """
    learnt, held = (rows.part(np.flatnonzero(side)) for side in (~apart, apart))
    if kind == "ensemble":
        return _ensemble(rows, apart, settings, start, checkpoint)
    if kind == "linear":
        first = LinearReader.fit(learnt, settings)
        last = LinearReader.fit(rows, settings) if len(held) > _FEW * len(rows) else first
        return last, first.scores(held.texts)
    found: Reader
    if kind == "morphemes":
        from danggol.reviews.sentiment.morphemes import MorphemeReader

        found = MorphemeReader.fit(learnt, settings)
    elif kind.startswith("hf:"):
        from danggol.reviews.sentiment.hub import HubReader

        found = HubReader.fit(kind, learnt, held, settings, nth, checkpoint)
    else:
        from danggol.reviews.sentiment.network_reader import NetworkReader

        found = NetworkReader.fit(kind, learnt, held, settings, start, nth)
    return found, found.scores(held.texts)


def loaded(kind: str, files: dict[str, bytes], settings: SentimentSettings) -> Reader:
    """A model from what its ``files`` gave; KeyError, ValueError or SafetensorError where they are damaged."""
    if kind == "ensemble":
        return Ensemble(tuple(_member(one, nth, files, settings) for nth, one in enumerate(settings.members)))
    if kind == "linear":
        return LinearReader.from_bytes(files[_LINEAR], settings)
    if kind == "morphemes":
        from danggol.reviews.sentiment.morphemes import MorphemeReader

        return MorphemeReader.from_files(files, settings)
    if kind.startswith("hf:"):
        from danggol.reviews.sentiment.hub import HubReader

        return HubReader.from_files(kind, files, settings)
    from danggol.reviews.sentiment.network_reader import NetworkReader

    return NetworkReader.from_files(kind, files, settings)


def _ensemble(
    rows: Rows,
    apart: NDArray[np.bool_],
    settings: SentimentSettings,
    start: Pretrained | None,
    checkpoint: Path | None,
) -> tuple[Reader, Floats]:
    if start is None and any(one in NETWORKS for one in settings.members):
        from danggol.reviews.sentiment.pretraining import Pretrained

        start = Pretrained.of_texts(rows.part(np.flatnonzero(~apart)).texts, settings)
    held = rows.part(np.flatnonzero(apart))
    members, said = [], []
    for nth, kind in enumerate(settings.members):
        own = None if checkpoint is None else checkpoint.with_name(f"{checkpoint.name}-{nth}")
        found, scores = trained(kind, rows, apart, settings, start, own, nth)
        mended = ClassCalibration.fit(scores, held.shares, held.often)
        members.append((found, mended))
        said.append(mended.logs(scores))
    return Ensemble(tuple(members)), np.asarray(np.mean(said, axis=0))


def _member(
    kind: str, nth: int, files: dict[str, bytes], settings: SentimentSettings
) -> tuple[Reader, ClassCalibration]:
    own = {name.removeprefix(f"{nth}_"): held for name, held in files.items() if name.startswith(f"{nth}_")}
    return loaded(kind, own, settings), ClassCalibration.from_json(own["calibration.json"])
