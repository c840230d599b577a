"""First wave and growth: who is fitted, on how many folds, and what is not started."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pandas as pd
import pytest

from tabular_automl.core.budget import Budget
from tabular_automl.core.candidate import Candidate
from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.core.options import Options
from tabular_automl.core.problem import Problem
from tabular_automl.crossfit import Runtime
from tabular_automl.crossfit.workers import InProcessWorkers
from tabular_automl.ingest import ingest
from tabular_automl.search import first_wave, grow, static_portfolio
from tabular_automl.search.cost_model import CostModel
from tabular_automl.search.first_wave import WAVE_SHARE, wave_of
from tabular_automl.search.portfolio import PRIOR
from tabular_automl.testing import FakeClock

COUNTED = Options("price", max_candidates=4, n_jobs=1, progress=False)
TIMED = Options("price", time_limit=1000.0, n_jobs=1, progress=False)


@pytest.fixture
def problem(regression_frame: pd.DataFrame) -> Problem:
    return ingest(regression_frame, COUNTED)


@contextmanager
def opened(problem: Problem, options: Options, clock: FakeClock | None = None) -> Iterator[Runtime]:
    """Open a runtime on this process and a clock that stands still."""
    budget = Budget.start(options, clock or FakeClock())
    with InProcessWorkers() as workers, Runtime.open(problem, options, budget, workers) as runtime:
        yield runtime


def limit_for(problem: Problem, starts: tuple[Candidate, ...], n_folds: float) -> float:
    """Return the time limit within which the first wave is expected to fit so many folds."""
    costs = CostModel(problem.shape)
    expected = sum(costs.fold_seconds(candidate) for candidate in wave_of(starts, None)[1:])
    seconds = n_folds * expected / WAVE_SHARE
    return next(
        limit / 100 for limit in range(1, 100_000) if limit / 100 - reserve_of(limit / 100) >= seconds
    )


def reserve_of(limit: float) -> float:
    return Budget.start(replace(TIMED, time_limit=limit)).reserve


def folds_by_name(results: tuple[CrossFit | Failure, ...]) -> dict[str, int]:
    assert all(isinstance(result, CrossFit) for result in results)
    return {result.candidate.name: len(result.folds) for result in results if isinstance(result, CrossFit)}


def test_the_first_wave_is_one_of_each_family_on_all_folds(problem: Problem) -> None:
    starts = static_portfolio(problem, COUNTED)
    with opened(problem, COUNTED) as runtime:
        found = folds_by_name(first_wave(problem, starts, runtime))
    assert found == dict.fromkeys(["prior/default", "lightgbm/default", "linear/default"], len(problem.folds))


def test_the_prior_does_not_count(problem: Problem) -> None:
    options = replace(COUNTED, max_candidates=1)
    starts = static_portfolio(problem, options)
    with opened(problem, options) as runtime:
        first = first_wave(problem, starts, runtime)
        assert list(folds_by_name(first)) == ["prior/default", "lightgbm/default"]
        assert grow(problem, starts, first, runtime) == ()


def test_little_time_buys_two_folds_at_least(problem: Problem) -> None:
    starts = static_portfolio(problem, TIMED)
    for wanted, folds in ((1.0, 2), (2.2, 2), (3.2, 3), (8.2, 8)):
        options = replace(TIMED, time_limit=limit_for(problem, starts, wanted))
        with opened(problem, options) as runtime:
            found = folds_by_name(first_wave(problem, starts, runtime))
        assert found.pop("prior/default") == len(problem.folds)
        assert set(found.values()) == {folds}


def test_growth_keeps_to_the_folds_of_the_first_wave(problem: Problem) -> None:
    options = replace(COUNTED, max_candidates=4)
    starts = static_portfolio(problem, options)
    with opened(problem, options) as runtime:
        first = first_wave(problem, starts, runtime)
        short = tuple(
            replace(fit, folds=fit.folds[:3])
            if isinstance(fit, CrossFit) and fit.candidate.family != PRIOR
            else fit
            for fit in first
        )
        grown = folds_by_name(grow(problem, starts, short, runtime))
    assert list(grown.values()) == [3, 3]
    assert set(grown).isdisjoint(folds_by_name(first))


def test_what_cannot_finish_is_not_started(problem: Problem) -> None:
    starts = static_portfolio(problem, TIMED)
    clock = FakeClock()
    with opened(problem, TIMED, clock) as runtime:
        first = first_wave(problem, starts, runtime)
        costs = CostModel.of(problem.shape, first)
        n_folds = len(problem.folds)
        cheapest = min(costs.fold_seconds(candidate) for candidate in starts[3:]) * n_folds
        clock.advance(runtime.budget.remaining - 0.9 * cheapest)
        assert grow(problem, starts, first, runtime) == ()


def test_ctrl_c_before_the_first_fit_still_leaves_the_prior(problem: Problem) -> None:
    starts = static_portfolio(problem, COUNTED)
    with opened(problem, COUNTED) as runtime:
        runtime.budget.cancel()
        found = first_wave(problem, starts, runtime)
        assert list(folds_by_name(found)) == ["prior/default"]
        assert grow(problem, starts, found, runtime) == ()
