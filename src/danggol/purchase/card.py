"""A model's card: what it was made from and how well it did, written from what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl


def card(config: Mapping[str, Any], figures: Mapping[str, Any], measured: pl.DataFrame | None) -> str:
    """Markdown; ``measured`` are rows of ``purchase_metrics``, None or empty where nothing was measured."""
    countries = figures.get("customers_by_country", {})
    settings = config["settings"]
    lines = [
        "# Purchase model",
        "",
        f"Predicts which products a customer buys within {settings['horizon_days']:g} days. "
        f"Written by danggol {config['package_version']}.",
        "",
        "## Data",
        "",
        f"- Purchases from {figures.get('first_purchase')} to {figures.get('until')} (not included).",
        f"- {figures.get('purchase_lines', 0):,} lines of {figures.get('customers', 0):,} known customers, "
        f"{figures.get('products', 0):,} products; {figures.get('lines_without_customer', 0):,} lines without a "
        "customer count for products only.",
        f"- Learnt from {len(figures.get('moments', []))} past moments, {figures.get('rows', 0):,} rows, "
        f"{figures.get('hits', 0):,} of them bought."
        if figures.get("learnt")
        else "- Too few purchases to learn from: "
        + ("lists follow the other shop's model." if "from" in figures else "lists follow counts, nothing is fitted."),
        *_foreign(figures.get("from")),
        f"- {_terms(figures)}",
        "- Customers by country: " + (", ".join(f"{name} {count:,}" for name, count in countries.items()) or "unknown"),
        "",
        "## Figures",
        "",
        *_figures(measured),
        "",
        "## Limits",
        "",
        "- The figures hold for this shop and these weeks; seasons, sales and stock-outs change them.",
        "- What was never shown could not be bought; good ideas that customers did not see earn no credit.",
        "- A customer without purchases gets what the country buys. Probabilities of such customers are counts.",
        "- Countries with few customers have wide intervals or no figure of their own.",
        "- What goes together in the data is association, not cause.",
    ]
    return "\n".join(lines) + "\n"


def _foreign(start: Mapping[str, Any] | None) -> list[str]:
    """What the model of another shop had seen, where this one goes on from it."""
    if start is None:
        return []
    seen = f"{start.get('purchase_lines') or 0:,} lines of {start.get('customers') or 0:,} customers"
    return [f"- Goes on from a model of another shop: {seen} until {start.get('until')}."]


def _terms(figures: Mapping[str, Any]) -> str:
    if figures.get("offers"):
        return f"Prices and discounts of candidates are those of {figures['offers']:,} offers that held at the moment."
    return "The shop has no offers: prices are derived from past purchases only."


def _figures(measured: pl.DataFrame | None) -> list[str]:
    if measured is None or measured.is_empty():
        return ["Not measured yet; `danggol purchase evaluate` does it, and training after it quotes the figures."]
    until = measured["until"].to_list()[-1]
    rows = measured.filter((pl.col("until") == until) & pl.col("metric").is_in(["ndcg@10", "calibration_error"]))
    lines = [
        f"From `danggol purchase evaluate` with the cut {until:%Y-%m-%d %H:%M} UTC; the 95% interval in brackets.",
        "",
        "| part | model | metric | value | customers |",
        "|---|---|---|---|---|",
    ]
    for row in rows.sort("part", "metric", "model").iter_rows(named=True):
        between = f" [{row['low']:.3f}, {row['high']:.3f}]" if row["low"] is not None else ""
        lines.append(
            f"| {row['part']} | {row['model']} | {row['metric']} | {row['value']:.3f}{between} | {row['customers']:,} |"
        )
    return lines
