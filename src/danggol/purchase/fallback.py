"""What orders candidates where the past is too short or too thin to learn from: counts, and nothing fitted."""

from __future__ import annotations

import numpy as np

from danggol.purchase.moments import Batch
from danggol.purchase.samples import DAY, Floats, Purchases


class Fallback:
    """Own purchases first, the latest and most frequent of them foremost, then what the country buys.

    The probability is a count too: how often the customer's orders (or the country's buyers) held the product, times
    ``active``, the share of customers who buy within a horizon.
    """

    def __init__(self, active: float) -> None:
        self.active = active

    @classmethod
    def measure(cls, purchases: Purchases, until: int, horizon_days: float) -> Fallback:
        """Take the share of known buyers who bought within the last horizon."""
        lines = purchases.before(until).lines
        known = lines.customer >= 0
        recent = known & (lines.ts >= until - round(horizon_days * DAY))
        everyone = len(np.unique(lines.customer[known]))
        return cls(len(np.unique(lines.customer[recent])) / max(everyone, 1))

    def score(self, batch: Batch) -> tuple[Floats, Floats]:
        """Order score and probability of each of the batch's rows."""
        column = {name: batch.values[:, place].astype(np.float64) for place, name in enumerate(batch.names)}
        bought = column["bought"] > 0
        share = column["country_share"] + 1e-3 * column["product_buyers_90"] / (
            1 + column["product_buyers_90"].max(initial=0)
        )
        order = np.where(bought, 1 + column["pair_by_order_7"], 0.0) + share
        rate = np.where(bought, np.nan_to_num(column["pair_rate"]), column["country_share"])
        return order, np.clip(rate * self.active, 0.0, 1.0)
