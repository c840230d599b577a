"""Small problems, and a runtime for them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tabular_automl.core.budget import Budget
from tabular_automl.core.folds import Fold, FoldPlan
from tabular_automl.core.metrics import default_metric
from tabular_automl.core.options import Options
from tabular_automl.core.problem import Problem
from tabular_automl.core.schema import ColumnSchema, Schema
from tabular_automl.core.task import TargetType, Task, TaskKind
from tabular_automl.crossfit import Runtime, Workers
from tabular_automl.testing import small_problem


def make_problem(
    kind: TaskKind = TaskKind.REGRESSION,
    n_rows: int = 120,
    n_folds: int = 4,
    seed: int = 0,
    n_repeats: int = 1,
) -> Problem:
    small = small_problem(kind, n_rows, seed)
    columns = tuple(
        ColumnSchema(c.id, c.id, c.kind, "float64", 0.0, 9, "test", "number", c.categories)
        for c in small.table.columns
    )
    rng = np.random.default_rng(seed)
    dealt = [rng.permutation(n_rows) % n_folds for _ in range(n_repeats)]
    folds = tuple(
        Fold(np.flatnonzero(fold_of != f), np.flatnonzero(fold_of == f))
        for fold_of in dealt
        for f in range(n_folds)
    )
    classes = {TaskKind.BINARY: (0, 1), TaskKind.MULTICLASS: (0, 1, 2), TaskKind.REGRESSION: ()}[kind]
    task = Task("target", kind, TargetType("int64"), default_metric(kind).name, classes)
    plan = FoldPlan(folds, "shuffled", n_repeats=n_repeats)
    return Problem(small.table, small.y, None, Schema(columns), task, plan)


@contextmanager
def open_runtime(
    problem: Problem,
    workers: Workers,
    *,
    seconds: float | None = None,
    count: int | None = None,
    run_dir: Path | None = None,
    seed: int = 0,
) -> Iterator[Runtime]:
    options = Options(
        "target", time_limit=seconds, max_candidates=count, n_jobs=2, run_dir=run_dir, seed=seed
    )
    with Runtime.open(problem, options, Budget.start(options), workers) as runtime:
        yield runtime
