from dataclasses import replace

import numpy as np
import pytest

from tabular_automl.core.candidate import Candidate, Origin, Recipe
from tabular_automl.core.crossfit import CrossFit
from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.folds import Fold, FoldPlan
from tabular_automl.core.metrics import METRICS
from tabular_automl.core.problem import Problem
from tabular_automl.core.schema import Schema
from tabular_automl.core.table import Table
from tabular_automl.core.task import TargetType, Task, TaskKind
from tabular_automl.ensemble.bootstrap import Resamples, resample
from tabular_automl.ensemble.compare import compare, compare_number
from tabular_automl.ensemble.pool import Pool

N = 400


@pytest.fixture
def problem(rng: np.random.Generator) -> Problem:
    half = np.arange(N // 2)
    plan = FoldPlan((Fold(half + N // 2, half), Fold(half, half + N // 2)), "shuffled")
    task = Task("y", TaskKind.REGRESSION, TargetType("float64"), "rmse")
    return Problem(Table((), N), rng.normal(size=N), None, Schema(()), task, plan)


@pytest.fixture
def resamples(problem: Problem, rng: np.random.Generator) -> Resamples:
    candidates = problem.y + 0.5 * rng.normal(size=(2, N))
    pool = Pool.of(candidates[..., None], problem.y, None, METRICS["rmse"])
    return resample(pool, np.array([0.5, 0.5]), seed=0)


def baseline(problem: Problem, predictions: FloatArray, rows: np.ndarray | None = None) -> CrossFit:
    candidate = Candidate("baseline", (), Recipe("none"), Origin.BASELINE, label="zero rule")
    rows = np.arange(N) if rows is None else rows
    return CrossFit(candidate, problem.folds.digest, (), rows, predictions[rows, None], 1, 0.0)


def test_a_far_worse_baseline_is_beaten_clearly(problem: Problem, resamples: Resamples) -> None:
    found = compare(baseline(problem, np.zeros(N)), problem, resamples)
    assert found is not None
    assert found.baseline == "zero rule"
    assert found.baseline_score == pytest.approx(np.sqrt((problem.y**2).mean()))
    assert found.gain == pytest.approx(found.baseline_score - resamples.apparent - resamples.optimism)
    assert found.clear
    assert found.low < found.gain < found.high


def test_a_better_baseline_is_said_to_be_better(problem: Problem, resamples: Resamples) -> None:
    found = compare(baseline(problem, problem.y + 0.01), problem, resamples)
    assert found is not None
    assert found.high < 0


def test_an_equal_baseline_gives_no_clear_gain(problem: Problem, resamples: Resamples) -> None:
    found = compare(baseline(problem, resamples.mixture[:, 0]), problem, resamples)
    assert found is not None
    assert not found.clear
    assert found.gain == pytest.approx(-resamples.optimism)


def test_a_negative_optimism_is_no_gain(problem: Problem, resamples: Resamples) -> None:
    lucky = replace(resamples, excess=np.full(40, -0.01))
    found = compare(baseline(problem, resamples.mixture[:, 0]), problem, lucky)
    assert found is not None
    assert found.gain == 0
    assert compare_number("human level", lucky.apparent, lucky).gain == pytest.approx(0)


def test_pairing_narrows_the_interval(problem: Problem, resamples: Resamples) -> None:
    nearly_equal = resamples.mixture[:, 0] + 0.05
    paired = compare(baseline(problem, nearly_equal), problem, resamples)
    unpaired = compare_number("human level", 0.4, resamples)
    assert paired is not None
    assert paired.high - paired.low < 0.6 * (unpaired.high - unpaired.low)


def test_only_shared_rows_are_compared(problem: Problem, resamples: Resamples) -> None:
    rows = np.arange(0, N, 2)
    spoiled = np.where(np.arange(N) % 2 == 0, 0.0, 1e9)
    found = compare(baseline(problem, spoiled, rows), problem, resamples)
    assert found is not None
    assert found.baseline_score == pytest.approx(np.sqrt((problem.y[rows] ** 2).mean()))
    assert found.low < found.gain < found.high


def test_no_shared_row_is_no_comparison(problem: Problem, resamples: Resamples) -> None:
    empty = baseline(problem, np.zeros(N), np.array([], dtype=np.intp))
    assert compare(empty, problem, resamples) is None


def test_a_human_level_is_compared_in_the_metrics_own_direction(rng: np.random.Generator) -> None:
    y = rng.integers(0, 2, N).astype(float)
    predictions = np.clip(0.4 * y + 0.6 * rng.random(N), 0, 1)[None, :, None]
    pool = Pool.of(predictions, y, None, METRICS["roc_auc"])
    resamples = resample(pool, np.ones(1), seed=0)
    auc = 1 - resamples.apparent
    found = compare_number("human level", 0.6, resamples)
    assert found.gain == pytest.approx(auc - 0.6)
    assert found.baseline_score == 0.6
    assert found.clear
    assert not compare_number("human level", 0.999, resamples).clear
