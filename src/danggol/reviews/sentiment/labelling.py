"""Label every review of a shop: in batches, laid down one by one, so that a killed run goes on where it stopped."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from filelock import FileLock, Timeout

from danggol import artefact
from danggol.errors import DataError, UsageError
from danggol.progress import stage
from danggol.reviews.sentiment.model import SentimentModel
from danggol.reviews.shop_reviews import require_same, review_texts
from danggol.version import __version__

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
    no reviews, or they changed while they were read. UsageError: there is no model, or another run is labelling.
    """
    shop.require("reviews")
    folder = model_folder(shop, model)
    lock = FileLock(shop.path / _PARTS.parent / f"{_PARTS.name}.lock", timeout=0)
    (shop.path / _PARTS.parent).mkdir(exist_ok=True)
    try:
        with lock:
            return _labelled(shop, folder)
    except Timeout as error:
        raise UsageError(f"another run is labelling the reviews of {shop.path}; wait until it has ended") from error


def _labelled(shop: Shop, folder: Path) -> dict[str, Any]:
    reader = SentimentModel.load(folder)
    version = shop.versions.current()["reviews"]
    parts = shop.path / _PARTS / f"{_fingerprint(folder)}-{version}"
    parts.mkdir(parents=True, exist_ok=True)
    files, latest = _read(shop, reader, parts)
    learnt_until = _learnt_until(folder)
    times = [one for one in (latest, learnt_until) if one is not None]
    as_of = min(max(times, default=datetime.now(UTC)), datetime.now(UTC))
    counts: dict[str, int] = {}
    contradict = reviews = 0
    with shop.run("reviews label", settings=reader.settings.model_dump()) as run:
        require_same(run, version)
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


def _read(shop: Shop, reader: SentimentModel, folder: Path) -> tuple[list[Path], datetime | None]:
    """The files of what was read, batch by batch, those of a run that was killed as they are; and the latest time."""
    files: list[Path] = []
    latest: datetime | None = None
    with stage("reviews", shop.tables()["reviews"].rows) as bar:
        for nth, batch in enumerate(_batches(shop)):
            file = folder / f"part-{nth:06d}.parquet"
            if not _holds(file, batch):
                _laid_down(_told(reader, batch), file)
            files.append(file)
            told = batch["ts"].max()
            latest = max((one for one in (latest, told) if isinstance(one, datetime)), default=None)
            bar.advance(batch.height)
    return files, latest


def _learnt_until(folder: Path) -> datetime | None:
    """The time of the latest review that the model learnt from, where its figures tell it."""
    if not (folder / "metrics.json").exists():
        return None
    told = artefact.read_json(folder, "metrics.json")
    as_of = told.get("as_of") if isinstance(told, dict) else None
    try:
        return None if as_of is None else datetime.fromisoformat(as_of)
    except (TypeError, ValueError) as error:
        raise DataError(f"the model's {folder / 'metrics.json'} tells no time as as_of; train it again") from error


def _batches(shop: Shop) -> Iterator[pl.DataFrame]:
    """The reviews in order, as many each time: what the engine gives at a time depends on the machine."""
    held: list[pl.DataFrame] = []
    for given in shop.batches("reviews", ["review_id", "title", "text", "rating", "ts"], _BATCH):
        held.append(pl.DataFrame(given))
        if sum(one.height for one in held) >= _BATCH:
            whole = pl.concat(held)
            ends = range(_BATCH, whole.height + 1, _BATCH)
            yield from (whole.slice(end - _BATCH, _BATCH) for end in ends)
            held = [whole.slice(ends[-1])]
    rest = pl.concat(held) if held else None
    if rest is not None and rest.height:
        yield rest


def _holds(file: Path, batch: pl.DataFrame) -> bool:
    """Whether a file has the labels of just these reviews."""
    try:
        return file.exists() and pl.read_parquet(file, columns=["review_id"])["review_id"].equals(batch["review_id"])
    except (pl.exceptions.PolarsError, OSError):
        return False


def _laid_down(rows: pl.DataFrame, file: Path) -> None:
    content = io.BytesIO()
    rows.write_parquet(content)
    part = file.with_suffix(".part")
    with part.open("wb") as opened:
        opened.write(content.getvalue())
        opened.flush()
        os.fsync(opened.fileno())
    part.replace(file)


def _told(reader: SentimentModel, batch: pl.DataFrame) -> pl.DataFrame:
    """Rows of ``review_sentiment``."""
    said = reader.predict(review_texts(batch))
    sure = pl.col("confidence") >= _SURE
    pleased, displeased = pl.col("label") == "positive", pl.col("label") == "negative"
    stars = pl.col("rating").fill_nan(None)
    lies = sure & ((pleased & (stars <= 2)) | (displeased & (stars >= 4)))
    rows = said.with_columns(batch["review_id"], batch["rating"])
    rows = rows.with_columns(disagrees_with_rating=pl.when(stars.is_not_null()).then(lies))
    return rows.select("review_id", "score", "label", "confidence", "language", "disagrees_with_rating")


def _fingerprint(folder: Path) -> str:
    """The same for two models that are the same, byte by byte, read by the same release of danggol."""
    held = hashlib.sha256(f"{__version__} {_BATCH}".encode())
    for file in sorted(folder.iterdir()):
        if file.is_file():
            held.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return held.hexdigest()[:16]
