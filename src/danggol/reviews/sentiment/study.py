"""Do units and layers matter? The classical grid of networks over several seeds, with intervals, on a shop's reviews.

LSTMs of 50 to 500 units and of 1 to 5 layers, a convolutional network, and one under an LSTM are trained on the same
reviews from several seeds and measured on the same others. A claim such as "50 units suffice" is then a paired
difference with an interval over reviews and seeds, and not the better of two single runs.
"""

from __future__ import annotations

import base64
import hashlib
import json
import multiprocessing
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from danggol.errors import DataError, UsageError
from danggol.metrics import Interval
from danggol.metrics.classification import f1
from danggol.progress import stage
from danggol.reviews.figures import interval, shown
from danggol.reviews.sentiment.model import SentimentModel
from danggol.reviews.sentiment.rows import kept_apart, labels_of_ratings
from danggol.reviews.sentiment.settings import SentimentSettings
from danggol.reviews.sentiment.training import rated
from danggol.reviews.text import cleaned

if TYPE_CHECKING:
    from danggol.shop import Shop

Right = NDArray[np.bool_]
UNITS, LAYERS = (50, 100, 200, 300, 500), (1, 2, 3, 4, 5)
VARIED = ("kind", "units", "layers", "target")
"""Settings that the study sets itself."""
FEWEST_SEEDS = 2
USUAL: Mapping[str, Any] = {"epochs": 4, "batch": 128}
"""Settings of every network, where none are given: what loses no accuracy that can be seen, in half the time."""
MARGIN = 0.005
"""Accuracy that nobody would notice: a network that surely loses less than this is as good."""
CANNOT_TELL = "cannot tell"
_KEPT, _SPLIT = 0.2, 2**31
"""Share of the texts to measure on, and the seed by which they are chosen, which is no network's."""
_DRAWS = 2_000


@dataclass(frozen=True)
class Cell:
    """One network of the grid."""

    kind: str
    units: int
    layers: int

    @property
    def name(self) -> str:
        """How it is called in tables."""
        return f"{self.kind} {self.units}x{self.layers}"


@dataclass(frozen=True)
class Measured:
    """A network that was trained from one seed."""

    cell: Cell
    seed: int
    right: Right
    """(reviews,) whether each review that was kept is read rightly"""
    f1: float
    seconds: float
    """of a processor: networks trained beside each other do not make one another slow"""
    parameters: int


def grid(units: Sequence[int] = UNITS, layers: Sequence[int] = LAYERS) -> list[Cell]:
    """The classical grid: units at the fewest layers, layers at the fewest units, a CNN, and a CNN under an LSTM."""
    few, shallow = min(units), min(layers)
    cells = [Cell("lstm", one, shallow) for one in units]
    cells += [Cell("lstm", few, one) for one in layers if one != shallow]
    return [*cells, Cell("cnn", few, shallow), Cell("cnn-lstm", few, shallow)]


def study(
    shop: Shop,
    to: str | Path | None = None,
    seeds: int = 5,
    settings: SentimentSettings | None = None,
    cells: Sequence[Cell] | None = None,
    workers: int | None = None,
) -> dict[str, Any]:
    """Train and measure every network of the grid from every seed; write ``study.md`` and ``cells.jsonl``.

    A fifth of the distinct texts is kept to measure on. What is done is in ``cells.jsonl`` at once: a run that was
    killed goes on from there, as long as reviews and settings are the same. ``to``: the folder, ``studies/reviews`` of
    the shop if not said. ``workers``: processes at a time, one a core if not said. DataError: too few reviews with
    stars. UsageError: fewer than two seeds.
    """
    if seeds < FEWEST_SEEDS:
        raise UsageError(f"{seeds} seeds tell no interval; give {FEWEST_SEEDS} or more")
    began = time.perf_counter()
    rows = rated(shop)
    base = settings or SentimentSettings.of(USUAL)
    labels = pl.Series(labels_of_ratings(rows["rating"].to_numpy(), "two")).fill_nan(None)
    rows = rows.with_columns(label=labels).drop_nulls("label")
    apart = pl.Series(kept_apart(cleaned(rows["text"].to_list(), base.longest), _KEPT, _SPLIT))
    learnt, kept = rows.filter(~apart), rows.filter(apart)
    if min(learnt["label"].n_unique(), kept["label"].n_unique()) < 2:
        raise DataError("the shop has too few pleased and displeased reviews to study; give more reviews with stars")
    folder = Path(to) if to is not None else shop.path / "studies" / "reviews"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = list(cells or grid())
    file = folder / "cells.jsonl"
    key = _fingerprint(learnt, kept, base)
    done = {(one.cell, one.seed): one for one in _read(file, key)}
    tasks = [(cell, seed) for cell in wanted for seed in range(seeds) if (cell, seed) not in done]
    with stage("networks", len(wanted) * seeds) as bar:
        bar.advance(len(wanted) * seeds - len(tasks))
        for one in _trained(tasks, learnt, kept, base, workers or os.cpu_count() or 1):
            done[one.cell, one.seed] = one
            _write(file, key, one)
            bar.advance()
    runs = {cell: [done[cell, seed] for seed in range(seeds)] for cell in wanted}
    told = summary(runs, float(np.unique(kept["label"], return_counts=True)[1].max()) / kept.height)
    text = words(told, learnt.height, kept.height, seeds)
    (folder / "study.md").write_text(text, "utf8")
    return {
        "learnt_from": learnt.height,
        "reviews": kept.height,
        "seeds": seeds,
        **told,
        "written": str(folder / "study.md"),
        "trained": len(tasks),
        "seconds": round(time.perf_counter() - began, 1),
    }


