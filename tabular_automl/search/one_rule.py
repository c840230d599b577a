"""The one-rule heuristic: predict from the single column that does it best."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.folds import Fold
from tabular_automl.core.problem import Problem
from tabular_automl.core.seeds import derive_rng
from tabular_automl.core.table import Column

N_BINS = 16
SMOOTHING = 5.0
MAX_COLUMNS = 1_000
MAX_ROWS = 20_000
MAX_CELLS = 4_000_000

Codes = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class OneRule:
    """One column's rule for every fold of the first repeat.

    Attributes
    ----------
    column
        The column chosen in most folds, by the user's name.
    predictions
        For each of these folds, predictions of its held-out rows, shape (n_held_out, n_outputs).
    """

    column: str
    predictions: tuple[FloatArray, ...]


def one_rule(problem: Problem) -> OneRule | None:
    """Predict by value of the best single column (after Holte, Machine Learning 1993); None without a column.

    Numbers are cut into 16 quantile bins, missing values are a value of their own. In each fold the column
    with the lowest leave-one-out log-loss or squared error on a sample of the training rows is chosen; its
    values then predict smoothed class frequencies or means of all training rows. Of more than 1,000 columns
    the first 1,000 are looked at.
    """
    columns = problem.table.columns[:MAX_COLUMNS]
    if not columns:
        return None
    # Sums lose their digits where values are large and close together.
    centre = 0.0 if problem.task.kind.is_classification else float(np.median(problem.y))
    problem = replace(problem, y=problem.y - centre)
    counting = np.flatnonzero(_weights(problem, np.arange(problem.n_rows)))
    n_sampled = min(len(counting), MAX_ROWS, max(1_000, MAX_CELLS // len(columns)))
    drawn = derive_rng(0, "one rule", problem.n_rows).permutation(len(counting))[:n_sampled]
    sample = np.sort(counting[drawn])
    coders = [_coder(column, sample) for column in columns]
    sampled = [code(sample) for code in coders]
    chosen, predictions = [], []
    for fold in problem.folds.first_repeat:
        best = _best_column(problem, sampled, sample, fold)
        chosen.append(best)
        predictions.append(_predict(problem, coders[best], fold) + centre)
    favourite = columns[Counter(chosen).most_common(1)[0][0]].id
    name = next(str(column.name) for column in problem.schema if column.id == favourite)
    return OneRule(name, tuple(predictions))


def _coder(column: Column, sample: NDArray[np.intp]) -> Callable[[NDArray[np.intp]], Codes]:
    """Return the function that gives rows their value's number, 0 where it is missing."""
    if column.categories is not None:
        return lambda rows: column.values[rows].astype(np.intp) + 1
    values = column.values[sample]
    values = values[np.isfinite(values)]
    edges = np.unique(np.quantile(values, np.arange(1, N_BINS) / N_BINS)) if len(values) else values

    def code(rows: NDArray[np.intp]) -> Codes:
        missing = np.isnan(column.values[rows])
        return np.where(missing, 0, np.searchsorted(edges, column.values[rows], side="left") + 1)

    return code


def _best_column(problem: Problem, sampled: list[Codes], sample: NDArray[np.intp], fold: Fold) -> int:
    train = np.flatnonzero(np.isin(sample, fold.train, assume_unique=True))
    if not len(train):
        return 0
    rows = sample[train]
    losses = [_leave_one_out_loss(problem, codes[train], rows) for codes in sampled]
    return int(np.argmin(losses))


def _leave_one_out_loss(problem: Problem, codes: Codes, rows: NDArray[np.intp]) -> float:
    """Return the loss of every row predicted from the other rows with its value, by taking its weight out."""
    table, prior = _table(problem, codes, rows)
    y, weight = problem.y[rows], _weights(problem, rows)
    if problem.task.kind.is_classification:
        of_class = y.astype(np.intp)
        others = np.maximum(table[codes, of_class] - weight, 0) + SMOOTHING * prior[of_class]
        total = np.maximum(table.sum(axis=1)[codes] - weight, 0) + SMOOTHING
        return float(-(weight * np.log(np.maximum(others / total, 1e-12))).sum())
    count = table[:, 0]
    mean = ((table[:, 1] + SMOOTHING * prior) / (count + SMOOTHING))[codes]
    shrink = (count[codes] + SMOOTHING) / (np.maximum(count[codes] - weight, 0) + SMOOTHING)
    return float((weight * (shrink * (y - mean)) ** 2).sum())


def _weights(problem: Problem, rows: NDArray[np.intp]) -> FloatArray:
    return np.ones(len(rows)) if problem.weight is None else problem.weight[rows]


def _table(
    problem: Problem, codes: Codes, rows: NDArray[np.intp], n_values: int = 0
) -> tuple[FloatArray, FloatArray]:
    """Return weighted sums by value, with the prior: counts by class, or count and sum of the target."""
    y = problem.y[rows]
    weight = _weights(problem, rows)
    n_values = max(n_values, int(codes.max()) + 1)
    if problem.task.kind.is_classification:
        n_classes = len(problem.task.classes)
        cells = codes * n_classes + y.astype(np.intp)
        counts = np.bincount(cells, weights=weight, minlength=n_values * n_classes).astype(np.float64)
        table = counts.reshape(n_values, n_classes)
        return table, np.asarray(table.sum(axis=0) / table.sum())
    sums = np.zeros((n_values, 2))
    for column, part in enumerate((weight, weight * y)):
        sums[:, column] = np.bincount(codes, weights=part, minlength=n_values)
    return sums, np.asarray(np.average(y, weights=weight))


def _predict(problem: Problem, code: Callable[[NDArray[np.intp]], Codes], fold: Fold) -> FloatArray:
    held_out = code(fold.held_out)
    table, prior = _table(problem, code(fold.train), fold.train, int(held_out.max(initial=0)) + 1)
    if not problem.task.kind.is_classification:
        means: FloatArray = (table[:, 1] + SMOOTHING * prior) / (table[:, 0] + SMOOTHING)
        return means[held_out, None]
    shares: FloatArray = (table + SMOOTHING * prior) / (table.sum(axis=1, keepdims=True) + SMOOTHING)
    return shares[held_out] if problem.task.n_outputs > 1 else shares[held_out, 1:]
