"""A shop's table of reviews, as all that read it see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from danggol.errors import DataError

if TYPE_CHECKING:
    from danggol.shop import Run


def review_texts(rows: pl.DataFrame) -> list[str]:
    """What was written (rows,): the title, where there is one, and the text below it."""
    told = pl.concat_str(pl.col("title", "text"), separator="\n", ignore_nulls=True)
    return rows.select(told.fill_null("")).to_series().to_list()


def require_same(run: Run, version: str) -> None:
    """DataError where the reviews are not those of the ``version`` that was read before the run began."""
    if run.inputs.get("reviews") != version:
        raise DataError("the reviews changed while they were read; give the command again")
