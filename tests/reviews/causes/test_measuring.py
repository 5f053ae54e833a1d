"""Folds keep a text on one side, and figures are those of texts that were not learnt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from danggol.errors import DataError
from danggol.reviews.causes import CauseSettings
from danggol.reviews.causes.measuring import distinct_texts, measure, text_folds
from danggol.reviews.causes.shop_facts import LabelledReviews, labelled_reviews, review_facts
from danggol.shop import Shop

from .made import labels_file, shop_with_reviews


def test_texts_that_differ_in_spelling_alone_are_one_and_empty_ones_are_many() -> None:
    assert distinct_texts(["Ótimo  1", "otimo 2", "", " ", "good", "x"]).tolist() == [0, 0, 1, 2, 3, 4]


def test_a_text_is_in_one_fold_and_every_cause_in_several() -> None:
    draw = np.random.default_rng(0)
    texts = [f"text {letter}" for letter in draw.choice(list("abcdefghijklmnopqrst"), 300)]
    causes = ["rare" if text[-1] in "ab" else "usual" for text in texts]
    code = distinct_texts(texts)
    fold = text_folds(code, causes, 5, 0)
    assert set(fold.tolist()) == set(range(5))
    table = pl.DataFrame({"code": code, "fold": fold, "cause": causes})
    assert table.group_by("code").agg(pl.col("fold").n_unique())["fold"].max() == 1
    assert table.group_by("cause").agg(pl.col("fold").n_unique())["fold"].min() >= 2
    assert (text_folds(code, causes, 5, 1) != fold).any()
    with pytest.raises(DataError, match="have 1"):
        text_folds(np.array([0, 1, 2]), ["a", "a", "b"], 5, 0)


def test_texts_learnt_by_heart_do_not_count_as_right(tmp_path: Path) -> None:
    """Each text is said twice, and its cause is drawn: who had learnt the twin would be right always."""
    shop = Shop.create(tmp_path / "shop")
    draw = np.random.default_rng(0)
    texts = [
        f"palavra{draw.integers(30)} coisa{draw.integers(30)} numero{nth}x" for nth in "abcdefghijklmnopqrstuvwxyz"
    ]
    texts = [f"{text} {extra}" for text in texts for extra in ("ab", "cd", "ef")]
    causes = draw.choice(["a", "b"], len(texts)).tolist()
    rows = {"review_id": [f"r{nth}" for nth in range(2 * len(texts))], "text": texts * 2}
    shop.write("reviews", pl.DataFrame(rows))
    told = measure(LabelledReviews(review_facts(shop), causes * 2, None, 0), CauseSettings(folds=3))
    assert told["once"] == 0
    assert told["cause"]["once"] is None
    assert told["texts"] == len(texts)
    assert told["cause"]["all"]["accuracy"]["low"] < 0.6


def test_the_surer_the_righter_and_each_cause_is_told_apart(tmp_path: Path) -> None:
    shop, causes = shop_with_reviews(tmp_path / "shop")
    told = measure(labelled_reviews(shop, labels_file(tmp_path / "c.csv", causes)), CauseSettings(folds=3))
    levels = told["cause"]["sure"]
    assert [one["at_least"] for one in levels] == [0, 0.5, 0.7, 0.9]
    assert levels[0]["share"] == 1
    assert levels[-1]["right"] >= levels[0]["right"]
    named = {one["name"]: one for one in told["cause"]["by_name"]}
    assert {name: one["reviews"] for name, one in named.items()} == {name: causes[:120].count(name) for name in named}
    assert all(one["found"] > 0.8 and one["right"] > 0.8 for one in named.values())
