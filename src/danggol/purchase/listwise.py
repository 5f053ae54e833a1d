"""A small network that orders a customer's candidates: a softmax over the whole list, shared among what was bought.

Cao et al., "Learning to rank: from pairwise approach to listwise approach", ICML 2007. Features enter as their places
among the quantiles of the training rows. Trained with torch; scores are computed with numpy alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save
from scipy.special import expit

from danggol.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor, nn

Codes = NDArray[np.uint8]
Values = NDArray[np.float32]
_LEVELS = 100
_MISSING = 255
_SPAN = 1.7
"""Codes are spread over -span to span, the spread of a normal number, whatever the feature."""
_SEEN = 200_000
"""Rows that the quantiles are taken from."""
_HIDDEN = (128, 64)
_DROPOUT = 0.3
_BATCH = 64
"""Customers of a step."""
_RATE = 4e-3
_SLOWER = 0.1
"""Of that rate, where learning goes on from another shop's network."""
_DECAY = 0.01
_MOST = 10.0
"""A customer weighs the root of the products bought, of so many at most."""
_CHUNK = 20_000


@dataclass(frozen=True)
class Coder:
    """Turns features into codes: how many of a feature's quantiles lie at or below the value."""

    edges: list[Values]
    """Of each feature, rising, without the lowest."""
    gappy: NDArray[np.int64]
    """Features that may be nan: each has an input of its own that says so."""

    @classmethod
    def fit(cls, parts: list[Values], seed: int) -> Coder:
        """Take the quantiles of rows drawn from the parts (rows, features)."""
        rng = np.random.default_rng(seed)
        share = _SEEN / max(sum(map(len, parts)), 1)
        seen = np.concatenate([part if share >= 1 else part[rng.random(len(part)) < share] for part in parts])
        edges = []
        for column in seen.T:
            there = column[~np.isnan(column)]
            marks = np.quantile(there, np.linspace(0, 1, _LEVELS)) if len(there) else there
            edges.append(np.unique(marks.astype(np.float32))[1:])
        return cls(edges, np.flatnonzero(np.isnan(seen).any(axis=0)))

    def codes(self, values: Values) -> Codes:
        """(rows, features), 255 where the value is nan."""
        found = np.empty(values.shape, np.uint8)
        for place, edges in enumerate(self.edges):
            column = values[:, place]
            found[:, place] = np.where(np.isnan(column), _MISSING, np.searchsorted(edges, column, side="right"))
        return found

    def inputs(self, codes: Codes) -> Values:
        """(rows, features + gappy ones): codes spread evenly, 0 where missing, and which are missing."""
        steps = np.array([max(len(edges), 1) for edges in self.edges], np.float32)
        missing = codes == _MISSING
        spread = np.where(missing, np.float32(0), codes * (2 * _SPAN / steps).astype(np.float32) - np.float32(_SPAN))
        return np.concatenate([spread, missing[:, self.gappy]], axis=1, dtype=np.float32)


