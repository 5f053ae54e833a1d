"""Moments of a shop: the figures in which a simulated market must look like a real one.

Every moment is read from the tables of any shop, simulated or not; where they cannot tell, it is None. :data:`MOMENTS`
says what each one is, :data:`BOUNDS` what a market that comes with the package must keep to, and why.

Elasticities are those of :mod:`danggol.twin.elasticity`, which says what tells them.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import zeta

from danggol.shop import Shop
from danggol.twin.elasticity import elasticities

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

MOMENTS: dict[str, str] = {
    "conversion": "visits that end in a purchase",
    "events_per_visit": "events in a visit, mean",
    "views_per_visit": "views in a visit that has any, mean",
    "visits_gini": "Gini coefficient of visits between customers who visited",
    "orders_gini": "Gini coefficient of orders between customers who ordered",
    "popularity_exponent": "tail exponent of purchases of a product",
    "best_tenth": "purchases that go to the best-selling tenth of the products sold",
    "view_exponent": "tail exponent of views of a product",
    "viewed_tenth": "views that go to the most-viewed tenth of the products viewed",
    "price_elasticity": "% more purchases per impression for 1% more price",
    "price_elasticity_se": "its standard error",
    "list_elasticity": "the same for the price at an equal reduction",
    "list_elasticity_se": "its standard error",
    "discount_effect": "log change of purchases per impression by a whole reduction (0 to 1), at an equal price paid",
    "discount_effect_se": "its standard error",
    "weekly_elasticity": "% more units in weeks with a sale for 1% more price",
    "weekly_elasticity_se": "its standard error",
    "stars_1": "reviews of 1 star",
    "stars_2": "reviews of 2 stars",
    "stars_3": "reviews of 3 stars",
    "stars_4": "reviews of 4 stars",
    "stars_5": "reviews of 5 stars",
    "stars_5_lead": "share of 5 stars less the largest other share",
    "stars_1_lead": "share of 1 star less the share of 2",
    "repeat_orders": "orders that are not a customer's first in the tables",
    "repeat_products": "products in an order that the customer had ordered before",
    "lines_per_order": "purchase lines in an order, mean",
    "return_rate": "returns for each purchase line",
    "gap_median": "days between a customer's consecutive days of ordering, median",
    "gap_mean": "days between a customer's consecutive days of ordering, mean",
    "gap_cv": "coefficient of variation of those days",
}
"""Every moment, and what it is (shares unless it says otherwise)."""

BOUNDS: dict[str, tuple[float, float]] = {
    "conversion": (0.01, 0.05),
    "events_per_visit": (2.0, 40.0),
    "visits_gini": (0.25, 0.80),
    "popularity_exponent": (1.5, 3.5),
    "best_tenth": (0.25, 0.80),
    "price_elasticity": (-6.0, 0.0),
    "stars_5": (0.45, 0.75),
    "stars_5_lead": (0.0, 1.0),
    "stars_1_lead": (0.0, 1.0),
    "repeat_orders": (0.20, 0.90),
    "repeat_products": (0.02, 0.50),
    "return_rate": (0.01, 0.25),
    "gap_median": (3.0, 90.0),
    "gap_cv": (0.5, 2.5),
}
"""What a market that comes with the package must keep to: lowest and highest value.

- conversion: shops report 1 to 5%; Online Shoppers' 15% are of visits chosen for a study.
- events_per_visit: a visit sees a list and opens a few; above 40 it would be a robot. Assumed.
- visits_gini: visiting is unequal, and no single customer is the shop. Assumed.
- popularity_exponent: density exponent a; sales by rank then fall with the power 1 / (a - 1). Books on Amazon:
  1 / (a - 1) of 0.87 (Brynjolfsson, Hu and Smith 2003, Management Science 49(11)), a of 2.1 to 2.2. 1.5 is where one
  product would take everything, 3.5 where the tail is hardly heavier than chance.
- best_tenth: Pareto's rule is milder than 80% to a fifth online (Brynjolfsson, Hu and Simester 2011, Management Science
  57(8)); a flat assortment would give a tenth of purchases.
- price_elasticity: below zero; the mean of 1,851 published ones is -2.6 and few lie below -6 (Bijmolt, Van Heerde and
  Pieters 2005, Journal of Marketing Research 42(2)).
- stars: J-shaped: 5 stars the most frequent, 1 star no rarer than 2 (Hu, Pavlou and Zhang 2009, Communications of the
  ACM 52(10); Schoenmueller, Netzer and Stahl 2020, Journal of Marketing Research 57(5)), 5 stars 45 to 75%. Assumed.
- repeat_orders, repeat_products: people come back, and some goods are bought again; both grow with the time that is
  looked at, so the ranges are wide. Assumed.
