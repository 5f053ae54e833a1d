"""What the command line does with aspects: label them, say which complaints rose, and propose topics to name."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from danggol.reviews.aspects.rises import rose_lately
from danggol.reviews.aspects.scorer import SentimentScorer
from danggol.reviews.aspects.seeds import SeedAspects
from danggol.reviews.aspects.table import SURELY, complaints, label_aspects
from danggol.reviews.aspects.topics import topics
from danggol.reviews.shop_reviews import review_texts

if TYPE_CHECKING:
    from danggol.shop import Shop

_SEARCHED = 20_000
"""Reviews, the latest, that are searched for new topics."""
_TOPICS = 8


def aspects(shop: Shop, words: Path | None = None, model: Path | None = None, sentiment: bool = True) -> dict[str, Any]:
    """Label what every review speaks of; writes ``review_aspects``.

    What comes back: each aspect's reviews and the share spoken of badly; the complaints that rose in the last week, of
    the shop as a whole and of single products, with a test for change; and topics among the clauses that no seed word
    explains, which wait for a name. ``words``: the shop's own file of aspects; ``model``: a saved model of marked
    terms. ``sentiment``: where no word of feeling tells polarity, ask the shop's own sentiment model, or else the one
    that comes with danggol, in the languages that it has learnt (not with ``model``). DataError: no reviews;
    UsageError: the file is not there or not as it should be.
    """
    began = time.perf_counter()
    shop.require("reviews")
    scorer = SentimentScorer.of(shop) if sentiment and model is None else None
    told = label_aspects(shop, words, model, scorer)
    found = shop.read("review_aspects", ["review_id", "aspect", "polarity"])
    return {
        **told,
        "sentiment": None if scorer is None else scorer.name,
        "by_aspect": _by_aspect(found),
        **rose_lately(shop, complaints(found)),
        "topics": [] if model is not None else _proposed(shop, words),
        "seconds": round(time.perf_counter() - began, 1),
    }


def _by_aspect(found: pl.DataFrame) -> list[dict[str, Any]]:
    bad, good = (pl.col("polarity") < -SURELY).mean(), (pl.col("polarity") > SURELY).mean()
    rows = found.group_by("aspect").agg(reviews=pl.len(), bad=bad.round(4), good=good.round(4))
    return rows.sort("reviews", "aspect", descending=[True, False]).head(20).to_dicts()


def _proposed(shop: Shop, words: Path | None) -> list[dict[str, Any]]:
    """Topics among the clauses of the latest reviews that no seed word explains."""
    latest = shop.sql(
        "SELECT title, text FROM reviews ORDER BY ts DESC NULLS LAST, review_id DESC LIMIT $most", {"most": _SEARCHED}
    )
    reader = SeedAspects(words)
    table, _ = topics(reader.unexplained(review_texts(latest)), words=reader.words)
    return table.head(_TOPICS).select("topic", "reviews", "words", "examples").to_dicts()
