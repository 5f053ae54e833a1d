"""A small residual network on pictures, trained from nothing on what is known of them: one head for each attribute.

The stem reads patches of 7 x 7 pixels every 4 pixels; three residual stages follow (He et al., CVPR 2016; average
pooling on the short cut as in He et al., "Bag of tricks", CVPR 2019), each next of half the height and width and twice
the channels. A picture's vector is the mean over places of the last layer, beside that of the middle stage, which knows
more of colour and cloth. All heads are trained together on the same vector. Where titles are given, one more head
tells the words of the title (Joulin et al., "Learning visual features from large weakly supervised data", ECCV 2016).

While training, a picture is mirrored at random and moved by a few pixels; colours stay as they are, because colour is
among the labels. What is said of a picture is the mean of what is said of it and of its mirror image.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load, save
from scipy.sparse import csr_matrix
from torch import Tensor, nn
from torch.nn import functional

from danggol.encoders.convolution_settings import ConvolutionSettings
from danggol.encoders.pictures import Picture, resized
from danggol.errors import DataError, UsageError
from danggol.progress import track
from danggol.training import Checkpoint, Schedule, Trained, train

Pixels = NDArray[np.uint8]
"""(pictures, height, width, 3)"""
Codes = NDArray[np.int64]
"""(pictures,) the class of each, -1 where it is not known"""
Floats = NDArray[np.float64]
_CHUNK = 256
_CLIP = 5.0


def read_pixels(pictures: Sequence[Picture], settings: ConvolutionSettings) -> tuple[Pixels, NDArray[np.bool_]]:
    """Pixels (pictures, height, width, 3) and whether each picture (pictures,) could be read; zero where not."""
    pixels = np.zeros((len(pictures), settings.height, settings.width, 3), np.uint8)
    there = np.zeros(len(pictures), np.bool_)
    for nth, picture in enumerate(track(pictures, "pictures")):
        found = resized(picture, (settings.width, settings.height))
        if found is not None:
            pixels[nth], there[nth] = np.asarray(found), True
    return pixels, there


class _Residual(nn.Module):
    """Two convolutions of 3 x 3 and a short cut; the sum begins as the short cut alone (Goyal et al., 2017)."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after))
        nn.init.zeros_(self.second[1].weight)  # type: ignore[arg-type]
        pooled = nn.AvgPool2d(stride, ceil_mode=True) if stride > 1 else nn.Identity()
        self.short = (
            nn.Sequential(pooled, nn.Conv2d(before, after, 1, bias=False)) if before != after else nn.Identity()
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """(batch, before, height, width) to (batch, after, height / stride, width / stride), rounded up."""
        return functional.relu(self.second(self.first(pictures)) + self.short(pictures))


class PictureNetwork(nn.Module):
    """Pixels to a vector, and the vector to the log odds of each head's classes."""

    def __init__(self, channels: int, vector: int, classes: Sequence[int]) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, channels, 7, 4, 3, bias=False), nn.BatchNorm2d(channels), nn.ReLU())
        self.low = _Residual(channels, channels, 1)
        self.middle = _Residual(channels, 2 * channels, 2)
        self.high = _Residual(2 * channels, 4 * channels, 2)
        self.last = nn.Sequential(nn.Conv2d(4 * channels, vector, 1, bias=False), nn.BatchNorm2d(vector), nn.ReLU())
        self.heads = nn.ModuleList(nn.Linear(vector + 2 * channels, count) for count in classes)

    def vectors(self, pictures: Tensor) -> Tensor:
        """(batch, 3, height, width) in [-1, 1] to (batch, vector + 2 x channels)."""
        middle = self.middle(self.low(self.stem(pictures)))
        last = self.last(self.high(middle))
        return torch.cat([last.mean((2, 3)), middle.mean((2, 3))], dim=1).float()

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """(batch, 3, height, width) to log odds (batch, classes) of each head."""
        found = self.vectors(pictures)
        return [head(found) for head in self.heads]


@dataclass(frozen=True)
class Described:
    """What the encoder says of pictures."""

    vectors: NDArray[np.float32]
    """(pictures, output_dim)"""
    log_probabilities: dict[str, Floats]
    """by attribute (pictures, classes), natural logarithms; those of a row sum to one"""


