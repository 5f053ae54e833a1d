"""What the command line does with the catalogue: tell category and attributes of listings that lack them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from danggol.artefact import CONFIG, locate
from danggol.errors import DataError, UsageError
from danggol.matching.catalogue.attributes import AttributeModel, attributes_of
from danggol.matching.catalogue.items import Items

if TYPE_CHECKING:
    from danggol.shop import Shop

_MODEL = Path("models", "attributes")
_MOST_VALUES, _FEWEST = 1_000, 5
"""Values beyond which, and listings of a value on average below which, an attribute is a name and not a kind."""
_FEW_NUMBERS = 10
"""Values beyond which an attribute of numbers is a measure."""


def attributes(
    shop: Shop,
    model: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    anew: bool = False,
) -> dict[str, Any]:
    """Predict category and attributes of all listings; writes ``product_attributes``, source columns stay.

    ``model``: the folder of a saved model. Without: the shop's ``models/attributes`` where it is there, no settings are
    given and it is not to be learnt ``anew``; else one is learnt from what the shop tells, and saved there. What comes
    back names, for each attribute: its values, the listings that lack it, how many of these got an answer, and how many
    listings are told otherwise than they say. After learning also the share of right answers and of answers on
    listings held out, on which the threshold was chosen too. DataError: nothing to learn from. UsageError: a model and
    settings are both given.
    """
    if model is not None and (settings or anew):
        raise UsageError("a saved model bears its own settings; give it alone, or leave it out to learn anew")
    began = time.perf_counter()
    items = Items.from_shop(shop)
    told = attributes_of(shop, items.ids)
    left_out: list[str] = []
    folder = shop.path / _MODEL if model is None else Path(model)
    if model is not None or ((locate(folder) / CONFIG).exists() and not settings and not anew):
        learnt = AttributeModel.load(folder)
    else:
        labels, left_out = _learnable(told)
        learnt = AttributeModel(**{"seed": seed, **(settings or {})}).learn(items, labels)
        learnt.save(folder)
    rows = learnt.write(shop)
    return {
        "listings": len(items),
        "product_attributes": rows,
        "attributes": _counted(shop, told, learnt),
        "left_out": left_out,
        "model": str(folder),
        "seconds": round(time.perf_counter() - began, 1),
    }


def _learnable(told: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """The attributes with few values that many listings have, and the names of the others."""
    kept, left_out = [], []
    for name in told.columns:
        values = told[name].drop_nulls()
        many = values.n_unique()
        number = many > _FEW_NUMBERS and values.cast(pl.Float64, strict=False).null_count() == 0
        if 2 <= many <= min(_MOST_VALUES, len(values) / _FEWEST) and not number:
            kept.append(name)
        elif len(values):
            left_out.append(name)
    if not kept:
        raise DataError(
            "the shop's products tell no category or attribute with two values or more, each of some listings; "
            "there is nothing to learn from"
        )
    return told.select(kept), left_out


def _counted(shop: Shop, told: pl.DataFrame, learnt: AttributeModel) -> list[dict[str, Any]]:
    found = shop.read("product_attributes", ["product_id", "attribute", "value", "abstained"])
    rows = []
    for name, values in learnt.values.items():
        said = found.filter(pl.col("attribute") == name).sort("product_id")
        own = told[name] if name in told.columns else pl.Series(name, [None] * told.height, dtype=pl.String)
        answered, lacks = ~said["abstained"], own.is_null()
        row: dict[str, Any] = {"attribute": name, "values": len(values), "missing": int(lacks.sum())}
        row["filled"] = int((answered & lacks).sum())
        row["told_otherwise"] = int((answered & (said["value"] != own).fill_null(False)).sum())
        rows.append(row | _held_out(learnt, name))
    return rows


def _held_out(learnt: AttributeModel, name: str) -> dict[str, float]:
    """Of listings held out, by all that they have: how many get an answer, and how many answers are right."""
    parts = learnt.held_out.get(name, {})
    if not parts:
        return {}
    kinds = max(parts, key=len)
    logs, codes = parts[kinds]
    known = codes >= 0
    answered = (np.exp(logs.max(axis=1)) >= learnt.pools[name][kinds].threshold) & known
    right = logs.argmax(axis=1) == codes
    return {
        "accuracy": round(float(right[known].mean()), 4) if known.any() else float("nan"),
        "answered": round(float(answered.sum() / max(known.sum(), 1)), 4),
        "accuracy_answered": round(float(right[answered].mean()), 4) if answered.any() else float("nan"),
    }
