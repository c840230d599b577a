"""Pools of simulated candidates, and small problems with a runtime that fits in this process."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from tabular_automl.core.budget import Budget
from tabular_automl.core.candidate import Candidate
from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.metrics import METRICS
from tabular_automl.core.options import Options
from tabular_automl.core.problem import Problem
from tabular_automl.core.task import TaskKind
from tabular_automl.crossfit import Request, Runtime, cross_fit, start_workers
from tabular_automl.ensemble import Weighed, weigh
from tabular_automl.ensemble.pool import Pool
from tabular_automl.ingest import ingest
from tabular_automl.learners import learner_for
from tabular_automl.testing import small_frame

MakePool = Callable[..., Pool]


@dataclass(frozen=True)
class Setting:
    """A small problem and its runtime."""

    problem: Problem
    options: Options
    runtime: Runtime

    def fit(self, family: str, n_folds: int = 99) -> CrossFit:
        """Fit a family's defaults on the first folds of one repeat."""
        learner = learner_for(family)
        params = learner.defaults(self.problem.shape)
        candidate = Candidate(family, params, learner.recipe(params), label="default")
        request = Request(candidate, min(n_folds, self.problem.folds.folds_per_repeat), None)
        (result,) = cross_fit(iter([request]), self.problem, self.runtime)
        assert isinstance(result, CrossFit), result
        return result

    def weigh(self, *results: CrossFit | Failure, baselines: tuple[CrossFit, ...] = ()) -> Weighed:
        """Weigh candidates as the whole story does."""
        level = self.options.human_level
        return weigh(self.problem, baselines, results, self.runtime, human_level=level)


@contextmanager
def _opened(kind: TaskKind, **changes: Any) -> Iterator[Setting]:
    options = Options("target", n_jobs=1, max_candidates=9, time_limit=None, **changes)
    budget = Budget.start(options)
    with start_workers(budget) as workers:
        problem = ingest(small_frame(kind), options)
        with Runtime.open(problem, options, budget, workers) as runtime:
            yield Setting(problem, options, runtime)


@pytest.fixture(scope="session")
def opened() -> Callable[..., AbstractContextManager[Setting]]:
    """Open the small problem of a task kind, with changes of the options."""
    return _opened


@pytest.fixture
def make_pool() -> MakePool:
    return simulated_pool


@pytest.fixture
def many_classes() -> Callable[[str, int, int, int], Pool]:
    """Candidates of equal quality for a target of many classes."""

    def make(name: str, n_rows: int, n_candidates: int, n_classes: int) -> Pool:
        rng = np.random.default_rng(0)
        y = rng.integers(0, n_classes, n_rows).astype(float)
        shares = rng.random((n_candidates, n_rows, n_classes)) + 0.4 * np.eye(n_classes)[y.astype(int)]
        return Pool.of(shares / shares.sum(axis=2, keepdims=True), y, None, METRICS[name])

    return make


def simulated_pool(name: str, n_rows: int = 300, n_candidates: int = 6, seed: int = 0) -> Pool:
    """Candidates of decreasing quality for the metric's own task, with weights."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=n_rows)
    noise = rng.normal(size=(n_candidates, n_rows)) * np.linspace(0.6, 1.4, n_candidates)[:, None]
    predictions: FloatArray = truth + noise
    y = truth
    if name not in {"rmse", "mse", "mae", "r2"}:
        y = (rng.random(n_rows) < 1 / (1 + np.exp(-2 * truth))).astype(float)
        predictions = 1 / (1 + np.exp(-predictions))
    return Pool.of(predictions[..., None], y, rng.uniform(0.5, 2, n_rows), METRICS[name])
