"""The cost model: scaled by what was measured, per family."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tabular_automl.core.candidate import freeze_params
from tabular_automl.core.crossfit import CrossFit, FoldFit
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.task import TaskKind
from tabular_automl.learners import learner_for
from tabular_automl.search.cost_model import CostModel
from tabular_automl.search.portfolio import default_candidate

SHAPE = ProblemShape(TaskKind.BINARY, 5_000, 10, 2, 1)


def fitted(family: str, seconds_per_fold: float, rounds: int) -> CrossFit:
    folds = tuple(
        FoldFit(f"k{i}", i, Path("unused"), np.linspace(1, 0.5, rounds), seconds_per_fold, 1.0)
        for i in range(4)
    )
    rows = np.arange(8)
    return CrossFit(
        default_candidate(family, SHAPE), "plan", folds, rows, np.zeros((8, 1)), rounds, 4 * seconds_per_fold
    )


def test_what_was_measured_is_predicted_for_the_same_candidate() -> None:
    model = CostModel.of(SHAPE, [fitted("lightgbm", 3.0, 400)])
    assert model.fold_seconds(default_candidate("lightgbm", SHAPE)) == pytest.approx(3.0, rel=0.01)


def test_half_the_learning_rate_costs_more() -> None:
    model = CostModel.of(SHAPE, [fitted("lightgbm", 3.0, 400)])
    usual = default_candidate("lightgbm", SHAPE)
    rate = dict(usual.params)["learning_rate"]
    assert isinstance(rate, float)
    halved = {**dict(usual.params), "learning_rate": rate / 2}
    slower = replace(usual, params=freeze_params(halved))
    assert model.fold_seconds(slower) > 1.2 * model.fold_seconds(usual)


def test_a_slow_machine_seen_on_one_family_is_expected_of_the_others() -> None:
    rounds = learner_for("lightgbm").expected_rounds(SHAPE, default_candidate("lightgbm", SHAPE).params)
    usual = CostModel(SHAPE).fold_seconds(default_candidate("lightgbm", SHAPE))
    slow = CostModel.of(SHAPE, [fitted("lightgbm", 10 * usual, rounds)])
    linear = default_candidate("linear", SHAPE)
    assert slow.fold_seconds(linear) == pytest.approx(10 * CostModel(SHAPE).fold_seconds(linear), rel=0.05)


def test_the_prior_teaches_nothing_about_cost() -> None:
    assert CostModel.of(SHAPE, [fitted("prior", 99.0, 1)]).observed == ()
