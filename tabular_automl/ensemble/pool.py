"""Candidates on the rows they share: what selection and the honest score work on."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.metrics import Metric
from tabular_automl.core.seeds import derive_rng
from tabular_automl.core.task import TaskKind

MAX_ROWS = 50_000

Rows = NDArray[np.intp] | slice


@dataclass(frozen=True, eq=False)
class Pool:
    """Out-of-fold predictions of several candidates on the same rows.

    Attributes
    ----------
    predictions
        Shape (n_candidates, n_rows, n_outputs).
    y
        Shape (n_rows,): the target or class codes.
    weight
        Shape (n_rows,), or None.
    metric
        What the rows are judged by.
    rows
        Shape (n_rows,): which rows of the problem these are.
    blocks
        Shape (n_rows,), or None: rows with the same number are resampled together.
    classes
        Shape (n_rows,): class codes, by which rows are thinned; None where the target is a number. They are
        kept beside ``y``, which may be all ones (`scored_part`).
    """

    predictions: FloatArray
    y: FloatArray
    weight: FloatArray | None
    metric: Metric
    rows: NDArray[np.intp]
    blocks: NDArray[np.intp] | None = None
    classes: NDArray[np.intp] | None = None

    @classmethod
    def of(cls, predictions: FloatArray, y: FloatArray, weight: FloatArray | None, metric: Metric) -> "Pool":
        """Build a pool from predictions as learners give them, keeping what the metric looks at."""
        seen, target = scored_part(predictions, y, metric)
        return cls(seen, target, weight, metric, np.arange(len(y)), classes=class_codes(y, metric))

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.y)

    @property
    def row_weight(self) -> FloatArray:
        """Weights as an array, ones where all rows count alike."""
        return np.ones(self.n_rows) if self.weight is None else self.weight

    def take(self, rows: NDArray[np.intp]) -> "Pool":
        """Return the given rows."""
        return replace(
            self,
            predictions=self.predictions[:, rows],
            y=self.y[rows],
            weight=None if self.weight is None else self.weight[rows],
            rows=self.rows[rows],
            blocks=None if self.blocks is None else self.blocks[rows],
            classes=None if self.classes is None else self.classes[rows],
        )

    def mixed(self, weights: FloatArray, rows: Rows = slice(None)) -> FloatArray:
        """Return the weighted average of the candidates on all or some rows, shape (n_rows, n_outputs)."""
        members = np.flatnonzero(weights)
        return np.asarray(sum(weights[member] * self.predictions[member][rows] for member in members))

    def loss(self, weights: FloatArray) -> float:
        """Return the loss of a weighted average on all rows."""
        return self.metric.loss(self.y, self.mixed(weights), self.weight)

    def thinned(self, max_rows: int = MAX_ROWS) -> "Pool":
        """Return at most ``max_rows`` rows; rare classes are kept whole, the thinned ones weigh more instead.

        The draw depends on the sizes and the classes alone, so equal pools are thinned to equal rows.
        """
        if self.n_rows <= max_rows:
            return self
        rows, factor = thinned_rows(self.n_rows, max_rows, self.classes)
        return replace(self.take(rows), weight=self.row_weight[rows] * factor)


def scored_part(predictions: FloatArray, y: FloatArray, metric: Metric) -> tuple[FloatArray, FloatArray]:
    """Return the outputs a metric looks at, with the target that goes with them.

    Multiclass log-loss looks at the probability of the true class alone, and so equals the binary log-loss of
    that one column against a target of ones: the other columns need not be carried along.
    """
    if metric.name != "log_loss" or predictions.shape[-1] == 1:
        return predictions, y
    true_class = predictions[..., np.arange(len(y)), y.astype(np.intp)]
    return true_class[..., None], np.ones(len(y))


def class_codes(y: FloatArray, metric: Metric) -> NDArray[np.intp] | None:
    """Return the target as class codes, None where the metric is one of numbers."""
    return None if TaskKind.REGRESSION in metric.tasks else y.astype(np.intp)


def thinned_rows(
    n_rows: int, max_rows: int, classes: NDArray[np.intp] | None
) -> tuple[NDArray[np.intp], FloatArray]:
    """Return a sorted sample of rows, rare classes whole, and how many rows each stands for."""
    stratum = np.zeros(n_rows, dtype=np.intp)
    if classes is not None:
        stratum = np.unique(classes, return_inverse=True)[1]
    sizes = np.bincount(stratum)
    kept = np.minimum(sizes, _fill_level(sizes, max_rows))
    rng = derive_rng(0, "thinned rows", n_rows, max_rows)
    rows = np.sort(
        np.concatenate(
            [
                rng.choice(np.flatnonzero(stratum == number), size=kept[number], replace=False)
                for number in range(len(sizes))
            ]
        )
    )
    return rows, (sizes / kept)[stratum[rows]]


def _fill_level(sizes: NDArray[np.intp], total: int) -> int:
    """Return the cap on every stratum by which all of them together keep at most ``total`` rows."""
    left = total
    for position, size in enumerate(np.sort(sizes)):
        share = left // (len(sizes) - position)
        if size > share:
            return max(1, share)
        left -= int(size)
    return int(sizes.max())
