"""Stuffed titles: repeated words, and words that belong to other brands and categories.

A word belongs to a brand or category where the listings that have it, this one left out, are mostly of that one: by the
smoothed log-odds of their counts. Texts without spaces between words (Chinese, Japanese) are read as pairs of
characters, each worth half a word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from danggol.matching.inputs.titles import clean

_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]{2,}")
_LOG_ODDS = float(np.log(4))
"""Log-odds from which a word belongs to a brand or category."""
_LEAST = 4.0
"""Repeated and foreign words from which a title is stuffed, at least."""
_ARGS = ("other", "likeness", "repeated", "foreign", "words", "against", "times")
"""What reasons' sentences need."""
_FAR = 5.0
"""Robust standard deviations above the median of its category, likewise."""


def stuffed_titles(frame: pl.DataFrame) -> pl.DataFrame:
    """Listings whose titles hold far more repeated and foreign words than titles of their category do.

    ``frame``: product_id, title, brand, category. Gives product_id, reason_code, reason_args (``repeated`` and
    ``foreign``, how many; ``words``, the first foreign ones), score.
    """
    words = _words(frame["title"].to_list())
    repeated = words.group_by("row").agg((pl.col("count") - 1).filter(pl.col("whole")).sum().alias("repeated"))
    foreign = pl.concat([_foreign(words, frame[name]) for name in ("brand", "category")]).unique(["row", "word"])
    told = foreign.sort("row", "word").group_by("row", maintain_order=True)
    surplus = (
        pl.DataFrame({"row": np.arange(frame.height), "category": frame["category"].fill_null("")})
        .join(repeated, on="row", how="left")
        .join(told.agg(pl.col("weight").sum().alias("foreign"), pl.col("word").head(5)), on="row", how="left")
        .with_columns(pl.col("repeated", "foreign").fill_null(0))
        .with_columns((pl.col("repeated") + pl.col("foreign")).alias("surplus"))
    )
    usual = pl.col("surplus").median().over("category")
    spread = 1.4826 * (pl.col("surplus") - usual).abs().median().over("category")
    limit = pl.max_horizontal(pl.lit(_LEAST), usual + _FAR * spread)
    found = surplus.with_columns(limit.alias("limit")).filter(pl.col("surplus") >= pl.col("limit")).sort("row")
    args = [
        {"repeated": f"{again:g}", "foreign": f"{others:g}", "words": " ".join(which or [])}
        for again, others, which in found.select("repeated", "foreign", "word").rows()
    ]
    score = (found["surplus"] / (found["surplus"] + found["limit"])).to_numpy()
    return flags("stuffed_title", frame["product_id"].gather(found["row"]), score, args)


def flags(reason: str, ids: pl.Series, score: NDArray[np.float64], args: Sequence[Mapping[str, str]]) -> pl.DataFrame:
    """Rows of ``product_spam``: product_id, reason_code, reason_args, score."""
    told = [{name: one.get(name) for name in _ARGS} for one in args]
    return pl.DataFrame(
        {
            "product_id": ids.cast(pl.String),
            "reason_code": pl.Series([reason] * len(ids), dtype=pl.String),
            "reason_args": pl.Series(told, dtype=pl.Struct(dict.fromkeys(_ARGS, pl.String))),
            "score": pl.Series(np.asarray(score, np.float64)),
        }
    )


def _words(titles: Sequence[str | None]) -> pl.DataFrame:
    """row, word, count, and whether it is a whole word, not a pair of characters."""
    rows, words, whole = [], [], []
    for row, title in enumerate(titles):
        text = clean(title)
        pairs = [run[at : at + 2] for run in _UNSPACED.findall(text) for at in range(len(run) - 1)]
        spaced = text.split()
        rows += [row] * (len(spaced) + len(pairs))
        words += spaced + pairs
        whole += [True] * len(spaced) + [False] * len(pairs)
    schema = {"row": pl.Int64, "word": pl.String, "whole": pl.Boolean}
    table = pl.DataFrame({"row": rows, "word": words, "whole": whole}, schema=schema)
    return table.group_by("row", "word").agg(pl.len().cast(pl.Int64).alias("count"), pl.col("whole").any())


def _foreign(words: pl.DataFrame, owner: pl.Series) -> pl.DataFrame:
    """row, word, weight of the words of each title that belong to another owner than the listing's."""
    table = words.with_columns(owner.gather(words["row"]).alias("own")).drop_nulls("own")
    counts = table.group_by("word", "own").agg(pl.len().cast(pl.Int64).alias("many"))
    order = counts.sort("many", "own", descending=[True, False]).group_by("word", maintain_order=True)
    top = order.agg(pl.col("own").first().alias("owner"), pl.col("many").first(), pl.col("many").sum().alias("all"))
    joined = table.join(top, on="word").filter(pl.col("owner") != pl.col("own"))
    # The listing itself is one of those that have the word, and not one of the owner's.
    odds = (pl.col("many") + 0.5).log() - (pl.col("all") - 1 - pl.col("many") + 0.5).log()
    weight = pl.when("whole").then(1.0).otherwise(0.5).alias("weight")
    return joined.filter((odds >= _LOG_ODDS) & (pl.col("many") >= 4)).select("row", "word", weight)