class ListwiseNetwork:
    """The trained network: how features are coded, and the layers."""

    def __init__(self, coder: Coder, layers: list[tuple[Values, Values]]) -> None:
        self.coder, self.layers = coder, layers

    @classmethod
    def train(
        cls,
        parts: list[Values],
        label: Values,
        group: NDArray[np.int64],
        weight: Values,
        epochs: int,
        seed: int,
        start: ListwiseNetwork | None = None,
    ) -> ListwiseNetwork:
        """Learn from rows sorted by customer; some label is 1.

        ``parts``: features (rows, features) in pieces; ``label``, ``weight`` (rows,): bought or not, and how many rows
        a row stands for; ``group`` (customers,): rows of each, in turn. With ``start`` features are coded as it codes
        them and learning goes on from its layers, more slowly.
        """
        import torch

        from danggol.training import Schedule, train

        coder = Coder.fit(parts, seed) if start is None else start.coder
        lists = _Lists(np.concatenate([coder.codes(part) for part in parts]), label, group, np.log(weight))
        torch.manual_seed(seed)
        network = _layers(len(coder.edges) + len(coder.gappy))
        if start is not None:
            for tensor, values in zip(
                network.parameters(), (one for pair in start.layers for one in pair), strict=True
            ):
                tensor.data = torch.from_numpy(values.copy())
        rate = _RATE if start is None else _RATE * _SLOWER
        schedule = Schedule(
            epochs=epochs, batch_size=_BATCH, learning_rate=rate, weight_decay=_DECAY, device="cpu", seed=seed
        )
        train(network, lambda rows: lists.loss(coder, network, rows), len(lists.some), schedule, name="network")
        state = {name: tensor.detach().numpy() for name, tensor in network.state_dict().items()}
        names = sorted({name.split(".")[0] for name in state}, key=int)
        return cls(coder, [(state[f"{name}.weight"], state[f"{name}.bias"]) for name in names])

    def score(self, values: Values) -> NDArray[np.float64]:
        """Scores (rows,) of features (rows, features); comparable within a customer."""
        found = [np.zeros(0, np.float32)]
        for start in range(0, len(values), _CHUNK):
            rows = self.coder.inputs(self.coder.codes(values[start : start + _CHUNK]))
            for weight, bias in self.layers[:-1]:
                rows = rows @ weight.T + bias
                rows *= expit(rows)
            weight, bias = self.layers[-1]
            found.append((rows @ weight.T + bias)[:, 0])
        return np.concatenate(found).astype(np.float64)

    def to_bytes(self) -> bytes:
        """As a safetensors file."""
        tensors: dict[str, NDArray[Any]] = {"gappy": self.coder.gappy}
        tensors["length"] = np.array([len(edges) for edges in self.coder.edges], np.int64)
        tensors["edges"] = np.concatenate([np.zeros(0, np.float32), *self.coder.edges])
        for nth, (weight, bias) in enumerate(self.layers):
            tensors |= {f"weight_{nth}": np.ascontiguousarray(weight), f"bias_{nth}": bias}
        return save(tensors)

    @classmethod
    def load(cls, path: Path) -> ListwiseNetwork:
        """Read a saved network; DataError where the file is missing or broken."""
        try:
            tensors = load_file(path)
            edges = np.split(tensors["edges"], np.cumsum(tensors["length"])[:-1])
            count = sum(name.startswith("weight_") for name in tensors)
            layers = [(tensors[f"weight_{nth}"], tensors[f"bias_{nth}"]) for nth in range(count)]
            if not layers:
                raise ValueError("it holds no layers")
            return cls(Coder(edges, tensors["gappy"]), layers)
        except (OSError, KeyError, ValueError, SafetensorError) as error:
            raise DataError(f"the model's file {path} cannot be read: {error}; train the model again") from error


def _layers(inputs: int) -> nn.Sequential:
    from torch import nn

    found: list[nn.Module] = []
    for width in _HIDDEN:
        found += [nn.Linear(inputs, width), nn.SiLU(), nn.Dropout(_DROPOUT)]
        inputs = width
    return nn.Sequential(*found, nn.Linear(inputs, 1))


class _Lists:
    """The rows of customers, and the loss of some of them."""

    def __init__(self, codes: Codes, label: Values, group: NDArray[np.int64], shift: Values) -> None:
        self.codes, self.label, self.group, self.shift = codes, label, group, shift
        self.start = np.cumsum(group) - group
        self.some = np.flatnonzero(np.add.reduceat(label, self.start) > 0)
        """Customers with a hit; the others teach nothing."""

    def loss(self, coder: Coder, network: nn.Module, chosen: NDArray[np.int64]) -> Tensor:
        """Minus the log of the softmax at what was bought, its mean within each customer, weighed over customers."""
        import torch

        customers = self.some[chosen]
        length, count = self.group[customers], len(customers)
        offset = self.start[customers] - (np.cumsum(length) - length)
        place = np.arange(length.sum()) + np.repeat(offset, length)
        owner = torch.from_numpy(np.repeat(np.arange(count), length))
        label = torch.from_numpy(self.label[place])
        score = network(torch.from_numpy(coder.inputs(self.codes[place])))[:, 0]
        full = score + torch.from_numpy(self.shift[place])
        top = torch.full((count,), -torch.inf).scatter_reduce(0, owner, full.detach(), "amax")
        zero = torch.zeros(count)
        total = torch.log(zero.index_add(0, owner, torch.exp(full - top[owner]))) + top
        bought = zero.index_add(0, owner, label)
        weight = bought.clamp(max=_MOST).sqrt()
        found: Tensor = ((total - zero.index_add(0, owner, label * score) / bought) * weight).sum() / weight.sum()
        return found
