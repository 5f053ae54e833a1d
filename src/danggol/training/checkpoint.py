"""A training run laid down on disk, so that a killed one goes on where it was: safetensors and JSON, never pickle.

What is kept: the weights, the best weights so far, the moments of the optimiser, the state of the random numbers, and
how far the run has come. A checkpoint replaces the one before in a single rename.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from danggol.errors import DataError

FORMAT = 1
_STATE, _TENSORS = "state.json", "tensors.safetensors"


@dataclass
class Checkpoint:
    """Where checkpoints of one run lie. ``key`` says what is trained: another key is another run, and starts anew."""

    folder: Path
    key: str

    def save(
        self, model: nn.Module, optimiser: torch.optim.Optimizer, best: dict[str, Tensor], state: dict[str, Any]
    ) -> None:
        """Lay the run down; ``state`` is plain JSON."""
        tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in best.items()}
        tensors |= {
            f"optimiser.{place}.{name}": value
            for place, held in optimiser.state_dict()["state"].items()
            for name, value in held.items()
        }
        tensors["random"] = torch.get_rng_state()
        fresh = self.folder.with_name(f".{self.folder.name}.{os.getpid()}")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        save_file(
            {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}, fresh / _TENSORS
        )
        (fresh / _STATE).write_text(json.dumps({"format": FORMAT, "key": self.key, **state}), "utf8")
        self._publish(fresh)

    def _publish(self, fresh: Path) -> None:
        old = self.folder.with_name(f".{self.folder.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        if self.folder.exists():
            self.folder.rename(old)
        fresh.rename(self.folder)
        shutil.rmtree(old, ignore_errors=True)

    def load(
        self, model: nn.Module, optimiser: torch.optim.Optimizer
    ) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Put a run of this key back into ``model`` and ``optimiser``; its best weights and state, None where none is.

        DataError: the checkpoint is of a newer format.
        """
        source = self._there()
        if source is None:
            return None
        state = json.loads((source / _STATE).read_text("utf8"))
        if state["format"] > FORMAT:
            raise DataError(f"the checkpoint {source} is of format {state['format']}; this package reads {FORMAT}")
        if state["key"] != self.key:
            return None
        tensors = load_file(source / _TENSORS)
        model.load_state_dict(_part(tensors, "model."))
        held: dict[int, dict[str, Tensor]] = {}
        for name, value in _part(tensors, "optimiser.").items():
            place, _, inner = name.partition(".")
            held.setdefault(int(place), {})[inner] = value
        optimiser.load_state_dict({"state": held, "param_groups": optimiser.state_dict()["param_groups"]})
        torch.set_rng_state(tensors["random"])
        return _part(tensors, "best."), state

    def _there(self) -> Path | None:
        """The newest whole checkpoint: a kill between two renames leaves the one before under its old name."""
        for folder in (self.folder, self.folder.with_name(f".{self.folder.name}.old")):
            if (folder / _STATE).exists() and (folder / _TENSORS).exists():
                return folder
        return None

    def clear(self) -> None:
        """Forget the run; it is done."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.folder.with_name(f".{self.folder.name}.old"), ignore_errors=True)


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
