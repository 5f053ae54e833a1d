"""Runs every capability whose tables are there, in order, then the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from danggol.errors import DataError, UsageError
from danggol.progress import stage
from danggol.shop import Shop

QUICK: Mapping[str, Mapping[str, Any]] = {"purchase": {"windows": 4, "rounds": 120, "rankers": 1}}
"""Settings by capability with which a run takes a minute or so, a little less precise."""


@dataclass(frozen=True)
class Step:
    """A capability in the pipeline: the tables it needs, and ``call(shop, seed, settings)``, which returns figures."""

    name: str
    needs: tuple[str, ...]
    call: Callable[[Shop, int, Mapping[str, Any]], Mapping[str, Any]]
    wanted: Callable[[Shop], bool] = lambda _: True
    """whether the shop asks for it; one that it does not ask for is left out without a word"""


def _match(shop: Shop, seed: int, settings: Mapping[str, Any]) -> Mapping[str, Any]:
    from danggol.matching import MatchingSettings, verbs

    return verbs.match(shop, settings=MatchingSettings.of(settings) if settings else None, seed=seed)


def _prices(shop: Shop, seed: int, settings: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG001  # one form
    from danggol.matching.offers.prices import price_gaps

    return price_gaps(shop)


def _spam(shop: Shop, seed: int, settings: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG001  # one form
    from danggol.matching.offers.spam import spam

    return spam(shop)


def _label(shop: Shop, seed: int, settings: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG001  # one form
    from danggol.reviews.sentiment.labelling import label

    figures = label(shop)
    strange = sum(figures["unlearnt"].values())
    if not strange:
        return figures
    which = f"{strange:,} of {figures['reviews']:,} are in languages that the model has not learnt (reviews train)"
    return {**figures, "note": f"done; {which}"}


def _aspects(shop: Shop, seed: int, settings: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG001  # one form
    from danggol.reviews.aspects.verbs import aspects

    return aspects(shop)


def _taught_causes(shop: Shop) -> bool:
    from danggol.reviews.causes.naming import has_model

    return has_model(shop)


def _causes(shop: Shop, seed: int, settings: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG001  # one form
    from danggol.reviews.causes.naming import name_causes

    return name_causes(shop)


def _evaluate(shop: Shop, seed: int, settings: Mapping[str, Any]) -> Mapping[str, Any]:
    from danggol.purchase import PurchaseSettings, verbs

    return verbs.evaluate(shop, settings=PurchaseSettings.of(settings), seed=seed)


def _predict(shop: Shop, seed: int, settings: Mapping[str, Any]) -> Mapping[str, Any]:
    from danggol.purchase import PurchaseSettings, verbs

    return verbs.predict(shop, settings=PurchaseSettings.of(settings), seed=seed)


def _report(shop: Shop, seed: int, settings: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG001  # one form
    from danggol.report import build_report

    return {"report": str(build_report(shop))}


STEPS = (
    Step("match", ("products",), _match),
    Step("prices", ("offers", "product_groups"), _prices),
    Step("spam", ("product_groups",), _spam),
    Step("reviews label", ("reviews",), _label),
    Step("reviews aspects", ("reviews",), _aspects),
    Step("reviews causes", ("reviews",), _causes, _taught_causes),
    Step("purchase evaluate", ("events",), _evaluate),
    Step("purchase predict", ("events",), _predict),
    Step("report", (), _report),
)


def run(
    shop: Shop, seed: int = 0, settings: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Mapping[str, Any]]:
    """Run the steps in order; a step that lacks tables or rows says so and is passed over, and one of reviews too that
    cannot be had now, such as beside another run that labels them.

    Causes of reviews are named where the shop has a model of its own for them: only its people can teach one.
    ``settings``: those of each capability, by its name. Returns each step's figures by its name; a step that was passed
    over has ``{"skipped": why}``; one that has something to say besides has a ``note``.
    """
    figures: dict[str, Mapping[str, Any]] = {}
    steps = [step for step in STEPS if step.wanted(shop)]
    with stage("run", len(steps)) as under_way:
        for step in steps:
            under_way.say(step.name)
            missing = [table for table in step.needs if not shop.has(table)]
            if missing:
                figures[step.name] = {"skipped": f"the shop has no rows in {', '.join(missing)}"}
            else:
                capability = step.name.partition(" ")[0]
                try:
                    figures[step.name] = step.call(shop, seed, (settings or {}).get(capability, {}))
                except (DataError, UsageError) as error:
                    if isinstance(error, UsageError) and capability != "reviews":
                        raise
                    figures[step.name] = {"skipped": str(error)}
            under_way.advance()
    return figures


def report_path(figures: Mapping[str, Mapping[str, Any]]) -> Path | None:
    """Where a run's report is."""
    path = figures.get("report", {}).get("report")
    return Path(path) if path else None
