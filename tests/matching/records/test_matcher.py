"""A matcher finds the same product behind two shops' spellings, and is the same after saving."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.matching.records.made import made_pairs

from danggol.errors import DataError, UsageError
from danggol.matching.records import RecordMatcher, RecordPairs, RecordSettings
from danggol.matching.records.matcher import best_threshold
from danggol.metrics import f1

QUICK = RecordSettings.of(folds=3, seeds=1, rounds=40)


@pytest.fixture(scope="module")
def pairs() -> RecordPairs:
    return made_pairs()


@pytest.fixture(scope="module")
def fitted(pairs: RecordPairs) -> RecordMatcher:
    return RecordMatcher(QUICK).fit(pairs.rows(np.arange(0, 500)), pairs.rows(np.arange(500, 650)))


def test_held_out_pairs_are_told_apart(fitted: RecordMatcher, pairs: RecordPairs) -> None:
    test = pairs.rows(np.arange(650, len(pairs)))
    judged = fitted.predict(test)
    assert f1(judged.same, test.label) > 0.9
    assert ((judged.probability >= 0) & (judged.probability <= 1)).all()
    np.testing.assert_array_equal(judged.same, judged.probability >= fitted.threshold)


def test_labels_of_the_pairs_that_are_asked_for_are_not_looked_at(fitted: RecordMatcher, pairs: RecordPairs) -> None:
    test = pairs.rows(np.arange(650, len(pairs)))
    np.testing.assert_array_equal(fitted.predict(test).probability, fitted.predict(test.unlabelled()).probability)


def test_order_of_the_pairs_does_not_matter(fitted: RecordMatcher, pairs: RecordPairs) -> None:
    test = pairs.rows(np.arange(650, len(pairs)))
    turned = fitted.predict(test.rows(np.arange(len(test))[::-1].copy())).probability[::-1]
    np.testing.assert_allclose(turned, fitted.predict(test).probability, rtol=1e-4, atol=1e-5)


def test_other_products_and_columns_are_matched_too(fitted: RecordMatcher) -> None:
    other = made_pairs(products=40, seed=7)
    assert f1(fitted.predict(other).same, other.label) > 0.8
    bare = RecordPairs.of([{"title": "x"}, {}], [{"title": "x"}, {"name": "sonara camera"}])
    assert np.isfinite(fitted.predict(bare).probability).all()


def test_saving_keeps_what_is_said(fitted: RecordMatcher, pairs: RecordPairs, tmp_path: Path) -> None:
    folder = fitted.save(fitted.save(tmp_path / "model"))
    assert {path.suffix for path in folder.iterdir()} == {".json", ".txt"}
    test = pairs.rows(np.arange(650, len(pairs)))
    one, other = fitted.predict(test), RecordMatcher.load(folder).predict(test)
    np.testing.assert_array_equal(one.same, other.same)
    np.testing.assert_allclose(one.probability, other.probability, rtol=1e-5)
    (folder / "words.json").write_text("{", "utf8")
    with pytest.raises(DataError, match=r"words\.json"):
        RecordMatcher.load(folder)


def test_mistakes_are_told(pairs: RecordPairs, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="fit"):
        RecordMatcher().predict(pairs)
    with pytest.raises(UsageError, match="no model"):
        RecordMatcher.load(tmp_path / "none")
    with pytest.raises(DataError, match="needed"):
        RecordMatcher(QUICK).fit(pairs.rows(np.arange(8)))
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("mine", "utf8")
    with pytest.raises(UsageError, match="something else"):
        RecordMatcher(QUICK).fit(pairs).save(full)


def test_the_threshold_has_the_best_f1() -> None:
    probability = np.array([0.9, 0.8, 0.6, 0.4, 0.1], np.float32)
    assert best_threshold(probability, np.array([1, 1, 1, 0, 0])) == pytest.approx(0.6)
