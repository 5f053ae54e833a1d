"""Train a sentiment model on a shop's own reviews and their stars, and measure it on reviews kept from training."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from danggol import artefact
from danggol.errors import DataError
from danggol.metrics import Interval, bootstrap
from danggol.reviews.sentiment.model import SentimentModel
from danggol.reviews.sentiment.rows import kept_apart, labels_of_ratings
from danggol.reviews.sentiment.settings import SentimentSettings
from danggol.reviews.shop_reviews import review_texts
from danggol.reviews.text import cleaned
from danggol.version import __version__

if TYPE_CHECKING:
    from danggol.shop import Shop

_KEPT = 0.1
_TIMED = 5_000
"""Reviews by which the speed is taken."""
_FEWEST = 50
"""Reviews of a language or source that are told apart."""


def train(
    shop: Shop,
    to: str | Path | None = None,
    settings: SentimentSettings | None = None,
    notes: Sequence[str] = (),
    balanced: bool = False,
    distil: bool = False,
) -> dict[str, Any]:
    """Learn from the reviews that have stars (4 and 5 are pleased, 1 and 2 are not), and save the model.

    A tenth of the distinct texts is kept from training; what the model says of them stands in its card. ``to``: the
    folder, the shop's ``models/reviews`` if not said. ``notes``: lines for the card on where the reviews come from.
    ``balanced``: both classes weigh alike, and so do all sources (of the product that a review is about). ``distil``:
    an ensemble of the same settings teaches the model, by the reviews without stars too. DataError: the shop has no
    reviews with stars, or too few.
    """
    began = time.perf_counter()
    chosen = settings or SentimentSettings()
    folder = shop.path / "models" / "reviews" if to is None else Path(to)
    artefact.check_target(folder)
    rows = rated(shop)
    labels = pl.Series(labels_of_ratings(rows["rating"].to_numpy(), chosen.target)).fill_nan(None)
    rows = rows.with_columns(label=labels).drop_nulls("label")
    if not rows.height:
        raise DataError("no review has stars to learn from; 'danggol reviews label' can read them with danggol's model")
    apart = pl.Series(_kept(rows, chosen))
    learnt, kept = rows.filter(~apart), rows.filter(apart)
    if not kept.height:
        raise DataError("the shop has too few reviews with stars to keep some for measuring; give more")
    weights = _weights(learnt) if balanced else None
    others = _unrated(shop, chosen) if distil else rows.head(0)
    model = _fitted(shop, learnt, others, weights, chosen, distil)
    figures = measure(model, kept)
    model.save(folder)
    alone = read_alone(folder, kept["text"].head(_TIMED).to_list())
    taught = {"members": list(chosen.members), "unrated": others.height} if distil else None
    told = {"learnt_from": learnt.height, "taught_by": taught, **figures, **alone, "notes": list(notes)}
    told["as_of"] = _latest(pl.concat([rows["ts"], others["ts"]]))
    model.save(folder, {"metrics.json": json.dumps(told, indent=1), "card.md": card(chosen, told)})
    return {**told, "model": str(folder), "seconds": round(time.perf_counter() - began, 1)}


def measure(model: SentimentModel, rows: pl.DataFrame) -> dict[str, Any]:
    """How right the model is on reviews that it has not learnt from: in all, by language and by source of 50 or more.

    ``rows``: text, label as the target says, source. Stars count as right where the star that is told is the true one;
    scores where their sign is, those of 0 left out. ``answered`` is the share that the model is sure of, and
    ``accuracy_answered`` how many of those are right.
    """
    if model.settings.target == "score":
        rows = rows.filter(pl.col("label") != 0)
    said = model.predict(rows["text"].to_list())
    labels = rows["label"].to_numpy()
    if model.settings.target == "stars":
        right = (np.rint(said["stars"].to_numpy()) == labels).astype(np.float64)
    else:
        middle = 0.5 if model.settings.target == "two" else 0.0
        right = ((said["score"].to_numpy() > 0) == (labels > middle)).astype(np.float64)
    sure = ~said["label"].is_in(["unsure", "unreadable"]).to_numpy()
    return {
        "reviews": rows.height,
        "accuracy": interval(bootstrap(right)),
        "answered": round(float(sure.mean()), 4),
        "accuracy_answered": round(float(right[sure].mean()), 4) if sure.any() else None,
        "by_language": _parts(right, said["language"].to_list()),
        "by_source": _parts(right, rows["source"].to_list()),
    }


def read_alone(folder: Path, texts: Sequence[str]) -> dict[str, Any]:
    """Size of a saved model, and how fast and in how much memory a process of its own reads texts on one core."""
    one = dict.fromkeys(("OMP_NUM_THREADS", "POLARS_MAX_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    given = json.dumps({"folder": str(folder), "texts": list(texts)})
    code = "from danggol.reviews.sentiment.training import timed; timed()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=given,
        env=os.environ | one,
        capture_output=True,
        text=True,
        encoding="utf8",
        check=True,
    )
    size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    return {"size_mb": round(size / 1e6, 1), **json.loads(done.stdout)}


def timed() -> None:
    """The process of :func:`read_alone`: reads what stands on its input, and prints the figures."""
    given = json.loads(sys.stdin.read())
    model = SentimentModel.load(given["folder"])
    texts = given["texts"]
    model.predict(texts[:10])
    began = time.perf_counter()
    model.predict(texts)
    seconds = time.perf_counter() - began
    sys.stdout.write(json.dumps({"per_second": round(len(texts) / max(seconds, 1e-9)), "peak_mb": round(_peak())}))


def _peak() -> float:
    """The most memory of this process so far, in MB, without what its parent held when it was begun."""
    status = Path("/proc/self/status")
    told = status.read_text("ascii").partition("VmHWM:")[2].split() if status.exists() else []
    return float(told[0]) / 1024 if told else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def card(settings: SentimentSettings, told: dict[str, Any]) -> str:
    """The model's card in Markdown, from what was measured."""
    parts = [("all", told), *told["by_language"].items(), *told["by_source"].items()]
    sure = f", of these right: {told['accuracy_answered']:.1%}" if told["accuracy_answered"] is not None else ""
    lines = [
        "# Sentiment model",
        "",
        f"Tells how pleased a review is. Kind `{settings.kind}`, target `{settings.target}`. "
        f"Written by danggol {__version__}.",
        "",
        "## Data",
        "",
        f"- {told['learnt_from']:,} reviews to learn from, {told['reviews']:,} kept apart (a tenth of all texts).",
        *_teaching(told.get("taught_by")),
        *(f"- {one}" for one in told["notes"]),
        "",
        "## Figures",
        "",
        "On the reviews kept apart; the 95% interval in brackets.",
        "",
        "| language or source | reviews | accuracy |",
        "|---|---|---|",
        *(f"| {name} | {one['reviews']:,} | {shown(one['accuracy'])} |" for name, one in parts),
        "",
        f"- Answered (confidence of {settings.sure:g} or more): {told['answered']:.1%}{sure}.",
        f"- {told['size_mb']:.1f} MB; reads {told['per_second']:,} reviews a second on one core of the machine that "
        f"trained it, with {told['peak_mb']:,} MB of memory for the whole process.",
        "",
        "## Limits",
        "",
        "- It has learnt what goes with stars, which are given for seller and delivery as well as for the goods.",
        "- Irony, and praise of one thing beside blame of another, are often read wrongly.",
        "- In a language that is not in the table it guesses.",
    ]
    return "\n".join(lines) + "\n"


