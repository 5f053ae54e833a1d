"""What the command line does with modalities: measure what each is worth in a shop, and write it down."""

from __future__ import annotations

import resource
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from danggol.errors import DataError
from danggol.metrics import Interval
from danggol.progress import stage, track
from danggol.purchase.multimodal.inputs import inputs
from danggol.purchase.multimodal.model import MultimodalModel, MultimodalSettings, Reading
from danggol.purchase.multimodal.shares import Worth, rows_of, worth
from danggol.purchase.multimodal.showings import showing_times
from danggol.purchase.multimodal.trees import MODALITIES
from danggol.purchase.samples import as_datetime, moment

if TYPE_CHECKING:
    from danggol.purchase.model import When
    from danggol.shop import Shop

_LEAST_BOUGHT = 50
"""Held-out showings that were bought which a country needs for figures of its own."""
_MOST_COUNTRIES = 6
_DRAWS = 100


def modalities(shop: Shop, until: When = None, seed: int = 0) -> dict[str, Any]:
    """Measure what each modality is worth on the showings from ``until`` on, and write ``modality_worth``.

    ``until``: the moment that leaves the last fifth of the showings if not said. DataError: too few were bought.
    """
    began = time.perf_counter()
    ts = showing_times(shop)
    cut = moment(shop, until)
    if cut is None:
        cut = int(ts[int(0.8 * (len(ts) - 1))])
    with stage("showings", 1):
        data = inputs(shop, before=cut)
    first = int(np.searchsorted(ts, cut))
    bought = int(data.label[first:].sum())
    if bought < 20 or first == len(ts):
        day = as_datetime(cut)
        raise DataError(
            f"{bought} showings from {day:%Y-%m-%d} on were bought, too few to measure; choose an earlier --until"
        )
    settings = MultimodalSettings(learners="trees")
    settings = settings.model_copy(update={"schedule": settings.schedule.model_copy(update={"seed": seed})})
    model = MultimodalModel(settings)
    with stage("past showings", 1):
        past = inputs(shop, cut, data.words)
    learnt, _ = model.learn_tastes(past)
    with stage("held-out showings", 1):
        tested = model.read(data, np.arange(first, len(data)))
    found = worth(learnt, tested, seed=seed)
    frame = told(found).with_columns(until=pl.lit(as_datetime(cut)), as_of=pl.lit(as_datetime(int(ts[-1]))))
    with shop.run("purchase modalities", settings=settings.model_dump(mode="json"), seed=seed) as run:
        run.write("modality_worth", frame)
    everything = frame.filter(pl.col("part") == "all")
    return {
        "until": as_datetime(cut).isoformat(),
        "showings": len(found.tested),
        "bought": bought,
        "figures": {
            f"{row['figure']}/{row['modality']}": [row["value"], row["low"], row["high"]]
            for row in everything.iter_rows(named=True)
        },
        "parts": frame["part"].unique(maintain_order=True).to_list(),
        "seconds": round(time.perf_counter() - began, 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def told(found: Worth) -> pl.DataFrame:
    """Rows of ``modality_worth``: shares, and the AUC of each modality alone, of all, and of all but each."""
    everybody = np.ones(len(found.tested), np.bool_)
    parts = {"all": everybody} | {code: rows_of(found.tested, code) for code in _countries(found.tested)}
    rows = []
    for part, chosen in track(list(parts.items()), "figures by country"):
        shares = found.shares(chosen, _DRAWS)
        present = list(shares.share)
        whole = frozenset(present)
        figures: dict[tuple[str, str], Interval] = {("auc", "joined"): found.auc(whole, chosen, _DRAWS)}
        for name in [one for one in MODALITIES if one in present]:
            figures["auc", name] = found.auc(frozenset([name]), chosen, _DRAWS)
            figures["share", name] = shares.share[name]
            figures["without", name] = shares.without[name]
        rows += [
            {
                "part": part,
                "figure": figure,
                "modality": name,
                "value": one.value,
                "low": one.low,
                "high": one.high,
                "showings": int(chosen.sum()),
            }
            for (figure, name), one in figures.items()
        ]
    return pl.DataFrame(rows)


def _countries(tested: Reading) -> list[str]:
    """The countries with enough purchases among the rows, most first."""
    frame = tested.data.showings.frame[tested.rows].select("country", bought=pl.Series(tested.label))
    counts = frame.drop_nulls("country").group_by("country").agg(pl.col("bought").sum())
    kept = counts.filter(pl.col("bought") >= _LEAST_BOUGHT).sort(["bought", "country"], descending=[True, False])
    return kept["country"].head(_MOST_COUNTRIES).to_list()
