"""Explanations: they add up, they name what decides, and replacing what they name moves the prediction."""

import numpy as np
import pytest
from tests.purchase.multimodal.test_model import made, settings

from danggol.errors import UsageError
from danggol.purchase.multimodal.explain import deletion, explain, partial_dependence, with_column
from danggol.purchase.multimodal.model import MultimodalModel, Reading
from danggol.purchase.multimodal.shares import worth
from danggol.purchase.multimodal.trees import TreeSettings

Fitted = tuple[MultimodalModel, Reading, Reading]


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    data = made(text=1.2, discount=1.0, rows=2500)
    model = MultimodalModel(settings()).learn(data)
    return model, model.read(data, np.arange(2000, 2100)), model.read(data, np.arange(1000, 1300))


def test_the_contributions_add_up_and_name_what_decides(fitted: Fitted) -> None:
    model, reading, others = fitted
    found = explain(model, reading, others)
    total = found.base + sum(found.modalities.values())
    assert np.allclose(total, found.log_odds)
    # trees: exact; network: the integral is a sum of steps
    assert found.base.std() < 0.15
    strength = {name: np.abs(values).mean() for name, values in found.modalities.items()}
    assert set(sorted(strength, key=strength.__getitem__)[-3:]) >= {"text", "offer"}
    discount = found.contributions[:, found.columns.index("discount")]
    values = reading.table.values[:, found.columns.index("discount")]
    assert np.corrcoef(discount, values)[0, 1] > 0.8
    assert found.frame(0)["column"].len() == 10


def test_words_regions_and_attention_are_told(fitted: Fitted) -> None:
    model, reading, others = fitted
    found = explain(model, reading, others)
    assert found.regions.shape == (len(reading), 4)
    words = [dict(row) for row in found.words]
    assert all(any("good" in word or "plain" in word for word in row) for row in words)
    assert 0 < sum(values.mean() for values in found.attention.values()) <= 1 + 1e-6


def test_replacing_what_is_named_moves_more_than_replacing_at_random(fitted: Fitted) -> None:
    model, reading, others = fitted
    named = np.argsort(-np.abs(explain(model, reading, others).contributions), axis=1, kind="stable")
    draw = np.random.default_rng(0)
    shuffled = np.array([draw.permutation(named.shape[1]) for _ in range(len(named))])
    first, second = (deletion(model, reading, others, order) for order in (named, shuffled))
    assert first[1:11].mean() > 1.3 * second[1:11].mean()
    assert first[-1] == pytest.approx(second[-1])


def test_partial_dependence_follows_the_discount(fitted: Fitted) -> None:
    model, reading, _ = fitted
    curve = partial_dependence(model, reading, "discount", [-1.5, 0.0, 1.5])
    assert curve[0] < curve[1] < curve[2]
    taste = reading.table.names[-1]
    assert model.predict(with_column(reading, taste, 0.0)).shape == (len(reading),)
    with pytest.raises(UsageError, match="no column 'weather'"):
        with_column(reading, "weather", 0.0)


def test_what_a_modality_is_worth(fitted: Fitted) -> None:
    model, reading, _ = fitted
    data = reading.data
    learnt, tested = model.read(data, np.arange(1800)), model.read(data, np.arange(1800, 2500))
    found = worth(learnt, tested, TreeSettings(rounds=40, bags=1, learning_rate=0.1))
    shares = found.shares(draws=20)
    assert shares.share["offer"].low > 0
    assert max(shares.share["image"].value, shares.share["customer"].value) < shares.share["offer"].value
    assert shares.joined.value == pytest.approx(sum(one.value for one in shares.share.values()), abs=1e-9)
    assert found.auc(frozenset(["offer"])).value > 0.6
