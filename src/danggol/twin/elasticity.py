"""How demand answers prices and reductions, as far as the tables of a shop tell.

Where impressions and their prices are known, purchases per impression are counted in cells of listing, country, week
and reduction, and fitted by Poisson pseudo-maximum likelihood with an effect of every listing and of every country's
week (Correia, Guimarães and Zylkin 2020, "Fast Poisson estimation with high-dimensional fixed effects", Stata Journal
20(1); errors clustered by listing). Purchases are rare, so the coefficients are also those of the log odds.

What is left to tell by are a listing's reductions, and how its price differs from country to country beyond the level
of each country; the effects of weeks take seasons, sales and exchange rates out. The simulated market draws both at
random; in another shop, reductions of what is about to sell anyway would bias the figures. Impressions of live
broadcasts are left out, since the show itself sells. ``price_elasticity`` is of the price paid, however it came about;
``list_elasticity`` and ``discount_effect`` come from one regression on both.

``weekly_elasticity`` needs no impressions: log units on the mean log price of a listing's lines, in the weeks in which
it sold, with the same effects. It is told by whatever moved prices. In a shop that gives large orders a lower price,
quantity moves the price and the figure is no answer of demand; where a cell seldom sells twice, it is drawn to zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from danggol.shop import Shop

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

MIN_PURCHASES = 100
"""Fewer purchases than this say nothing of an elasticity."""
_SHOWN_CELLS = """
    SELECT shown.product_id, coalesce(country, '') AS country,
           CAST(date_trunc('week', ts AT TIME ZONE $zone) AS DATE) AS week, coalesce(discount_rate, 0) AS discount,
           avg(ln(price)) AS log_price, count(*) AS exposure, count(bought.product_id) AS demand
    FROM events AS shown
    LEFT JOIN (SELECT DISTINCT session_id, product_id FROM events WHERE kind = 'purchase') AS bought
        ON shown.session_id = bought.session_id AND shown.product_id = bought.product_id
    WHERE kind = 'impression' AND price > 0 AND shown.product_id IS NOT NULL AND shown.session_id IS NOT NULL
        AND coalesce(channel, '') <> 'live'
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""
_SOLD_CELLS = """
    SELECT product_id, coalesce(country, '') AS country,
           CAST(date_trunc('week', ts AT TIME ZONE $zone) AS DATE) AS week,
           avg(ln(price)) AS log_price, 1 AS exposure, sum(coalesce(quantity, 1)) AS demand
    FROM events WHERE kind = 'purchase' AND price > 0 AND coalesce(quantity, 1) > 0 AND product_id IS NOT NULL
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""


def elasticities(shop: Shop) -> dict[str, float | None]:
    """Elasticities by name, each with its standard error (``_se``); what the tables cannot tell is not there."""
    zone = {"zone": shop.config.timezone}
    found: dict[str, float | None] = {}
    shown = Cells.of(shop.sql(_SHOWN_CELLS, zone), ("log_price", "discount"))
    if shown.demand.sum() >= MIN_PURCHASES:
        found.update(_named(("price_elasticity",), poisson(shown, (0,))))
        found.update(_named(("list_elasticity", "discount_effect"), poisson(shown, (0, 1))))
    sold = Cells.of(shop.sql(_SOLD_CELLS, zone), ("log_price",))
    if len(sold.demand) >= MIN_PURCHASES:
        found.update(_named(("weekly_elasticity",), log_linear(sold)))
    return found


def _named(names: Sequence[str], fitted: tuple[Array, Array] | None) -> dict[str, float | None]:
    if fitted is None:
        return {}
    pairs = zip(names, *fitted, strict=True)
    return {key: float(value) for name, b, se in pairs for key, value in ((name, b), (f"{name}_se", se))}


@dataclass(frozen=True)
class Cells:
    """Cells of listing, country and week (and reduction), one row each; those of the same listing follow on another."""

    demand: Array
    """(cells,) purchases, or units."""
    exposure: Array
    """(cells,) impressions."""
    terms: Array
    """(cells, terms) what moves the demand."""
    groups: tuple[Codes, ...]
    """(cells,) the listing, and the country's week, as codes from 0."""

    @classmethod
    def of(cls, frame: pl.DataFrame, terms: Sequence[str]) -> Cells:
        """From a frame of product_id, country, week, demand, exposure and the terms."""
        market_week = pl.struct("country", "week").rank("dense")
        codes = frame.select(pl.col("product_id").rank("dense"), week=market_week)
        return cls(
            demand=_floats(frame, "demand"),
            exposure=_floats(frame, "exposure"),
            terms=frame.select(pl.col(*terms).cast(pl.Float64)).to_numpy(),
            groups=tuple(column.to_numpy().astype(np.int64) - 1 for column in codes.iter_columns()),
        )

    def informative(self) -> Cells:
        """Without the cells of a listing, or of a country's week, that sold nothing: they say nothing of the terms."""
        cells = self
        while len(cells.demand):
            keep = np.ones(len(cells.demand), dtype=bool)
            for group in cells.groups:
                keep &= np.bincount(group, cells.demand)[group] > 0
            if keep.all():
                break
            codes = tuple(np.unique(group[keep], return_inverse=True)[1] for group in cells.groups)
            cells = Cells(cells.demand[keep], cells.exposure[keep], cells.terms[keep], codes)
        return cells


