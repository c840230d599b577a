"""Metrics, held as losses: lower is better, weighted everywhere.

Predictions have the shape every learner gives, (n, n_outputs): the probability of the positive class for
binary tasks, a row of probabilities for multiclass, values for regression.
"""

from collections.abc import Callable, Set
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np

from tabular_automl.core.did_you_mean import did_you_mean
from tabular_automl.core.errors import InputError
from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.task import TaskKind

Weight = FloatArray | None
LossFunction = Callable[[FloatArray, FloatArray, Weight], float]
ConfusionLoss = Callable[[FloatArray], float]
Codes = np.ndarray[tuple[int, ...], np.dtype[np.intp]]

SMALLEST_PROBABILITY = 1e-7


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes
    ----------
    name
        As given to ``fit(metric=…)``.
    tasks
        The task kinds it is defined for.
    greater_is_better
        The direction in which people know it; used at the door only.
    loss_function
        ``(y, predictions, weight) -> float``, lower is better. For metrics where greater is better it is
        1 - score, so that `score` can give it back.
    confusion_loss
        For metrics that look at the predicted class alone: the same loss from a confusion matrix
        (`confusion`); None for the others.
    """

    name: str
    tasks: frozenset[TaskKind]
    greater_is_better: bool
    loss_function: LossFunction
    confusion_loss: ConfusionLoss | None = None

    def loss(self, y: FloatArray, predictions: FloatArray, weight: Weight = None) -> float:
        """Return the weighted loss of predictions, shape (n, n_outputs)."""
        return self.loss_function(y, predictions, weight)

    def score(self, loss: float) -> float:
        """Return a loss in the metric's own direction (its own inverse)."""
        return 1.0 - loss if self.greater_is_better else loss


def metric_named(name: str, task: TaskKind) -> Metric:
    """Return the metric of that name.

    Raises
    ------
    InputError
        If there is no such metric, or it is not defined for the task; names the ones that are.
    """
    check_metric(name, {task})
    return METRICS[name]


def check_metric(name: str, tasks: Set[TaskKind]) -> None:
    """Refuse the name of a metric that is defined for none of the tasks.

    Raises
    ------
    InputError
        As `metric_named`.
    """
    fitting = sorted(metric.name for metric in METRICS.values() if metric.tasks & tasks)
    kinds = " or ".join(sorted(tasks))
    if name not in METRICS:
        hint = did_you_mean(name, METRICS)
        raise InputError(f"There is no metric {name!r}.{hint} For {kinds} tasks: {', '.join(fitting)}.")
    if name not in fitting:
        raise InputError(
            f"Metric {name!r} is not defined for {kinds} tasks. Use one of: {', '.join(fitting)}."
        )


def default_metric(task: TaskKind) -> Metric:
    """Return ROC AUC for binary, log-loss for multiclass, RMSE for regression."""
    return METRICS[_DEFAULTS[task]]


def training_loss(task: TaskKind) -> Metric:
    """Return the loss that learners are trained and stopped on: cross-entropy or squared error."""
    return METRICS["log_loss" if task.is_classification else "mse"]


def predicted_codes(predictions: FloatArray) -> Codes:
    """Return class codes from class probabilities: the most probable, above one half for binary."""
    if predictions.shape[1] == 1:
        return np.asarray(predictions[:, 0] > 0.5, dtype=np.intp)
    return np.asarray(predictions.argmax(axis=1), dtype=np.intp)


def confusion(y: FloatArray, codes: Codes, weight: Weight, n_classes: int) -> FloatArray:
    """Return the weight of the rows of each true class (rows) taken for each class (columns)."""
    cells = y.astype(np.intp) * n_classes + codes
    counts = np.bincount(cells, weights=weight, minlength=n_classes**2)
    return counts.reshape(n_classes, n_classes).astype(np.float64)


