"""How good the model is: the figures against plain references, and what is written."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.purchase.conftest import events

from danggol.errors import DataError, UsageError
from danggol.metrics import auc, average_precision
from danggol.purchase import Evaluation, PurchaseSettings, evaluate
from danggol.purchase.baselines import Popularity
from danggol.purchase.evaluate import METRICS, OURS, PARTS, _values
from danggol.shop import Shop

CUT = "2024-05-01"
MODELS = {OURS, "popularity", "frequency", "itemknn", "ease", "als", "als+frequency"}


@pytest.fixture(scope="module")
def found(shop: Shop, settings: PurchaseSettings) -> Evaluation:
    return evaluate(shop, CUT, 14, settings, seeds=(0, 1))


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000), share=st.floats(0.05, 0.9))
def test_values_equal_the_metrics_of_plain_rows(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    scores, relevant, ranked = rng.random((4, 15)), rng.random((4, 15)) < 0.3, rng.random((4, 15)) < share
    order = np.argsort(-scores, axis=1)
    hit, among = np.take_along_axis(relevant, order, 1), np.take_along_axis(ranked, order, 1)
    values = _values(hit, among, (relevant & ranked).sum(axis=1))
    for row in range(4):
        mine, label = scores[row][ranked[row]], relevant[row][ranked[row]]
        expected = {"auc": auc(mine, label), "average_precision": average_precision(mine, label)}
        for metric, value in expected.items():
            np.testing.assert_allclose(values[metric][row], value, err_msg=metric)
        first = label[np.argsort(-mine)][:10]
        if label.any():
            gain = (first / np.log2(np.arange(2, len(first) + 2))).sum()
            ideal = (1 / np.log2(np.arange(2, min(label.sum(), 10) + 2))).sum()
            np.testing.assert_allclose(values["ndcg@10"][row], gain / ideal)
            np.testing.assert_allclose(values["recall@10"][row], first.sum() / label.sum())
            np.testing.assert_allclose(values["precision@10"][row], first.sum() / 10)
        else:
            assert np.isnan(values["ndcg@10"][row])


def test_every_model_is_measured_on_the_same_customers(found: Evaluation, shop: Shop) -> None:
    assert set(found.values) == MODELS
    testers = shop.sql(
        "SELECT DISTINCT customer_id FROM events WHERE kind = 'purchase' AND customer_id IS NOT NULL "
        "AND ts >= '2024-04-30T15:00:00Z' AND ts < '2024-05-14T15:00:00Z' AND customer_id IN "
        "(SELECT customer_id FROM events WHERE kind = 'purchase' AND ts < '2024-04-30T15:00:00Z')"
    )
    assert len(found.country) == testers.height
    for model, parts in found.values.items():
        assert set(parts) == set(PARTS)
        for values in parts.values():
            assert len(values) == (2 if model == OURS else 1)
            assert all(len(one[metric]) == testers.height for one in values for metric in METRICS)


def test_habits_are_found(found: Evaluation) -> None:
    assert found.mean(OURS) > 1.5 * found.mean("popularity")
    assert found.mean(OURS) > 0.8 * found.mean("frequency")
    assert 0.5 < found.mean(OURS, "auc") <= 1


def test_the_frame_fits_the_table_and_its_intervals_hold_their_values(found: Evaluation, make_shop) -> None:  # type: ignore[no-untyped-def]
    frame = found.frame(draws=50)
    assert {"all", "new", "repeat", "KR"} <= set(frame["part"])
    assert frame.select(pl.struct("model", "metric", "part", "until").is_duplicated()).to_series().sum() == 0
    assert frame.filter((pl.col("low") > pl.col("value")) | (pl.col("high") < pl.col("value"))).height == 0
    ours = frame.filter((pl.col("model") == OURS) & (pl.col("metric") == "ndcg@10") & (pl.col("part") == "all"))
    theirs = frame.filter((pl.col("model") == "ease") & (pl.col("metric") == "ndcg@10") & (pl.col("part") == "all"))
    assert theirs["difference"][0] == pytest.approx(ours["value"][0] - theirs["value"][0])
    assert frame.filter(pl.col("metric") == "calibration_error")["value"][0] < 0.1
    make_shop(events(3)).write("purchase_metrics", frame)


def test_without_a_cut_the_last_days_are_the_test(shop: Shop, settings: PurchaseSettings) -> None:
    found = evaluate(shop, None, 20, settings)
    last = shop.sql("SELECT epoch_us(max(ts)) AS ts FROM events WHERE kind = 'purchase'")["ts"][0]
    assert last - 20 * 86_400e6 <= found.until <= last - 19 * 86_400e6
    assert found.days == 20


def test_too_short_a_history_says_so(make_shop, settings: PurchaseSettings) -> None:  # type: ignore[no-untyped-def]
    shop = make_shop(events(10, days=14))
    with pytest.raises(DataError, match="too few to measure 30 days"):
        evaluate(shop, None, 30, settings)
    with pytest.raises(DataError, match="choose an earlier --until"):
        evaluate(shop, "2025-01-01", 30, settings)
    with pytest.raises(UsageError, match="days must lie between"):
        evaluate(shop, None, 0, settings)


def test_a_shop_of_one_customer_is_measured_or_refused_in_words(make_shop, settings: PurchaseSettings) -> None:  # type: ignore[no-untyped-def]
    shop = make_shop(events(1))
    try:
        assert len(evaluate(shop, None, 14, settings).frame(draws=10)) > 0
    except DataError as error:
        assert "\n" not in str(error)


def test_a_model_of_ones_own_is_measured_beside_ours(shop: Shop, settings: PurchaseSettings) -> None:
    class Mine(Popularity):
        name = "mine"

        def __init__(self) -> None:
            self.days, self.by_country = 30, False

    found = evaluate(shop, CUT, 14, settings, extra=[Mine()])
    assert set(found.values) == MODELS | {"mine"}
    assert found.mean("mine", "auc") == found.mean("popularity", "auc")
