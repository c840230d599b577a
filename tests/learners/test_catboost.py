"""What is particular to CatBoost."""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from tabular_automl.core.candidate import Value, freeze_params
from tabular_automl.core.errors import UnsupportedProblemError
from tabular_automl.core.fitting import FeatureSpec, FloatArray, Rows
from tabular_automl.core.metrics import training_loss
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.task import TaskKind
from tabular_automl.learners import learner_for
from tabular_automl.learners.catboost import FEW_ROWS, MAX_RATE, VISITS_A_THREAD, CatBoostModel
from tabular_automl.learners.prior import PriorModel
from tabular_automl.testing import LearnerCase
from tabular_automl.testing.check_learner import assert_no_pickle

CATBOOST = learner_for("catboost")
MODULE = import_module("tabular_automl.learners.catboost")


def case_of(
    X: FloatArray, y: FloatArray, task: TaskKind, *, n_levels: tuple[int, ...] = (), n_outputs: int = 1
) -> LearnerCase:
    """Return a case of these rows, the same ones held out; the last columns are categories."""
    n_rows, n_columns = X.shape
    first = n_columns - len(n_levels)
    spec = FeatureSpec(
        tuple(f"c{place}" for place in range(n_columns)), tuple(range(first, n_columns)), n_levels
    )
    shape = ProblemShape(task, n_rows, first, len(n_levels), n_outputs)
    small = LearnerCase.small(CATBOOST, task)
    context = replace(small.context, shape=shape, features=spec, max_rounds=30, patience=None)
    rows = Rows(X, y)
    return LearnerCase(CATBOOST, rows, rows, CATBOOST.defaults(shape), context)


def with_params(case: LearnerCase, **changes: Value) -> LearnerCase:
    return replace(case, params=freeze_params({**dict(case.params), **changes}))


def with_context(case: LearnerCase, **changes: Any) -> LearnerCase:
    return replace(case, context=replace(case.context, **changes))


def assert_curve_is_of_predictions(case: LearnerCase) -> None:
    outcome = case.fit()
    loss = training_loss(case.context.shape.task)
    for round_ in (1, len(outcome.curve)):
        predictions = outcome.model.predict(case.held_out.X, round_)
        expected = loss.loss(case.held_out.y, predictions, case.held_out.weight)
        assert outcome.curve[round_ - 1] == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_many_levels_are_learnt_as_categories_not_as_numbers():
    codes = np.random.default_rng(0).permutation(np.repeat(np.arange(150.0), 16))
    X, y = codes[:, np.newaxis], codes % 2
    as_category = with_context(case_of(X, y, TaskKind.BINARY, n_levels=(150,)), max_rounds=10)
    as_number = with_context(case_of(X, y, TaskKind.BINARY), max_rounds=10)
    assert as_category.fit().curve[-1] < 0.5 * as_number.fit().curve[-1]
    seen = as_category.fit().model.predict(np.arange(150.0)[:, np.newaxis])[:, 0]
    np.testing.assert_array_equal(seen > 0.5, np.arange(150) % 2 > 0)


@pytest.mark.parametrize("one_hot_max_size", [2, 20])
def test_a_missing_category_is_a_level_of_its_own(one_hot_max_size):
    codes = np.tile([0.0, 1.0, 2.0, np.nan], 100)
    case = case_of(codes[:, np.newaxis], np.isnan(codes) * 1.0, TaskKind.BINARY, n_levels=(3,))
    model = with_params(case, one_hot_max_size=one_hot_max_size).fit().model
    predicted = model.predict(np.array([[0.0], [1.0], [2.0], [np.nan]]))[:, 0]
    assert predicted[3] > 0.5 > predicted[:3].max()


def test_a_level_without_a_training_row_is_taken_for_an_average_one():
    codes = np.tile([0.0, 1.0, 2.0, 2.0], 100)
    y = np.where(codes < 2, codes, np.arange(400) % 4 - 2)
    case = case_of(codes[:, np.newaxis], y, TaskKind.BINARY, n_levels=(4,))
    model = with_params(case, one_hot_max_size=2).fit().model
    zero, one, unseen = model.predict(np.array([[0.0], [1.0], [3.0]]))[:, 0]
    assert zero + 0.2 < unseen < one - 0.2


