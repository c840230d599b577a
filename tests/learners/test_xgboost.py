"""What is particular to XGBoost."""

import json
import pickle
from dataclasses import replace
from threading import Thread
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from tabular_automl.core.candidate import Value, freeze_params
from tabular_automl.core.errors import UnsupportedProblemError
from tabular_automl.core.fitting import FittedModel, FloatArray, Rows
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.task import TaskKind
from tabular_automl.learners import learner_for
from tabular_automl.learners.xgboost import MAX_RATE, VISITS_A_THREAD, XGBoostModel
from tabular_automl.testing import LearnerCase

XGBOOST = learner_for("xgboost")


def with_params(case: LearnerCase, **changes: Value) -> LearnerCase:
    return replace(case, params=freeze_params({**dict(case.params), **changes}))


def with_context(case: LearnerCase, **changes: Any) -> LearnerCase:
    return replace(case, context=replace(case.context, **changes))


def one_category(levels: FloatArray, y: FloatArray, *, n_levels: int, max_rounds: int = 20) -> LearnerCase:
    """Return a binary case whose only column holds category codes."""
    case = LearnerCase.small(XGBOOST, TaskKind.BINARY)
    spec = replace(case.context.features, names=("c0",), categorical=(0,), n_levels=(n_levels,))
    rows = Rows(levels[:, np.newaxis], y)
    context = replace(case.context, features=spec, max_rounds=max_rounds)
    return with_params(replace(case, train=rows, held_out=rows, context=context), subsample=1.0)


def as_ours(model: FittedModel) -> XGBoostModel:
    assert isinstance(model, XGBoostModel)
    return model


def trees_of(model: FittedModel) -> list[dict]:
    return [json.loads(tree) for tree in as_ours(model).trees.booster.get_dump(dump_format="json")]


def leaves_and_depth(node: dict) -> tuple[int, int]:
    below = [leaves_and_depth(child) for child in node.get("children", ())]
    return sum(leaves for leaves, _ in below) or 1, max((1 + depth for _, depth in below), default=0)


