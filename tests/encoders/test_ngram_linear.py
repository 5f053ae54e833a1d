"""Linear models on sparse rows beside scikit-learn's."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix, random
from sklearn.linear_model import LogisticRegression, Ridge

from danggol.encoders.ngram_linear import NgramLinear
from danggol.errors import DataError
from danggol.metrics import auc


def made(rows: int = 400) -> tuple[csr_matrix, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    values = csr_matrix(random(rows, 30, 0.3, random_state=1))
    number = values @ draw.normal(size=30) + 0.3 * draw.normal(size=rows) + 1
    return values, (number > 1).astype(float), number


def test_logistic_regression_is_scikit_learns() -> None:
    rows, label, _ = made()
    ours = NgramLinear.logistic(rows, label, 2.0)
    theirs = LogisticRegression(C=2.0, tol=1e-8, max_iter=1000).fit(rows, label)
    np.testing.assert_allclose(ours.values(rows), theirs.decision_function(rows), atol=0.02)


def test_ridge_regression_is_scikit_learns() -> None:
    rows, _, number = made()
    theirs = Ridge(alpha=0.5, tol=1e-10).fit(rows, number)
    np.testing.assert_allclose(NgramLinear.ridge(rows, number, 2.0).values(rows), theirs.predict(rows), atol=0.01)


def test_naive_bayes_ratios_help_where_rows_are_few_and_columns_many() -> None:
    draw = np.random.default_rng(0)
    label = (np.arange(2000) % 2).astype(float)
    # ten columns lean to one side, a thousand do not
    lean = draw.random((2000, 10)) < np.where(label, 0.4, 0.2)[:, None]
    rows = csr_matrix(np.column_stack([lean, draw.random((2000, 1000)) < 0.05]).astype(np.float64))
    train, test = slice(0, 200), slice(200, 2000)
    plain = NgramLinear.logistic(rows[train], label[train], 1.0).values(rows[test])
    bayes = NgramLinear.logistic(rows[train], label[train], 1.0, bayes=True).values(rows[test])
    assert auc(plain, label[test]) > 0.6
    assert auc(bayes, label[test]) > 0.6


def test_one_outcome_only_is_refused() -> None:
    rows, label, _ = made()
    with pytest.raises(DataError, match="needs both"):
        NgramLinear.logistic(rows, np.ones_like(label), 1.0)
