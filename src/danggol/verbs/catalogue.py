"""What the catalogue's verbs do: attributes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from danggol.console import Outcome, Table
from danggol.shop import Shop


def attributes(
    path: Path, *, model: Path | None, settings: Path | None, pairs: Sequence[str], seed: int, anew: bool
) -> Outcome:
    """Tell category and attributes of a shop's listings from title and picture."""
    from danggol.matching.catalogue import verbs
    from danggol.matching.catalogue.settings import AttributeSettings

    chosen = AttributeSettings.load(settings, pairs).model_dump(exclude_unset=True) if settings or pairs else None
    figures = verbs.attributes(Shop.open(path), model, chosen, seed, anew)
    learnt = any("accuracy" in row for row in figures["attributes"])
    headings = ["attribute", "values", "missing", "filled", "told otherwise"]
    headings += ["right, of held out", "answered", "right, of answered"] if learnt else []
    rows = [
        (*list(row.values())[:5], *(_share(row.get(name)) for name in _SHARES if learnt))
        for row in figures["attributes"]
    ]
    said: list[str | Table] = [
        f"{'Learnt from' if learnt else 'Read'} {figures['listings']:,} listings in {figures['seconds']:.0f} s; "
        f"{'the model is in' if learnt else 'by the model in'} {figures['model']}.",
        Table(tuple(headings), rows, "Listings by attribute: without a value, of these filled, and told otherwise"),
        f"Written to product_attributes of {path} ({figures['product_attributes']:,} rows, each with its confidence); "
        "products stays as it is.",
    ]
    if learnt:
        said.append("The threshold for answering was chosen on the held-out listings themselves.")
    if figures["left_out"]:
        said.append(
            f"Not learnt, being names or measures, or of too few listings: {', '.join(figures['left_out'])[:200]}."
        )
    if not learnt:
        said.append("The saved model was used; --anew learns from what the shop tells now.")
    return Outcome(figures, said)


_SHARES = ("accuracy", "answered", "accuracy_answered")


def _share(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.3f}"
