"""Next purchases in several markets: what is learnt where the truth is known, and what is handed over."""

import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from danggol.errors import DataError, UsageError
from danggol.purchase.baselines import ease, gram
from danggol.purchase.markets import CrossMarketModel
from danggol.purchase.markets.features import MarketFeatures, MarketSettings
from danggol.purchase.markets.history import MarketHistory

START = dt.date(2020, 1, 1)
SERIES, LENGTH = 10, 6
QUICK = {"rounds": 30, "candidates": 10, "spread": 10, "narrow": 5.0, "wide": 20.0, "market_ridge": 5.0}


def made_up(large: int = 400, small: int = 30, seed: int = 0) -> pl.DataFrame:
    """Customers who read four volumes of one of ten series in order, round and round, after another series' first."""
    rng = np.random.default_rng(seed)
    rows = []
    for market, count in (("large", large), ("small", small)):
        for customer in range(count):
            series, first = rng.integers(SERIES), rng.integers(LENGTH)
            day = int(rng.integers(300))
            other = (series + rng.integers(1, SERIES)) % SERIES
            rows.append((market, f"{market}{customer}", f"s{other}v0", day, 3.0))
            for volume in range(first, first + 4):
                day += int(rng.integers(5, 20))
                rows.append((market, f"{market}{customer}", f"s{series}v{volume % LENGTH}", day, 5.0))
    frame = pl.DataFrame(rows, ["market", "customer_id", "product_id", "day", "rating"], orient="row")
    return frame.with_columns(day=pl.lit(START) + pl.duration(days=pl.col("day")))


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    return made_up()


@pytest.fixture(scope="module")
def model(rows: pl.DataFrame) -> CrossMarketModel:
    return CrossMarketModel(**QUICK).fit(rows)


def test_a_small_market_learns_from_a_large_one(rows: pl.DataFrame) -> None:
    history = MarketHistory.of(rows)
    past, target = history.without_last()
    small = np.flatnonzero(history.home == history.markets.index("small"))

    def found(model: CrossMarketModel) -> float:
        names = model.history.names.with_row_index("code").filter(pl.col("market") == "small")
        first = model.rank(names["code"].to_numpy().astype(np.int64), 2).products
        wanted = history.products[target[small]]
        return float((model.history.products[first] == wanted[:, None]).any(axis=1).mean())

    together = CrossMarketModel(**QUICK).fit(past.rows(), past.catalogue())
    alone = CrossMarketModel(**QUICK).fit(
        past.rows().filter(pl.col("market") == "small"), past.catalogue().filter(pl.col("market") == "small")
    )
    assert found(together) > 0.8
    assert found(together) > found(alone) + 0.1


def test_recommends_what_the_market_sells_and_the_customer_lacks(model: CrossMarketModel) -> None:
    found = model.predict(model.history.names, 8)
    have = model.history.rows().select("market", "customer_id", "product_id")
    assert found.join(have, on=have.columns).height == 0
    assert found.join(model.history.catalogue(), on=["market", "product_id"], how="anti").height == 0
    scores = found.group_by("market", "customer_id", maintain_order=True).agg("rank", "score")
    assert all(ranks == list(range(1, 9)) for ranks in scores["rank"].to_list())
    assert all(np.all(np.diff(score) <= 0) for score in scores["score"].to_list())


def test_asked_scores_are_those_of_the_ranking_in_any_order(model: CrossMarketModel) -> None:
    customers = np.array([5, 420, 1, 300])
    ranking = model.rank(customers, 6)
    asked = model.rank(customers[::-1], 6, ranking.products[::-1])
    np.testing.assert_allclose(asked.asked[::-1], ranking.scores)
    np.testing.assert_array_equal(asked.products[::-1], ranking.products)


def test_a_product_of_another_market_has_no_score(rows: pl.DataFrame) -> None:
    only = pl.DataFrame({"market": ["large"], "product_id": ["elsewhere"]})
    model = CrossMarketModel(**QUICK).fit(rows, only)
    code = int(np.searchsorted(model.history.products, "elsewhere"))
    home = model.history.home
    customers = np.array([np.flatnonzero(home == market)[0] for market in (0, 1)])
    asked = model.rank(customers, 3, np.full((2, 1), code)).asked[:, 0]
    assert np.isfinite(asked[0])
    assert asked[1] == -np.inf