def summary(runs: Mapping[Cell, Sequence[Measured]], commonest: float = 0.0) -> dict[str, Any]:
    """Each network's accuracy with its interval, and the differences that answer whether units and layers matter.

    ``commonest``: the accuracy of saying the commonest label always. A network that is not surely above it has learnt
    nothing, and nothing is said of its difference to others.
    """
    right = {cell: np.stack([one.right for one in found]) for cell, found in runs.items()}
    rows = []
    for cell, found in runs.items():
        accuracy = between(right[cell])
        scores = [one.f1 for one in found]
        rows.append(
            {
                "network": cell.name,
                **asdict(cell),
                "accuracy": interval(accuracy),
                "seeds_apart": round(float(right[cell].mean(axis=1).std(ddof=1)), 4),
                "f1": round(float(np.mean(scores)), 4),
                "seconds": round(float(np.mean([one.seconds for one in found])), 1),
                "parameters": found[0].parameters,
            }
        )
    idle = {cell for cell, one in right.items() if between(one).low <= commonest}
    return {
        "commonest": round(commonest, 4),
        "networks": rows,
        "differences": [_difference(right, *pair, told=not idle & set(pair)) for pair in _pairs(list(runs))],
    }


def between(right: Right, other: Right | None = None, draws: int = _DRAWS, seed: int = 0) -> Interval:
    """Mean accuracy of runs (seeds, reviews), or its difference to that of other runs on the same reviews.

    The 95% interval is over reviews and over seeds: both are drawn again; reviews together, seeds of each by itself.
    """
    draw = np.random.default_rng(seed)
    count = right.shape[1]
    value = float(right.mean() - (0 if other is None else other.mean()))
    found = np.empty(draws)
    for nth in range(draws):
        weights = np.bincount(draw.integers(0, count, count), minlength=count) / count
        means = [
            (one @ weights)[draw.integers(0, len(one), len(one))].mean() for one in (right, other) if one is not None
        ]
        found[nth] = means[0] - (means[1] if other is not None else 0)
    low, high = np.percentile(found, [2.5, 97.5])
    return Interval(value, float(low), float(high))


def verdict(difference: Interval) -> str:
    """What a difference of accuracy to the network compared with says."""
    if difference.low > 0:
        return "better"
    if difference.high < 0:
        return "worse"
    return "as good" if difference.low > -MARGIN else CANNOT_TELL


def words(told: Mapping[str, Any], learnt: int, kept: int, seeds: int) -> str:
    """The study in Markdown."""
    lines = [
        "# Do units and layers matter?",
        "",
        f"{learnt:,} reviews to learn from, {kept:,} to measure on, {seeds} seeds a network. Accuracy is the mean over "
        f"seeds; intervals (95%) are over reviews and seeds. `UNITSxLAYERS`. The commonest label always: "
        f"{told['commonest']:.4f}.",
        "",
        "| network | accuracy | seeds apart | F1 | processor seconds | parameters |",
        "|---|---|---|---|---|---|",
        *(
            f"| {row['network']} | {shown(row['accuracy'], '.4f')} | {row['seeds_apart']:.4f} | {row['f1']:.3f} | "
            f"{row['seconds']:,.0f} | {row['parameters']:,} |"
            for row in told["networks"]
        ),
        "",
        "Better and worse: the interval leaves out zero. As good: it contains zero, and surely no more than "
        f"{MARGIN:g} is lost.",
        "Cannot tell: neither, or one of the two is not surely ahead of the commonest label.",
        "Seeds apart: standard deviation of accuracy between seeds; two single runs differ by as much by chance.",
        "",
        "| network | against | difference of accuracy | it is |",
        "|---|---|---|---|",
        *(
            f"| {row['network']} | {row['against']} | {shown(row['difference'], '+.4f')} | {row['verdict']} |"
            for row in told["differences"]
        ),
    ]
    return "\n".join(lines) + "\n"


