"""Train a sentiment model on a shop's own reviews and their stars, and measure it on reviews kept from training."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from danggol.errors import DataError
from danggol.metrics import Interval, bootstrap
from danggol.reviews.labelling import review_texts
from danggol.reviews.rows import kept_apart, labels_of_ratings
from danggol.reviews.sentiment import SentimentModel
from danggol.reviews.settings import SentimentSettings
from danggol.version import __version__

if TYPE_CHECKING:
    from danggol.shop import Shop

_KEPT = 0.1
_FEWEST = 50
"""Reviews of a language that are told apart."""


def train(
    shop: Shop,
    to: str | Path | None = None,
    settings: SentimentSettings | None = None,
    sources: Sequence[str] = (),
) -> dict[str, Any]:
    """Learn from the reviews that have stars (4 and 5 are pleased, 1 and 2 are not), and save the model.

    A tenth of the distinct texts is kept from training; what the model says of them stands in its card. ``to``: the
    folder, the shop's ``models/reviews`` if not said. ``sources``: lines for the card on where the reviews come from.
    DataError: the shop has no reviews with stars, or too few.
    """
    began = time.perf_counter()
    chosen = settings or SentimentSettings()
    shop.require("reviews")
    rows = shop.read("reviews", ["title", "text", "rating"]).filter(pl.col("rating").is_not_null())
    texts, labels = review_texts(rows), labels_of_ratings(rows["rating"].to_numpy(), chosen.target)
    known = ~np.isnan(labels)
    if not known.any():
        raise DataError("no review has stars to learn from; 'danggol reviews label' can read them with danggol's model")
    texts, labels = [texts[place] for place in np.flatnonzero(known)], labels[known]
    kept = kept_apart(texts, _KEPT, chosen.seed + 1)
    model = SentimentModel(chosen).fit([texts[place] for place in np.flatnonzero(~kept)], labels[~kept])
    figures = measure(model, [texts[place] for place in np.flatnonzero(kept)], labels[kept])
    folder = shop.path / "models" / "reviews" if to is None else Path(to)
    told = {"learnt_from": int((~kept).sum()), **figures, "sources": list(sources)}
    model.save(folder, {"metrics.json": json.dumps(told, indent=1), "card.md": card(chosen, told)})
    return {**told, "model": str(folder), "seconds": round(time.perf_counter() - began, 1)}


def measure(model: SentimentModel, texts: Sequence[str], labels: np.ndarray[Any, Any]) -> dict[str, Any]:
    """How right the model is on reviews that it has not learnt from: in all, and by language of 50 or more.

    Stars count as right where the likeliest star is the true one; scores where their sign is. ``answered`` is the share
    that it is sure of, and ``accuracy_answered`` how many of those are right; ``per_second`` on one core.
    """
    began = time.perf_counter()
    said = model.predict(texts)
    seconds = time.perf_counter() - began
    if model.settings.target == "stars":
        right = np.rint(said["stars"].to_numpy()) == labels
    else:
        middle = 0.5 if model.settings.target == "two" else 0.0
        right = (said["score"].to_numpy() > 0) == (labels > middle)
    right = right.astype(np.float64)
    sure = ~said["label"].is_in(["unsure", "unreadable"]).to_numpy()
    language = said["language"].to_numpy()
    return {
        "reviews": len(texts),
        "accuracy": _interval(bootstrap(right)),
        "answered": round(float(sure.mean()), 4),
        "accuracy_answered": round(float(right[sure].mean()), 4) if sure.any() else None,
        "by_language": {
            str(name): {
                "reviews": int((language == name).sum()),
                "accuracy": _interval(bootstrap(right[language == name])),
            }
            for name in sorted(set(language.tolist()))
            if (language == name).sum() >= _FEWEST
        },
        "per_second": round(len(texts) / max(seconds, 1e-9)),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def card(settings: SentimentSettings, told: dict[str, Any]) -> str:
    """The model's card in Markdown, from what was measured."""
    rows = [("all", told), *told["by_language"].items()]
    lines = [
        "# Sentiment model",
        "",
        f"Tells how pleased a review is. Kind `{settings.kind}`, target `{settings.target}`. "
        f"Written by danggol {__version__}.",
        "",
        "## Data",
        "",
        f"- {told['learnt_from']:,} reviews to learn from, {told['reviews']:,} kept apart (a tenth of all texts).",
        *(f"- {one}" for one in told["sources"]),
        "",
        "## Figures",
        "",
        "On the reviews kept apart; the 95% interval in brackets.",
        "",
        "| language | reviews | accuracy |",
        "|---|---|---|",
        *(f"| {name} | {one['reviews']:,} | {_shown(one['accuracy'])} |" for name, one in rows),
        "",
        f"- Answered (confidence of {settings.sure:g} or more): {told['answered']:.1%}"
        + (f", of these right: {told['accuracy_answered']:.1%}." if told["accuracy_answered"] is not None else "."),
        f"- {told['per_second']:,} reviews a second on the machine that trained it.",
        "",
        "## Limits",
        "",
        "- It has learnt what goes with stars, which are given for seller and delivery as well as for the goods.",
        "- Irony, and praise of one thing beside blame of another, are often read wrongly.",
        "- In a language that is not in the table it guesses.",
    ]
    return "\n".join(lines) + "\n"


def _interval(found: Interval) -> dict[str, float]:
    return {"value": round(found.value, 4), "low": round(found.low, 4), "high": round(found.high, 4)}


def _shown(one: dict[str, float]) -> str:
    return f"{one['value']:.3f} [{one['low']:.3f}, {one['high']:.3f}]"
