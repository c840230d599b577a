"""What the families of boosted trees have in common."""

from dataclasses import replace

import numpy as np
import pytest

from tabular_automl.core.candidate import Value, freeze_params
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.task import TaskKind
from tabular_automl.learners import learner_for
from tabular_automl.testing import LearnerCase

BOOSTED = ("lightgbm", "catboost", "xgboost")


@pytest.mark.parametrize("family", BOOSTED)
def test_regression_does_not_depend_on_the_targets_scale(family: str) -> None:
    case = LearnerCase.small(learner_for(family), TaskKind.REGRESSION)
    scaled = replace(
        case,
        train=replace(case.train, y=case.train.y * 1e9 + 1e12),
        held_out=replace(case.held_out, y=case.held_out.y * 1e9 + 1e12),
    )
    plain, moved = case.fit(), scaled.fit()
    np.testing.assert_allclose(moved.curve, plain.curve * 1e18, rtol=1e-3)
    X = case.held_out.X
    np.testing.assert_allclose((moved.model.predict(X) - 1e12) / 1e9, plain.model.predict(X), rtol=1e-3)


@pytest.mark.parametrize("family", [*BOOSTED, "extra_trees", "random_forest"])
@pytest.mark.parametrize("n_rows", [300, 5_000, 50_000])
def test_what_is_left_out_is_reckoned_as_the_default_it_takes(family: str, n_rows: int) -> None:
    learner, shape = learner_for(family), ProblemShape(TaskKind.REGRESSION, n_rows, 12, 2, 1)
    params = learner.defaults(shape)
    assert learner.expected_rounds(shape, ()) == learner.expected_rounds(shape, params)
    assert learner.cost(shape, (), 100) == learner.cost(shape, params, 100)


@pytest.mark.parametrize("family", BOOSTED)
@pytest.mark.parametrize("value", [None, 0])
def test_formulas_bear_what_a_fit_refuses(family: str, value: Value) -> None:
    learner, shape = learner_for(family), ProblemShape(TaskKind.BINARY, 5_000, 12, 2, 1)
    params = freeze_params({name: value for name, _ in learner.defaults(shape)})
    assert learner.expected_rounds(shape, params) == learner.expected_rounds(shape, ())
    assert learner.cost(shape, params, 100) == learner.cost(shape, (), 100)


@pytest.mark.parametrize("family", BOOSTED)
def test_what_names_no_learning_rate_is_not_hastened(family: str) -> None:
    params = freeze_params({"moments": True})
    assert learner_for(family).hasten(params, 3.0) == params


@pytest.mark.parametrize("family", [*BOOSTED, "extra_trees", "random_forest"])
def test_folds_that_never_look_ahead_have_no_levels_for_dates(family: str) -> None:
    shape = ProblemShape(TaskKind.BINARY, 500, 3, 0, 1)
    for time_ordered in (False, True):
        params = learner_for(family).defaults(replace(shape, time_ordered=time_ordered))
        assert dict(params)["moments"] is not time_ordered


@pytest.mark.parametrize("family", BOOSTED)
def test_a_round_goes_half_as_far_at_half_the_rate_and_less_far_with_small_trees(family: str) -> None:
    learner, shape = learner_for(family), ProblemShape(TaskKind.BINARY, 5_000, 12, 2, 1)
    usual = dict(learner.defaults(shape))

    def progress(**changes: Value) -> float:
        return learner.progress(freeze_params({**usual, **changes}))

    rate = float(usual["learning_rate"] or 0)
    assert progress(learning_rate=rate / 2) == pytest.approx(progress() / 2)
    size = {"lightgbm": "num_leaves", "xgboost": "max_depth", "catboost": "depth"}[family]
    assert progress(**{size: 2}) < progress()


def test_cuts_drawn_at_random_are_expected_to_take_longer_and_each_goes_less_far() -> None:
    learner, shape = learner_for("lightgbm"), ProblemShape(TaskKind.BINARY, 5_000, 12, 2, 1)
    usual, drawn = (
        freeze_params({**dict(learner.defaults(shape)), "extra_trees": extra}) for extra in (False, True)
    )
    assert learner.progress(drawn) < learner.progress(usual)
    assert learner.expected_rounds(shape, drawn) > learner.expected_rounds(shape, usual)
