"""The learner that looks at the target only: class frequencies or the mean."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from tabular_automl.core.candidate import Params, Recipe
from tabular_automl.core.fitting import FitContext, FitOutcome, FittedModel, FloatArray, Rows
from tabular_automl.core.metrics import training_loss
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.state import State, load_state, save_state
from tabular_automl.core.task import TaskKind
from tabular_automl.learners.base import Capabilities, Learner
from tabular_automl.learners.space import Space


class Prior(Learner):
    """Predict the weighted class frequencies or the weighted mean for every row; fits any problem."""

    family: ClassVar[str] = "prior"
    code_version: ClassVar[int] = 1
    libraries: ClassVar[tuple[str, ...]] = ("numpy",)
    capabilities: ClassVar[Capabilities] = Capabilities(
        handles_missing=True, handles_categories=True, needs_features=False, uses_seed=False
    )

    def defaults(self, shape: ProblemShape) -> Params:
        """Return no hyperparameters: there are none."""
        del shape
        return ()

    def space(self, shape: ProblemShape) -> Space:
        """Return the empty space."""
        del shape
        return Space()

    def recipe(self, params: Params) -> Recipe:
        """Return the recipe that looks at no column."""
        del params
        return Recipe("none")

    def cost(self, shape: ProblemShape, params: Params, rounds: int) -> float:
        """Return next to nothing."""
        del params
        return 1e-4 + 2e-8 * shape.n_rows * rounds

    def memory(self, shape: ProblemShape, params: Params) -> float:
        """Return nothing: it looks at the target only."""
        del shape, params
        return 0.0

    def fit(self, train: Rows, held_out: Rows | None, params: Params, context: FitContext) -> FitOutcome:
        """Take the weighted frequencies, smoothed by one row in all, or the weighted mean."""
        del params
        task = context.shape.task
        model = PriorModel(_values(train, task, context.shape.n_outputs))
        if held_out is None:
            return FitOutcome(model, np.empty(0))
        loss = training_loss(task).loss(held_out.y, model.predict(held_out.X), held_out.weight)
        return FitOutcome(model, np.array([loss]))

    def load(self, folder: Path) -> FittedModel:
        """Return the saved model."""
        return PriorModel(load_state(folder).arrays["values"])


def smoothed_shares(train: Rows, n_classes: int) -> FloatArray:
    """Return the weighted share of each class, shape (n_classes,), none of them zero."""
    counts = np.bincount(train.y.astype(np.intp), weights=train.weight, minlength=n_classes)
    # One row spread over all classes: one that is absent in a fold must not get probability zero.
    shares: FloatArray = (counts + 1.0 / n_classes) / (counts.sum() + 1.0)
    return shares


@dataclass(frozen=True, eq=False)
class PriorModel:
    """The same prediction for every row; ``values`` has shape (n_outputs,)."""

    values: FloatArray

    @property
    def rounds(self) -> int:
        """One: it has no rounds."""
        return 1

    def predict(self, X: FloatArray, rounds: int | None = None) -> FloatArray:
        """Return the values once for each row."""
        del rounds
        return np.tile(self.values, (len(X), 1))

    def save(self, folder: Path, rounds: int | None = None) -> None:
        """Write the values."""
        del rounds
        save_state(State(arrays={"values": self.values}), folder)


def _values(train: Rows, task: TaskKind, n_outputs: int) -> FloatArray:
    if task is TaskKind.REGRESSION:
        return np.array([np.average(train.y, weights=train.weight)])
    shares = smoothed_shares(train, max(n_outputs, 2))
    return shares[1:] if task is TaskKind.BINARY else shares
