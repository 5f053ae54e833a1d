"""How what the modalities say is joined: a stacked regression for each set of modalities that a row can have.

A stack reads out-of-fold log odds (or stars) of the parts, ``text/words``, ``features/trees`` ..., with weights that
are never negative (Wolpert, "Stacked generalization", 1992; Breiman, "Stacked regressions", 1996). The best modality
comes first; another one joins only where it lowers the loss by more than chance would, and has the weight zero
otherwise, so that joined is no worse than the best alone. A modality that could have been there and is missing shifts
the whole by what its absence says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from danggol.metrics import subsets

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Target = Literal["outcome", "rating"]
Parts = Mapping[str, Floats]
"""``modality/member`` to what it says (rows,)"""
_EXACT = {"ftol": 1e-13, "gtol": 1e-8, "maxiter": 1000}
_ALIKE = 10.0
"""Weight of the belief that the members of a modality count alike."""
_PRIOR = 1.0
"""Weight of the belief that an absence says nothing."""


@dataclass
class Stack:
    """``bias + sum of weight * part + shifts of what is missing``."""

    bias: float
    weights: dict[str, float] = field(default_factory=dict)
    shifts: dict[str, float] = field(default_factory=dict)
    """of each modality that this stack does not read: what is added where a row lacks it"""
    centres: dict[str, float] = field(default_factory=dict)
    """of each part its mean in training"""

    @property
    def mean(self) -> float:
        """The whole where every part says its mean."""
        return self.bias + sum(weight * self.centres[name] for name, weight in self.weights.items())

    def values(self, parts: Parts, rows: Any = slice(None)) -> Floats:
        """(rows,) without shifts."""
        count = len(next(iter(parts.values()))[rows]) if parts else 0
        found = np.full(count, self.bias)
        for name, weight in self.weights.items():
            if weight:
                found = found + weight * parts[name][rows]
        return found


class Stacks:
    """One stack for each set of modalities; the empty set's is the mean."""

    def __init__(self, held: dict[frozenset[str], Stack]) -> None:
        self.held = held

    @classmethod
    def fit(cls, parts: Parts, there: Mapping[str, Flags], label: Floats, target: Target, sure: float) -> Self:
        """Learn from out-of-fold ``parts``, which rows have which modality (``there``), and outcomes or stars."""
        held = {}
        for some in subsets(tuple(there)):
            rows = np.flatnonzero(np.all([there[name] for name in some], axis=0) if some else np.ones(len(label)))
            if len(rows) == 0:
                continue
            known = {name: said[rows] for name, said in parts.items() if _modality(name) in some}
            held[some] = _chosen(known, label[rows], target, sure)
            for name in there:
                lacking = rows[~there[name][rows]]
                if name not in some and len(lacking):
                    said = held[some].values(parts, lacking) if parts else np.full(len(lacking), held[some].bias)
                    held[some].shifts[name] = _shift(said, label[lacking], target)
        return cls(held)

    def values(self, parts: Parts, there: Mapping[str, Flags], rows: int) -> Floats:
        """(rows,) of the whole; ``there`` names the modalities that are looked at."""
        return np.asarray(sum(self.contributions(parts, there, rows).values()), np.float64)

    def contributions(self, parts: Parts, there: Mapping[str, Flags], rows: int) -> dict[str, Floats]:
        """What each modality adds (rows,), and under ``base`` the mean of such rows; they add up to the whole."""
        found = {"base": np.zeros(rows)} | {name: np.zeros(rows) for name in there}
        for some, chosen in self._patterns(there, rows):
            stack = self.held[some]
            found["base"][chosen] = stack.mean
            for part, weight in stack.weights.items():
                if weight:
                    found[_modality(part)][chosen] += weight * (parts[part][chosen] - stack.centres[part])
            for name in there:
                if name not in some:
                    # a set that training never saw together leaves out something that is there: that is no absence
                    found[name][chosen[~there[name][chosen]]] = stack.shifts.get(name, 0.0)
        return found

    def _patterns(self, there: Mapping[str, Flags], rows: int) -> list[tuple[frozenset[str], NDArray[np.int64]]]:
        """The sets of modalities that rows have, and the rows of each."""
        names = [name for name in there if frozenset({name}) in self.held]
        code = np.zeros(rows, np.int64)
        for nth, name in enumerate(names):
            code += there[name].astype(np.int64) << nth
        found = []
        for value in np.unique(code):
            here = frozenset(name for nth, name in enumerate(names) if value >> nth & 1)
            # of a set that training never saw together, the most that it saw is looked at
            some = max((held for held in self.held if held <= here), key=lambda held: (len(held), sorted(held)))
            found.append((some, np.flatnonzero(code == value)))
        return found

    def to_list(self) -> list[dict[str, Any]]:
        """Plain JSON."""
        return [{"modalities": sorted(some), **asdict(stack)} for some, stack in self.held.items()]

    @classmethod
    def from_list(cls, found: Sequence[Mapping[str, Any]]) -> Self:
        """What :meth:`to_list` gave; KeyError, TypeError or ValueError where it is something else."""
        held = [Stack(one["bias"], one["weights"], one["shifts"], one["centres"]) for one in found]
        stacks = {frozenset(one["modalities"]): stack for one, stack in zip(found, held, strict=True)}
        if frozenset() not in stacks:
            raise ValueError("there is no stack of rows that have nothing")
        return cls(stacks)


