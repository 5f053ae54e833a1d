"""Plays a simulated market against policies of one's own: ``python examples/play_a_market.py``.

Every week a policy sees the week's tables and says what to do next; the gain is margin x revenue - what offers cost.
"""

import polars as pl

from danggol.twin import Actions, Market
from danggol.twin.policies import best, do_nothing, play


def coupon_for_the_quiet(market: Market, last_orders: pl.DataFrame) -> Actions:
    """A coupon to customers of Korea who did not order last week: what a shop could do from its own tables."""
    customers = pl.DataFrame({"customer_id": market.people.ids, "country": market.country})
    quiet = customers.filter(pl.col("country") == "KR").join(last_orders, on="customer_id", how="anti")
    return Actions(promotions=quiet.select("customer_id", offer=pl.lit("coupon10")), own_campaigns=False)


market, orders, gain = Market("small", seed=7), pl.DataFrame({"customer_id": []}, {"customer_id": pl.String}), 0.0
while not market.done:
    week = market.step(coupon_for_the_quiet(market, orders))
    orders, gain = week.tables["orders"].select("customer_id").unique(), gain + week.figures["gain"]

print(f"coupons for the quiet {gain:14,.0f} KRW")
print(f"do nothing            {play('small', do_nothing, seed=7)['gain'].sum():14,.0f} KRW")
print(f"who knows the truth   {play('small', best, seed=7)['gain'].sum():14,.0f} KRW")
