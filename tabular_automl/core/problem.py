"""What is being solved."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tabular_automl.core.digest import digest_array, digest_json
from tabular_automl.core.folds import TIME_ORDERED, FoldPlan
from tabular_automl.core.schema import Finding, Schema
from tabular_automl.core.table import Table
from tabular_automl.core.task import Task, TaskKind


@dataclass(frozen=True)
class ProblemShape:
    """The few sizes by which learners choose defaults and predict their cost."""

    task: TaskKind
    n_rows: int
    n_numeric: int
    n_categorical: int
    n_outputs: int
    time_ordered: bool = False

    @property
    def n_columns(self) -> int:
        """Number of feature columns."""
        return self.n_numeric + self.n_categorical


@dataclass(frozen=True, eq=False)
class Problem:
    """Canonical data, schema, task and fold plan; nothing else knows what is being solved.

    Attributes
    ----------
    table
        The features, canonical.
    y
        Shape (n_rows,), float64: the target, or class codes 0 … k-1 as whole numbers.
    weight
        Shape (n_rows,), float64, mean 1; None when all rows count alike.
    findings
        What ingest found, warnings and notices (errors were raised).
    kept
        Shape (n_rows,): positions of the rows in the caller's table; None when none was left out.
    """

    table: Table
    y: NDArray[np.float64]
    weight: NDArray[np.float64] | None
    schema: Schema
    task: Task
    folds: FoldPlan
    findings: tuple[Finding, ...] = ()
    kept: NDArray[np.intp] | None = None

    @property
    def n_rows(self) -> int:
        """Number of training rows."""
        return self.table.n_rows

    @cached_property
    def shape(self) -> ProblemShape:
        """Sizes of the table and the task."""
        n_categorical = sum(column.categories is not None for column in self.table.columns)
        n_numeric = len(self.table.columns) - n_categorical
        return ProblemShape(
            self.task.kind,
            self.n_rows,
            n_numeric,
            n_categorical,
            self.task.n_outputs,
            time_ordered=self.folds.scheme == TIME_ORDERED,
        )

    @cached_property
    def digest(self) -> str:
        """Hash of features, target, weights and task kind (not of the folds: they have their own)."""
        weight = digest_array(self.weight) if self.weight is not None else None
        return digest_json(
            [self.table.digest, digest_array(self.y), weight, self.task.kind, self.task.n_outputs]
        )
