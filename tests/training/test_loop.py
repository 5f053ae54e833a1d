"""Training: it learns, it stops, and a killed run resumed gives the unbroken run's model."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from danggol.errors import DataError, UsageError
from danggol.training import Checkpoint, Schedule, device_of, train

ROWS = 200


class KilledError(Exception):
    """The plug is pulled."""


def made() -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 1))
    x = torch.randn(ROWS, 4)
    return model, x, (x[:, :1] * x[:, 1:2]).detach()


def learn(checkpoint: Checkpoint | None = None, kill_at: int | None = None, **settings: float) -> nn.Module:
    model, x, y = made()
    steps = 0

    def loss(rows: np.ndarray) -> Tensor:
        nonlocal steps
        steps += 1
        if steps == kill_at:
            raise KilledError
        return nn.functional.mse_loss(model(x[rows]), y[rows])

    def score() -> float:
        return -float(nn.functional.mse_loss(model(x), y))

    schedule = Schedule(**({"epochs": 8, "batch_size": 32, "learning_rate": 0.02, "patience": 8} | settings))
    train(model, loss, ROWS, schedule, score=score, checkpoint=checkpoint)
    return model


def weights(model: nn.Module) -> dict[str, Tensor]:
    return dict(model.state_dict())


@pytest.mark.parametrize("kill_at", [1, 7, 8, 20, 50, 56])
def test_a_killed_and_resumed_run_gives_the_unbroken_model(tmp_path: Path, kill_at: int) -> None:
    whole = weights(learn())
    checkpoint = Checkpoint(tmp_path / "run", "one")
    with pytest.raises(KilledError):
        learn(checkpoint, kill_at)
    resumed = weights(learn(checkpoint))
    for name, value in whole.items():
        assert torch.equal(value, resumed[name]), name
    assert not (tmp_path / "run").exists()


def test_another_key_starts_anew(tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        learn(Checkpoint(tmp_path / "run", "one"), 30)
    other, alone = weights(learn(Checkpoint(tmp_path / "run", "two"))), weights(learn())
    assert all(torch.equal(value, other[name]) for name, value in alone.items())


def test_a_newer_checkpoint_is_refused(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "run", "one")
    with pytest.raises(KilledError):
        learn(checkpoint, 30)
    state = tmp_path / "run" / "state.json"
    state.write_text(json.dumps(json.loads(state.read_text()) | {"format": 99}))
    with pytest.raises(DataError, match="format 99"):
        learn(checkpoint)


def test_it_learns_and_keeps_the_best_epoch() -> None:
    model, x, y = made()
    before = float(nn.functional.mse_loss(model.eval()(x), y).detach())
    scores: list[float] = []

    def score() -> float:
        scores.append(-float(nn.functional.mse_loss(model(x), y)))
        return scores[-1]

    def loss(rows: np.ndarray) -> Tensor:
        return nn.functional.mse_loss(model(x[rows]), y[rows])

    seen = train(model, loss, ROWS, Schedule(epochs=30, batch_size=32, learning_rate=0.02, patience=5), score=score)
    after = float(nn.functional.mse_loss(model(x), y).detach())
    assert after < 0.6 * before
    assert seen.scores[seen.best_epoch] == max(seen.scores)
    assert after == pytest.approx(-max(scores), rel=1e-5)


def test_it_stops_when_nothing_gets_better() -> None:
    model, x, y = made()
    seen = train(
        model,
        lambda rows: nn.functional.mse_loss(model(x[rows]), y[rows]),
        ROWS,
        Schedule(epochs=50, patience=2),
        score=iter([3.0, 2.0, 1.0, 0.5]).__next__,
    )
    assert seen.scores == [3.0, 2.0, 1.0]
    assert seen.best_epoch == 0


def test_wrong_use_is_said() -> None:
    with pytest.raises(UsageError, match="no rows"):
        train(nn.Linear(1, 1), lambda rows: torch.zeros(1), 0, Schedule())
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="no CUDA"):
            device_of("cuda")
        assert device_of("auto").type == "cpu"
    with pytest.raises(UsageError, match="learning_rate"):
        Schedule.of({"learning_rates": 0.1})