def _teaching(taught: Mapping[str, Any] | None) -> list[str]:
    """The line on the teachers, where there are any."""
    if taught is None:
        return []
    members = ", ".join(taught["members"])
    return [f"- Taught by ensembles of {members} (distillation), by {taught['unrated']:,} reviews without stars too."]


def shown(one: Mapping[str, float], form: str = ".3f") -> str:
    """A figure with its interval."""
    return f"{one['value']:{form}} [{one['low']:{form}}, {one['high']:{form}}]"


def rated(shop: Shop) -> pl.DataFrame:
    """text (with the title above it), rating, ts and source of the product, of the reviews that have stars."""
    return _reviews(shop, pl.col("rating").is_not_null() & pl.col("rating").is_not_nan())


def _unrated(shop: Shop, settings: SentimentSettings) -> pl.DataFrame:
    """The same of the reviews that have none, but for texts that are kept for measuring."""
    rows = _reviews(shop, pl.col("rating").is_null() | pl.col("rating").is_nan())
    return rows.filter(~pl.Series(_kept(rows, settings), dtype=pl.Boolean))


def _reviews(shop: Shop, which: pl.Expr) -> pl.DataFrame:
    shop.require("reviews")
    rows = shop.read("reviews", ["product_id", "title", "text", "rating", "ts"]).filter(which)
    rows = rows.with_columns(text=pl.Series(review_texts(rows), dtype=pl.String))
    if not shop.has("products"):
        return rows.select("text", "rating", "ts", source=pl.lit(None, pl.String))
    known = shop.read("products", ["product_id", "source"]).unique("product_id")
    return rows.join(known, on="product_id", how="left", maintain_order="left").select("text", "rating", "ts", "source")


