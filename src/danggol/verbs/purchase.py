"""What the purchase verbs do: train, evaluate, predict, explain, modalities."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from danggol.console import Outcome, Table
from danggol.shop import Shop
from danggol.verbs.purchase_words import evaluation_words, importance_words, ranged, reason_words

if TYPE_CHECKING:
    from danggol.purchase.settings import PurchaseSettings


def purchase_train(
    path: Path,
    *,
    until: str | None,
    to: Path | None,
    start: Path | None,
    settings: Path | None,
    pairs: Sequence[str],
    seed: int,
) -> Outcome:
    """Train the purchase model and save it."""
    from danggol.purchase import verbs

    figures = verbs.train(Shop.open(path), until, to, _purchase_settings(settings, pairs), seed, start)
    words = (
        f"Learnt from {figures['customers']:,} customers and {figures['products']:,} products "
        f"at {figures['moments']} past moments in {figures['seconds']:.0f} s."
        if figures["learnt"]
        else "There are too few purchases to learn from: "
        + ("the model counts what was bought." if start is None else "the other shop's model is used as it is.")
    )
    return Outcome(figures, [words, f"The model is in {figures['model']}; its card.md tells what it was trained on."])


def purchase_evaluate(
    path: Path, *, until: str | None, days: float, settings: Path | None, pairs: Sequence[str], seed: int
) -> Outcome:
    """Measure the purchase model beside every baseline."""
    from danggol.purchase import verbs

    figures = verbs.evaluate(Shop.open(path), until, days, _purchase_settings(settings, pairs), seed)
    return Outcome(figures, [*evaluation_words(figures), f"Written to purchase_metrics of {path}."])


def purchase_predict(
    path: Path,
    *,
    at: str | None,
    top: int,
    model: Path | None,
    customers: Sequence[str] | None,
    settings: Path | None,
    pairs: Sequence[str],
    seed: int,
) -> Outcome:
    """Write purchase probabilities and recommendations."""
    from danggol.purchase import verbs

    chosen = _purchase_settings(settings, pairs)
    figures = verbs.predict(Shop.open(path), at, top, model, customers, chosen, seed)
    many = f"{figures['customers']:,} customer" + ("" if figures["customers"] == 1 else "s")
    said: list[str | Table] = [
        f"Wrote {figures['recommendations']:,} recommendations and {figures['purchase_scores']:,} probabilities for "
        f"{many} as of {figures['at'][:16].replace('T', ' ')} UTC in {figures['seconds']:.0f} s.",
        f"They are in recommendations and purchase_scores of {path}.",
    ]
    if customers:
        said.append("The rows of all other customers stay as they were.")
    if figures["unknown"]:
        said.append(f"The shop does not know {figures['unknown']:,} of them, who get what everybody buys.")
    if figures["days_past_the_tables"] > figures["horizon_days"]:
        said.append(
            f"The tables end {figures['days_past_the_tables']:,} days before that moment: the lists know nothing of "
            "what came between."
        )
    saved = path / "models" / "purchase"
    if figures["trained_anew"] and saved.exists():
        said.append(f"The model was trained anew; to use the saved one, add --model {saved}.")
    return Outcome(figures, said)


def purchase_explain(
    path: Path,
    *,
    until: str | None,
    model: Path | None,
    customers: Sequence[str] | None,
    top: int,
    settings: Path | None,
    pairs: Sequence[str],
    seed: int,
) -> Outcome:
    """Say what the purchase model goes by, or what some customers' lists go by."""
    from danggol.purchase import verbs

    chosen = _purchase_settings(settings, pairs)
    figures = verbs.explain(Shop.open(path), until, model, customers, top, chosen, seed)
    if customers:
        return Outcome(figures, [*reason_words(figures["reasons"]), f"Written to purchase_reasons of {path}."])
    said = importance_words(figures)
    return Outcome(figures, [*said, f"Written to purchase_importance and purchase_dependence of {path}."])


def purchase_modalities(path: Path, *, until: str | None, seed: int) -> Outcome:
    """Measure what each modality is worth, alone and beside the others."""
    from danggol.purchase.multimodal import verbs

    figures = verbs.modalities(Shop.open(path), until, seed)
    told = figures["figures"]
    names = [name.partition("/")[2] for name in told if name.startswith("share/")]
    heading = (
        f"AUC of {figures['showings']:,} showings from {figures['until'][:10]} on ({figures['bought']:,} bought): "
        f"{told['auc/joined'][0]:.3f} joined"
    )
    rows = [[name, *(ranged(told[f"{figure}/{name}"]) for figure in ("auc", "share", "without"))] for name in names]
    table = Table(["modality", "alone", "Shapley share", "lost without"], rows, heading)
    return Outcome(figures, [table, f"Written to modality_worth of {path}; danggol report shows it."])


def _purchase_settings(settings: Path | None, pairs: Sequence[str]) -> PurchaseSettings:
    from danggol.purchase.settings import PurchaseSettings

    return PurchaseSettings.load(settings, pairs)
