"""Why a showing is expected to be bought or not: contributions of modalities, columns, subwords and picture regions.

The trees' part is told by exact tree Shapley values, the network's by integrated gradients (Sundararajan, Taly & Yan,
ICML 2017; by the library captum) from the mean token of other showings; both are in log-odds, weighed as the learners
are added up. What the network's [CLS] attended to stands beside them: attention is not an attribution (Jain & Wallace,
NAACL 2019).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from danggol.errors import UsageError
from danggol.purchase.multimodal.model import MultimodalModel, Reading
from danggol.purchase.multimodal.showings import BEHAVIOUR, CUSTOMER, OFFER
from danggol.purchase.multimodal.trees import MODALITIES

Floats = NDArray[np.float64]
STEPS = 24
"""Steps of the integral."""


@dataclass(frozen=True)
class Explanation:
    """Why rows get their log-odds; everything is in log-odds, of rows in the order that was given."""

    log_odds: Floats
    """(rows,)"""
    base: Floats
    """(rows,) what is left when the contributions are taken away"""
    columns: tuple[str, ...]
    contributions: Floats
    """(rows, columns) of numbers, codes and tastes"""
    modalities: dict[str, Floats]
    """(rows,) of each modality; a column that needs several is shared out evenly"""
    words: list[list[tuple[str, float]]]
    """of each row: subwords of the title and their contributions"""
    regions: Floats
    """(rows, regions) of the picture, row by row from the upper left"""
    attention: dict[str, Floats]
    """(rows,) share of the last layer's attention that goes to each modality's tokens; empty without a single stream"""

    def frame(self, row: int, most: int = 10) -> pl.DataFrame:
        """The strongest columns of a row: column, contribution."""
        order = np.argsort(-np.abs(self.contributions[row]), kind="stable")[:most]
        return pl.DataFrame(
            {"column": [self.columns[n] for n in order], "contribution": self.contributions[row, order].tolist()}
        )


def explain(model: MultimodalModel, reading: Reading, background: Reading) -> Explanation:
    """Explain some rows (a few hundred at most) against others. UsageError: captum is not installed."""
    odds = model.log_odds(reading)
    names, needs = reading.table.names, reading.table.needs
    columns = np.zeros((len(reading), len(names)))
    if model.trees is not None:
        columns += model.weights["trees"] * model.trees.contributions(reading.table)[:, :-1]
    found = _Network(model, reading, background) if model.network is not None else None
    events = np.zeros(len(reading))
    if found is not None:
        place = {name: n for n, name in enumerate(names)}
        for name, values in found.columns().items():
            if name in place:
                columns[:, place[name]] += values
        events = found.total("events")
    words = found.words() if found is not None else [[] for _ in range(len(reading))]
    regions = found.of("image") if found is not None else np.zeros((len(reading), 0))
    modalities = {
        modality: sum(
            (columns[:, n] / len(need) for n, need in enumerate(needs) if modality in need), np.zeros(len(reading))
        )
        for modality in MODALITIES
    }
    modalities["behaviour"] = modalities["behaviour"] + events
    modalities["text"] = modalities["text"] + np.array([sum(value for _, value in row) for row in words])
    modalities["image"] = modalities["image"] + regions.sum(axis=1)
    return Explanation(
        log_odds=odds,
        base=odds - sum(modalities.values()),
        columns=names,
        contributions=columns,
        modalities=modalities,
        words=words,
        regions=regions,
        attention={} if found is None else found.attention(),
    )


class _Network:
    """Integrated gradients of the network's part, by modality and token."""

    def __init__(self, model: MultimodalModel, reading: Reading, background: Reading) -> None:
        try:
            from captum.attr import IntegratedGradients
        except ImportError as error:
            raise UsageError("explaining the network needs captum; pip install 'danggol[explain]'") from error
        assert model.network is not None
        # on the CPU, wherever it was trained
        self.network, self.model, self.reading = copy.deepcopy(model.network).cpu().eval(), model, reading
        rows = np.arange(len(reading))
        with torch.no_grad():
            self.found = self.network.read_tokens(reading.batch(rows))
            others = self.network.read_tokens(background.batch(np.arange(len(background))))
        self.names = tuple(self.found)
        start = tuple(_mean(*others[name]).expand_as(self.found[name][0]) for name in self.names)
        there = tuple(self.found[name][1] for name in self.names)

        def forward(*tokens: Tensor) -> Tensor:
            copies = len(tokens[0]) // len(reading)
            again = {
                name: (one, mask.repeat(copies, 1)) for name, one, mask in zip(self.names, tokens, there, strict=True)
            }
            return self.network.of_tokens(again, len(tokens[0]))[:, 0]

        given = tuple(self.found[name][0] for name in self.names)
        attributed = IntegratedGradients(forward).attribute(
            given, baselines=start, n_steps=STEPS, internal_batch_size=max(len(reading), 512)
        )
        weight = model.weights["network"]
        self.attributed = {
            name: weight * (values.sum(dim=2) * mask).double().detach().numpy()
            for name, values, mask in zip(self.names, attributed, there, strict=True)
        }

    def of(self, name: str) -> Floats:
        """(rows, tokens) of a modality."""
        found: Floats = self.attributed.get(name, np.zeros((len(self.reading), 0)))
        return found

    def total(self, name: str) -> Floats:
        """(rows,) of a modality."""
        return np.asarray(self.of(name).sum(axis=1))

    def columns(self) -> dict[str, Floats]:
        """(rows,) of each column; a subject's token is shared out evenly among its tastes."""
        found: dict[str, Floats] = {}
        for modality, names in (("offer", OFFER), ("behaviour", BEHAVIOUR), ("customer", CUSTOMER)):
            values = self.of(modality)
            found |= {name: values[:, n] for n, name in enumerate(names) if values.shape[1]}
        subjects: dict[str, list[str]] = {}
        for taste in self.model.plans():
            subjects.setdefault(taste.subject, []).append(taste.name)
        values = self.of("tastes")
        for n, effects in enumerate(subjects.values()):
            if values.shape[1]:
                found |= {f"taste {name}": values[:, n] / len(effects) for name in effects}
        return found

    def words(self) -> list[list[tuple[str, float]]]:
        """Subwords and their contributions."""
        values = self.of("text")
        if not values.shape[1]:
            return [[] for _ in range(len(self.reading))]
        # words come first; what is behind the title's end has none
        read = self.reading.data.subwords(self.reading.rows)
        return [list(zip(words, told.tolist(), strict=False)) for words, told in zip(read, values, strict=True)]

    def attention(self) -> dict[str, Floats]:
        """Share of the last layer's attention by modality, all heads alike; the rest goes to [CLS] itself."""
        if self.network.settings.family != "single":
            return {}
        with torch.no_grad():
            attended = self.network.attended(self.found, len(self.reading))
        shares, start, found = attended.mean(dim=1)[:, 1:].double().numpy(), 0, {}
        for name in self.names:
            size = self.found[name][0].shape[1]
            found[name] = shares[:, start : start + size].sum(axis=1)
            start += size
        return found


