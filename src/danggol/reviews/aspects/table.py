"""The table ``review_aspects``: what each review of a shop speaks of, how, and the words that show it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from danggol.progress import stage
from danggol.reviews.aspects.polarity import Scorer
from danggol.reviews.aspects.scorer import SentimentScorer
from danggol.reviews.aspects.seeds import SeedAspects
from danggol.reviews.aspects.terms import AspectModel
from danggol.reviews.reading import review_batches
from danggol.reviews.shop_reviews import latest_review, require_same, review_texts

if TYPE_CHECKING:
    from danggol.shop import Shop

_BATCH = 20_000
SURELY = 0.2
"""Polarity beyond which an aspect counts as spoken of well or badly: where a sentiment model would answer."""
_COLUMNS = ("review_id", "aspect", "polarity", "span", "confidence")


def aspect_rows(
    review_ids: Sequence[str], texts: Sequence[str | None], reader: SeedAspects | AspectModel
) -> pl.DataFrame:
    """One row a review and aspect: ``review_id``, ``aspect``, ``polarity`` in [-1, 1], ``span``, ``confidence``.

    With a model of marked terms, which reads line by line, the aspect is the term in small letters; of a term that a
    review names twice, the row with the most confidence stays.
    """
    if isinstance(reader, SeedAspects):
        found = reader.label(texts)
    else:
        lines = [(nth, line) for nth, text in enumerate(texts) for line in (text or "").split("\n")]
        found = reader.predict([line for _, line in lines])
        review = pl.Series([nth for nth, _ in lines], dtype=pl.Int64)
        found = found.with_columns(row=review.gather(found["row"].cast(pl.UInt32)))
        found = found.with_columns(aspect=pl.col("span").str.to_lowercase(), polarity=pl.col("score"))
        found = found.sort("row", "aspect", "confidence", descending=[False, False, True])
        found = found.unique(["row", "aspect"], keep="first", maintain_order=True)
    ids = pl.Series(list(review_ids), dtype=pl.String)
    return found.with_columns(review_id=ids.gather(found["row"].cast(pl.UInt32))).select(_COLUMNS)


def complaints(aspects: pl.DataFrame, below: float = -SURELY) -> pl.DataFrame:
    """Aspects surely spoken of badly, as ``review_id`` and ``cause``: the mentions that :func:`.rises` reads."""
    return aspects.filter(pl.col("polarity") < below).select("review_id", cause="aspect").unique(maintain_order=True)


def label_aspects(
    shop: Shop, words: Path | None = None, model: Path | None = None, scorer: Scorer | None = None
) -> dict[str, Any]:
    """Read every review and write ``review_aspects``; says how many rows each aspect has, and how many are bad.

    ``mute`` in what comes back: the languages in which nothing tells polarity, so that it is 0.

    By the seed words of a file (``words``; None: those that come with danggol), or by a saved :class:`AspectModel`
    (``model``). ``scorer`` is asked where no word of feeling tells polarity; a :class:`SentimentScorer` only in the
    languages that it has learnt. Memory does not grow with the reviews. DataError: the shop has no reviews, or they
    changed while they were read.
    """
    shop.require("reviews")
    known = scorer if isinstance(scorer, SentimentScorer) else None
    languages = None if known is None else known.languages
    reader = SeedAspects(words, scorer, languages) if model is None else AspectModel.load(model, scorer)
    version = shop.versions.current()["reviews"]
    now = datetime.now(UTC)
    times = [one for one in (latest_review(shop), None if known is None else known.learnt_until) if one is not None]
    as_of = min(max(times, default=now), now)
    counts: dict[str, int] = {}
    bad = rows = 0
    settings = {name: None if one is None else str(one) for name, one in (("words", words), ("model", model))}
    settings["sentiment"] = None if known is None else known.name
    with shop.run("reviews aspects", settings=settings) as run:
        require_same(run, {"reviews": version})
        writer = run.writer("review_aspects")
        with stage("aspects", shop.tables()["reviews"].rows) as bar:
            for batch in review_batches(shop, ("review_id", "title", "text"), _BATCH):
                found = aspect_rows(batch["review_id"].to_list(), review_texts(batch), reader)
                for name, count in found.group_by("aspect").len().rows():
                    counts[name] = counts.get(name, 0) + count
                bad += found.filter(pl.col("polarity") < -SURELY).height
                rows += writer.add(found.with_columns(as_of=pl.lit(as_of)))
                bar.advance(batch.height)
    most = dict(sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:50])
    return {
        "rows": rows,
        "aspects": most,
        "spoken_of_badly": bad,
        "mute": reader.mute if isinstance(reader, SeedAspects) else [],
        "as_of": as_of.isoformat(),
    }
