from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from danggol.errors import DataError, UsageError
from danggol.reviews.aspects.rises import benjamini_hochberg, rises
from danggol.reviews.aspects.settings import RiseSettings

START = datetime(2024, 1, 1)
CAUSES = ("late", "broken", "price", "size")


def market(seed, products=60, weeks=12, jump=None):
    """Reviews with causes whose shares do not change, but for ``jump``: (product, cause, share) in the last week."""
    rng = np.random.default_rng(seed)
    count = rng.poisson(8, (products, weeks))
    if jump is not None:
        count[jump[0], -1] = 12
    product, week = (np.repeat(one.ravel(), count.ravel()) for one in np.indices((products, weeks)))
    share = rng.uniform(0.02, 0.4, (products, len(CAUSES)))
    chance = share[product]
    if jump is not None:
        chance[product == jump[0], jump[1]] = 0.05
        chance[(product == jump[0]) & (week == weeks - 1), jump[1]] = jump[2]
    said = rng.random(chance.shape) < chance
    ids = np.array([f"r{nth}" for nth in range(len(product))])
    hours = rng.integers(0, 24 * 7, len(product))
    ts = [START + timedelta(weeks=int(one), hours=int(two)) for one, two in zip(week, hours, strict=True)]
    reviews = pl.DataFrame({"review_id": ids, "product_id": [f"p{one}" for one in product], "ts": ts})
    rows, cause = np.nonzero(said)
    return reviews, pl.DataFrame({"review_id": ids[rows], "cause": [CAUSES[one] for one in cause]})


def test_names_the_cause_that_rose_with_reviews_that_say_so():
    reviews, mentions = market(0, jump=(7, 1, 0.95))
    found = rises(reviews, mentions)
    first = found.row(0, named=True)
    assert (first["product_id"], first["cause"], first["rose"]) == ("p7", "broken", True)
    assert first["low"] <= first["share"] <= first["high"] and first["share"] > first["past_share"]
    assert first["week"] == date(2024, 3, 18)
    named = mentions.filter(pl.col("cause") == "broken")["review_id"].to_list()
    assert len(first["examples"]) == 3 and set(first["examples"]) <= set(named)
    assert found["rose"].sum() <= 2


def test_raises_no_alarm_where_nothing_changed():
    alarms = [bool(rises(*market(seed, products=30))["rose"].any()) for seed in range(40)]
    assert sum(alarms) <= 6  # 40 times 0.05, and chance


def test_more_reviews_with_the_same_causes_are_no_rise():
    reviews, mentions = market(3, products=5)
    last = reviews.filter(pl.col("ts") >= START + timedelta(weeks=11))
    more = pl.concat([last.with_columns(pl.col("review_id") + f"x{nth}") for nth in range(2)])
    told = pl.concat([mentions.with_columns(pl.col("review_id") + f"x{nth}") for nth in range(2)])
    again = rises(pl.concat([reviews, more]), pl.concat([mentions, told.join(more, on="review_id", how="semi")]))
    assert not again.filter(pl.col("share") <= pl.col("past_share"))["rose"].any()


def test_weeks_begin_on_monday_in_the_shops_time_zone():
    reviews = pl.DataFrame({"review_id": ["a"], "product_id": ["p"], "ts": [datetime(2024, 1, 7, 20)]})
    reviews = pl.concat([reviews] + [
        pl.DataFrame({"review_id": [f"b{n}"], "product_id": ["p"], "ts": [datetime(2023, 12, 20)]}) for n in range(40)
    ])  # fmt: skip
    mentions = pl.DataFrame({"review_id": ["a"], "cause": ["late"]})
    seoul, utc = (rises(reviews, mentions, settings=RiseSettings(zone=zone)) for zone in ("Asia/Seoul", "UTC"))
    assert (seoul["week"][0], utc["week"][0]) == (date(2024, 1, 8), date(2024, 1, 1))


def test_several_weeks_are_each_compared_with_their_own_past():
    reviews, mentions = market(1, jump=(2, 0, 1.0))
    weeks = [date(2024, 3, 11), date(2024, 3, 18)]
    found = rises(reviews, mentions, weeks)
    assert found.filter(pl.col("rose") & (pl.col("product_id") == "p2"))["week"].to_list() == [weeks[1]]


def test_nothing_to_test_is_an_empty_table():
    reviews, mentions = market(0, products=2, weeks=1)
    assert rises(reviews, mentions).height == 0
    assert rises(reviews.clear(), mentions.clear()).height == 0


def test_q_values_are_those_of_the_paper():
    p = np.array([0.01, 0.04, 0.03, 0.5])
    assert np.allclose(benjamini_hochberg(p), [0.04, 0.04 * 4 / 3, 0.04 * 4 / 3, 0.5])


def test_wrong_input_is_one_sentence():
    reviews, mentions = market(0, products=2)
    with pytest.raises(UsageError, match="no Monday"):
        rises(reviews, mentions, [date(2024, 3, 12)])
    with pytest.raises(DataError, match="lacks the column 'cause'"):
        rises(reviews, mentions.drop("cause"))
    with pytest.raises(DataError, match="twice"):
        rises(pl.concat([reviews, reviews]), mentions)
    with pytest.raises(DataError, match="not a time"):
        rises(reviews.with_columns(ts=pl.lit("x")), mentions)
