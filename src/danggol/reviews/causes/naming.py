"""The table ``review_causes``: why each customer of a shop wrote, by a saved model."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from danggol import artefact
from danggol.errors import UsageError
from danggol.reviews.aspects.rises import rose_lately
from danggol.reviews.causes.measuring import SURE
from danggol.reviews.causes.model import CauseModel
from danggol.reviews.causes.shop_facts import FACT_TABLES, REVIEW_COLUMNS, review_facts
from danggol.reviews.reading import fingerprint, learnt_until, one_at_a_time, read_in_parts, sweep_parts
from danggol.reviews.shop_reviews import latest_review, require_same

if TYPE_CHECKING:
    from danggol.shop import Shop

_BATCH = 20_000
_PARTS = "causes"
_COLUMNS = ("cause", "probability", "class", "class_probability")


def has_model(shop: Shop) -> bool:
    """Whether the shop has a cause model of its own."""
    return (artefact.locate(shop.path / "models" / "causes") / artefact.CONFIG).exists()


def name_causes(shop: Shop, model: str | Path | None = None) -> dict[str, Any]:
    """Name the cause of every review; writes ``review_causes`` and says how many each cause has, and which rose.

    ``model``: the folder of a saved :class:`CauseModel`; without, the shop's ``models/causes``. Only answers likelier
    right than wrong (:data:`SURE`) are counted by cause, and compared with the weeks before (:func:`.rose_lately`).
    Batches of 20,000 are laid down as they are done, so that a killed run goes on there. DataError: the shop has no
    reviews, or they or their orders changed while they were read. UsageError: there is no model, or another run is
    naming causes.
    """
    shop.require("reviews")
    if model is None and not has_model(shop):
        raise UsageError(
            f"the shop {shop.path} has no model of causes; learn one by 'danggol reviews causes SHOP --labels FILE', "
            "or name one with --model"
        )
    folder = artefact.locate(shop.path / "models" / "causes" if model is None else Path(model))
    reader = CauseModel.load(folder)
    with one_at_a_time(shop, _PARTS, "naming the causes of the reviews"):
        figures = _written(shop, reader, folder)
    told = shop.sql("SELECT review_id, cause FROM review_causes WHERE probability >= $sure", {"sure": SURE})
    return {**figures, **rose_lately(shop, told)}


def _written(shop: Shop, reader: CauseModel, folder: Path) -> dict[str, Any]:
    current = shop.versions.current()
    versions = {name: current.get(name) for name in FACT_TABLES}
    mark = "-".join([fingerprint(folder, _BATCH), *(str(one or "none") for one in versions.values())])
    files = read_in_parts(shop, _PARTS, mark, REVIEW_COLUMNS, _BATCH, lambda batch: _told(shop, reader, batch))
    now, latest, learnt = datetime.now(UTC), latest_review(shop), learnt_until(folder)
    # a model that does not tell what it has learnt from may have learnt from the latest review
    least = learnt or latest or now
    known = pl.col("known_at").fill_null(latest or now)
    as_of = pl.min_horizontal(pl.max_horizontal(known, pl.lit(least)), pl.lit(now))
    counts: dict[str, int] = {}
    reviews = sure = 0
    with shop.run("reviews causes", settings=reader.settings.model_dump()) as run:
        require_same(run, versions)
        writer = run.writer("review_causes")
        for file in files:
            rows = pl.read_parquet(file)
            counted = rows.filter(pl.col("probability") >= SURE)
            sure += counted.height
            for name, count in counted.group_by("cause").len().rows():
                counts[name] = counts.get(name, 0) + count
            reviews += writer.add(rows.select("review_id", *_COLUMNS, as_of=as_of))
    sweep_parts(shop, _PARTS)
    return {
        "reviews": reviews,
        "sure": sure,
        "causes": dict(sorted(counts.items(), key=lambda one: (-one[1], one[0]))),
        "model": str(folder),
    }


def _told(shop: Shop, reader: CauseModel, batch: pl.DataFrame) -> pl.DataFrame:
    """Rows of ``review_causes``, with the latest time that went into the facts of each."""
    reviews = review_facts(shop, batch)
    said = reader.predict(reviews.texts, reviews.facts)
    if "class" not in said.columns:
        said = said.with_columns(
            pl.lit(None, pl.String).alias("class"), pl.lit(None, pl.Float64).alias("class_probability")
        )
    return said.select(batch["review_id"], *_COLUMNS, reviews.known_at.alias("known_at"))