def test_a_number_missing_for_the_first_time_is_a_typical_one():
    X = np.random.default_rng(0).normal(size=(501, 2))
    case = case_of(X, X[:, 0] * 10, TaskKind.REGRESSION)
    holed = X.copy()
    holed[::3, 0] = np.nan
    middle = np.where(np.isnan(holed), np.median(X, axis=0), holed)
    model = case.fit().model
    np.testing.assert_array_equal(model.predict(holed), model.predict(middle))
    assert_curve_is_of_predictions(replace(case, held_out=Rows(holed, case.held_out.y)))


def test_a_number_missing_in_training_says_something():
    X = np.random.default_rng(0).normal(size=(300, 1))
    missing = np.arange(300) % 3 == 0
    X[missing] = np.nan
    model = case_of(X, missing * 1.0, TaskKind.BINARY).fit().model
    predicted = model.predict(X)[:, 0]
    assert predicted[missing].min() > predicted[~missing].max()


def test_seconds_of_one_hour_differ():
    second = np.arange(3_600.0)
    X, y = (1.7e9 + second)[:, np.newaxis], second // 300 % 2
    assert len(np.unique(X.astype(np.float32))) < 50
    case = with_params(case_of(X, y, TaskKind.BINARY), learning_rate=0.15, border_count=254)
    model = with_context(case, max_rounds=100).fit().model
    assert np.mean((model.predict(X)[:, 0] > 0.5) == (y > 0)) > 0.97


def test_numbers_beyond_single_precision_keep_their_order():
    X = np.array([-np.inf, -1e300, -1.0, 0.0, 1.0, 1e300, np.inf] * 40)[:, np.newaxis]
    case = case_of(X, np.where(X[:, 0] > 0.5, 1.0, 0.0), TaskKind.BINARY)
    np.testing.assert_array_equal(case.fit().model.predict(X)[:, 0] > 0.5, X[:, 0] > 0.5)
    assert_curve_is_of_predictions(case)


def test_boosting_starts_from_the_weighted_prior():
    case = LearnerCase.small(CATBOOST, TaskKind.BINARY)
    weight = np.where(case.train.y > 0, 50.0, 1.0)
    weighted = with_params(replace(case, train=replace(case.train, weight=weight)), learning_rate=0.005)
    assert weighted.fit().model.predict(case.held_out.X, 1).min() > 0.9


@pytest.mark.parametrize("absent", [0, 1, 2])
def test_an_absent_class_keeps_its_column_and_its_held_out_rows_their_loss(absent):
    case = LearnerCase.small(CATBOOST, TaskKind.MULTICLASS)
    kept = case.train.y != absent
    narrowed = replace(case, train=Rows(case.train.X[kept], case.train.y[kept]))
    predictions = narrowed.fit().model.predict(case.held_out.X)
    assert predictions.shape[1] == 3
    prior = 1 / 3 / (kept.sum() + 1)
    assert predictions[:, absent].max() < 1.5 * prior
    assert_curve_is_of_predictions(narrowed)


@pytest.mark.parametrize("task", [TaskKind.BINARY, TaskKind.MULTICLASS])
def test_one_class_alone_in_training_is_predicted(task):
    case = LearnerCase.small(CATBOOST, task)
    alone = replace(case, train=replace(case.train, y=np.ones(len(case.train.y))))
    predictions = alone.fit().model.predict(case.held_out.X)
    assert predictions[:, 0 if task is TaskKind.BINARY else 1].min() > 0.9
    assert_curve_is_of_predictions(alone)


def test_classes_keep_their_order_beyond_ten():
    y = np.tile(np.arange(12.0), 30)
    model = case_of(y[:, np.newaxis] * 1.5, y, TaskKind.MULTICLASS, n_outputs=12).fit().model
    np.testing.assert_array_equal(model.predict(y[:, np.newaxis] * 1.5).argmax(axis=1), y)