def _log_loss(y: FloatArray, predictions: FloatArray, weight: Weight) -> float:
    if predictions.shape[1] == 1:
        p = np.clip(predictions[:, 0], SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
        losses = -np.where(y > 0.5, np.log(p), np.log1p(-p))
    else:
        p = np.clip(predictions, SMALLEST_PROBABILITY, 1.0)
        losses = np.log(p.sum(axis=1)) - np.log(p[np.arange(len(y)), y.astype(np.intp)])
    return float(np.average(losses, weights=weight))


def _brier(y: FloatArray, predictions: FloatArray, weight: Weight) -> float:
    return float(np.average((predictions[:, 0] - y) ** 2, weights=weight))


def _one_minus_roc_auc(y: FloatArray, predictions: FloatArray, weight: Weight) -> float:
    """Mann-Whitney statistic with ties counted half; 0.5 where only one class is present."""
    values = predictions[:, 0]
    order = np.argsort(values, kind="stable")
    w = np.ones(len(y)) if weight is None else weight
    positive, negative = (w * (y > 0.5))[order], (w * (y <= 0.5))[order]
    starts = np.flatnonzero(np.r_[True, np.diff(values[order]) != 0])
    positive_at, negative_at = np.add.reduceat(positive, starts), np.add.reduceat(negative, starts)
    pairs = positive_at.sum() * negative_at.sum()
    if pairs == 0:
        return 0.5
    negative_below = np.cumsum(negative_at) - negative_at
    return float(1.0 - (positive_at * (negative_below + negative_at / 2)).sum() / pairs)


def _error_rate(counts: FloatArray) -> float:
    wrong = counts * (1 - np.eye(len(counts)))
    return float(wrong.sum() / counts.sum())


def _balanced_error(counts: FloatArray) -> float:
    total = counts.sum(axis=1)
    seen = total > 0
    return float(1.0 - np.mean(np.diag(counts)[seen] / total[seen]))


def _f1_by_class(counts: FloatArray) -> FloatArray:
    """F1 of each class; NaN for a class that is neither present nor predicted."""
    total = counts.sum(axis=0) + counts.sum(axis=1)
    scores = np.full(len(total), np.nan)
    np.divide(2 * np.diag(counts), total, out=scores, where=total > 0)
    return scores


def _one_minus_f1(counts: FloatArray) -> float:
    return float(1.0 - np.nan_to_num(_f1_by_class(counts)[1]))


def _one_minus_f1_macro(counts: FloatArray) -> float:
    return float(1.0 - np.nanmean(_f1_by_class(counts)))


def _loss_of_labels(loss: ConfusionLoss, y: FloatArray, predictions: FloatArray, weight: Weight) -> float:
    return loss(confusion(y, predicted_codes(predictions), weight, max(predictions.shape[1], 2)))


def _mse(y: FloatArray, predictions: FloatArray, weight: Weight) -> float:
    return float(np.average((y - predictions[:, 0]) ** 2, weights=weight))


def _rmse(y: FloatArray, predictions: FloatArray, weight: Weight) -> float:
    return float(np.sqrt(_mse(y, predictions, weight)))


def _mae(y: FloatArray, predictions: FloatArray, weight: Weight) -> float:
    return float(np.average(np.abs(y - predictions[:, 0]), weights=weight))


def _one_minus_r2(y: FloatArray, predictions: FloatArray, weight: Weight) -> float:
    spread = float(np.average((y - np.average(y, weights=weight)) ** 2, weights=weight))
    error = _mse(y, predictions, weight)
    if spread == 0:
        return 0.0 if error == 0 else 1.0
    return error / spread


def _of_labels(name: str, tasks: frozenset[TaskKind], loss: ConfusionLoss) -> Metric:
    # A partial, not a closure: it can be pickled on the way to a worker.
    return Metric(name, tasks, True, partial(_loss_of_labels, loss), loss)


_CLASSIFICATION = frozenset({TaskKind.BINARY, TaskKind.MULTICLASS})
_BINARY = frozenset({TaskKind.BINARY})
_REGRESSION = frozenset({TaskKind.REGRESSION})
_DEFAULTS = {TaskKind.BINARY: "roc_auc", TaskKind.MULTICLASS: "log_loss", TaskKind.REGRESSION: "rmse"}

METRICS = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric("roc_auc", _BINARY, True, _one_minus_roc_auc),
            Metric("log_loss", _CLASSIFICATION, False, _log_loss),
            Metric("brier", _BINARY, False, _brier),
            _of_labels("accuracy", _CLASSIFICATION, _error_rate),
            _of_labels("balanced_accuracy", _CLASSIFICATION, _balanced_error),
            _of_labels("f1", _BINARY, _one_minus_f1),
            _of_labels("f1_macro", _CLASSIFICATION, _one_minus_f1_macro),
            Metric("rmse", _REGRESSION, False, _rmse),
            Metric("mse", _REGRESSION, False, _mse),
            Metric("mae", _REGRESSION, False, _mae),
            Metric("r2", _REGRESSION, True, _one_minus_r2),
        )
    }
)
