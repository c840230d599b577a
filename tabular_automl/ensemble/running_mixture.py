"""The loss of a growing mixture of candidates, kept up to date by one pass over the rows a step."""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.metrics import SMALLEST_PROBABILITY, ConfusionLoss, confusion
from tabular_automl.ensemble.pool import Pool, thinned_rows

Float32Array = NDArray[np.float32]

SQUARED = frozenset({"mse", "rmse", "r2", "brier"})
GENERIC_MAX_ROWS = 10_000
AUC_BINS = 2048


class RunningMixture(ABC):
    """A mixture of candidates on weighted rows, to which one candidate after the other is added.

    Life cycle: `losses` of the empty mixture are those of each candidate alone; `narrow` may then drop
    candidates; `add` and `losses` alternate from there.
    """

    @abstractmethod
    def losses(self) -> FloatArray:
        """Return for each candidate the loss (or a monotone function of it) after adding it once."""

    @abstractmethod
    def add(self, candidate: int) -> None:
        """Add a candidate once (again, if it is in already)."""

    @abstractmethod
    def narrow(self, candidates: NDArray[np.intp]) -> None:
        """Keep these candidates only, renumbered; called before the first `add`."""


class MixtureSource(ABC):
    """A pool prepared for many selections on differently weighted rows."""

    @abstractmethod
    def on(self, row_weight: FloatArray) -> RunningMixture:
        """Return an empty mixture on the rows with positive weight."""


def mixture_source(pool: Pool) -> MixtureSource:
    """Return the fastest way to score mixtures by the pool's metric."""
    if pool.metric.name in SQUARED:
        return _SquaredErrorSource(pool)
    if pool.metric.name == "log_loss":
        return _LogLossSource(pool)
    if pool.metric.name == "roc_auc":
        return _RocAucSource(pool)
    if pool.metric.confusion_loss is not None:
        return _LabelSource(pool, pool.metric.confusion_loss)
    return _GenericSource(pool)


class _SquaredErrorSource(MixtureSource):
    def __init__(self, pool: Pool) -> None:
        self.residuals = pool.predictions[:, :, 0] - pool.y

    def on(self, row_weight: FloatArray) -> RunningMixture:
        rows = np.flatnonzero(row_weight)
        return _SquaredErrorMixture(self.residuals[:, rows], row_weight[rows])


class _SquaredErrorMixture(RunningMixture):
    """The loss is a quadratic form of the counts; its Gram matrix is all that is read of the rows."""

    def __init__(self, residuals: FloatArray, weight: FloatArray) -> None:
        self.residuals = residuals
        self.weighted = residuals * (weight / weight.sum())
        self.gram: FloatArray | None = None
        self.counts = np.zeros(len(residuals))

    def losses(self) -> FloatArray:
        if not self.counts.any():
            alone: FloatArray = np.einsum("mn,mn->m", self.residuals, self.weighted)
            return alone
        if self.gram is None:
            # einsum, not BLAS: its sums don't depend on the number of threads.
            self.gram = np.einsum("in,jn->ij", self.residuals, self.weighted)
        cross = self.gram @ self.counts
        total: FloatArray = self.counts @ cross + 2 * cross + np.diag(self.gram)
        total /= (self.counts.sum() + 1) ** 2
        return total

    def add(self, candidate: int) -> None:
        self.counts[candidate] += 1

    def narrow(self, candidates: NDArray[np.intp]) -> None:
        self.residuals, self.weighted = self.residuals[candidates], self.weighted[candidates]
        self.counts = np.zeros(len(candidates))


class _LogLossSource(MixtureSource):
    def __init__(self, pool: Pool) -> None:
        positive = pool.predictions[:, :, 0]
        self.true_class = np.where(pool.y > 0.5, positive, 1 - positive).astype(np.float32)

    def on(self, row_weight: FloatArray) -> RunningMixture:
        rows = np.flatnonzero(row_weight)
        return _LogLossMixture(self.true_class[:, rows], row_weight[rows])


class _LogLossMixture(RunningMixture):
    """Keeps the sum of the members' probabilities of the true class."""

    def __init__(self, true_class: Float32Array, weight: FloatArray) -> None:
        self.true_class = true_class
        self.weight = (weight / weight.sum()).astype(np.float32)
        self.total = np.zeros(true_class.shape[1], dtype=np.float32)
        self.steps = 0
        self.buffer = np.empty_like(true_class)

    def losses(self) -> FloatArray:
        logs = self.buffer
        np.add(self.true_class, self.total, out=logs)
        np.maximum(logs, np.float32(SMALLEST_PROBABILITY * (self.steps + 1)), out=logs)
        np.log(logs, out=logs)
        logs *= self.weight
        return np.asarray(np.log(self.steps + 1) - logs.sum(axis=1), dtype=np.float64)

    def add(self, candidate: int) -> None:
        self.total += self.true_class[candidate]
        self.steps += 1

    def narrow(self, candidates: NDArray[np.intp]) -> None:
        self.true_class = self.true_class[candidates]
        self.buffer = np.empty_like(self.true_class)


class _RocAucSource(MixtureSource):
    """AUC looks at order alone, so averages are binned on a scale that is fine where the rows crowd.

    The scale is the logarithm of the probability of the rarer outcome, centred and squeezed into (-1, 1): it
    tells rows apart when all probabilities are near 0.0001 as well as when all are near one half.
    """

    def __init__(self, pool: Pool) -> None:
        values = pool.predictions[:, :, 0]
        positive = pool.y > 0.5
        if values.mean() > 0.5:
            values, positive = 1 - values, ~positive
        mean = values.mean(axis=0)
        self.offset = np.float32(1e-3 * np.median(mean) + SMALLEST_PROBABILITY)
        low, middle, high = np.quantile(np.log(mean + self.offset), [0.25, 0.5, 0.75])
        self.middle = np.float32(middle)
        self.scale = np.float32(1 / max(high - low, SMALLEST_PROBABILITY))
        self.values = values.astype(np.float32)
        self.positive = positive

    def on(self, row_weight: FloatArray) -> RunningMixture:
        rows = np.flatnonzero(row_weight)
        return _RocAucMixture(self, rows, row_weight[rows])


