"""The target of a regression, centred and scaled: most tree libraries hold it in single precision."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from tabular_automl.core.fitting import Rows
from tabular_automl.core.task import TaskKind


@dataclass(frozen=True)
class TargetScale:
    """Weighted mean and standard deviation of a target; classes stay as they are."""

    center: float = 0.0
    spread: float = 1.0

    @classmethod
    def of(cls, train: Rows, task: TaskKind) -> Self:
        """Return the scale of the rows a model learns from; a constant target has spread 1."""
        if task is not TaskKind.REGRESSION:
            return cls()
        center = float(np.average(train.y, weights=train.weight))
        spread = float(np.sqrt(np.average((train.y - center) ** 2, weights=train.weight)))
        return cls(center, spread if spread > 0 else 1.0)