def test_loaded_model_ranks_as_the_saved_one(model: CrossMarketModel, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    loaded = CrossMarketModel.load(tmp_path / "model")
    assert loaded.predict(model.history.names).equals(model.predict(model.history.names))


def test_fitting_again_gives_the_same_ranking(rows: pl.DataFrame, model: CrossMarketModel) -> None:
    again = CrossMarketModel(**QUICK).fit(rows)
    assert again.predict(model.history.names).equals(model.predict(model.history.names))


class Killed(BaseException):
    """What a kill would be, without losing the tests' process."""


@pytest.mark.parametrize("place", ["os.fsync", "_moved_aside", "_moved_in", "_swept"])
def test_a_killed_save_leaves_the_old_model_or_the_new(
    model: CrossMarketModel, rows: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    few = CrossMarketModel(**QUICK | {"rounds": 5}).fit(rows)
    few.save(tmp_path / "model")

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(f"danggol.artefact.{place}", die)
        with pytest.raises(Killed):
            model.save(tmp_path / "model")
    left = CrossMarketModel.load(tmp_path / "model")
    assert left.settings.rounds == (QUICK["rounds"] if place == "_swept" else 5)
    assert left.ranker.num_trees() == left.settings.rounds
    model.save(tmp_path / "model")
    assert CrossMarketModel.load(tmp_path / "model").settings.rounds == QUICK["rounds"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_broken_models_are_named(model: CrossMarketModel, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no model"):
        CrossMarketModel.load(tmp_path)
    (tmp_path / "config.json").write_text('{"capability": "purchase", "format": 1}')
    with pytest.raises(DataError, match="another kind"):
        CrossMarketModel.load(tmp_path)
    model.save(tmp_path / "model")
    (tmp_path / "model" / "rows.parquet").write_bytes(b"half a file")
    with pytest.raises(DataError, match="is damaged"):
        CrossMarketModel.load(tmp_path / "model")


def test_mistakes_are_named(rows: pl.DataFrame, model: CrossMarketModel) -> None:
    with pytest.raises(DataError, match="lack the column 'rating'"):
        MarketHistory.of(rows.drop("rating"))
    with pytest.raises(DataError, match="empty"):
        MarketHistory.of(rows.with_columns(product_id=pl.lit(None, pl.String)))
    with pytest.raises(DataError, match="two different products"):
        CrossMarketModel(**QUICK).fit(rows.group_by("market", "customer_id").first())
    with pytest.raises(UsageError, match="knows no customer nobody of small"):
        model.predict(pl.DataFrame({"market": ["small"], "customer_id": ["nobody"]}))
    with pytest.raises(UsageError, match="top must be 1"):
        model.rank(np.array([0]), 0)


def test_the_last_row_is_the_latest_day_then_the_latest_line() -> None:
    lines = [("a", "u", "late", 9), ("a", "u", "tie1", 5), ("a", "u", "tie2", 5), ("a", "w", "one", 1)]
    rows = pl.DataFrame(lines, ["market", "customer_id", "product_id", "day"], orient="row").with_columns(
        day=pl.lit(START) + pl.duration(days=pl.col("day")), rating=1.0
    )
    past, last = MarketHistory.of(rows).without_last()
    assert past.products[last].tolist() == ["late", "one"]
    earlier, before = past.without_last()
    assert before.tolist() == [past.products.tolist().index("tie2"), -1]
    assert earlier.products[earlier.product].tolist() == ["tie1"]


def test_features_against_their_definitions(rows: pl.DataFrame) -> None:
    history = MarketHistory.of(rows)
    features = MarketFeatures(history, MarketSettings.of(QUICK))
    view = features.market(history.markets.index("small"))
    customers = view.customers[:5]
    block = view.block(customers)
    bought = history.matrix()
    np.testing.assert_allclose(
        block.scores["ease_narrow"], (bought[customers] @ ease(gram(bought), 5.0))[:, view.products], atol=1e-5
    )
    for row, customer in enumerate(customers):
        own = history.customer == customer
        assert set(np.flatnonzero(block.bought[row])) == set(view.column[history.product[own]])
        assert block.scores["last_day"][row, 0] == history.day[own].max()
        market = history.home[history.customer] == view.market
        for place in range(0, len(view.products), 7):
            of = market & (history.product == view.products[place])
            assert block.scores["sold_market"][0, place] == pytest.approx(np.log1p(of.sum()), abs=1e-5)
            assert block.scores["age"][row, place] == history.day[own].max() - history.day[of].min()


def test_without_later_sales_windows_after_the_last_day_are_empty(rows: pl.DataFrame) -> None:
    settings = MarketSettings.of(QUICK, later=False)
    block = MarketFeatures(MarketHistory.of(rows), settings).market(0).block(np.arange(5))
    assert not block.scores["after_360"].any()
    assert block.scores["ends"].max() <= 0


def test_candidates_are_the_best_of_each_scorer_not_bought(rows: pl.DataFrame) -> None:
    block = MarketFeatures(MarketHistory.of(rows), MarketSettings.of(QUICK)).market(0).block(np.arange(20))
    chosen = block.candidates(3)
    assert not (chosen & block.bought).any()
    best = np.where(block.bought, -np.inf, block.scores["ease_wide"]).argmax(axis=1)
    assert chosen[np.arange(20), best].all()
    assert (chosen.sum(axis=1) <= 12).all()