@pytest.mark.parametrize("task", list(TaskKind))
@pytest.mark.parametrize("kind", ["constant", "all missing", "one row"])
def test_rows_that_no_column_tells_apart_get_the_prior(task, kind, tmp_path):
    case = LearnerCase.small(CATBOOST, task)
    X = np.full_like(case.train.X, np.nan if kind == "all missing" else 2.0)
    train = Rows(X[:1], case.train.y[:1]) if kind == "one row" else Rows(X, case.train.y)
    outcome = replace(case, train=train).fit()
    assert isinstance(outcome.model, PriorModel)
    assert outcome.complete
    assert len(outcome.curve) == outcome.model.rounds == 1
    outcome.model.save(tmp_path)
    assert_no_pickle(tmp_path)
    expected = outcome.model.predict(case.held_out.X)
    np.testing.assert_array_equal(CATBOOST.load(tmp_path).predict(case.held_out.X), expected)


def test_a_constant_target_is_predicted_as_it_is():
    case = LearnerCase.small(CATBOOST, TaskKind.REGRESSION)
    constant = replace(case, train=replace(case.train, y=np.full(len(case.train.y), 7e6)))
    np.testing.assert_array_equal(constant.fit().model.predict(case.held_out.X), 7e6)


def test_patience_stops_and_the_curve_goes_on_to_the_stop():
    case = with_context(LearnerCase.small(CATBOOST, TaskKind.BINARY), max_rounds=1_000, patience=15)
    outcome = case.fit()
    assert outcome.model.rounds < 1_000
    assert len(outcome.curve) == outcome.model.rounds == np.argmin(outcome.curve) + 1 + 15


@pytest.mark.parametrize(("max_rounds", "patience"), [(6, None), (1_000, 3)])
def test_a_fit_is_complete_exactly_when_no_round_is_missing(max_rounds, patience):
    case = LearnerCase.small(CATBOOST, TaskKind.BINARY)
    whole = with_context(case, max_rounds=max_rounds, patience=patience).fit()
    assert whole.complete
    for stop_at in {1, whole.model.rounds - 1, whole.model.rounds}:
        stop = asked_often(stop_at)
        outcome = with_context(case, max_rounds=max_rounds, patience=patience, should_stop=stop).fit()
        assert outcome.complete == (outcome.model.rounds == whole.model.rounds)
        np.testing.assert_array_equal(outcome.curve, whole.curve[: len(outcome.curve)])


def asked_often(times: int) -> Callable[[], bool]:
    asked = iter(range(1, times))
    return lambda: next(asked, None) is None


def test_a_refit_asks_between_rounds_too():
    case = LearnerCase.small(CATBOOST, TaskKind.REGRESSION)
    stopped = with_context(case, should_stop=asked_often(4))
    outcome = CATBOOST.fit(case.train, None, case.params, stopped.context)
    assert (outcome.model.rounds, outcome.complete, outcome.curve.size) == (4, False, 0)


@pytest.mark.parametrize("n_held_out", [1, FEW_ROWS + 100])
def test_held_out_rows_leave_the_model_as_it_is(n_held_out):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 40, (300, 1)).astype(np.float64)
    case = case_of(codes, rng.integers(0, 2, 300).astype(np.float64), TaskKind.BINARY, n_levels=(40,))
    watched = replace(case, held_out=Rows(np.zeros((n_held_out, 1)), np.ones(n_held_out)))
    assert_curve_is_of_predictions(watched)
    refit = CATBOOST.fit(case.train, None, case.params, case.context)
    np.testing.assert_array_equal(watched.fit().model.predict(codes), refit.model.predict(codes))