- return_rate: 1 to 25% of lines, from groceries to clothes. Assumed.
- gap_median, gap_cv: days to some weeks, about as irregular as chance (1) or more. Assumed.
"""

MIN_PRODUCTS = 50
"""Fewer products than this say nothing of a tail."""

_VISITS = """
    SELECT session_id, max(customer_id) AS customer_id, count(*) AS events,
           sum(CASE WHEN kind = 'view' THEN 1 ELSE 0 END) AS views,
           max(CASE WHEN kind = 'purchase' THEN 1 ELSE 0 END) AS bought,
           max(CASE WHEN kind <> 'purchase' THEN 1 ELSE 0 END) AS browsed
    FROM events WHERE session_id IS NOT NULL AND kind <> 'return' GROUP BY session_id
"""
_VISIT_SUMS = f"""
    SELECT count(*) AS visits, sum(events) AS events, sum(views) AS views, sum(bought) AS bought,
           sum(browsed) AS browsed, sum(CASE WHEN views > 0 THEN 1 ELSE 0 END) AS viewing
    FROM ({_VISITS}) AS visits
"""
_VISITORS = f"""
    SELECT count(*) AS visits FROM ({_VISITS}) AS visits WHERE customer_id IS NOT NULL GROUP BY customer_id
"""
_CONVERTED = "SELECT avg(CASE WHEN converted THEN 1.0 ELSE 0.0 END) AS share FROM sessions WHERE converted IS NOT NULL"
_POPULARITY = """
    SELECT times, count(*) AS products
    FROM (SELECT product_id, count(*) AS times FROM events
          WHERE kind = $kind AND product_id IS NOT NULL GROUP BY product_id) AS counted
    GROUP BY times ORDER BY times
"""
_LINES = """
    SELECT sum(CASE WHEN kind = 'purchase' THEN 1 ELSE 0 END) AS lines,
           sum(CASE WHEN kind = 'return' THEN 1 ELSE 0 END) AS returns,
           sum(CASE WHEN kind = 'purchase' AND order_id IS NOT NULL THEN 1 ELSE 0 END) AS ordered,
           count(DISTINCT CASE WHEN kind = 'purchase' THEN order_id END) AS orders
    FROM events WHERE kind IN ('purchase', 'return')
"""
_PAIRS = """
    SELECT count(*) AS pairs, sum(orders) AS times
    FROM (SELECT customer_id, product_id, count(DISTINCT coalesce(order_id, CAST(ts AS VARCHAR))) AS orders FROM events
          WHERE kind = 'purchase' AND customer_id IS NOT NULL AND product_id IS NOT NULL
          GROUP BY customer_id, product_id) AS counted
"""
_ORDERS = """
    SELECT customer_id, CAST(ts AT TIME ZONE $zone AS DATE) AS day FROM orders WHERE customer_id IS NOT NULL
"""
_ORDERS_OF_EVENTS = """
    SELECT customer_id, CAST(min(ts) AT TIME ZONE $zone AS DATE) AS day FROM events
    WHERE kind = 'purchase' AND customer_id IS NOT NULL
    GROUP BY customer_id, coalesce(order_id, CAST(ts AS VARCHAR))
"""
_STARS = """
    SELECT CAST(round(rating) AS BIGINT) AS stars, count(*) AS reviews
    FROM reviews WHERE rating IS NOT NULL GROUP BY 1 ORDER BY 1
"""


def moments(shop: Shop) -> dict[str, float | None]:
    """Every moment of :data:`MOMENTS`, in that order, from the shop's tables; None where they cannot tell."""
    found: dict[str, float | None] = dict.fromkeys(MOMENTS)
    found.update(_visit_moments(shop))
    found.update(_order_moments(shop))
    found.update(_line_moments(shop))
    found.update(_star_moments(shop))
    for kind, exponent, tenth in (
        ("purchase", "popularity_exponent", "best_tenth"),
        ("view", "view_exponent", "viewed_tenth"),
    ):
        counts = shop.sql(_POPULARITY, {"kind": kind})
        times, products = _column(counts, "times").astype(np.int64), _column(counts, "products").astype(np.int64)
        found[exponent], found[tenth] = tail_exponent(times, products), _top_tenth(times, products)
    found.update(elasticities(shop))
    return found


def out_of_bounds(found: dict[str, float | None]) -> list[str]:
    """One sentence for each moment that lies outside :data:`BOUNDS`; those that are None are passed over."""
    faults = []
    for name, (low, high) in BOUNDS.items():
        value = found.get(name)
        if value is not None and not low <= value <= high:
            faults.append(f"{name} ({MOMENTS[name]}) is {value:.4g}; it should lie in {low:g} to {high:g}")
    return faults