def _mean(tokens: Tensor, there: Tensor) -> Tensor:
    """Mean token at each place, of the rows where it is there."""
    count = there.sum(dim=0).clamp_min(1)[:, None]
    return (tokens * there[:, :, None]).sum(dim=0) / count


def with_column(reading: Reading, name: str, values: Floats | float) -> Reading:
    """The same rows with one column's values replaced, for every learner. UsageError: there is no such column."""
    if name not in reading.table.names:
        raise UsageError(f"there is no column {name!r}; there are {', '.join(reading.table.names)}")
    place = reading.table.names.index(name)
    table = reading.table.values.copy()
    table[:, place] = values
    changed = replace(reading, table=replace(reading.table, values=table))
    for part, names in (("offer", OFFER), ("behaviour", BEHAVIOUR), ("customer", CUSTOMER)):
        if name in names:
            array = getattr(reading.data.showings, part).copy()
            array[reading.rows, names.index(name)] = values
            showings = replace(reading.data.showings, **{part: array})
            return replace(changed, data=replace(reading.data, showings=showings))
    if name.startswith("taste "):
        effects = reading.effects.copy()
        tastes = [one for one in reading.table.names if one.startswith("taste ")]
        effects[:, tastes.index(name)] = values
        return replace(changed, effects=effects)
    return changed


def partial_dependence(model: MultimodalModel, reading: Reading, name: str, grid: Sequence[float]) -> Floats:
    """Mean predicted probability with a column set to each value of the grid (Friedman, Annals of Statistics 2001)."""
    return np.array([model.predict(with_column(reading, name, value)).mean() for value in grid])


def deletion(
    model: MultimodalModel, reading: Reading, background: Reading, order: NDArray[np.integer[Any]], seed: int = 0
) -> Floats:
    """How far the trees' log-odds have moved (columns + 1,) after the first k columns of each row's ``order`` (rows,
    columns) were replaced by another showing's; the mean over rows of the absolute change.

    A good explanation moves them early: compare with a random order (Samek et al., IEEE TNNLS 2017).
    """
    if model.trees is None:
        raise UsageError("deletion replaces columns, which only the trees read; the model has none")
    draw = np.random.default_rng(seed)
    other = background.table.values[draw.integers(0, len(background), len(reading))]
    table, rows = reading.table, np.arange(len(reading))
    values = table.values.copy()
    start = model.trees.log_odds(table)
    moved = [0.0]
    for place in order.T:
        values[rows, place] = other[rows, place]
        moved.append(float(np.abs(model.trees.log_odds(replace(table, values=values)) - start).mean()))
    return np.array(moved)