@pytest.fixture
def threads_used(monkeypatch):
    """Return a list that gets the threads of every pool, fit and prediction."""
    used: list[Any] = []

    class Noted(catboost.Pool):
        def __init__(self, *args, thread_count=-1, **others):
            used.append(thread_count)
            super().__init__(*args, thread_count=thread_count, **others)

    predict = catboost.CatBoost.predict

    def noted(booster, *args, thread_count=-1, **others):
        used.append(thread_count)
        return predict(booster, *args, thread_count=thread_count, **others)

    monkeypatch.setattr(catboost, "Pool", Noted)
    monkeypatch.setattr(catboost.CatBoost, "predict", noted)
    return used


@pytest.mark.parametrize("task", list(TaskKind))
@pytest.mark.parametrize("n_levels", [(), (40,)])
def test_a_fit_uses_the_threads_it_is_given(threads_used, task, n_levels):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 40, (60, 2)).astype(np.float64)
    y = rng.integers(0, 2, 60).astype(np.float64)
    n_outputs = 3 if task is TaskKind.MULTICLASS else 1
    case = case_of(X, y, task, n_levels=n_levels, n_outputs=n_outputs)
    with_context(case, threads=2, max_rounds=2).fit()
    assert threads_used == [2, 2]


def test_a_model_predicts_with_the_threads_of_its_fit_and_few_rows_with_one(threads_used, monkeypatch):
    case = with_context(LearnerCase.small(CATBOOST, TaskKind.BINARY), threads=2)
    model = case.fit().model
    threads_used.clear()
    model.predict(case.held_out.X)
    assert threads_used == [1, 1]
    monkeypatch.setattr(MODULE, "VISITS_A_THREAD", 1)
    model.predict(case.held_out.X)
    assert threads_used == [1, 1, 2, 2]


def test_a_loaded_model_uses_what_its_process_may(threads_used, monkeypatch, tmp_path):
    case = LearnerCase.small(CATBOOST, TaskKind.BINARY)
    case.fit().model.save(tmp_path)
    model = CATBOOST.load(tmp_path)
    monkeypatch.setattr(MODULE, "VISITS_A_THREAD", 1)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    threads_used.clear()
    with threadpool_limits(2):
        model.predict(case.held_out.X)
        monkeypatch.setenv("OMP_NUM_THREADS", "1")  # as in a worker
        model.predict(case.held_out.X)
    monkeypatch.delenv("OMP_NUM_THREADS")
    with threadpool_limits(1):  # as where the workers are this process
        model.predict(case.held_out.X)
    assert threads_used == [2, 2, 1, 1, 1, 1]


def test_of_many_rows_a_few_nearly_always_tell_that_columns_differ(monkeypatch):
    columns = MODULE._Columns(np.zeros(1), np.full(1, np.nan), {})
    sizes = []
    matrix = MODULE._Columns._matrix

    def noted(columns, X):
        sizes.append(len(X))
        return matrix(columns, X)

    monkeypatch.setattr(MODULE._Columns, "_matrix", noted)
    X = np.zeros((5_000, 1))
    assert not columns.tell_apart(X)
    X[4_999] = 1.0
    assert columns.tell_apart(X)
    assert sizes == [1_000, 5_000] * 2
    assert columns.tell_apart(np.arange(5_000.0)[:, np.newaxis])
    assert sizes[4:] == [1_000]


