"""A shop's table of reviews, as all that read it see it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from danggol.errors import DataError

if TYPE_CHECKING:
    from danggol.shop import Run, Shop


def review_texts(rows: pl.DataFrame) -> list[str]:
    """What was written (rows,): the title, where there is one, and the text below it."""
    told = pl.concat_str(pl.col("title", "text"), separator="\n", ignore_nulls=True)
    return rows.select(told.fill_null("")).to_series().to_list()


def require_same(run: Run, versions: Mapping[str, str | None]) -> None:
    """DataError where a table is not the version, None for no table, that was read before the run began."""
    for name, version in versions.items():
        if run.inputs.get(name) != version:
            raise DataError(f"the {name} changed while they were read; give the command again")


def latest_review(shop: Shop) -> datetime | None:
    """The time of the latest review; None where none tells a time."""
    latest = shop.sql("SELECT max(ts) AS latest FROM reviews")["latest"][0]
    return latest if isinstance(latest, datetime) else None