def tail_exponent(sizes: Codes, times: Codes) -> float | None:
    """The exponent a of a tail p(x) ~ x^-a, x = m, m + 1, ...; None below :data:`MIN_PRODUCTS`.

    ``sizes``: distinct whole numbers from 1, rising; ``times``: how often each occurs. Maximum likelihood for whole
    numbers, with the m at which the fitted tail is nearest to the observed one (Kolmogorov and Smirnov's distance), as
    in Clauset, Shalizi and Newman 2009, SIAM Review 51(4); but the tail keeps at least a tenth of the values and
    :data:`MIN_PRODUCTS` of them, since a smaller one is the chance of a few best sellers.
    """
    total = int(times.sum()) if len(times) else 0
    if total < MIN_PRODUCTS:
        return None
    above = np.cumsum(times[::-1])[::-1]
    starts = np.flatnonzero(above >= max(MIN_PRODUCTS, total / 10))
    if len(starts) > 60:
        starts = starts[np.unique(np.geomspace(1, len(starts), 60).astype(np.int64) - 1)]
    fits = [_tail(sizes[start:], times[start:]) for start in starts if len(sizes) - start > 1]
    return min(fits)[1] if fits else None


def gini(amounts: Array) -> float | None:
    """Gini coefficient of amounts (not negative): 0 all alike, towards 1 all with one; None without any."""
    number, total = len(amounts), float(amounts.sum())
    if not number or total <= 0:
        return None
    rank = np.arange(1, number + 1)
    return float(2 * (rank * np.sort(amounts)).sum() / (number * total) - (number + 1) / number)


def _visit_moments(shop: Shop) -> dict[str, float | None]:
    """Of visits: conversion needs visits that bought nothing, so it is None where only purchases bear a visit."""
    row = shop.sql(_VISIT_SUMS).row(0, named=True)
    conversion = shop.sql(_CONVERTED)["share"][0]
    if row["browsed"] and row["bought"]:
        conversion = _ratio(row["bought"], row["visits"])
    return {
        "conversion": conversion,
        "events_per_visit": _ratio(row["events"], row["visits"] if row["browsed"] else 0),
        "views_per_visit": _ratio(row["views"], row["viewing"]),
        "visits_gini": gini(_column(shop.sql(_VISITORS), "visits")) if row["browsed"] else None,
    }


def _order_moments(shop: Shop) -> dict[str, float | None]:
    """Of orders; those of one day count as one for the gaps between them."""
    orders = shop.sql(_ORDERS if shop.has("orders") else _ORDERS_OF_EVENTS, {"zone": shop.config.timezone})
    each = orders.group_by("customer_id").len().sort("customer_id")
    days = orders.unique().sort("customer_id", "day")
    gaps = _column(days.select(gap=pl.col("day").diff().over("customer_id").dt.total_days()).drop_nulls(), "gap")
    mean = float(gaps.mean()) if len(gaps) else None
    return {
        "orders_gini": gini(_column(each, "len")),
        "repeat_orders": 1 - each.height / orders.height if orders.height else None,
        "gap_median": float(np.median(gaps)) if len(gaps) else None,
        "gap_mean": mean,
        "gap_cv": float(gaps.std()) / mean if mean else None,
    }


def _line_moments(shop: Shop) -> dict[str, float | None]:
    """Of purchase lines; a shop without a single return is taken not to write them down."""
    row = shop.sql(_LINES).row(0, named=True)
    pairs = shop.sql(_PAIRS).row(0, named=True)
    return {
        "lines_per_order": _ratio(row["ordered"], row["orders"]),
        "return_rate": _ratio(row["returns"], row["lines"]) or None,
        "repeat_products": 1 - pairs["pairs"] / float(pairs["times"]) if pairs["pairs"] else None,
    }


def _star_moments(shop: Shop) -> dict[str, float | None]:
    counts = dict(shop.sql(_STARS).iter_rows())
    total = sum(counts.values())
    if not total:
        return {}
    share = [counts.get(stars, 0) / total for stars in range(1, 6)]
    leads = {"stars_5_lead": share[4] - max(share[:4]), "stars_1_lead": share[0] - share[1]}
    return {**{f"stars_{stars}": value for stars, value in enumerate(share, 1)}, **leads}


def _tail(sizes: Codes, times: Codes) -> tuple[float, float]:
    """Distance of the best fit of a tail that begins at the first size, and its exponent."""
    least, total = float(sizes[0]), float(times.sum())
    logs = float((times * np.log(sizes)).sum())
    fit = minimize_scalar(lambda a: a * logs + total * np.log(zeta(a, least)), bounds=(1.01, 12.0), method="bounded")
    exponent = float(fit.x)
    observed = np.cumsum(times) / total
    expected = 1 - zeta(exponent, sizes + 1.0) / zeta(exponent, least)
    return float(np.abs(observed - expected).max()), exponent


def _top_tenth(times: Codes, products: Codes) -> float | None:
    """Share of the largest tenth (rounded up) of the products; ``times`` rising, for so many ``products`` each."""
    if not len(times):
        return None
    top = -(-int(products.sum()) // 10)
    each = np.repeat(times[::-1], products[::-1])
    return float(each[:top].sum() / each.sum())


def _column(frame: pl.DataFrame, name: str) -> Array:
    return frame[name].cast(pl.Float64).to_numpy()


def _ratio(part: float | None, whole: float | None) -> float | None:
    return float(part or 0) / float(whole) if whole else None
