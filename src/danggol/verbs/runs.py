"""What the verbs that run everything do: run, demo."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from danggol.console import Outcome, Table
from danggol.errors import UsageError
from danggol.shop import Shop
from danggol.verbs.purchase_words import evaluation_words


def run(path: Path, *, seed: int) -> Outcome:
    """Every capability, then the report."""
    from danggol import pipeline

    figures = pipeline.run(Shop.open(path), seed)
    return Outcome(figures, _run_words(figures))


def _run_words(figures: Mapping[str, Mapping[str, Any]]) -> list[str | Table]:
    from danggol import pipeline

    rows = [(name, found.get("skipped") or found.get("note", "done")) for name, found in figures.items()]
    said: list[str | Table] = [Table(("step", "outcome"), rows)]
    where = pipeline.report_path(figures)
    if where:
        said.append(f"The report is in {where}; open it in a browser.")
    return said


def demo(path: Path, *, market: str, seed: int, replace: bool) -> Outcome:
    """A simulated market, everything run on it, and the report."""
    from danggol import pipeline
    from danggol.twin import simulate as simulate_market

    began = time.monotonic()
    if not replace and (path / "shop.toml").exists() and Shop.open(path).has("events"):
        raise UsageError(
            f"{path} is there already; go on with it by danggol run {path}, "
            f"or begin anew by danggol demo {path} --replace"
        )
    market_figures = simulate_market(path, market=market, seed=seed, replace=replace)
    simulated = time.monotonic()
    figures = pipeline.run(Shop.open(path), seed, pipeline.QUICK)
    ended = time.monotonic()
    times = {"simulate": round(simulated - began, 1), "run": round(ended - simulated, 1)}
    words = [
        f"Simulated {market_figures['tables']['events']:,} events in {times['simulate']:.0f} s.",
        *evaluation_words(figures.get("purchase evaluate", {})),
        *_run_words(figures),
        f"Trained with quick settings; for the full ones: danggol run {path}",
    ]
    return Outcome({"market": market_figures, **figures, "seconds": times}, words)
