"""The metric's loss on each fold of a cross fit."""

import numpy as np

from tabular_automl.core.crossfit import CrossFit
from tabular_automl.core.metrics import metric_named
from tabular_automl.core.problem import Problem


def fold_losses(fit: CrossFit, problem: Problem) -> dict[int, float]:
    """Return by fold of the first repeat the metric's loss of its out-of-fold predictions."""
    metric = metric_named(problem.task.metric, problem.task.kind)
    losses = {}
    for number in range(fit.folds_per_repeat):
        rows = problem.folds.folds[number].held_out
        weight = None if problem.weight is None else problem.weight[rows]
        predictions = fit.predictions[np.searchsorted(fit.rows, rows)]
        losses[number] = metric.loss(problem.y[rows], predictions, weight)
    return losses