class PictureEncoder:
    """Learns from pictures with known attributes, and title words; gives vectors and the probability of each class."""

    def __init__(self, settings: ConvolutionSettings | None = None) -> None:
        self.settings = settings or ConvolutionSettings()
        self.classes: dict[str, int] = {}
        self.network: PictureNetwork | None = None

    @property
    def output_dim(self) -> int:
        """Numbers of a picture's vector."""
        return self.settings.vector + 2 * self.settings.channels

    def fit(
        self,
        pixels: Pixels,
        labels: Mapping[str, Codes],
        classes: Mapping[str, int],
        words: csr_matrix | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> Trained:
        """Train anew on pictures, their classes by attribute, and how many ``classes`` each attribute has.

        ``words`` (pictures, words) are counts of title words.

        UsageError: there is nothing to learn, or a picture is of another size than the settings say.
        """
        self._check(pixels)
        self.classes = dict(classes)
        heads = [*self.classes.values(), *([words.shape[1]] if words is not None else [])]
        if not heads:
            raise UsageError("there is neither an attribute nor a word that pictures could learn to tell")
        torch.manual_seed(self.settings.seed)
        self.network = PictureNetwork(self.settings.channels, self.settings.vector, heads)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self._train(pixels, labels, words, checkpoint)

    def _train(
        self, pixels: Pixels, labels: Mapping[str, Codes], words: csr_matrix | None, checkpoint: Checkpoint | None
    ) -> Trained:
        network, settings = self._fitted(), self.settings
        values = torch.from_numpy(pixels)
        target = {name: torch.from_numpy(np.asarray(labels[name], np.int64)) for name in self.classes}

        def loss(rows: NDArray[np.int64]) -> Tensor:
            with _precision(settings.precision):
                said = network(_scaled(_moved(values[torch.from_numpy(rows)], settings.shift)))
            total = torch.zeros(())
            for odds, known in zip(said, target.values(), strict=False):
                there = known[torch.from_numpy(rows)]
                cost = functional.cross_entropy(
                    odds.float(), there, ignore_index=-1, label_smoothing=settings.smoothing, reduction="sum"
                )
                total = total + cost / len(rows)
            if words is not None:
                shares = torch.from_numpy(words[rows].toarray().astype(np.float32))
                shares = shares / shares.sum(dim=1, keepdim=True).clamp(min=1)
                total = total - settings.word_weight * (shares * said[-1].float().log_softmax(1)).sum(dim=1).mean()
            return total

        schedule = Schedule(
            epochs=settings.epochs, batch_size=settings.batch_size, learning_rate=settings.learning_rate,
            weight_decay=settings.weight_decay, warm_up=0.15, clip=_CLIP, device="cpu", seed=settings.seed,
        )  # fmt: skip
        return train(network, loss, len(pixels), schedule, checkpoint=checkpoint, name="picture network")

    def describe(self, pixels: Pixels) -> Described:
        """Vectors, and the log-probabilities of each attribute's classes."""
        self._check(pixels)
        network = self._fitted().eval()
        vectors: list[Tensor] = [torch.zeros((0, self.output_dim))]
        said: dict[str, list[Tensor]] = {name: [torch.zeros((0, count))] for name, count in self.classes.items()}
        with torch.no_grad(), _precision(self.settings.precision):
            for start in range(0, len(pixels), _CHUNK):
                part = _scaled(torch.from_numpy(np.ascontiguousarray(pixels[start : start + _CHUNK])))
                both = [network.vectors(part), network.vectors(part.flip(3))]
                vectors.append((both[0] + both[1]) / 2)
                for name, head in zip(self.classes, network.heads, strict=False):
                    said[name].append(sum((head(one).float().log_softmax(1) for one in both), torch.zeros(())) / 2)
        logs = {name: torch.cat(found).double().log_softmax(1).numpy() for name, found in said.items()}
        return Described(torch.cat(vectors).numpy(), logs)

    def transform(self, pixels: Pixels) -> NDArray[np.float32]:
        """Vectors (pictures, output_dim)."""
        return self.describe(pixels).vectors

    def to_dict(self) -> dict[str, Any]:
        """Settings and classes; :meth:`to_bytes` holds the weights."""
        return {"settings": self.settings.model_dump(), "classes": self.classes}

    def to_bytes(self) -> bytes:
        """The weights as safetensors."""
        return bytes(save({name: value.contiguous() for name, value in self._fitted().state_dict().items()}))

    @classmethod
    def from_saved(cls, held: Mapping[str, Any], content: bytes) -> Self:
        """Read what :meth:`to_dict` and :meth:`to_bytes` gave. DataError: it is damaged."""
        try:
            encoder = cls(ConvolutionSettings.of(held["settings"]))
            encoder.classes = {str(name): int(count) for name, count in held["classes"].items()}
            tensors = load(content)
            biases = sum(name.startswith("heads.") and name.endswith(".bias") for name in tensors)
            heads = [len(tensors[f"heads.{nth}.bias"]) for nth in range(biases)]
            network = PictureNetwork(encoder.settings.channels, encoder.settings.vector, heads)
            network.load_state_dict(tensors)
        except (KeyError, TypeError, ValueError, RuntimeError, UsageError, SafetensorError) as error:
            raise DataError(f"the picture encoder is damaged ({str(error)[:80]}); train it again") from error
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        encoder.network = network.eval()
        return encoder

    def _check(self, pixels: Pixels) -> None:
        size = (self.settings.height, self.settings.width, 3)
        if pixels.shape[1:] != size or pixels.dtype != np.uint8:
            raise UsageError(f"pictures are {pixels.shape[1:]} of {pixels.dtype}, not {size} of uint8; use read_pixels")

    def _fitted(self) -> PictureNetwork:
        if self.network is None:
            raise UsageError("the picture encoder is not fitted; call fit first")
        return self.network


def _scaled(pixels: Tensor) -> Tensor:
    """(batch, height, width, 3) of bytes to (batch, 3, height, width) in [-1, 1], channels last in memory."""
    return pixels.permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def _moved(pixels: Tensor, shift: int) -> Tensor:
    """Pictures (batch, height, width, 3) mirrored at random and moved by at most ``shift`` pixels, edges repeated."""
    batch, height, width, _ = pixels.shape
    down = torch.arange(height) + torch.randint(-shift, shift + 1, (batch, 1))
    across = torch.arange(width) + torch.randint(-shift, shift + 1, (batch, 1))
    mirrored = torch.rand(batch, 1) < 0.5
    across = torch.where(mirrored, width - 1 - across, across)
    rows, columns = down.clamp(0, height - 1), across.clamp(0, width - 1)
    return pixels[torch.arange(batch)[:, None, None], rows[:, :, None], columns[:, None, :]]


@contextlib.contextmanager
def _precision(name: str) -> Iterator[None]:
    """Convolutions in bfloat16 where asked for, or where the processor is quicker at it."""
    # older versions of torch cannot say what the processor does
    told: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    fast = name == "bfloat16" or (name == "auto" and bool(told.get("avx512_bf16")))
    with torch.autocast("cpu", torch.bfloat16, enabled=fast):
        yield
