"""Extremely randomised trees: every tree sees all rows and splits columns at random places."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np

from tabular_automl.core.candidate import Value
from tabular_automl.core.fitting import FloatArray, Rows
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.task import TaskKind
from tabular_automl.learners.forest import MANY_COLUMNS, Forest


class ExtraTrees(Forest):
    """Extremely randomised trees [1]_, with thresholds drawn evenly over ranks.

    References
    ----------
    .. [1] Geurts, Ernst and Wehenkel, "Extremely randomized trees", Machine Learning 63, 2006.
    """

    family: ClassVar[str] = "extra_trees"
    code_version: ClassVar[int] = 2
    splitter: ClassVar[Literal["best", "random"]] = "random"
    split_seconds: ClassVar[tuple[float, float]] = (6.5e-9, 2.5e-9)
    leaf_seconds: ClassVar[float] = 2e-6

    def column_share(self, shape: ProblemShape) -> str | float:
        """Return nearly all columns, as random places are random enough; fewer where there are very many."""
        if shape.n_columns > MANY_COLUMNS:
            return "sqrt" if shape.n_columns > 5 * MANY_COLUMNS else 0.25
        return 0.75 if shape.task is TaskKind.BINARY else 1.0

    def tree_weight(
        self, train: Rows, values: Mapping[str, Value], rng: np.random.Generator
    ) -> FloatArray | None:
        """Return the rows' own weights: every tree sees all rows."""
        del values, rng
        return train.weight
