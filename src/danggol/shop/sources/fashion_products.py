"""Fashion Products (Myntra, by way of Kaggle): products with a small picture, title, category and attributes.

The pictures become files of the shop under ``images/``; a product whose picture is broken is kept without it.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from danggol import progress
from danggol.errors import DataError
from danggol.shop.sources.intake import Intake
from danggol.shop.sources.reading.columnar import ParquetSource, open_parquet
from danggol.shop.sources.reading.delimited import rejects_frame
from danggol.shop.sources.reading.files import find_file
from danggol.shop.sources.reading.headings import ROW
from danggol.shop.sources.reading.pictures import picture_extension, picture_path
from danggol.shop.sources.sifting import Rule, sift
from danggol.shop.sources.source import KnownSource, Options

LEVELS = ("master_category", "sub_category", "article_type")
ATTRIBUTES = ("gender", "base_colour", "season", "year", "usage", "split")
TEXTS = ("id", "title", *LEVELS, *ATTRIBUTES)

_PRODUCTS = """
    SELECT product_id, title, category, 'en' AS language,
           map_from_entries(list_filter([{entries}], lambda pair: pair.v IS NOT NULL)) AS attributes,
           file, "row", record
    FROM goods
""".format(entries=", ".join(f"{{'k': '{name}', 'v': {name}}}" for name in ATTRIBUTES))
_FIRST = 'SELECT min("row") AS __row__ FROM goods {unless} GROUP BY product_id'
_UNLESS = "WHERE product_id NOT IN (SELECT product_id FROM products)"


def load(path: Path, intake: Intake, _options: Options) -> None:
    """Read the products, then the pictures of those that were kept."""
    file = open_parquet(
        find_file(path, "fashion*.parquet", "*.parquet"), {**dict.fromkeys(TEXTS, "text"), "image": "bytes"}
    )
    intake.note_unused(file.name, file.unused)
    for batch in file.batches(TEXTS):
        intake.receive(batch.height)
        kept, rejects = sift(batch, _rules(), file.name, TEXTS)
        intake.reject(rejects)
        intake.stage("goods", _goods(kept, file.name))
    if not intake.received:
        return
    intake.fill("products", _PRODUCTS)
    unless = _UNLESS if intake.adds_to("products") else ""
    _pictures(file, intake, intake.sql(_FIRST.format(unless=unless)))
    intake.derive("product_images", "SELECT * FROM pictures")


def _rules() -> list[Rule]:
    return [
        Rule(pl.col("id").is_null(), "missing_id", "id", "no product"),
        Rule(pl.col("id").str.contains("\x00", literal=True), "bad_character", "id", "a zero byte in the id"),
    ]


def _goods(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    year = pl.col("year").str.replace(r"\.0$", "")
    return rows.select(
        pl.lit(name).alias("file"),
        pl.col(ROW).alias("row"),
        pl.col("id").alias("product_id"),
        "title",
        pl.concat_str(LEVELS, separator=" > ", ignore_nulls=True).replace("", None).alias("category"),
        *(year if column == "year" else pl.col(column) for column in ATTRIBUTES),
        record=pl.struct(TEXTS).struct.json_encode(),
    )


def _pictures(file: ParquetSource, intake: Intake, first: pl.DataFrame) -> None:
    """Check and store the pictures of the rows in ``first``; what is no picture is a flaw of its row."""
    nothing = {"product_id": pl.String, "image": pl.String, "position": pl.Int64, "role": pl.String}
    intake.stage("pictures", pl.DataFrame(schema=nothing))
    missing = 0
    with progress.stage("storing pictures", first.height) as stage:
        for batch in file.batches(("id", "image"), size=1_000):
            wanted = batch.join(first, on=ROW, how="semi")
            missing += wanted["image"].null_count()
            stored, broken = [], []
            for row, owner, content in wanted.drop_nulls("image").iter_rows():
                try:
                    place = picture_path(owner, picture_extension(content))
                except DataError as error:
                    broken.append((row, "bad_image", "image", str(error), owner))
                    continue
                intake.run.add_file(place, content)
                stored.append((owner, place, 0, "thumbnail"))
            intake.reject(rejects_frame(file.name, broken), flaw=True)
            intake.stage("pictures", pl.DataFrame(stored, schema=nothing, orient="row"))
            stage.advance(wanted.height)
    if missing:
        intake.note(f"{missing:,} products have no picture.")


SOURCE = KnownSource(
    name="fashion-products",
    summary="Fashion Products: products with pictures as Parquet, or the folder that holds it",
    writes=("products", "product_images"),
    shop={"timezone": "UTC", "currency": "USD", "languages": ("en",)},
    read=load,
)
