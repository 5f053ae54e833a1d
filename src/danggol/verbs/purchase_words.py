"""What came of the purchase verbs, in words and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from danggol.console import Table


def evaluation_words(figures: Mapping[str, Any]) -> list[str | Table]:
    """A table of the models, best first, and one of ours by country."""
    if "models" not in figures:
        return []
    models: dict[str, dict[str, float]] = figures["models"]
    names = ("ndcg@10", "ndcg@10/new", "ndcg@10/repeat", "recall@10", "auc")
    ranked = sorted(models, key=lambda model: -models[model].get("ndcg@10", 0.0))
    rows = [[model, *(models[model].get(name) for name in names)] for model in ranked]
    heading = (
        f"{figures['customers']:,} customers who bought in the {figures['days']:g} days from {figures['from_day']}"
    )
    said: list[str | Table] = [Table(("model", *names), rows, heading)]
    ours = models["danggol"]
    known = {"ndcg@10/new", "ndcg@10/repeat"}
    countries = [name for name in ours if name.startswith("ndcg@10/") and name not in known]
    if countries:
        by_country = [
            [name.partition("/")[2].upper(), *(models[model].get(name) for model in ranked)] for name in countries
        ]
        said.append(Table(("ndcg@10", *ranked), by_country, "By country"))
    differences = [
        [name, *values, "ahead" if values[1] > 0 else "behind" if values[2] < 0 else "level"]
        for name, values in figures["differences"].items()
    ]
    said.append(Table(("ours minus", "nDCG@10", "low", "high", "ours is"), differences, "Paired 95% intervals"))
    return said


def importance_words(figures: Mapping[str, Any]) -> list[str | Table]:
    """What the lists need by family and by feature, and how the probability moves."""
    told = figures["importance"]
    heading = (
        f"nDCG@10 of {figures['customers']:,} customers who bought from {figures['from_day']} on: "
        f"{ranged(figures['ndcg@10'])}; what it loses when a feature is shuffled"
    )
    said: list[str | Table] = []
    for kind, title in (("family", heading), ("feature", "The ten that it needs most")):
        rows = [(name.partition("/")[2], ranged(told[name])) for name in told if name.startswith(kind)]
        said.append(Table((kind, "loss of nDCG@10"), rows[:10], title))
    moved = [
        (name, f"{steps[0][0]:.3g} to {steps[-1][0]:.3g}", ", ".join(f"{chance:.4f}" for _, chance in steps))
        for name, steps in figures["dependence"].items()
        if steps
    ]
    said.append(Table(("feature", "set from", "mean probability"), moved, "How the probability moves with them"))
    return said


def reason_words(reasons: Sequence[Mapping[str, Any]]) -> list[str | Table]:
    """A table a customer: the places of the list, and what each family adds."""
    people: dict[str, dict[int, dict[str, Any]]] = {}
    for row in reasons:
        place = people.setdefault(row["customer_id"], {}).setdefault(row["rank"], dict(row) | {"adds": {}})
        place["adds"][row["family"]] = row["contribution"]
    said: list[str | Table] = []
    for customer, places in people.items():
        families = list(next(iter(places.values()))["adds"])
        rows = [
            [rank, one["product_id"], one["probability"], *(f"{one['adds'][family]:+.2f}" for family in families)]
            for rank, one in sorted(places.items())
        ]
        title = f"{customer}: what adds to the log-odds of the probability"
        said.append(Table(("rank", "product", "probability", *families), rows, title))
    return said


def ranged(told: Sequence[float]) -> str:
    """A value and its interval."""
    value, low, high = told
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"
