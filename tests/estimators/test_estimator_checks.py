"""scikit-learn's own checks of an estimator, each in an empty folder that must stay empty."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks

from tabular_automl import TabularClassifier, TabularRegressor

NOT_REPEATED = (
    "A row of weight 2 is not exactly the row twice: encoders don't look at weights, weights are scaled to a "
    "mean of 1, and trees ask for a number of rows a leaf. scikit-learn expects this failure of its own "
    "forests and boosting, too."
)
EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": NOT_REPEATED,
    "check_sample_weight_equivalence_on_sparse_data": NOT_REPEATED,
}

BOUNDED: dict[str, Any] = {"max_candidates": 2, "n_jobs": 1}
TWO_FAMILIES: dict[str, Any] = {**BOUNDED, "families": ("linear", "lightgbm")}


def expected_failures(estimator: BaseEstimator) -> dict[str, str]:
    del estimator  # they are the same for both
    return EXPECTED_FAILURES


@pytest.fixture(autouse=True)
def nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    here, temporary = tmp_path / "here", tmp_path / "temporary"
    here.mkdir()
    temporary.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    yield
    assert list(here.iterdir()) == []
    assert [path.name for path in temporary.iterdir() if path.name.startswith("tabular")] == []


few_rows_a_class = pytest.mark.filterwarnings("ignore:The least populated class in y:UserWarning")


# Two folds instead of eight make the many fits of the checks quick; the slow run takes our own plan.
@few_rows_a_class
@parametrize_with_checks(
    [TabularClassifier(**TWO_FAMILIES, cv=2), TabularRegressor(**TWO_FAMILIES, cv=2)],
    expected_failed_checks=expected_failures,
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(
    [TabularClassifier(**BOUNDED), TabularRegressor(**BOUNDED)], expected_failed_checks=expected_failures
)
def test_scikit_learn_checks_with_our_own_folds(estimator, check):
    check(estimator)