class _RocAucMixture(RunningMixture):
    """Keeps the sum of the members' values; a step bins it with each candidate, no sort needed."""

    def __init__(self, source: _RocAucSource, rows: NDArray[np.intp], weight: FloatArray) -> None:
        self.source = source
        self.values = source.values[:, rows]
        self.weight = weight
        # Bins of the negatives come first, those of the positives after them: one count for both.
        centre_bin = np.where(source.positive[rows], 1.5 * AUC_BINS, 0.5 * AUC_BINS)
        self.centre_bin = centre_bin.astype(np.float32)
        self.total = np.zeros(len(rows), dtype=np.float32)
        self.steps = 0

    def losses(self) -> FloatArray:
        return np.array([self._loss(values) for values in self.values])

    def _loss(self, values: Float32Array) -> float:
        place = (self.total + values) * np.float32(1 / (self.steps + 1))
        place += self.source.offset
        np.log(place, out=place)
        place -= self.source.middle
        place *= self.source.scale
        place /= np.abs(place) + np.float32(1)
        place *= np.float32(0.499 * AUC_BINS)
        place += self.centre_bin
        counts = np.bincount(place.astype(np.intp), weights=self.weight, minlength=2 * AUC_BINS)
        negative, positive = counts[:AUC_BINS], counts[AUC_BINS:]
        below = np.cumsum(negative)
        pairs = below[-1] * positive.sum()
        return float(1 - (positive * (below - negative / 2)).sum() / pairs) if pairs > 0 else 0.5

    def add(self, candidate: int) -> None:
        self.total += self.values[candidate]
        self.steps += 1

    def narrow(self, candidates: NDArray[np.intp]) -> None:
        self.values = self.values[candidates]


class _LabelSource(MixtureSource):
    """Metrics of the predicted class alone: the confusion matrix is all that is kept of the rows."""

    def __init__(self, pool: Pool, loss: ConfusionLoss) -> None:
        self.pool, self.loss = pool, loss

    def on(self, row_weight: FloatArray) -> RunningMixture:
        rows = np.flatnonzero(row_weight)
        weight = row_weight[rows]
        if len(rows) > GENERIC_MAX_ROWS:
            classes = None if self.pool.classes is None else self.pool.classes[rows]
            kept, factor = thinned_rows(len(rows), GENERIC_MAX_ROWS, classes)
            rows, weight = rows[kept], weight[kept] * factor
        predictions = np.stack([one[rows].astype(np.float32) for one in self.pool.predictions])
        return _LabelMixture(predictions, self.pool.y[rows], weight, self.loss)


class _LabelMixture(RunningMixture):
    """Keeps the sum of the members' probabilities; the largest is the predicted class, whatever the scale."""

    def __init__(
        self, predictions: Float32Array, y: FloatArray, weight: FloatArray, loss: ConfusionLoss
    ) -> None:
        self.predictions = predictions
        self.y, self.weight, self.loss = y, weight, loss
        self.total = np.zeros(predictions.shape[1:], dtype=np.float32)
        self.buffer = np.empty_like(self.total)
        self.steps = 0

    def losses(self) -> FloatArray:
        return np.array([self._loss(predictions) for predictions in self.predictions])

    def _loss(self, predictions: Float32Array) -> float:
        mixed = np.add(predictions, self.total, out=self.buffer)
        n_outputs = mixed.shape[1]
        if n_outputs == 1:
            codes = (mixed[:, 0] > np.float32(0.5 * (self.steps + 1))).astype(np.intp)
        else:
            codes = mixed.argmax(axis=1)
        return self.loss(confusion(self.y, codes, self.weight, max(n_outputs, 2)))

    def add(self, candidate: int) -> None:
        self.total += self.predictions[candidate]
        self.steps += 1

    def narrow(self, candidates: NDArray[np.intp]) -> None:
        self.predictions = self.predictions[candidates]


class _GenericSource(MixtureSource):
    """Any metric, through its own loss function; slower, so on fewer rows."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    def on(self, row_weight: FloatArray) -> RunningMixture:
        rows = np.flatnonzero(row_weight)
        if len(rows) > GENERIC_MAX_ROWS:
            by_target = rows[np.argsort(self.pool.y[rows], kind="stable")]
            rows = by_target[np.linspace(0, len(rows) - 1, GENERIC_MAX_ROWS).astype(np.intp)]
        return _GenericMixture(self.pool.take(rows), row_weight[rows])


class _GenericMixture(RunningMixture):
    def __init__(self, pool: Pool, weight: FloatArray) -> None:
        self.predictions = pool.predictions
        self.y, self.weight, self.metric = pool.y, weight, pool.metric
        self.total = np.zeros(pool.predictions.shape[1:])
        self.steps = 0

    def losses(self) -> FloatArray:
        return np.array(
            [
                self.metric.loss(self.y, (self.total + predictions) / (self.steps + 1), self.weight)
                for predictions in self.predictions
            ]
        )

    def add(self, candidate: int) -> None:
        self.total = self.total + self.predictions[candidate]
        self.steps += 1

    def narrow(self, candidates: NDArray[np.intp]) -> None:
        self.predictions = self.predictions[candidates]
