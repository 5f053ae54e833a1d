"""Learn why customers write from reviews whose cause somebody has named, measure it, and write the model's card."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from danggol import artefact
from danggol.reviews.causes.measuring import measure
from danggol.reviews.causes.model import CauseModel
from danggol.reviews.causes.settings import CauseSettings
from danggol.reviews.causes.shop_facts import labelled_reviews
from danggol.reviews.figures import shown
from danggol.version import __version__

if TYPE_CHECKING:
    from danggol.shop import Shop

_TELLING = 6
"""Marks of words that the card shows of each cause."""


def train(
    shop: Shop, labels: Path, to: str | Path | None = None, settings: CauseSettings | None = None
) -> dict[str, Any]:
    """Learn from the reviews that a file of labels names, and save the model with its figures and card.

    ``labels``: see :func:`.labelled_reviews`; ``to``: the folder, the shop's ``models/causes`` if not said. The figures
    are of models that have not learnt from the texts they are measured on; the model that is saved has learnt from all.
    UsageError: there is no such file, or something else than a model lies in the folder. DataError: the labels are not
    as they should be, or too few.
    """
    began = time.perf_counter()
    chosen = settings or CauseSettings()
    folder = shop.path / "models" / "causes" if to is None else Path(to)
    artefact.check_target(folder, "reviews", "causes")
    labelled = labelled_reviews(shop, labels)
    figures = measure(labelled, chosen)
    reviews = labelled.reviews
    model = CauseModel(**chosen.model_dump()).fit(reviews.texts, reviews.facts, labelled.causes, labelled.classes)
    latest = reviews.known_at.max()
    told = {
        **figures,
        "without_cause": labelled.without,
        "facts": _known(reviews.facts),
        "telling": {cause: [mark for mark, _ in model.telling(cause, _TELLING)] for cause in model.causes},
        "as_of": latest.isoformat() if isinstance(latest, datetime) else None,
    }
    model.save(folder, {"metrics.json": json.dumps(told, indent=1, ensure_ascii=False), "card.md": card(told)})
    return {**told, "model": str(folder), "seconds": round(time.perf_counter() - began, 1)}


def card(told: Mapping[str, Any]) -> str:
    """The model's card in Markdown, from what was measured."""
    lines = [
        "# Cause model",
        "",
        "Tells why a customer wrote, from the review and what is known of its order. "
        f"Written by danggol {__version__}.",
        "",
        "## Data",
        "",
        f"- {told['reviews']:,} reviews whose cause was named, of {told['texts']:,} distinct texts; {told['once']:,} "
        "reviews have a text that no other has.",
        f"- Known of their orders: {', '.join(f'{name} {share:.0%}' for name, share in told['facts'].items())}.",
        "",
        "## Figures",
        "",
        f"In {told['folds']} folds over distinct texts: each is told by a model that has not learnt from its text. 95% "
        "intervals, by drawing texts, in brackets. *Commonest* says the commonest answer always.",
        "",
        "| what | reviews | measure | model | commonest | ahead by |",
        "|---|---|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in figure_rows(told)),
        "",
        *_named(told),
        "## How sure it is",
        "",
        "| probability of the cause | share of reviews | on average | right |",
        "|---|---|---|---|",
        *(
            f"| {one['at_least']:g} or more | {one['share']:.1%} | {shown_share(one.get('expected'))} | "
            f"{shown_share(one.get('right'))} |"
            for one in told["cause"]["sure"]
        ),
        "",
        "## Limits",
        "",
        "- It knows the causes that it was taught, and gives each review one of them, also where none is right.",
        "- Its probabilities hold for reviews like the labelled ones: if those were chosen, not drawn, they do not.",
        "- It weighs rare causes up to the common ones, and finds more of them at the cost of some common ones.",
        "- A cause is what customers say, not what an experiment shows.",
        "- The state of an order is the one in the shop's table; what was delivered after the review is under way.",
    ]
    return "\n".join(lines) + "\n"


def figure_rows(told: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Macro F1 and accuracy of cause and class, on all reviews and on texts that no other has, as texts."""
    rows: list[tuple[str, ...]] = []
    for target in ("cause", "class"):
        for part, words in (("all", target), ("once", f"{target}, texts not seen twice")):
            held = told.get(target, {}).get(part)
            if held is None:
                continue
            for name, measure_words in (("macro_f1", "macro F1"), ("accuracy", "accuracy")):
                one = held[name]
                rows.append(
                    (
                        words,
                        f"{held['reviews']:,}",
                        measure_words,
                        shown(one),
                        shown(one["commonest"]),
                        shown(one["ahead_by"], "+.3f"),
                    )
                )
    return rows


def shown_share(share: float | None) -> str:
    """A share in per cent; a dash where there is none."""
    return "–" if share is None else f"{share:.1%}"


def _named(told: Mapping[str, Any]) -> list[str]:
    """A table of causes: how often each is right, found, and by which words."""
    lines = [
        "| cause | reviews | of those so named, right | found | words that speak most for it |",
        "|---|---|---|---|---|",
    ]
    for one in told["cause"]["by_name"]:
        words = ", ".join(f"`{mark}`" for mark in told["telling"].get(one["name"], []))
        name, right, found = one["name"].replace("|", "\\|"), shown_share(one["right"]), shown_share(one["found"])
        lines.append(f"| {name} | {one['reviews']:,} | {right} | {found} | {words} |")
    return [*lines, ""]


def _known(facts: pl.DataFrame) -> dict[str, float]:
    """The share of reviews of which each fact is known."""
    floats = [name for name, kind in facts.schema.items() if kind.is_float()]
    held = facts.with_columns(pl.col(floats).fill_nan(None))
    return {name: round(1 - held[name].null_count() / held.height, 4) for name in held.columns}
