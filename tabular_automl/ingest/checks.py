"""Checks of the table as a whole and of the target, before any time is spent."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabular_automl.core.errors import InputError
from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.schema import Finding, Schema, SchemaReport, Severity
from tabular_automl.core.task import Task
from tabular_automl.ingest.cells import UnreadableCellsError, read_cells
from tabular_automl.ingest.target_cells import missing_and_infinite

MIN_ROWS = 10
"""Fewer rows leave nothing to hold out."""

RARE_CLASS_ROWS = 8
"""A class with fewer rows is not in every fold."""


def raise_errors(findings: Iterable[Finding], *, strict: bool = False) -> None:
    """Raise one error that tells all findings which stop the run.

    Raises
    ------
    InputError
        If there is an error among the findings, or (``strict``) a warning.
    """
    stopping = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    messages = [str(finding) for finding in findings if finding.severity in stopping]
    if len(messages) == 1:
        raise InputError(messages[0])
    if messages:
        lines = "\n".join(f"  {number}. {message}" for number, message in enumerate(messages, 1))
        raise InputError(f"{len(messages)} things must be put right first:\n{lines}")


def check_frame(frame: pd.DataFrame, given: Any = None) -> list[Finding]:
    """Check that there are rows and columns, and that no two columns have one name.

    ``given`` is the caller's table: where its names had levels, an error says that they were joined.
    """
    found = []
    n_rows, n_columns = frame.shape
    if n_columns == 0:
        found.append(
            _error("empty_frame", "df has no columns.", "Pass a table with the target and features.")
        )
    elif n_rows < MIN_ROWS:
        message = (
            f"df is empty: it has {n_columns} columns but no rows."
            if n_rows == 0
            else f"df has {n_rows} rows only."
        )
        found.append(_error("empty_frame", message, f"At least {MIN_ROWS} rows are needed."))
    names = list(frame.columns)
    for name, count in Counter(names).items():
        if count > 1:
            places = [str(place) for place, other in enumerate(names) if other == name]
            message = f"Column {str(name)!r} appears {count} times, at positions {', '.join(places)}."
            is_joined = isinstance(getattr(given, "columns", None), pd.MultiIndex)
            way_out = (
                "Names of several levels were joined by '_'. " * is_joined + "Rename or drop all but one."
            )
            found.append(_error("duplicate_column", message, way_out, str(name)))
    return found


def check_target(target: "pd.Series[Any]", name: object) -> list[Finding]:
    """Check that the target is complete, finite and not constant."""
    text = str(name)
    try:
        cells = read_cells(target, name)
    except UnreadableCellsError as error:
        return [_error("unreadable_target", str(error), "", text)]
    values = cells.codes if cells.codes is not None else cells.numbers()
    missing, infinite = missing_and_infinite(cells)
    found = []
    if missing.any():
        first = int(np.flatnonzero(missing)[0])
        message = f"Target {text!r} is missing in {_counted(target, missing)}."
        way_out = "Fill them, or leave these rows out: missing_target='drop'."
        if isinstance(target.iloc[first], str) and target.iloc[first].strip():
            way_out += f" If {target.iloc[first]!r} is a class, make the target a category."
        found.append(_error("missing_target", message, way_out, text))
    if infinite.any():
        message = f"Target {text!r} is infinite in {_counted(target, infinite)}."
        way_out = "Give them a number, or leave these rows out: missing_target='drop'."
        found.append(_error("infinite_target", message, way_out, text))
    distinct = pd.unique(values[~missing])
    if len(distinct) == 1 and len(values) > 1:
        message = f"Target {text!r} is constant: every row is {target[~missing].tolist()[0]!r}."
        found.append(
            _error("constant_target", message, "There is nothing to learn; choose another target.", text)
        )
    return found


def _counted(target: "pd.Series[Any]", rows: NDArray[np.bool_]) -> str:
    first = int(np.flatnonzero(rows)[0])
    cell = target.iloc[first]
    shown = repr(cell) if isinstance(cell, str) else str(cell)
    return f"{int(rows.sum())} of {len(rows)} rows, the first is row {first} ({shown})"


def check_weighted_target(task: Task, y: FloatArray, weight: FloatArray | None) -> list[Finding]:
    """Check that the target is not constant in the rows that count."""
    if weight is None or np.ptp(y[weight > 0]) > 0:
        return []
    counting = y[weight > 0]
    value = task.classes[int(counting[0])] if task.kind.is_classification else float(counting[0])
    holds = "holds one class" if task.kind.is_classification else "is constant"
    message = f"Target {str(task.target)!r} {holds} in the rows with a weight above 0: each is {value!r}."
    way_out = "There is nothing to learn; give rows with another target some weight, too."
    return [_error("constant_target", message, way_out, str(task.target))]


def check_classes(task: Task, y: FloatArray, weight: FloatArray | None) -> list[Finding]:
    """Find classes with so few rows that count that not every fold holds one out."""
    if not task.kind.is_classification:
        return []
    counting = y if weight is None else y[weight > 0]
    counts = np.bincount(counting.astype(np.intp), minlength=len(task.classes))
    rare = [
        f"{str(label)!r} ({count})"
        for label, count in zip(task.classes, counts, strict=True)
        if count < RARE_CLASS_ROWS
    ]
    if not rare:
        return []
    shown = ", ".join(rare[:5]) + (f" and {len(rare) - 5} more" if len(rare) > 5 else "")
    rows = f"{RARE_CLASS_ROWS} rows" if weight is None else f"{RARE_CLASS_ROWS} rows with a weight above 0"
    message = f"Target {str(task.target)!r} has classes in fewer than {rows}: {shown}."
    way_out = "Expect little from them; collect more rows, merge or drop them."
    return [Finding("rare_class", Severity.WARNING, message, way_out, str(task.target))]


def check_cells(report: SchemaReport) -> list[Finding]:
    """Turn what became missing at training (infinities, unparseable cells) into warnings."""
    words = {"infinite": "infinite", "unparseable": "not readable like the rest of the column"}
    found = []
    for deviation in report.deviations:
        if deviation.what in words:
            share = deviation.n_rows / max(report.n_rows, 1)
            message = (
                f"Column {deviation.column!r} has {deviation.n_rows} cells ({share:.2%}) that are "
                f"{words[deviation.what]}, such as {', '.join(map(repr, deviation.examples))}. They are "
                "taken for missing."
            )
            check = f"{deviation.what}_values"
            way_out = "Replace them if they mean something else."
            found.append(Finding(check, Severity.WARNING, message, way_out, deviation.column))
    return found


def check_features(schema: Schema, n_rows: int) -> list[Finding]:
    """Warn when no column is left to learn from; say so when there are more columns than rows."""
    n_features = len(schema.features)
    if n_features > n_rows:
        message = f"df has more feature columns ({n_features:,}) than rows ({n_rows:,})."
        way_out = "Some look useful by chance alone then: trust the expected score, not single columns."
        return [Finding("more_columns_than_rows", Severity.NOTICE, message, way_out)]
    if n_features:
        return []
    what = (
        "df has no column besides the target"
        if not len(schema)
        else f"None of the {len(schema)} columns is usable"
    )
    message = f"{what}, so every row will get the same prediction."
    way_out = (
        "If the file was read with a wrong delimiter, read it yourself and pass the frame; else add features."
    )
    return [Finding("no_features", Severity.WARNING, message, way_out)]


def read_all_cells(
    frame: pd.DataFrame, numbers: Iterable[int] | None = None
) -> tuple[dict[str, Any], list[Finding]]:
    """Read every column's cells, by internal id; columns that cannot be read are findings.

    ``numbers`` are those of the ids, by default the columns' positions.
    """
    cells, found = {}, []
    names: Sequence[object] = list(frame.columns)
    for place, number in enumerate(range(len(names)) if numbers is None else numbers):
        name = names[place]
        try:
            cells[f"c{number}"] = read_cells(frame.iloc[:, place], name)
        except UnreadableCellsError as error:
            found.append(_error("unreadable_column", str(error), "", str(name)))
    return cells, found


def _error(check: str, message: str, way_out: str, column: str | None = None) -> Finding:
    return Finding(check, Severity.ERROR, message, way_out, column)
