"""The report's questions to the shop: small aggregates in SQL, one file each."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

    from danggol.shop import Shop


@cache
def text(name: str) -> str:
    """The SQL in ``sql/NAME.sql``."""
    return files("danggol.report").joinpath("sql", f"{name}.sql").read_text("utf8")


def ask(shop: Shop, name: str, asked: pl.DataFrame | None = None, **params: Any) -> pl.DataFrame:
    """The answer of one prepared query: ``$name`` in it stands for a parameter, ``asked`` for the frame given."""
    return shop.sql(text(name), params, extra={} if asked is None else {"asked": asked})


def rows(shop: Shop, name: str, asked: pl.DataFrame | None = None, **params: Any) -> list[dict[str, Any]]:
    """The answer as one dictionary a row (for aggregates of some tens of rows)."""
    return ask(shop, name, asked, **params).to_dicts()
