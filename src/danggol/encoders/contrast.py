"""Texts and pictures in one space, where a text lies near the picture that it belongs to.

Pairs are learnt by contrast (Radford et al., "Learning transferable visual models from natural language supervision",
ICML 2021): in a batch, each text is to find its picture among all pictures and each picture its text. A text that is
there twice belongs to the pictures of both. The text side is a bag of n-grams, so that a short text costs nothing; the
picture side is a layer over vectors that a picture encoder gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load, save
from scipy.sparse import csr_matrix
from torch import Tensor, nn
from torch.nn import functional

from danggol.encoders.contrast_settings import ContrastSettings
from danggol.errors import DataError, UsageError
from danggol.training import Checkpoint, Schedule, Trained, train

Vectors = NDArray[np.float32]
_CHUNK = 4096
_SHARPEST = 4.6
"""Logarithm of the largest factor on similarities."""


class TwoTowers(nn.Module):
    """A tower for texts and one for pictures; both end in vectors of length one."""

    middle: Tensor
    spread: Tensor

    def __init__(self, ngrams: int, numbers: int, settings: ContrastSettings) -> None:
        super().__init__()
        width, output = settings.width, settings.output
        self.words = nn.EmbeddingBag(ngrams, width, mode="sum", include_last_offset=True)
        nn.init.normal_(self.words.weight, std=1.0)
        self.text = nn.Sequential(nn.LayerNorm(width), *_layers(width, width, output, settings.dropout))
        self.picture = nn.Sequential(nn.Dropout(settings.dropout), *_layers(numbers, width, output, settings.dropout))
        self.register_buffer("middle", torch.zeros(numbers))
        self.register_buffer("spread", torch.ones(numbers))
        self.factor = nn.Parameter(torch.tensor(2.7))

    def texts(self, rows: csr_matrix) -> Tensor:
        """(texts, n-grams) to (texts, output)."""
        bag = self.words(
            torch.from_numpy(rows.indices.astype(np.int64)),
            torch.from_numpy(rows.indptr.astype(np.int64)),
            per_sample_weights=torch.from_numpy(rows.data.astype(np.float32)),
        )
        return functional.normalize(self.text(bag), dim=1)

    def pictures(self, vectors: Tensor) -> Tensor:
        """(pictures, numbers) to (pictures, output)."""
        return functional.normalize(self.picture((vectors - self.middle) / self.spread), dim=1)

    def sharpness(self) -> Tensor:
        """The factor that makes cosines log odds of a text's picture among those of a batch."""
        return self.factor.clamp(max=_SHARPEST).exp()


def _layers(before: int, width: int, after: int, dropout: float) -> Sequence[nn.Module]:
    return (nn.Linear(before, width), nn.GELU(), nn.Dropout(dropout), nn.Linear(width, after))


class TextPictureSpace:
    """Learns the common space from pairs; then places any texts and pictures in it."""

    def __init__(self, settings: ContrastSettings | None = None) -> None:
        self.settings = settings or ContrastSettings()
        self.towers: TwoTowers | None = None

    @property
    def output_dim(self) -> int:
        """Numbers of a vector in the space."""
        return self.settings.output

    @property
    def sharpness(self) -> float:
        """The factor that makes cosines log odds of a text's picture among those of a batch."""
        return float(self._fitted().sharpness().detach())

    def fit(self, rows: csr_matrix, vectors: Vectors, checkpoint: Checkpoint | None = None) -> Trained:
        """Learn from texts (pairs, n-grams) and the vectors (pairs, numbers) of their pictures, row by row."""
        settings = self.settings
        if rows.shape[0] != len(vectors):
            raise UsageError(f"{rows.shape[0]} texts and {len(vectors)} pictures are no pairs; give them row by row")
        torch.manual_seed(settings.seed)
        towers = TwoTowers(rows.shape[1], vectors.shape[1], settings)
        values = torch.from_numpy(np.ascontiguousarray(vectors, np.float32))
        towers.middle, towers.spread = values.mean(dim=0), values.std(dim=0) + 1e-3
        same = torch.from_numpy(_alike(rows))

        def loss(chosen: NDArray[np.int64]) -> Tensor:
            texts = towers.texts(_thinned(rows[chosen], settings.dropout))
            places = torch.from_numpy(chosen)
            odds = towers.sharpness() * texts @ towers.pictures(values[places]).T
            target = (same[places][:, None] == same[places][None, :]).float()
            target = target / target.sum(dim=1, keepdim=True)
            return (functional.cross_entropy(odds, target) + functional.cross_entropy(odds.T, target)) / 2

        schedule = Schedule(
            epochs=settings.epochs, batch_size=settings.batch_size, learning_rate=settings.learning_rate,
            weight_decay=settings.weight_decay, device="cpu", seed=settings.seed,
        )  # fmt: skip
        self.towers = towers
        return train(towers, loss, len(values), schedule, checkpoint=checkpoint, name="texts and pictures")

    def texts(self, rows: csr_matrix) -> Vectors:
        """Vectors (texts, output_dim) of length one."""
        towers = self._fitted()
        with torch.no_grad():
            found = [towers.texts(rows[at : at + _CHUNK]) for at in range(0, max(rows.shape[0], 1), _CHUNK)]
        return torch.cat(found).numpy()

    def pictures(self, vectors: Vectors) -> Vectors:
        """Vectors (pictures, output_dim) of length one, from those of the picture encoder."""
        with torch.no_grad():
            return self._fitted().pictures(torch.from_numpy(np.ascontiguousarray(vectors, np.float32))).numpy()

    def to_bytes(self) -> bytes:
        """The weights as safetensors."""
        return bytes(save({name: value.contiguous() for name, value in self._fitted().state_dict().items()}))

    @classmethod
    def from_bytes(cls, settings: ContrastSettings, content: bytes) -> Self:
        """Read what :meth:`to_bytes` wrote. DataError: it is damaged, or of other settings."""
        space = cls(settings)
        try:
            tensors = load(content)
            towers = TwoTowers(len(tensors["words.weight"]), len(tensors["middle"]), settings)
            towers.load_state_dict(tensors)
        except (KeyError, RuntimeError, SafetensorError) as error:
            raise DataError(f"the common space is damaged ({str(error)[:80]}); train it again") from error
        space.towers = towers.eval()
        return space

    def _fitted(self) -> TwoTowers:
        if self.towers is None:
            raise UsageError("the common space is not fitted; call fit first")
        return self.towers


def _alike(rows: csr_matrix) -> NDArray[np.int64]:
    """A number (texts,) that equal rows share."""
    keys = [rows.indices[start:end].tobytes() for start, end in zip(rows.indptr[:-1], rows.indptr[1:], strict=True)]
    number: dict[bytes, int] = {}
    return np.array([number.setdefault(key, len(number)) for key in keys], np.int64)


def _thinned(rows: csr_matrix, share: float) -> csr_matrix:
    """The rows with a share of their n-grams left out at random."""
    kept = (torch.rand(len(rows.data)) >= share).numpy()
    return csr_matrix((rows.data * kept, rows.indices, rows.indptr), rows.shape)
