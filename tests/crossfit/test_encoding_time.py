from dataclasses import replace

import pytest
from odd_learners import candidate  # type: ignore[import-not-found]
from open_runtime import make_problem, open_runtime  # type: ignore[import-not-found]

from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.crossfit import Request, Runtime, cross_fit
from tabular_automl.testing import FakeClock

N_FOLDS = 4


@pytest.mark.parametrize(("seconds", "encoded"), [(5.0, True), (20.0, False)])
def test_no_encoding_starts_that_would_outlast_the_time_left(one_worker, monkeypatch, seconds, encoded):
    problem = make_problem()
    clock = FakeClock()
    recipes = []
    matrix = Runtime.matrix

    def noted_matrix(runtime, recipe):
        recipes.append(recipe)
        return matrix(runtime, recipe)

    monkeypatch.setattr(Runtime, "matrix", noted_matrix)
    with open_runtime(problem, one_worker, seconds=10) as runtime:
        runtime.observations.encoded(seconds)
        budget = replace(runtime.budget, clock=clock, started=clock())
        (result,) = cross_fit(iter([Request(candidate(), 2)]), problem, replace(runtime, budget=budget))
    assert bool(recipes) is encoded
    assert isinstance(result, CrossFit) is encoded


def test_time_spent_encoding_counts_before_predictions_start(one_worker, tmp_path, monkeypatch):
    wanted = candidate(rounds=5)
    with open_runtime(make_problem(), one_worker, run_dir=tmp_path / "run") as runtime:
        list(cross_fit(iter([Request(wanted, N_FOLDS)]), runtime.problem, runtime))
    for path in (tmp_path / "run" / "fits").glob("*/predictions-*.npy"):
        path.unlink()
    clock = FakeClock()
    matrix = Runtime.matrix

    def slow_matrix(runtime, recipe):
        clock.advance(60.0)
        return matrix(runtime, recipe)

    monkeypatch.setattr(Runtime, "matrix", slow_matrix)
    with open_runtime(make_problem(), one_worker, seconds=10, run_dir=tmp_path / "run") as runtime:
        late = replace(runtime, budget=replace(runtime.budget, clock=clock, started=clock()))
        (result,) = cross_fit(iter([Request(wanted, N_FOLDS)]), runtime.problem, late)
    assert isinstance(result, Failure)
    assert "time was over" in result.reason
    assert not list((tmp_path / "run" / "fits").glob("*/predictions-*.npy"))