def enough_for_threads(case: LearnerCase, model: FittedModel) -> FloatArray:
    """Return the held-out rows again and again, until more than one thread predicts them."""
    return np.tile(case.held_out.X, (VISITS_A_THREAD // model.rounds // len(case.held_out.X) + 2, 1))


def test_a_level_without_a_training_row_is_missing_not_another_level(tmp_path):
    rng = np.random.default_rng(0)
    levels = rng.choice([0.0, 3.0, 5.0, np.nan], 400)
    # A missing level says the same as level 3; a level never seen must be taken for it.
    y = np.where(np.isnan(levels) | (levels == 3), 1.0, 0.0)
    model = one_category(levels, y, n_levels=8).fit().model
    model.save(tmp_path)
    for used in (model, XGBOOST.load(tmp_path)):
        known = used.predict(np.array([[0.0], [5.0], [3.0], [np.nan]]))
        np.testing.assert_array_equal(known[:, 0] > 0.5, [False, False, True, True])
        for stranger in (1.0, 2.0, 4.0, 6.0, 7.0, 8.0, 1e6):
            np.testing.assert_array_equal(used.predict(np.array([[stranger]])), known[3:])


def test_categories_are_split_as_sets_of_levels():
    levels = np.random.default_rng(0).integers(0, 20, 400).astype(np.float64)
    y = (levels % 2 == 0).astype(np.float64)
    case = with_params(one_category(levels, y, n_levels=20, max_rounds=1), max_depth=2, max_cat_to_onehot=2)
    predictions = case.fit().model.predict(case.train.X)[:, 0]
    np.testing.assert_array_equal(predictions > 0.5, y > 0.5)


def test_a_category_that_is_missing_everywhere_is_survived():
    y = np.tile([0.0, 1.0], 30)
    case = one_category(np.full(60, np.nan), y, n_levels=3)
    np.testing.assert_allclose(case.fit().model.predict(np.array([[np.nan], [1.0]])), 0.5, atol=0.01)


OTHER_VALUES: dict[str, Value] = {
    "learning_rate": 0.1,
    "max_depth": 2,
    "min_child_weight": 5.0,
    "subsample": 1.0,
    "colsample_bylevel": 0.6,
    "colsample_bynode": 0.6,
    "reg_alpha": 5.0,
    "reg_lambda": 5.0,
    "grow_policy": "lossguide",
    "max_leaves": 8,
    "max_bin": 64,
    "max_cat_to_onehot": 2,
}


@pytest.mark.parametrize("name", OTHER_VALUES)
def test_each_hyperparameter_takes_effect(name):
    case = with_params(LearnerCase.small(XGBOOST, TaskKind.BINARY), max_depth=6, reg_lambda=0.1)
    if name == "grow_policy":
        case = with_params(case, max_leaves=8)  # without a bound both orders grow the same tree
    changed = with_params(case, **{name: OTHER_VALUES[name]})
    assert (case.fit().model.predict(case.held_out.X) != changed.fit().model.predict(case.held_out.X)).any()


def test_every_hyperparameter_of_the_booster_is_known_to_take_effect():
    names = {
        parameter.name
        for parameter in XGBOOST.space(LearnerCase.small(XGBOOST, TaskKind.BINARY).context.shape).parameters
    }
    assert names - {"moments"} == set(OTHER_VALUES)


@pytest.mark.parametrize("grow_policy", ["depthwise", "lossguide"])
def test_trees_keep_their_bounds(grow_policy):
    case = with_params(LearnerCase.small(XGBOOST, TaskKind.REGRESSION), grow_policy=grow_policy)
    sizes = [
        np.max([leaves_and_depth(tree) for tree in trees_of(with_params(case, **bounds).fit().model)], axis=0)
        for bounds in ({"max_depth": 3}, {"max_depth": 10, "max_leaves": 8})
    ]
    assert sizes[0][1] == 3
    assert sizes[1][0] == 8


@pytest.mark.parametrize("offset", [1e10, -1e10])
def test_a_column_far_from_zero_keeps_its_small_differences(offset):
    small = np.tile(np.arange(10.0), 40)
    case = LearnerCase.small(XGBOOST, TaskKind.REGRESSION)
    spec = replace(case.context.features, names=("x0",), categorical=(), n_levels=())
    rows = Rows((offset + small)[:, np.newaxis], small % 2)
    case = with_context(
        replace(case, train=rows, held_out=rows), features=spec, max_rounds=200, patience=None
    )
    np.testing.assert_allclose(case.fit().model.predict(rows.X)[:, 0], small % 2, atol=0.2)


def test_numbers_beyond_single_precision_are_survived():
    case = LearnerCase.small(XGBOOST, TaskKind.BINARY)
    X = case.train.X.copy()
    X[::7, 0], X[1::7, 0] = 1e200, -1e200
    outcome = replace(case, train=replace(case.train, X=X)).fit()
    assert np.isfinite(outcome.curve).all()
    assert np.isfinite(outcome.model.predict(X)).all()


@pytest.mark.parametrize("task", [TaskKind.BINARY, TaskKind.MULTICLASS])
def test_a_fold_of_one_class_gives_every_class_a_probability(task):
    case = LearnerCase.small(XGBOOST, task)
    kept = case.train.y == 1
    predictions = (
        replace(case, train=Rows(case.train.X[kept], case.train.y[kept])).fit().model.predict(case.held_out.X)
    )
    assert predictions.shape[1] == case.context.shape.n_outputs
    assert predictions[:, min(1, predictions.shape[1] - 1)].min() > 0.9
    assert 0 < predictions.min() <= predictions.max() < 1


def test_patience_stops_and_the_curve_goes_on_to_the_stop():
    case = with_context(LearnerCase.small(XGBOOST, TaskKind.BINARY), max_rounds=2_000, patience=15)
    outcome = case.fit()
    assert outcome.model.rounds < 2_000
    assert len(outcome.curve) == outcome.model.rounds == np.argmin(outcome.curve) + 1 + 15


@pytest.mark.parametrize(("max_rounds", "patience"), [(6, None), (2_000, 3)])
def test_a_fit_is_complete_exactly_when_no_round_is_missing(max_rounds, patience):
    asked = 0
    stop_at = 10**9

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        return asked >= stop_at

    case = with_context(
        LearnerCase.small(XGBOOST, TaskKind.BINARY),
        max_rounds=max_rounds, patience=patience, should_stop=should_stop,
    )  # fmt: skip
    whole = case.fit()
    assert whole.complete
    for stop_at in {1, whole.model.rounds - 1, whole.model.rounds}:  # noqa: B007 - read by should_stop
        asked = 0
        outcome = case.fit()
        assert outcome.complete == (outcome.model.rounds == whole.model.rounds)
        np.testing.assert_array_equal(outcome.curve, whole.curve[: len(outcome.curve)])


@pytest.mark.parametrize("task", list(TaskKind))
def test_neither_threads_nor_rows_nor_a_save_change_a_bit(task, tmp_path):
    case = LearnerCase.small(XGBOOST, task)
    model = case.fit().model
    model.save(tmp_path)
    loaded = XGBOOST.load(tmp_path)
    X = enough_for_threads(case, model)
    before = threadpool_info()
    batch = loaded.predict(X)
    assert threadpool_info() == before, "threads are a setting of this model alone"
    n_rows = len(case.held_out.X)
    np.testing.assert_array_equal(batch, np.tile(batch[:n_rows], (len(X) // n_rows, 1)))
    np.testing.assert_array_equal(replace(as_ours(loaded), threads=1).predict(X), batch)
    single = np.vstack([model.predict(X[row : row + 1]) for row in range(n_rows)])
    np.testing.assert_array_equal(single, batch[:n_rows])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(loaded)).predict(X), batch)  # noqa: S301 - our own


def test_a_model_may_be_asked_from_several_threads_at_once():
    case = LearnerCase.small(XGBOOST, TaskKind.BINARY)
    model = replace(as_ours(case.fit().model), threads=2)
    few, many = case.held_out.X[:1], enough_for_threads(case, model)
    expected = [model.predict(few), model.predict(many)]
    wrong: list[int] = []

    def ask(number: int) -> None:
        for _ in range(4):
            found = model.predict((few, many)[number % 2])
            wrong.extend([number] * (not np.array_equal(found, expected[number % 2])))

    threads = [Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_hastening_takes_bigger_steps_up_to_a_bound():
    params = freeze_params({"learning_rate": 0.05, "max_depth": 4})
    assert dict(XGBOOST.hasten(params, 2.0)) == {"learning_rate": 0.1, "max_depth": 4}
    assert dict(XGBOOST.hasten(params, 100.0))["learning_rate"] == MAX_RATE
    steep = freeze_params({"learning_rate": 0.5})
    assert XGBOOST.hasten(steep, 3.0) == steep
    shape = ProblemShape(TaskKind.BINARY, 5_000, 5, 0, 1)
    assert XGBOOST.expected_rounds(shape, XGBOOST.hasten(params, 3.0)) < XGBOOST.expected_rounds(
        shape, params
    )


def test_trees_are_smaller_on_few_rows():
    few, many = (dict(XGBOOST.defaults(ProblemShape(TaskKind.BINARY, n, 5, 0, 1))) for n in (300, 50_000))
    assert int(few["max_depth"] or 0) < int(many["max_depth"] or 0)
    assert float(few["learning_rate"] or 0) < float(many["learning_rate"] or 0)


def test_categories_are_tuned_only_where_there_are_some():
    for n_categorical in (0, 2):
        shape = ProblemShape(TaskKind.BINARY, 500, 5, n_categorical, 1)
        assert ("max_cat_to_onehot" in dict(XGBOOST.defaults(shape))) == (n_categorical > 0)


def test_a_table_without_features_is_refused():
    with pytest.raises(UnsupportedProblemError, match="at least one usable feature"):
        XGBOOST.require(ProblemShape(TaskKind.BINARY, 100, 0, 0, 1))
