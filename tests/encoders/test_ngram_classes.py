"""Multinomial logistic regression on n-grams beside scikit-learn's."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix, random
from sklearn.linear_model import LogisticRegression

from danggol.encoders.ngram_classes import NgramClasses
from danggol.errors import DataError


def made(count: int = 500) -> tuple[csr_matrix, np.ndarray]:
    draw = np.random.default_rng(0)
    rows = csr_matrix(random(count, 20, 0.3, random_state=1))
    return rows, (rows @ draw.normal(size=(20, 4)) + draw.gumbel(size=(count, 4)) * 0.2).argmax(axis=1)


def test_it_is_scikit_learns() -> None:
    rows, label = made()
    ours = NgramClasses.fit(rows, np.eye(4)[label], 2.0, steps=300)
    theirs = LogisticRegression(C=2.0, tol=1e-8, max_iter=1000).fit(rows, label)
    np.testing.assert_allclose(np.exp(ours.log_probabilities(rows)), theirs.predict_proba(rows), atol=0.01)


def test_a_text_that_is_there_twice_counts_twice() -> None:
    rows, label = made()
    doubled = csr_matrix(np.vstack([rows.toarray(), rows.toarray()[:100]]))
    apart = NgramClasses.fit(doubled, np.eye(4)[np.append(label, label[:100])], 2.0, steps=300)
    weight = 1.0 + (np.arange(len(label)) < 100)
    once = NgramClasses.fit(rows, np.eye(4)[label] * weight[:, None], 2.0, steps=300)
    np.testing.assert_allclose(once.log_probabilities(rows), apart.log_probabilities(rows), atol=0.05)


def test_rows_without_a_class_say_nothing_and_a_start_is_gone_on_from() -> None:
    rows, label = made()
    counts = np.eye(4)[label]
    counts[250:] = 0
    half = NgramClasses.fit(rows, counts, 2.0, steps=300)
    first = NgramClasses.fit(rows[:250], counts[:250], 2.0, steps=300)
    np.testing.assert_allclose(half.log_probabilities(rows), first.log_probabilities(rows), atol=0.02)
    on = NgramClasses.fit(rows, counts, 2.0, steps=1, start=half)
    np.testing.assert_allclose(on.log_probabilities(rows), half.log_probabilities(rows), atol=0.05)


def test_one_class_only_is_refused() -> None:
    rows, label = made()
    with pytest.raises(DataError, match="one class"):
        NgramClasses.fit(rows, np.eye(4)[np.zeros_like(label)], 1.0)
