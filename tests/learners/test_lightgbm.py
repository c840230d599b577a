"""What is particular to LightGBM."""

from dataclasses import replace

import numpy as np
import pytest

from tabular_automl.core.candidate import freeze_params
from tabular_automl.core.errors import UnsupportedProblemError
from tabular_automl.core.fitting import Rows
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.task import TaskKind
from tabular_automl.learners import learner_for
from tabular_automl.learners.lightgbm import VISITS_A_THREAD, LightGBMModel
from tabular_automl.testing import LearnerCase

LIGHTGBM = learner_for("lightgbm")


def test_categories_are_split_as_sets_of_levels():
    n_rows = 400
    codes = np.random.default_rng(0).integers(0, 20, n_rows).astype(np.float64)
    y = (codes % 2 == 0).astype(np.float64)
    case = LearnerCase.small(LIGHTGBM, TaskKind.BINARY)
    spec = replace(case.context.features, names=("c0",), categorical=(0,), n_levels=(20,))
    context = replace(case.context, features=spec, max_rounds=1)
    rows = Rows(codes[:, np.newaxis], y)
    model = LIGHTGBM.fit(rows, rows, freeze_params({"num_leaves": 2, "min_data_per_group": 5}), context).model
    assert len(np.unique(model.predict(rows.X))) == 2
    np.testing.assert_array_equal(model.predict(rows.X)[:, 0] > y.mean(), y > 0.5)


def test_patience_stops_and_the_curve_goes_on_to_the_stop():
    case = LearnerCase.small(LIGHTGBM, TaskKind.BINARY)
    context = replace(case.context, max_rounds=2_000, patience=15)
    outcome = replace(case, context=context).fit()
    assert outcome.model.rounds < 2_000
    assert len(outcome.curve) == outcome.model.rounds == np.argmin(outcome.curve) + 1 + 15


@pytest.mark.parametrize(("max_rounds", "patience"), [(6, None), (2_000, 3)])
def test_a_fit_is_complete_exactly_when_no_round_is_missing(max_rounds, patience):
    case = LearnerCase.small(LIGHTGBM, TaskKind.BINARY)
    asked = 0
    stop_at = 10**9

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        return asked >= stop_at

    context = replace(case.context, max_rounds=max_rounds, patience=patience, should_stop=should_stop)
    whole = replace(case, context=context).fit()
    assert whole.complete
    for stop_at in {1, whole.model.rounds - 1, whole.model.rounds}:  # noqa: B007 - read by should_stop
        asked = 0
        outcome = replace(case, context=context).fit()
        assert outcome.complete == (outcome.model.rounds == whole.model.rounds)
        np.testing.assert_array_equal(outcome.curve, whole.curve[: len(outcome.curve)])


@pytest.mark.parametrize("task", list(TaskKind))
def test_neither_threads_nor_rows_nor_a_save_change_a_bit(task, tmp_path):
    case = LearnerCase.small(LIGHTGBM, task)
    model = case.fit().model
    model.save(tmp_path)
    loaded = LIGHTGBM.load(tmp_path)
    X = np.tile(case.held_out.X, (VISITS_A_THREAD // model.rounds // len(case.held_out.X) + 2, 1))
    batch = loaded.predict(X)
    n_rows = len(case.held_out.X)
    np.testing.assert_array_equal(batch, np.tile(batch[:n_rows], (len(X) // n_rows, 1)))
    assert isinstance(loaded, LightGBMModel)
    np.testing.assert_array_equal(replace(loaded, threads=1).predict(X), batch)
    single = np.vstack([model.predict(X[row : row + 1]) for row in range(n_rows)])
    np.testing.assert_array_equal(single, batch[:n_rows])


def test_patience_is_shorter_on_many_rows():
    patience = [
        LIGHTGBM.limits(ProblemShape(TaskKind.BINARY, n, 5, 0, 1), ()).patience for n in (100, 20_000, 10**6)
    ]
    assert patience == [300, 150, 20]


def test_trees_are_smaller_on_few_rows():
    few, many = (dict(LIGHTGBM.defaults(ProblemShape(TaskKind.BINARY, n, 5, 0, 1))) for n in (300, 50_000))
    assert int(few["num_leaves"] or 0) <= 15 < int(many["num_leaves"] or 0)
    assert float(few["learning_rate"] or 0) <= float(many["learning_rate"] or 0)


def test_a_table_without_features_is_refused():
    with pytest.raises(UnsupportedProblemError, match="at least one usable feature"):
        LIGHTGBM.require(ProblemShape(TaskKind.BINARY, 100, 0, 0, 1))
