"""A first model even where the limit was over before one, with real fits in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pandas as pd
import pytest

from tabular_automl.core.budget import Budget
from tabular_automl.core.crossfit import CrossFit
from tabular_automl.core.options import Options
from tabular_automl.core.problem import Problem
from tabular_automl.core.progress import Event
from tabular_automl.crossfit import Runtime
from tabular_automl.crossfit.in_process_workers import InProcessWorkers
from tabular_automl.crossfit.workers import Finished
from tabular_automl.ingest import ingest
from tabular_automl.search import first_wave, static_portfolio
from tabular_automl.testing import FakeClock

LIMIT = 5.0
events: list[Event] = []
TIMED = Options("price", time_limit=LIMIT, n_jobs=1, families=["linear"], progress=events.append)


@pytest.fixture
def problem(regression_frame: pd.DataFrame) -> Problem:
    events.clear()
    return ingest(regression_frame, TIMED)


class Starting(InProcessWorkers):
    """A worker that is ready only when somebody has waited a while for it."""

    def __init__(self, clock: FakeClock, seconds: float) -> None:
        super().__init__()
        self._clock = clock
        self._ready = clock() + seconds

    @property
    def free(self) -> int:
        return super().free if self._clock() >= self._ready else 0

    def wait(self, timeout: float) -> list[Finished]:
        if self._clock() < self._ready:
            self._clock.advance(timeout)
        return super().wait(timeout)


@contextmanager
def at_its_end(problem: Problem, options: Options, start_seconds: float = 0.0) -> Iterator[Runtime]:
    """A run whose time was over when the table was read, or its worker ready only some time after that."""
    clock = FakeClock()
    budget = Budget.start(options, clock)
    clock.advance(LIMIT)
    workers = Starting(clock, start_seconds)
    with workers, Runtime.open(problem, options, budget, workers) as runtime:
        yield runtime


def fitted(problem: Problem, runtime: Runtime, recalled: tuple[CrossFit, ...] = ()) -> list[str]:
    results = first_wave(problem, static_portfolio(problem, TIMED), runtime, recalled=recalled)
    return [f"{one.candidate.name}: {len(one.folds)}" for one in results if isinstance(one, CrossFit)]


def overtime() -> list[Event]:
    return [event for event in events if "fitted all the same" in event.message]


def test_who_has_no_time_left_gets_one_model_on_two_folds_and_is_told(problem: Problem) -> None:
    with at_its_end(problem, TIMED) as runtime:
        n_folds = problem.folds.folds_per_repeat
        assert fitted(problem, runtime) == [f"prior/default: {n_folds}", "linear/default: 2"]
        assert runtime.budget.over, "nothing else gets overtime"
    [told] = overtime()
    assert told.is_warning
    assert "Raise time_limit" in told.message


def test_overtime_begins_when_a_worker_is_there(problem: Problem) -> None:
    with at_its_end(problem, TIMED, start_seconds=20.0) as runtime:
        assert fitted(problem, runtime)[1:] == ["linear/default: 2"]
        assert runtime.budget.elapsed >= 20.0


def test_nobody_waits_for_ever_for_a_worker(problem: Problem) -> None:
    with at_its_end(problem, TIMED, start_seconds=1e6) as runtime:
        assert fitted(problem, runtime)[1:] == []
        assert runtime.budget.elapsed < 100.0


def test_nobody_gets_overtime_who_has_a_model_or_asked_to_stop(problem: Problem) -> None:
    with at_its_end(problem, TIMED) as runtime:
        runtime.budget.cancel()
        assert len(fitted(problem, runtime)) == 1, "the prior"
    counted = replace(TIMED, time_limit=None, max_candidates=1)
    with at_its_end(problem, counted) as runtime:
        first = first_wave(problem, static_portfolio(problem, counted), runtime)
    known = tuple(one for one in first if isinstance(one, CrossFit) and one.candidate.family == "linear")
    with at_its_end(problem, TIMED) as runtime:
        assert len(fitted(problem, runtime, known)) == 2, "the recalled one and the prior"
    assert overtime() == []
