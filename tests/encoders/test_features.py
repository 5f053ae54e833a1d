"""Numbers and categories as arrays and tokens: quantiles, unknown and missing values, and a round trip."""

import json

import numpy as np
import polars as pl
import pytest

from danggol.encoders.features import FIRST, MISSING, UNKNOWN, FeatureSpace
from danggol.errors import DataError


def table() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    return pl.DataFrame(
        {
            "seconds": rng.exponential(100, 1000),
            "pages": rng.integers(0, 3, 1000),
            "channel": ["app", "web", "web", None] * 250,
            "weekend": [True, False] * 500,
        }
    )


def test_scores_are_normal_whatever_the_scale_and_follow_the_order() -> None:
    rows = table()
    found = FeatureSpace.fit(rows).encode(rows)
    assert abs(found.scores[:, 0].mean()) < 0.02
    assert abs(found.scores[:, 0].std() - 1) < 0.03
    order = np.argsort(rows["seconds"].to_numpy())
    assert (np.diff(found.scores[order, 0]) >= 0).all()
    # a value shared by many rows gets the middle of its share
    middle = found.scores[rows["pages"].to_numpy() == 1, 1]
    assert len(np.unique(middle)) == 1
    assert abs(middle[0]) < 0.2


def test_raw_numbers_stay_as_they_are() -> None:
    rows = table()
    assert (FeatureSpace.fit(rows).encode(rows).raw[:, 0] == rows["seconds"].to_numpy()).all()


def test_unknown_and_missing_values_have_places_of_their_own() -> None:
    space = FeatureSpace.fit(table())
    new = pl.DataFrame(
        {"seconds": [None, 1e9], "pages": [1, 1], "channel": ["fridge", None], "weekend": [True, None]},
        schema_overrides={"seconds": pl.Float64},
    )
    found = space.encode(new)
    assert np.isnan(found.scores[0, 0])
    assert found.scores[1, 0] < 4
    assert found.codes[:, 0].tolist() == [UNKNOWN, MISSING]
    assert found.codes[0, 1] >= FIRST
    assert found.codes[1, 1] == MISSING
    assert space.encode(table()).codes[:3, 0].tolist() == [FIRST + 1, FIRST, FIRST]


def test_a_column_without_values_is_missing_throughout() -> None:
    rows = pl.DataFrame({"empty": pl.Series([None, None], dtype=pl.Float64), "none": pl.Series([None, "a"])})
    found = FeatureSpace.fit(rows).encode(rows)
    assert np.isnan(found.scores).all()


def test_mistakes_are_one_sentence() -> None:
    space = FeatureSpace.fit(table())
    with pytest.raises(DataError, match="does not have: seconds, channel"):
        space.encode(table().drop("seconds", "channel"))
    with pytest.raises(DataError, match="not: seconds"):
        space.encode(table().with_columns(seconds=pl.lit("long")))
    with pytest.raises(DataError, match="neither a number nor a category"):
        FeatureSpace.fit(pl.DataFrame({"list": [[1], [2]]}))
    with pytest.raises(DataError, match="no column"):
        FeatureSpace.fit(pl.DataFrame())


def test_a_round_trip_through_json_changes_nothing() -> None:
    space = FeatureSpace.fit(table())
    again = FeatureSpace.from_dict(json.loads(json.dumps(space.to_dict())))
    first, second = space.encode(table()), again.encode(table())
    assert (first.scores == second.scores).all()
    assert (first.codes == second.codes).all()
    assert again.sizes == space.sizes == [4, 4]


def test_tokens_tell_values_missing_ones_and_categories_apart() -> None:
    torch = pytest.importorskip("torch")
    from danggol.encoders.feature_tokens import FeatureTokens

    torch.manual_seed(0)
    tokens = FeatureTokens(2, [3, 4], 8)
    scores = torch.tensor([[0.0, 1.0], [float("nan"), 1.0]])
    codes = torch.tensor([[0, 0], [0, 3]])
    found = tokens(scores, codes)
    assert found.shape == (2, 4, tokens.output_dim)
    assert torch.equal(found[1, 0], tokens.missing[0])
    assert torch.equal(found[0, 1], found[1, 1])
    assert torch.equal(found[0, 2], found[1, 2])
    assert torch.equal(found[1, 3], tokens.table[3 + 3])
    found.sum().backward()
    assert all(one.grad is not None and one.grad.isfinite().all() for one in tokens.parameters())
