"""Train a sentiment model on a shop's own reviews and their stars, and measure it on reviews kept from training."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from danggol import artefact
from danggol.errors import DataError
from danggol.reviews.sentiment.measuring import card, measure, read_alone
from danggol.reviews.sentiment.model import SentimentModel
from danggol.reviews.sentiment.rows import kept_apart, labels_of_ratings
from danggol.reviews.sentiment.settings import SentimentSettings
from danggol.reviews.shop_reviews import review_texts
from danggol.reviews.text import cleaned

if TYPE_CHECKING:
    from danggol.shop import Shop

_KEPT = 0.1
_TIMED, _TIMED_HUB = 5_000, 100
"""Reviews by which the speed is taken; of a model of the hub, which reads slowly on a core."""


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
    artefact.check_target(folder, "reviews", "sentiment")
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
    timed = _TIMED_HUB if chosen.kind.startswith("hf:") else _TIMED
    some = kept["text"].sample(min(timed, kept.height), seed=chosen.seed)
    alone = read_alone(model, some.to_list())
    taught = {"members": list(chosen.members), "unrated": others.height} if distil else None
    languages = None if model.languages is None else sorted(model.languages)
    told = {"learnt_from": learnt.height, "taught_by": taught, "languages": languages, **figures, **alone}
    told["notes"] = list(notes)
    told["as_of"] = _latest(pl.concat([rows["ts"], others["ts"]]))
    model.save(folder, {"metrics.json": json.dumps(told, indent=1), "card.md": card(chosen, told)})
    return {**told, "model": str(folder), "seconds": round(time.perf_counter() - began, 1)}


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
    teacher = SentimentSettings.of(settings.model_dump(exclude_unset=True) | {"kind": "ensemble"})
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
