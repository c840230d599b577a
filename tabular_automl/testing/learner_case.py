"""A small problem, encoded as a learner wants it, with one fold."""

from dataclasses import dataclass
from typing import ClassVar

from tabular_automl.core.candidate import Params
from tabular_automl.core.fitting import FitContext, FitOutcome, Rows
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.task import TaskKind
from tabular_automl.learners.base import Learner
from tabular_automl.preprocessing.encoders import fit_encoder
from tabular_automl.testing.small_frames import SmallProblem, small_problem


@dataclass(frozen=True, eq=False)
class LearnerCase:
    """Everything one call of `Learner.fit` needs."""

    n_train: ClassVar[int] = 120

    learner: Learner
    train: Rows
    held_out: Rows
    params: Params
    context: FitContext

    @staticmethod
    def problem(task: TaskKind) -> SmallProblem:
        """Return the small problem of a task, 120 rows to train and 40 held out."""
        return small_problem(task, n_rows=160)

    @classmethod
    def small(cls, learner: Learner, task: TaskKind) -> "LearnerCase":
        """Return the case of the small problem of a task."""
        return cls.of(learner, cls.problem(task))

    @classmethod
    def of(cls, learner: Learner, problem: SmallProblem, seed: int = 0) -> "LearnerCase":
        """Encode a problem by the learner's own recipe; at most 30 rounds, to be quick."""
        n_categorical = sum(column.categories is not None for column in problem.table.columns)
        n_numeric = len(problem.table.columns) - n_categorical
        shape = ProblemShape(problem.task, problem.table.n_rows, n_numeric, n_categorical, problem.n_outputs)
        params = learner.defaults(shape)
        encoder = fit_encoder(learner.recipe(params), problem.table)
        X = encoder.transform(problem.table)
        limits = learner.limits(shape, params)
        context = FitContext(
            shape, encoder.features, seed, max_rounds=min(limits.max_rounds, 30), patience=limits.patience
        )
        train = Rows(X[: cls.n_train], problem.y[: cls.n_train])
        return cls(learner, train, Rows(X[cls.n_train :], problem.y[cls.n_train :]), params, context)

    def fit(self) -> FitOutcome:
        """Fit the learner on the case."""
        return self.learner.fit(self.train, self.held_out, self.params, self.context)