def _pairs(cells: Sequence[Cell]) -> Iterator[tuple[Cell, Cell]]:
    """Every LSTM against the one with the most units, or the fewest layers, of its row; the others against it."""
    lstm = [cell for cell in cells if cell.kind == "lstm"]
    if not lstm:
        return
    shallow, few = min(cell.layers for cell in lstm), min(cell.units for cell in lstm)
    wide = [cell for cell in lstm if cell.layers == shallow]
    most, least = max(wide, key=lambda cell: cell.units), min(wide, key=lambda cell: cell.units)
    yield from ((cell, most) for cell in wide if cell != most)
    yield from ((cell, least) for cell in lstm if cell.units == few and cell != least)
    yield from ((cell, least) for cell in cells if cell.kind != "lstm")


def _difference(right: Mapping[Cell, Right], cell: Cell, against: Cell, told: bool) -> dict[str, Any]:
    found = between(right[cell], right[against])
    return {
        "network": cell.name,
        "against": against.name,
        "difference": interval(found),
        "verdict": verdict(found) if told else CANNOT_TELL,
    }


def _trained(
    tasks: Sequence[tuple[Cell, int]], learnt: pl.DataFrame, kept: pl.DataFrame, base: SentimentSettings, workers: int
) -> Iterator[Measured]:
    """Each task's network, as they are done; the largest are begun first."""
    order = sorted(tasks, key=lambda task: (-task[0].units * task[0].units * task[0].layers, task[1]))
    given = (
        learnt["text"].to_list(),
        learnt["label"].to_numpy(),
        kept["text"].to_list(),
        kept["label"].to_numpy(),
        base,
    )
    if not order:
        return
    if workers == 1:
        _receive(given)
        yield from (_measured(*task) for task in order)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(order)), context, _receive, (given,)) as pool:
        waiting = [pool.submit(_measured, *task) for task in order]
        yield from (one.result() for one in as_completed(waiting))


Given = tuple[list[str], NDArray[np.float64], list[str], NDArray[np.float64], SentimentSettings]
_given: list[Given] = []
"""The reviews of a worker."""


def _receive(given: Given) -> None:
    """Keep a worker's reviews, and let it use one core."""
    _given[:] = [given]
    os.environ["OMP_NUM_THREADS"] = "1"
    import torch

    torch.set_num_threads(1)


def _measured(cell: Cell, seed: int) -> Measured:
    texts, labels, kept, truth, base = _given[0]
    settings = base.model_copy(update={**asdict(cell), "target": "two", "seed": base.seed + seed})
    began = time.process_time()
    model = SentimentModel(settings).fit(texts, labels)
    seconds = time.process_time() - began
    said = (model.predict(kept)["score"].to_numpy() > 0).astype(np.float64)
    return Measured(cell, seed, said == truth, float(f1(said, truth)), seconds, model.parameters)


def _fingerprint(learnt: pl.DataFrame, kept: pl.DataFrame, base: SentimentSettings) -> str:
    held = hashlib.sha256(base.model_dump_json().encode())
    for rows in (learnt, kept):
        held.update(rows.select("text", "label").write_csv().encode())
    return held.hexdigest()[:16]


def _write(file: Path, key: str, one: Measured) -> None:
    """Add a line; a line that a killed run left half written is passed over when it is read."""
    line = {
        **{"key": key, **asdict(one.cell), "seed": one.seed, "f1": one.f1, "seconds": one.seconds},
        **{"parameters": one.parameters, "reviews": len(one.right)},
        "right": base64.b64encode(np.packbits(one.right).tobytes()).decode(),
    }
    with file.open("a", encoding="utf8") as opened:
        opened.write("\n" + json.dumps(line))


def _read(file: Path, key: str) -> Iterator[Measured]:
    for line in file.read_text("utf8").splitlines() if file.exists() else []:
        try:
            row = json.loads(line)
            if row["key"] != key:
                continue
            bits = np.frombuffer(base64.b64decode(row["right"]), np.uint8)
            right = np.unpackbits(bits, count=row["reviews"]).astype(np.bool_)
            cell = Cell(row["kind"], row["units"], row["layers"])
            found = Measured(cell, row["seed"], right, row["f1"], row["seconds"], row["parameters"])
        except (ValueError, KeyError, TypeError):
            continue
        yield found
