"""Random forests: every tree sees a bootstrap sample of the rows."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np

from tabular_automl.core.candidate import Params, Value, freeze_params
from tabular_automl.core.fitting import FloatArray, Rows
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.task import TaskKind
from tabular_automl.learners.forest import MANY_COLUMNS, Forest
from tabular_automl.learners.space import SHARE, Float, Space


class RandomForest(Forest):
    """Random forests [1]_.

    References
    ----------
    .. [1] Breiman, "Random Forests", Machine Learning 45, 2001.
    """

    family: ClassVar[str] = "random_forest"
    code_version: ClassVar[int] = 2
    splitter: ClassVar[Literal["best", "random"]] = "best"
    split_seconds: ClassVar[tuple[float, float]] = (1.6e-8, 2e-9)
    leaf_seconds: ClassVar[float] = 4e-6

    def defaults(self, shape: ProblemShape) -> Params:
        """Return bootstrap samples as large as the table, and else what forests share."""
        return freeze_params({**dict(super().defaults(shape)), "max_samples": 1.0})

    def space(self, shape: ProblemShape) -> Space:
        """Return what forests share, and the size of the bootstrap samples."""
        return Space((*super().space(shape).parameters, Float("max_samples", 0.5, 1.0, limits=SHARE)))

    def column_share(self, shape: ProblemShape) -> str | float:
        """Return half the columns, more for several classes, fewer where there are very many."""
        if shape.n_columns > MANY_COLUMNS:
            return "sqrt" if shape.n_columns > 5 * MANY_COLUMNS else 0.25
        return 0.75 if shape.task is TaskKind.MULTICLASS else 0.5

    def tree_weight(
        self, train: Rows, values: Mapping[str, Value], rng: np.random.Generator
    ) -> FloatArray | None:
        """Return how often each row was drawn; heavy rows are drawn more often."""
        n_rows = len(train.y)
        n_drawn = max(1, round(float(values["max_samples"] or 1.0) * n_rows))
        if train.weight is None:
            drawn = rng.integers(0, n_rows, n_drawn)
        else:
            drawn = rng.choice(n_rows, n_drawn, p=train.weight / train.weight.sum())
        return np.bincount(drawn, minlength=n_rows).astype(np.float64)