def _kept(rows: pl.DataFrame, settings: SentimentSettings) -> NDArray[np.bool_]:
    """Whether each text (rows,) is kept for measuring."""
    return kept_apart(cleaned(rows["text"].to_list(), settings.longest), _KEPT, settings.seed + 1)


def _fitted(
    shop: Shop,
    learnt: pl.DataFrame,
    others: pl.DataFrame,
    weights: NDArray[np.float64] | None,
    settings: SentimentSettings,
    distil: bool,
) -> SentimentModel:
    """A model that learns from the labels of ``learnt``; taught, from the texts of ``others`` too."""
    texts, labels = learnt["text"].to_list(), learnt["label"].to_numpy()
    if not distil:
        run = shop.path / "cache" / "sentiment-training"
        return SentimentModel(settings).fit(texts, labels, weights, checkpoint=run)
    from danggol.reviews.sentiment import distillation

    every = np.concatenate([labels, np.full(others.height, np.nan)])
    often = None if weights is None else np.concatenate([weights, np.ones(others.height)])
    teacher = settings.model_copy(update={"kind": "ensemble"})
    student = distillation.student_of(settings)
    return distillation.distil([*texts, *others["text"].to_list()], every, teacher, student, often)


def _latest(times: pl.Series) -> str | None:
    """The time of the latest review that went in; None where none tells a time."""
    told = times.max()
    return told.isoformat() if isinstance(told, datetime) else None


def _weights(rows: pl.DataFrame) -> NDArray[np.float64]:
    """Weights (rows,), one on average, by which every class of every source weighs the same."""
    each = rows.select(1 / pl.len().over("source", "label")).to_series().to_numpy()
    return np.asarray(each / each.mean(), np.float64)


def _parts(right: NDArray[np.float64], names: Sequence[str | None]) -> dict[str, Any]:
    """Reviews and accuracy of each part that is large enough."""
    column = np.array([name or "" for name in names], dtype=np.str_)
    found = {}
    for name in sorted(set(column.tolist()) - {""}):
        here = right[column == name]
        if len(here) >= _FEWEST:
            found[name] = {"reviews": len(here), "accuracy": interval(bootstrap(here))}
    return found


def interval(found: Interval) -> dict[str, float]:
    """An interval as it is written down."""
    return {"value": round(found.value, 4), "low": round(found.low, 4), "high": round(found.high, 4)}
