"""Label every review of a shop: in batches, laid down one by one, so that a killed run goes on where it stopped."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from danggol import artefact
from danggol.errors import UsageError
from danggol.progress import stage
from danggol.reviews.sentiment import SentimentModel

if TYPE_CHECKING:
    from danggol.shop import Shop

_BATCH = 20_000
_PARTS = Path("cache", "reviews")
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

    ``model``: the folder of a saved one; without, the shop's own where it has one, else the one that comes with
    danggol. A review's title is read with it. Batches of 20,000 are laid down as they are done. DataError: the shop has
    no reviews. UsageError: there is no model.
    """
    shop.require("reviews")
    folder = model_folder(shop, model)
    reader = SentimentModel.load(folder)
    parts = shop.path / _PARTS / f"{_fingerprint(folder)}-{shop.versions.current()['reviews']}"
    parts.mkdir(parents=True, exist_ok=True)
    files = _read(shop, reader, parts)
    as_of = _latest(shop)
    counts: dict[str, int] = {}
    contradict = reviews = 0
    with shop.run("reviews label", settings=reader.settings.model_dump()) as run:
        writer = run.writer("review_sentiment")
        for file in files:
            rows = pl.read_parquet(file)
            for name, count in rows.group_by("label").len().rows():
                counts[name] = counts.get(name, 0) + count
            contradict += int(rows["disagrees_with_rating"].sum() or 0)
            reviews += writer.add(rows.with_columns(as_of=pl.lit(as_of)))
    shutil.rmtree(shop.path / _PARTS, ignore_errors=True)
    return {
        "reviews": reviews,
        "labels": dict(sorted(counts.items())),
        "contradict_their_stars": contradict,
        "model": "shipped" if folder == SHIPPED else str(folder),
        "as_of": as_of.isoformat(),
    }


def review_texts(rows: pl.DataFrame) -> list[str]:
    """What was written (rows,): the title, where there is one, and the text below it."""
    told = pl.concat_str(pl.col("title", "text"), separator="\n", ignore_nulls=True)
    return rows.select(told.fill_null("")).to_series().to_list()


def _read(shop: Shop, reader: SentimentModel, folder: Path) -> list[Path]:
    """The files of what was read, batch by batch; those of a run that was killed are used as they are."""
    files = []
    with stage("reviews", shop.tables()["reviews"].rows) as bar:
        for nth, batch in enumerate(_batches(shop)):
            file = folder / f"part-{nth:06d}.parquet"
            if not file.exists():
                part = file.with_suffix(".part")
                _told(reader, batch).write_parquet(part)
                part.replace(file)
            files.append(file)
            bar.advance(batch.height)
    return files


def _batches(shop: Shop) -> Iterator[pl.DataFrame]:
    columns = ["review_id", "title", "text", "rating"]
    return (pl.DataFrame(batch) for batch in shop.batches("reviews", columns, _BATCH))


def _told(reader: SentimentModel, batch: pl.DataFrame) -> pl.DataFrame:
    """Rows of ``review_sentiment``."""
    said = reader.predict(review_texts(batch))
    sure = pl.col("confidence") >= _SURE
    pleased, displeased = pl.col("label") == "positive", pl.col("label") == "negative"
    stars = batch["rating"]
    rows = said.with_columns(batch["review_id"], rating=stars).with_columns(
        disagrees_with_rating=pl.when(pl.col("rating").is_not_null()).then(
            sure & ((pleased & (pl.col("rating") <= 2)) | (displeased & (pl.col("rating") >= 4)))
        )
    )
    return rows.select("review_id", "score", "label", "confidence", "language", "disagrees_with_rating")


def _latest(shop: Shop) -> datetime:
    """The time of the latest review; now, where no review tells a time."""
    found = shop.sql("SELECT max(ts) AS latest FROM reviews")["latest"][0]
    return found if isinstance(found, datetime) else datetime.now(UTC)


def _fingerprint(folder: Path) -> str:
    """The same for two models that are the same, byte by byte."""
    held = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        if file.is_file():
            held.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return held.hexdigest()[:16]
