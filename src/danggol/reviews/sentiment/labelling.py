"""Label every review of a shop: how pleased it is, and whether it contradicts its stars."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from danggol import artefact
from danggol.errors import UsageError
from danggol.reviews.language import UNKNOWN
from danggol.reviews.reading import fingerprint, learnt_until, one_at_a_time, read_in_parts, sweep_parts
from danggol.reviews.sentiment.model import SentimentModel
from danggol.reviews.shop_reviews import latest_review, require_same, review_texts

if TYPE_CHECKING:
    from danggol.shop import Shop

_BATCH = 20_000
_PARTS = "reviews"
_COLUMNS = ("review_id", "title", "text", "rating")
_SURE = 0.8
"""Confidence from which a text can contradict its stars."""
SHIPPED = Path(__file__).parent / "shipped"
"""The Korean and English model that comes with danggol."""


def model_folder(shop: Shop, model: str | Path | None) -> Path:
    """Where the model to use is: the one given, the shop's own, or the one that comes with danggol."""
    own = artefact.locate(shop.path / "models" / "reviews")
    found = Path(model) if model is not None else own if own.exists() else SHIPPED
    if not (artefact.locate(found) / artefact.CONFIG).exists():
        raise UsageError(f"there is no model in {found}; train one with 'danggol reviews train'")
    return artefact.locate(found)


def label(shop: Shop, model: str | Path | None = None) -> dict[str, Any]:
    """Read every review; writes ``review_sentiment`` and says how many are of each label, and contradict their stars.

    Reviews in languages that the model has not learnt are labelled ``unsure``, and counted by language (``unlearnt``).

    ``model``: the folder of a saved one; without, the shop's own where it has one, else the one that comes with
    danggol. A review's title is read with it. Batches of 20,000 are laid down as they are done. DataError: the shop has
    no reviews, or they changed while they were read. UsageError: there is no model, or another run is labelling.
    """
    shop.require("reviews")
    folder = model_folder(shop, model)
    with one_at_a_time(shop, _PARTS, "labelling the reviews"):
        return _labelled(shop, folder)


def _labelled(shop: Shop, folder: Path) -> dict[str, Any]:
    reader = SentimentModel.load(folder)
    version = shop.versions.current()["reviews"]
    mark = f"{fingerprint(folder, _BATCH)}-{version}"
    files = read_in_parts(shop, _PARTS, mark, _COLUMNS, _BATCH, lambda batch: _told(reader, batch))
    times = [one for one in (latest_review(shop), learnt_until(folder)) if one is not None]
    as_of = min(max(times, default=datetime.now(UTC)), datetime.now(UTC))
    counts: dict[str, int] = {}
    unlearnt: dict[str, int] = {}
    contradict = reviews = 0
    with shop.run("reviews label", settings=reader.settings.model_dump()) as run:
        require_same(run, {"reviews": version})
        writer = run.writer("review_sentiment")
        for file in files:
            rows = pl.read_parquet(file)
            _count(counts, rows["label"])
            if reader.languages is not None:
                strange = ~pl.col("language").is_in(list(reader.languages)) & (pl.col("label") == "unsure")
                _count(unlearnt, rows.filter(strange)["language"])
            contradict += int(rows["disagrees_with_rating"].sum() or 0)
            reviews += writer.add(rows.with_columns(as_of=pl.lit(as_of)))
    sweep_parts(shop, _PARTS)
    return {
        "reviews": reviews,
        "labels": dict(sorted(counts.items())),
        "contradict_their_stars": contradict,
        "unlearnt": dict(sorted(unlearnt.items(), key=lambda one: (-one[1], one[0]))),
        "model": "shipped" if folder == SHIPPED else str(folder),
        "as_of": as_of.isoformat(),
    }


def _count(counts: dict[str, int], values: pl.Series) -> None:
    """Add how often each value is there."""
    for name, count in values.drop_nulls().value_counts().rows():
        counts[name] = counts.get(name, 0) + count


def _told(reader: SentimentModel, batch: pl.DataFrame) -> pl.DataFrame:
    """Rows of ``review_sentiment``."""
    said = reader.predict(review_texts(batch))
    sure = pl.col("confidence") >= _SURE
    pleased, displeased = pl.col("label") == "positive", pl.col("label") == "negative"
    stars = pl.col("rating").fill_nan(None)
    lies = sure & ((pleased & (stars <= 2)) | (displeased & (stars >= 4)))
    rows = said.with_columns(batch["review_id"], batch["rating"], language=pl.col("language").replace(UNKNOWN, None))
    rows = rows.with_columns(disagrees_with_rating=pl.when(stars.is_not_null()).then(lies))
    return rows.select("review_id", "score", "label", "confidence", "language", "disagrees_with_rating")