def _chosen(parts: Parts, label: Floats, target: Target, sure: float) -> Stack:
    """Modality by modality, as long as each lowers the loss by more than ``sure`` standard errors."""
    left = sorted({_modality(name) for name in parts})
    taken: list[str] = []
    stack = _constant(label, target)
    cost = _losses(np.full(len(label), stack.bias), label, target)
    while left:
        tried = []
        for name in left:
            known = {part: said for part, said in parts.items() if _modality(part) in (*taken, name)}
            found = _regression(known, label, target)
            tried.append((found, cost - _losses(found.values(known), label, target), name))
        best, gain, name = max(tried, key=lambda one: one[1].mean())
        error = gain.std() / np.sqrt(len(gain))
        if taken and gain.mean() <= sure * error:
            break
        stack, cost = best, cost - gain
        taken.append(name)
        left.remove(name)
    stack.weights = {part: stack.weights.get(part, 0.0) for part in parts}
    stack.centres = {part: float(said.mean()) for part, said in parts.items()}
    return stack


def _constant(label: Floats, target: Target) -> Stack:
    """What is known of a row of which nothing is known."""
    mean, edge = float(label.mean()), 1 / (len(label) + 2)
    kept = min(max(mean, edge), 1 - edge)
    return Stack(mean if target == "rating" else float(np.log(kept / (1 - kept))))


def _regression(parts: Parts, label: Floats, target: Target) -> Stack:
    """Weights of all parts, none below zero; where rows are few, members of a modality are drawn to equal weights."""
    values = np.column_stack([np.ones(len(label)), *parts.values()])
    modality = np.array([_modality(name) for name in parts])
    same = modality[:, None] == modality
    apart = np.zeros((len(parts) + 1, len(parts) + 1))
    apart[1:, 1:] = np.eye(len(parts)) - same / same.sum(axis=0)

    def objective(weights: Floats) -> tuple[float, Floats]:
        found, odd = values @ weights, apart @ weights
        slope = (expit(found) if target == "outcome" else found) - label
        cost = float(_losses(found, label, target).sum() + _ALIKE * (odd @ odd) / 2)
        return cost / len(label), (values.T @ slope + _ALIKE * odd) / len(label)

    start = np.array([0.0, *(1 / len(parts) for _ in parts)])
    bounds = [(None, None), *((0, None) for _ in parts)]
    found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options=_EXACT).x
    return Stack(float(found[0]), dict(zip(parts, found[1:].tolist(), strict=True)))


def _losses(values: Floats, label: Floats, target: Target) -> Floats:
    """Log loss, or half the squared error, of each row."""
    if target == "outcome":
        return np.asarray(np.logaddexp(0, values) - label * values)
    return np.asarray((values - label) ** 2 / 2)


def _shift(values: Floats, label: Floats, target: Target) -> float:
    """What to add to all values, drawn to zero where rows are few."""
    shift = 0.0
    for _ in range(20):
        said = expit(values + shift) if target == "outcome" else values + shift
        bend = float((said * (1 - said)).sum()) if target == "outcome" else float(len(said))
        shift += (float((label - said).sum()) - _PRIOR * shift) / (bend + _PRIOR)
    return shift


def _modality(part: str) -> str:
    return part.split("/", 1)[0]
