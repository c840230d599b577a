"""The linear path against scikit-learn's solutions."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from tabular_automl.core.fitting import FitContext, Rows
from tabular_automl.core.task import TaskKind
from tabular_automl.learners import learner_for
from tabular_automl.learners.linear import LOGISTIC_PENALTIES, RIDGE_PENALTIES
from tabular_automl.testing import LearnerCase

LINEAR = learner_for("linear")


def full_path(task: TaskKind, weight: np.ndarray | None) -> tuple[LearnerCase, Rows]:
    """Return a case whose fit walks the whole path, with features that are collinear."""
    case = LearnerCase.small(LINEAR, task)
    train = replace(case.train, X=np.hstack([case.train.X, case.train.X[:, :2]]), weight=weight)
    context: FitContext = replace(case.context, patience=None, max_rounds=100)
    return replace(case, train=train, context=context), train


@pytest.fixture(params=[None, "weighted"])
def weight(request):
    return None if request.param is None else np.random.default_rng(0).uniform(0.2, 1.8, LearnerCase.n_train)


@pytest.mark.parametrize("point", [0, 5, 10, len(RIDGE_PENALTIES) - 1])
def test_ridge_is_the_closed_form(point, weight):
    case, train = full_path(TaskKind.REGRESSION, weight)
    model = LINEAR.fit(train, None, case.params, case.context).model
    normalised = None if weight is None else weight / weight.mean()
    expected = Ridge(alpha=RIDGE_PENALTIES[point]).fit(train.X, train.y, normalised).predict(train.X)
    np.testing.assert_allclose(model.predict(train.X, point + 1)[:, 0], expected, rtol=1e-5)


@pytest.mark.parametrize("task", [TaskKind.BINARY, TaskKind.MULTICLASS])
@pytest.mark.parametrize("point", [0, 4, 8])
def test_logistic_is_the_minimum(task, point, weight):
    case, train = full_path(task, weight)
    model = LINEAR.fit(train, None, case.params, case.context).model
    normalised = None if weight is None else weight / weight.mean()
    reference = LogisticRegression(C=1 / LOGISTIC_PENALTIES[point], max_iter=10_000, tol=1e-8)
    expected = reference.fit(train.X, train.y, normalised).predict_proba(train.X)[
        :, -model.predict(train.X).shape[1] :
    ]
    np.testing.assert_allclose(model.predict(train.X, point + 1), expected, atol=5e-3)


def test_a_fit_stopped_on_its_last_point_is_not_complete():
    case = LearnerCase.small(LINEAR, TaskKind.MULTICLASS)
    asked = 0
    stop_at = 10**9

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        return asked >= stop_at

    context = replace(case.context, patience=None, max_rounds=2, should_stop=should_stop)
    assert replace(case, context=context).fit().complete
    total, asked = asked, 0
    assert total > 4
    for stop_at in (2, total // 2, total):  # noqa: B007 - read by should_stop
        asked = 0
        outcome = replace(case, context=context).fit()
        assert not outcome.complete
        assert len(outcome.curve) == outcome.model.rounds >= 1
    assert len(outcome.curve) == 2


def test_more_columns_than_rows():
    rng = np.random.default_rng(0)
    case = LearnerCase.small(LINEAR, TaskKind.REGRESSION)
    X = rng.normal(size=(60, 300))
    train, held_out = Rows(X[:40], X[:40, 0]), Rows(X[40:], X[40:, 0])
    model = LINEAR.fit(train, held_out, (), case.context).model
    expected = Ridge(alpha=RIDGE_PENALTIES[8]).fit(train.X, train.y).predict(held_out.X)
    np.testing.assert_allclose(model.predict(held_out.X, 9)[:, 0], expected, rtol=1e-6)


def test_values_stay_near_the_training_targets():
    case = LearnerCase.small(LINEAR, TaskKind.REGRESSION)
    model = case.fit().model
    far = model.predict(case.held_out.X * 1e6)
    assert far.min() >= case.train.y.min() - 0.26 * np.ptp(case.train.y)
    assert far.max() <= case.train.y.max() + 0.26 * np.ptp(case.train.y)


def test_held_out_rows_choose_the_penalty():
    case = LearnerCase.small(LINEAR, TaskKind.BINARY)
    outcome = case.fit()
    assert 0 < np.argmin(outcome.curve) < len(LOGISTIC_PENALTIES) - 1
