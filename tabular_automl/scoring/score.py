"""Score a table: labels in the target's exact type, values as floats or probabilities; schema report."""

from typing import Any

import numpy as np
import pandas as pd

from tabular_automl.core.errors import InputError
from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.metrics import predicted_codes
from tabular_automl.core.run import Run
from tabular_automl.core.schema import SchemaReport
from tabular_automl.core.task import Task
from tabular_automl.ensemble import predict_ensemble
from tabular_automl.ingest import canonicalise, to_pandas
from tabular_automl.scoring.check_deviating_share import check_deviating_share


def predict(
    run: Run, frame: Any, *, max_deviating_share: float | None = None
) -> "tuple[pd.Series[Any], SchemaReport]":
    """Predict labels or values.

    Parameters
    ----------
    frame
        New rows: pandas, polars or Arrow. Columns are found by name; others are ignored and their order
        doesn't matter. The frame is not changed.
    max_deviating_share
        Fail when in any column a larger share of cells is of no use to the model: see
        `check_deviating_share`.

    Returns
    -------
    A Series with the frame's index and the target's name, and the schema report. Labels have the target's
    exact type. Values have its floating-point type, or float64 (``Float64``, ``double[pyarrow]``) where the
    target was of whole numbers.

    Raises
    ------
    SchemaError
        If columns are missing; all are named. Or if too many rows deviate.
    """
    predictions, index, report = _predictions(run, frame, max_deviating_share)
    return labels_of(run.task, predictions, index), report


def predict_proba(
    run: Run, frame: Any, *, max_deviating_share: float | None = None
) -> tuple[pd.DataFrame, SchemaReport]:
    """Predict probabilities: a column for each class, named by the label in the target's type.

    Raises
    ------
    InputError
        If the task is a regression.
    SchemaError
        As `predict`.
    """
    if not run.task.kind.is_classification:
        raise InputError(
            f"'{run.task.target}' is a number (regression), which has no classes. Use predict instead."
        )
    predictions, index, report = _predictions(run, frame, max_deviating_share)
    return probabilities_of(run.task, predictions, index), report


def labels_of(task: Task, predictions: FloatArray, index: pd.Index) -> "pd.Series[Any]":
    """Return predictions of shape (n, n_outputs) as a Series in the type of the task."""
    if task.kind.is_classification:
        labels = task.labels(predicted_codes(predictions), index)
    else:
        labels = task.values(predictions[:, 0], index)
    labels.name = task.target
    return labels


def probabilities_of(task: Task, predictions: FloatArray, index: pd.Index) -> pd.DataFrame:
    """Return predictions of shape (n, n_outputs) as a frame with a column for each class."""
    if predictions.shape[1] == 1:
        predictions = np.column_stack([1.0 - predictions[:, 0], predictions[:, 0]])
    return pd.DataFrame(predictions, index=index, columns=pd.Index(_classes(task)))


def class_labels(task: Task) -> tuple[Any, ...]:
    """Return the labels of the classes as the target has them; none for regression.

    The record of a task keeps some as text, such as durations.
    """
    return tuple(_classes(task).tolist()) if task.classes else ()


def _classes(task: Task) -> "pd.Series[Any]":
    return task.labels(np.arange(len(task.classes)), pd.RangeIndex(len(task.classes)))


def ensemble_predictions(
    run: Run, frame: pd.DataFrame, max_deviating_share: float | None = None
) -> tuple[FloatArray, SchemaReport]:
    """Return predictions of a pandas frame, shape (n, n_outputs), and the schema report."""
    table, report = canonicalise(frame, run.schema)
    check_deviating_share(report, max_deviating_share)
    if table.n_rows == 0:
        return np.empty((0, run.task.n_outputs)), report
    return predict_ensemble(run.fitted, table), report


def _predictions(
    run: Run, frame: Any, max_deviating_share: float | None
) -> tuple[FloatArray, pd.Index, SchemaReport]:
    table = to_pandas(frame)
    predictions, report = ensemble_predictions(run, table, max_deviating_share)
    return predictions, table.index, report