def poisson(cells: Cells, terms: tuple[int, ...]) -> tuple[Array, Array] | None:
    """Coefficients and standard errors (terms,) of log demand per exposure; None where the terms do not vary.

    Iteratively reweighted least squares, the effects of groups swept out in each round.
    """
    cells = cells.informative()
    if not len(cells.demand):
        return None
    x, offset = cells.terms[:, terms], np.log(cells.exposure)
    mean = (cells.demand + cells.exposure * cells.demand.sum() / cells.exposure.sum()) / 2
    slope = np.full(len(terms), np.inf)
    swept = given = np.zeros((len(offset), 1 + len(terms)))
    for _ in range(50):
        line = np.log(mean) - offset
        columns = np.column_stack([line + (cells.demand - mean) / mean, x])
        swept, given = sweep(swept + (columns - given), mean, cells.groups), columns
        fitted = _solve(swept, mean)
        if fitted is None:
            return None
        before, slope = slope, fitted
        mean = np.exp(np.clip(columns[:, 0] - swept[:, 0] + swept[:, 1:] @ slope + offset, -40.0, 40.0))
        if np.abs(slope - before).max() < 1e-6:
            break
    return slope, _errors(swept[:, 1:], mean, cells.demand - mean, cells.groups[0])


def log_linear(cells: Cells) -> tuple[Array, Array] | None:
    """Coefficients and standard errors (terms,) of log demand by least squares; None where the terms do not vary."""
    weight = np.ones(len(cells.demand))
    swept = sweep(np.column_stack([np.log(cells.demand), cells.terms]), weight, cells.groups)
    slope = _solve(swept, weight)
    if slope is None:
        return None
    return slope, _errors(swept[:, 1:], weight, swept[:, 0] - swept[:, 1:] @ slope, cells.groups[0])


def sweep(columns: Array, weight: Array, groups: Sequence[Codes]) -> Array:
    """``columns`` (rows, k) less the weighted means of every group, by turns until none is left."""
    columns = columns.copy()
    sums = [np.bincount(group, weight) for group in groups]
    scale = np.maximum(columns.std(axis=0), 1e-12)
    for _ in range(500):
        most = 0.0
        for group, total in zip(groups, sums, strict=True):
            for k in range(columns.shape[1]):
                mean = np.bincount(group, weight * columns[:, k]) / total
                columns[:, k] -= mean[group]
                most = max(most, float(np.abs(mean).max()) / scale[k])
        if most < 1e-6:
            break
    return columns


def _solve(swept: Array, weight: Array) -> Array | None:
    """Least squares of the first column on the others; None where one of these hardly varies by itself."""
    y, x = swept[:, 0], swept[:, 1:]
    square = (x * weight[:, None]).T @ x
    if not len(y) or np.linalg.eigvalsh(square)[0] < 1e-6 * weight.sum():
        return None
    return np.asarray(np.linalg.solve(square, (x * weight[:, None]).T @ y), dtype=np.float64)


def _errors(x: Array, weight: Array, residual: Array, cluster: Codes) -> Array:
    """Standard errors that allow the rows of a cluster to go together (Liang and Zeger 1986, Biometrika 73(1))."""
    bread = np.linalg.inv((x * weight[:, None]).T @ x)
    scores = np.column_stack([np.bincount(cluster, x[:, k] * residual) for k in range(x.shape[1])])
    errors: Array = np.sqrt(np.diag(bread @ (scores.T @ scores) @ bread))
    return errors


def _floats(frame: pl.DataFrame, name: str) -> Array:
    return frame[name].cast(pl.Float64).to_numpy()
