"""Runs every capability whose tables are there, in order, then the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from danggol.errors import DataError
from danggol.progress import stage
from danggol.shop import Shop


@dataclass(frozen=True)
class Step:
    """A capability in the pipeline: the tables it needs, and what it does; ``call(shop, seed)`` returns figures."""

    name: str
    needs: tuple[str, ...]
    call: Callable[[Shop, int], Mapping[str, Any]]


def _evaluate(shop: Shop, seed: int) -> Mapping[str, Any]:
    from danggol.purchase import verbs

    return verbs.evaluate(shop, seed=seed)


def _predict(shop: Shop, seed: int) -> Mapping[str, Any]:
    from danggol.purchase import verbs

    return verbs.predict(shop, seed=seed)


def _report(shop: Shop, seed: int) -> Mapping[str, Any]:  # noqa: ARG001  # every step has the same form
    from danggol.report import build_report

    return {"report": str(build_report(shop))}


STEPS = (
    Step("purchase evaluate", ("events",), _evaluate),
    Step("purchase predict", ("events",), _predict),
    Step("report", (), _report),
)


def run(shop: Shop, seed: int = 0) -> dict[str, Mapping[str, Any]]:
    """Run the steps in order; a step whose tables are missing, or whose data do not suffice, says so and is passed over.

    Returns each step's figures by its name; a step that was passed over has ``{"skipped": why}``.
    """
    figures: dict[str, Mapping[str, Any]] = {}
    with stage("run", len(STEPS)) as under_way:
        for step in STEPS:
            under_way.say(step.name)
            missing = [table for table in step.needs if not shop.has(table)]
            if missing:
                figures[step.name] = {"skipped": f"the shop has no rows in {', '.join(missing)}"}
            else:
                try:
                    figures[step.name] = step.call(shop, seed)
                except DataError as error:
                    figures[step.name] = {"skipped": str(error)}
            under_way.advance()
    return figures


def report_path(figures: Mapping[str, Mapping[str, Any]]) -> Path | None:
    """Where a run's report is."""
    path = figures.get("report", {}).get("report")
    return Path(path) if path else None