@pytest.mark.parametrize("task", list(TaskKind))
def test_neither_threads_nor_rows_nor_a_save_change_a_bit(task, tmp_path):
    case = LearnerCase.small(CATBOOST, task)
    model = case.fit().model
    model.save(tmp_path)
    loaded = CATBOOST.load(tmp_path)
    assert isinstance(loaded, CatBoostModel)
    n_rows = len(case.held_out.X)
    assert n_rows > FEW_ROWS
    X = np.tile(case.held_out.X, (VISITS_A_THREAD // model.rounds // n_rows + 2, 1))
    batch = loaded.predict(X)
    np.testing.assert_array_equal(batch, np.tile(batch[:n_rows], (len(X) // n_rows, 1)))
    np.testing.assert_array_equal(replace(loaded, threads=1).predict(X), batch)
    single = np.vstack([model.predict(X[row : row + 1]) for row in range(n_rows)])
    np.testing.assert_array_equal(single, batch[:n_rows])


def test_the_same_fit_gives_the_same_files_and_nothing_else_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    case = LearnerCase.small(CATBOOST, TaskKind.MULTICLASS)
    for name, rounds in (("first", None), ("second", None), ("cut", 3), ("cut again", 3)):
        folder = tmp_path / name
        folder.mkdir()
        case.fit().model.save(folder, rounds)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut", "cut again", "first", "second"]
    assert contents(tmp_path / "first") == contents(tmp_path / "second")
    assert contents(tmp_path / "cut") == contents(tmp_path / "cut again")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".npz"}


def test_saving_a_cut_model_leaves_the_model_whole(tmp_path):
    case = LearnerCase.small(CATBOOST, TaskKind.BINARY)
    model = case.fit().model
    before = model.predict(case.held_out.X)
    model.save(tmp_path, 2)
    assert model.rounds == case.context.max_rounds
    np.testing.assert_array_equal(model.predict(case.held_out.X), before)


def test_categories_that_only_the_recipe_made_are_used():
    X = np.random.default_rng(0).normal(size=(600, 2))
    X[:, 1] = np.arange(600) % 60
    case = case_of(X, np.tile([0.0, 1.0], 300), TaskKind.BINARY, n_levels=(60,))
    shape = replace(case.context.shape, n_numeric=2, n_categorical=0)
    params = CATBOOST.defaults(shape)
    assert "one_hot_max_size" not in dict(params)
    outcome = with_context(replace(case, params=params), shape=shape).fit()
    assert outcome.curve[-1] < 0.5 * outcome.curve[0]


def test_a_hastened_fit_takes_bigger_steps_up_to_a_limit():
    params = freeze_params({"depth": 5, "learning_rate": 0.05})
    assert dict(CATBOOST.hasten(params, 2.0)) == {"depth": 5, "learning_rate": 0.1}
    assert dict(CATBOOST.hasten(params, 50.0))["learning_rate"] == MAX_RATE
    already = freeze_params({"learning_rate": 0.5})
    assert CATBOOST.hasten(already, 2.0) == already


def test_few_rows_get_smaller_steps():
    few, many = (dict(CATBOOST.defaults(ProblemShape(TaskKind.BINARY, n, 5, 0, 1))) for n in (300, 50_000))
    assert float(few["learning_rate"] or 0) < float(many["learning_rate"] or 0)


def test_categories_depth_and_classes_cost_time():
    shape = ProblemShape(TaskKind.MULTICLASS, 20_000, 10, 5, 3)
    params = CATBOOST.defaults(shape)

    def cost(changed: ProblemShape = shape, **changes: Value) -> float:
        return CATBOOST.cost(changed, freeze_params({**dict(params), **changes}), 100)

    assert cost(replace(shape, n_numeric=15, n_categorical=0)) < cost()
    assert cost(depth=4) < cost() < cost(depth=8)
    assert cost() < cost(replace(shape, n_outputs=10))
    assert cost() < cost(grow_policy="Depthwise")
    assert cost() < cost(max_ctr_complexity=2)
    assert cost() < cost(border_count=254)


def test_a_table_without_features_is_refused():
    with pytest.raises(UnsupportedProblemError, match="at least one usable feature"):
        CATBOOST.require(ProblemShape(TaskKind.BINARY, 100, 0, 0, 1))


def test_trees_that_cannot_be_cut_off_are_kept_but_not_counted(tmp_path):
    case = with_params(LearnerCase.small(CATBOOST, TaskKind.BINARY), grow_policy="Depthwise")
    model = case.fit().model
    model.save(tmp_path, 3)
    loaded = CATBOOST.load(tmp_path)
    assert loaded.rounds == 3 < model.rounds
    np.testing.assert_array_equal(loaded.predict(case.held_out.X), model.predict(case.held_out.X, 3))
