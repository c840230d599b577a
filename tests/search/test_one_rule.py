from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tabular_automl.core.options import Options
from tabular_automl.core.problem import Problem
from tabular_automl.core.task import TaskKind
from tabular_automl.ingest import ingest
from tabular_automl.search.one_rule import SMOOTHING, _leave_one_out_loss, one_rule
from tabular_automl.testing import small_frame


def one_by_one(problem: Problem, codes: NDArray[np.intp], weight: NDArray[np.float64]) -> float:
    """Leave every row out in turn, by the book."""
    loss, rows = 0.0, np.arange(len(codes))
    y = problem.y
    for row in rows:
        others = (codes == codes[row]) & (rows != row)
        mass = weight[others].sum() + SMOOTHING
        if problem.task.kind is TaskKind.REGRESSION:
            mean = ((weight * y)[others].sum() + SMOOTHING * np.average(y, weights=weight)) / mass
            loss += weight[row] * (y[row] - mean) ** 2
        else:
            same = y == y[row]
            share = weight[others & same].sum() + SMOOTHING * weight[same].sum() / weight.sum()
            loss -= weight[row] * np.log(share / mass)
    return float(loss)


@pytest.mark.parametrize("kind", list(TaskKind))
@pytest.mark.parametrize("weighted", [False, True])
def test_every_row_is_left_out_with_its_own_weight(
    kind: TaskKind, rng: np.random.Generator, *, weighted: bool
) -> None:
    problem = ingest(small_frame(kind), Options("target"))
    weight = rng.uniform(0, 3, problem.n_rows) if weighted else np.ones(problem.n_rows)
    codes = rng.integers(0, 9, problem.n_rows)
    given = replace(problem, weight=weight if weighted else None)
    loss = _leave_one_out_loss(given, codes, np.arange(problem.n_rows))
    assert loss == pytest.approx(one_by_one(problem, codes, weight))


@pytest.mark.parametrize("kind", list(TaskKind))
def test_a_sample_is_drawn_of_rows_that_count(kind: TaskKind, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = small_frame(kind)
    weight = (np.arange(len(frame)) % 20 == 0).astype(float)
    problem = ingest(frame, Options("target", weight=weight))
    monkeypatch.setattr("tabular_automl.search.one_rule.MAX_ROWS", 10)
    rule = one_rule(problem)
    assert rule is not None
    assert all(np.isfinite(part).all() for part in rule.predictions)
