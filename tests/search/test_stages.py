"""The stages one after the other, with real fits in this process on a clock that stands still."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pandas as pd
import pytest

from tabular_automl.core.budget import Budget
from tabular_automl.core.candidate import Origin
from tabular_automl.core.crossfit import CrossFit, Failure, tried
from tabular_automl.core.options import Options
from tabular_automl.core.problem import Problem
from tabular_automl.core.search import Search
from tabular_automl.crossfit import Runtime
from tabular_automl.crossfit.in_process_workers import InProcessWorkers
from tabular_automl.ingest import ingest
from tabular_automl.search import first_wave, grow, repeat, static_portfolio
from tabular_automl.testing import FakeClock

COUNTED = Options("price", max_candidates=3, n_jobs=1, progress=False, families=["lightgbm", "linear"])
# Quick fits: the default and one of the caller's own.
LINEAR = Options(
    "price",
    time_limit=1000.0,
    n_jobs=1,
    progress=False,
    families=["linear"],
    candidates=[("linear", {"knots": 3})],
    search=Search(most_candidates={"linear": 2}),
)


@pytest.fixture
def problem(regression_frame: pd.DataFrame) -> Problem:
    """With two repeats of the folds: enough to see, and quick."""
    found = ingest(regression_frame, COUNTED)
    plan = found.folds
    return replace(found, folds=replace(plan, folds=plan.folds[: 2 * plan.folds_per_repeat], n_repeats=2))


@contextmanager
def opened(problem: Problem, options: Options, clock: FakeClock | None = None) -> Iterator[Runtime]:
    budget = Budget.start(options, clock or FakeClock())
    with InProcessWorkers() as workers, Runtime.open(problem, options, budget, workers) as runtime:
        yield runtime


def folds_by_name(results: tuple[CrossFit | Failure, ...]) -> dict[str, int]:
    """Folds by name of what was fitted; nothing may fail, but there may have been no time for it."""
    assert all(isinstance(result, CrossFit) for result in tried(results))
    return {result.candidate.name: len(result.folds) for result in results if isinstance(result, CrossFit)}


def test_counts_decide_what_is_fitted_on_all_folds(problem: Problem) -> None:
    starts = static_portfolio(problem, COUNTED)
    with opened(problem, COUNTED) as runtime:
        first = first_wave(problem, starts, runtime)
        grown = grow(problem, starts, first, runtime)
        assert repeat(problem, (*first, *grown), runtime) == ()
    found = folds_by_name((*first, *grown))
    assert list(found) == [candidate.name for candidate in starts[:4]]
    assert set(found.values()) == {problem.folds.folds_per_repeat}


def test_the_prior_does_not_count(problem: Problem) -> None:
    options = replace(COUNTED, max_candidates=1, families=["linear"])
    starts = static_portfolio(problem, options)
    with opened(problem, options) as runtime:
        first = first_wave(problem, starts, runtime)
        assert list(folds_by_name(first)) == ["prior/default", "linear/default"]
        assert grow(problem, starts, first, runtime) == ()


def test_time_buys_the_wave_and_then_repeats_of_its_best(problem: Problem) -> None:
    starts = static_portfolio(problem, LINEAR)
    with opened(problem, LINEAR) as runtime:
        first = first_wave(problem, starts, runtime)
        grown = grow(problem, starts, first, runtime, search=LINEAR.search)
        assert grown == (), "the family has all it may have"
        repeated = repeat(problem, first, runtime)
    assert folds_by_name(first) == dict.fromkeys(
        ["prior/default", "linear/user 1", "linear/default"], problem.folds.folds_per_repeat
    )
    assert repeated
    known = {result.candidate for result in first}
    for result in repeated:
        assert isinstance(result, CrossFit)
        assert result.candidate in known
        assert len(result.folds) == result.n_repeats * problem.folds.folds_per_repeat
        assert len(result.rows) == problem.n_rows
    assert max(fit.n_repeats for fit in repeated if isinstance(fit, CrossFit)) == problem.folds.n_repeats


@pytest.mark.parametrize("limit", [0.5, 5.0])
def test_however_little_time_there_is_fits_rest_on_two_folds_and_own_ones_stay_as_they_are(
    problem: Problem, limit: float
) -> None:
    options = replace(LINEAR, time_limit=limit)
    starts = static_portfolio(problem, options)
    with opened(problem, options) as runtime:
        first = first_wave(problem, starts, runtime)
    assert len(first) > 1, "something is tried beside the prior"
    assert min(folds_by_name(first).values()) >= 2
    assert {fit.candidate for fit in first if fit.candidate.origin is Origin.USER} <= set(starts)


def test_ctrl_c_before_the_first_fit_still_leaves_the_prior(problem: Problem) -> None:
    starts = static_portfolio(problem, COUNTED)
    with opened(problem, COUNTED) as runtime:
        runtime.budget.cancel()
        found = first_wave(problem, starts, runtime)
        assert list(folds_by_name(found)) == ["prior/default"]
        assert grow(problem, starts, found, runtime) == ()
        assert repeat(problem, found, runtime) == ()


def test_a_table_without_usable_columns_gets_the_prior_in_a_timed_run() -> None:
    frame = pd.DataFrame({"same": [1] * 60, "price": [float(i % 7) for i in range(60)]})
    problem = ingest(frame, LINEAR)
    starts = static_portfolio(problem, replace(LINEAR, candidates=()))
    with opened(problem, LINEAR) as runtime:
        first = first_wave(problem, starts, runtime)
        assert list(folds_by_name(first)) == ["prior/default"]
        assert grow(problem, starts, first, runtime) == ()
        assert repeat(problem, first, runtime) == ()


def test_a_run_without_any_bound_ends_with_the_portfolio(problem: Problem) -> None:
    options = replace(LINEAR, time_limit=None)
    starts = static_portfolio(problem, options)
    with opened(problem, options) as runtime:
        first = first_wave(problem, starts, runtime)
        assert set(folds_by_name(first).values()) == {problem.folds.folds_per_repeat}
        assert grow(problem, starts, first, runtime) == ()
        assert repeat(problem, first, runtime) == ()
