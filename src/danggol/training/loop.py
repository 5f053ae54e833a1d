"""Training by batches: AdamW, warm-up and cosine decay, early stopping on a validation score, resume after a kill.

Loshchilov & Hutter, "Decoupled weight decay regularization", ICLR 2019.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from danggol.errors import UsageError
from danggol.progress import Stage, stage
from danggol.settings import Settings
from danggol.training.checkpoint import Checkpoint

Rows = NDArray[np.int64]
Loss = Callable[[Rows], Tensor]
"""The mean loss of some rows, as a scalar tensor that knows its gradient."""
Score = Callable[[], float]
"""How good the model is on validation rows; higher is better."""


class Schedule(Settings):
    """How a model is trained."""

    epochs: int = Field(default=10, ge=1, le=1000, description="passes over the rows, at most")
    batch_size: int = Field(default=256, ge=1, description="rows of a step")
    learning_rate: float = Field(default=1e-3, gt=0, le=1, description="at its height")
    weight_decay: float = Field(default=0.01, ge=0, le=1, description="of AdamW; none on biases and norms")
    warm_up: float = Field(default=0.1, ge=0, lt=1, description="share of the steps until the height")
    patience: int = Field(default=3, ge=1, description="epochs without a better validation score before stopping")
    clip: float = Field(default=1.0, gt=0, description="largest norm of a gradient")
    device: Literal["auto", "cpu", "cuda"] = "auto"
    seed: int = Field(default=0, ge=0, lt=2**32, description="seed of everything random")


@dataclass
class Trained:
    """What a run saw: the mean loss of each epoch, the validation scores, and the epoch whose weights were kept."""

    losses: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    best_epoch: int = -1


def device_of(name: str) -> torch.device:
    """``auto`` is the GPU where there is one. UsageError: cuda is asked for and there is none."""
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("no CUDA device is there; say device=cpu, or leave it to auto")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def train(
    model: nn.Module,
    loss: Loss,
    rows: int,
    schedule: Schedule,
    *,
    score: Score | None = None,
    checkpoint: Checkpoint | None = None,
    name: str = "train",
) -> Trained:
    """Train ``model`` in place on rows 0 to ``rows`` - 1; the best weights stay in it (the last without ``score``).

    The rows are shuffled anew in each epoch, by seed and epoch alone, and the random numbers of the model (dropout) are
    laid down with it: a run that was killed and resumed gives the same weights as one that was not (on a CPU).
    """
    if rows < 1:
        raise UsageError("there are no rows to train on")
    run = _Run(model, schedule, math.ceil(rows / schedule.batch_size))
    torch.manual_seed(schedule.seed)
    run.resume(checkpoint)
    with stage(name, schedule.epochs) as under_way:
        under_way.advance(run.epoch)
        while run.epoch < schedule.epochs and not run.stale():
            run.pass_over(rows, loss, under_way)
            run.judge(score)
            if checkpoint is not None:
                checkpoint.save(model, run.optimiser, run.best, run.state())
            under_way.advance()
    if score is not None and run.best:
        model.load_state_dict(run.best)
    if checkpoint is not None:
        checkpoint.clear()
    model.eval()
    return run.seen


class _Run:
    """A run under way."""

    def __init__(self, model: nn.Module, schedule: Schedule, steps: int) -> None:
        self.model, self.schedule, self.steps = model, schedule, steps
        self.optimiser = torch.optim.AdamW(_groups(model, schedule.weight_decay), lr=schedule.learning_rate)
        self.epoch, self.seen = 0, Trained()
        self.best: dict[str, Tensor] = {}

    def resume(self, checkpoint: Checkpoint | None) -> None:
        """Go on where a killed run was."""
        found = checkpoint.load(self.model, self.optimiser) if checkpoint is not None else None
        if found is not None:
            self.best, state = found
            self.epoch = int(state["epoch"])
            self.seen = Trained(state["losses"], state["scores"], state["best_epoch"])

    def state(self) -> dict[str, object]:
        """What a checkpoint says of the run."""
        seen = self.seen
        return {"epoch": self.epoch, "losses": seen.losses, "scores": seen.scores, "best_epoch": seen.best_epoch}

    def stale(self) -> bool:
        """Whether no epoch has been better for too long."""
        return bool(self.seen.scores) and self.epoch - 1 - self.seen.best_epoch >= self.schedule.patience

    def pass_over(self, rows: int, loss: Loss, under_way: Stage) -> None:
        """One epoch."""
        self.model.train()
        order = np.random.default_rng([self.schedule.seed, self.epoch]).permutation(rows)
        total = 0.0
        for nth in range(self.steps):
            chosen = order[nth * self.schedule.batch_size : (nth + 1) * self.schedule.batch_size]
            self._set_rate(self.epoch * self.steps + nth)
            self.optimiser.zero_grad(set_to_none=True)
            value = loss(np.sort(chosen))
            value.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.model.parameters(), self.schedule.clip)
            self.optimiser.step()
            total += float(value.detach()) * len(chosen)
        self.seen.losses.append(total / rows)
        self.epoch += 1
        under_way.say(f"epoch {self.epoch}, loss {self.seen.losses[-1]:.4f}")

    def judge(self, score: Score | None) -> None:
        """Score the epoch, and keep its weights if they are the best."""
        if score is None:
            self.seen.best_epoch = self.epoch - 1
            return
        self.model.eval()
        with torch.no_grad():
            found = score()
        self.seen.scores.append(found)
        if found >= max(self.seen.scores):
            self.best = copy.deepcopy({name: value.detach() for name, value in self.model.state_dict().items()})
            self.seen.best_epoch = self.epoch - 1

    def _set_rate(self, step: int) -> None:
        total = self.steps * self.schedule.epochs
        warm = max(1.0, self.schedule.warm_up * total)
        share = step / warm if step < warm else 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1.0, total - warm)))
        for group in self.optimiser.param_groups:
            group["lr"] = self.schedule.learning_rate * max(share, 1e-3)


def _groups(model: nn.Module, decay: float) -> list[dict[str, object]]:
    """Matrices decay; biases, norms and single vectors do not."""
    parameters = [one for one in model.parameters() if one.requires_grad]
    return [
        {"params": [one for one in parameters if one.ndim > 1], "weight_decay": decay},
        {"params": [one for one in parameters if one.ndim <= 1], "weight_decay": 0.0},
    ]
