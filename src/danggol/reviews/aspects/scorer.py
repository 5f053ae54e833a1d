"""How pleased clauses are by a saved sentiment model: what a shop's aspects ask where no word of feeling tells it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from numpy.typing import NDArray

from danggol import artefact
from danggol.reviews.reading import learnt_until
from danggol.reviews.sentiment.labelling import SHIPPED, model_folder
from danggol.reviews.sentiment.model import SentimentModel
from danggol.reviews.sentiment.rows import columns_of

if TYPE_CHECKING:
    from danggol.shop import Shop


class SentimentScorer:
    """A scorer (see :data:`.polarity.Scorer`) that knows which languages it has learnt, and until when."""

    def __init__(self, folder: Path | str) -> None:
        """Load a saved :class:`SentimentModel`; its errors are those of ``load``."""
        self._model = SentimentModel.load(folder)
        self.folder = artefact.locate(Path(folder))
        self.languages = self._model.languages or _measured(self.folder)
        """ISO 639-1 codes; None where it is not known"""
        self.learnt_until = learnt_until(self.folder)

    @classmethod
    def of(cls, shop: Shop) -> Self:
        """The shop's own model where it has one, else the one that comes with danggol."""
        return cls(model_folder(shop, None))

    @property
    def name(self) -> str:
        """The folder, or ``shipped``."""
        return "shipped" if self.folder == SHIPPED else str(self.folder)

    def __call__(self, texts: Sequence[str]) -> NDArray[Any]:
        """Scores (texts,) in [-1, 1]."""
        return columns_of(self._model.log_probabilities(texts))["score"]  # type: ignore[no-any-return]


def _measured(folder: Path) -> frozenset[str] | None:
    """The languages in which the model was measured, where its figures tell them."""
    if not (folder / "metrics.json").exists():
        return None
    told = artefact.read_json(folder, "metrics.json")
    found = told.get("by_language") if isinstance(told, dict) else None
    return frozenset(found) if isinstance(found, dict) and found else None
