"""Every review of a shop read by a saved model: in batches that are laid down, so that a killed run goes on from them.

The parts lie under ``cache/NAME`` of the shop, by the model and the tables that they were made of, until the table
that they become is published.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from filelock import FileLock, Timeout

from danggol import artefact
from danggol.errors import DataError, UsageError
from danggol.progress import stage
from danggol.version import __version__

if TYPE_CHECKING:
    from danggol.shop import Shop

_CACHE = "cache"


@contextmanager
def one_at_a_time(shop: Shop, name: str, doing: str) -> Iterator[None]:
    """Hold the lock of the parts under ``cache/NAME``; UsageError, with what is ``doing``, where another run does."""
    (shop.path / _CACHE).mkdir(exist_ok=True)
    lock = FileLock(shop.path / _CACHE / f"{name}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise UsageError(f"another run is {doing} of {shop.path}; wait until it has ended") from error
    try:
        yield
    finally:
        lock.release()


def read_in_parts(
    shop: Shop,
    name: str,
    mark: str,
    columns: Sequence[str],
    size: int,
    told: Callable[[pl.DataFrame], pl.DataFrame],
) -> list[Path]:
    """Files, in order, of what ``told`` says of each batch of ``size`` reviews, a row each with its ``review_id``.

    ``mark`` names what the answers depend on; parts that a killed run has laid down under the same mark stay as they
    are. Memory does not grow with the reviews.
    """
    folder = shop.path / _CACHE / name / mark
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    with stage(name, shop.tables()["reviews"].rows) as bar:
        for nth, batch in enumerate(review_batches(shop, columns, size)):
            file = folder / f"part-{nth:06d}.parquet"
            if not _holds(file, batch):
                _laid_down(told(batch), file)
            files.append(file)
            bar.advance(batch.height)
    return files


def sweep_parts(shop: Shop, name: str) -> None:
    """Take away all parts under ``cache/NAME``."""
    shutil.rmtree(shop.path / _CACHE / name, ignore_errors=True)


def review_batches(shop: Shop, columns: Sequence[str], size: int) -> Iterator[pl.DataFrame]:
    """The reviews in order, ``size`` each time: what the engine gives at a time depends on the machine."""
    held: list[pl.DataFrame] = []
    for given in shop.batches("reviews", columns, size):
        held.append(pl.DataFrame(given))
        if sum(one.height for one in held) >= size:
            whole = pl.concat(held)
            ends = range(size, whole.height + 1, size)
            yield from (whole.slice(end - size, size) for end in ends)
            held = [whole.slice(ends[-1])]
    rest = pl.concat(held) if held else None
    if rest is not None and rest.height:
        yield rest


def fingerprint(folder: Path, size: int) -> str:
    """The same for two models that are the same, byte by byte, read in the same batches by the same danggol."""
    held = hashlib.sha256(f"{__version__} {size}".encode())
    for file in sorted(folder.iterdir()):
        if file.is_file():
            held.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return held.hexdigest()[:16]


def learnt_until(folder: Path) -> datetime | None:
    """The time of the latest review that the model learnt from, where its figures tell it."""
    if not (folder / "metrics.json").exists():
        return None
    told = artefact.read_json(folder, "metrics.json")
    as_of = told.get("as_of") if isinstance(told, dict) else None
    try:
        found = None if as_of is None else datetime.fromisoformat(as_of)
    except (TypeError, ValueError) as error:
        raise DataError(f"the model's {folder / 'metrics.json'} tells no time as as_of; train it again") from error
    return found if found is None or found.tzinfo else found.replace(tzinfo=UTC)


def _holds(file: Path, batch: pl.DataFrame) -> bool:
    """Whether a file has the answers on just these reviews."""
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
