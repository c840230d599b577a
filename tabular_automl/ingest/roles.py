"""Split a frame into features and what the columns named by the user stand for."""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabular_automl.core.errors import InputError
from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.options import Options
from tabular_automl.core.schema import Finding, Severity
from tabular_automl.ingest.cells import Cells, Form, read_cells
from tabular_automl.ingest.frames import shown_name
from tabular_automl.preprocessing.parsing import guess_rule, parse_texts


@dataclass(frozen=True, eq=False)
class Roles:
    """The parts a training table is split into.

    Attributes
    ----------
    features
        The columns that may become features.
    target
        The target column.
    weight, groups, time
        As given: one value a row, or None.
    names
        Columns that were taken out of the features.
    """

    features: pd.DataFrame
    target: "pd.Series[Any]"
    weight: "pd.Series[Any] | None"
    groups: "pd.Series[Any] | None"
    time: "pd.Series[Any] | None"
    names: tuple[Any, ...]


def check_names(frame: pd.DataFrame, options: Options) -> list[Finding]:
    """Find target, weight, groups and time columns that are not there, and offer the nearest name."""
    found = _check_name(frame, options.target, "Target", required=True)
    for role, value in (
        ("weight", options.weight),
        ("groups", options.groups),
        ("time_column", options.time_column),
    ):
        found += _check_name(frame, value, role)
        if not found and _is_name(value) and value == options.target:
            name = str(options.target)
            message = f"{role} and target are the same column, {name!r}."
            way_out = f"Give each its own column, or leave {role} out."
            found.append(Finding("role_is_target", Severity.ERROR, message, way_out, name))
    return found


def named_features(options: Options) -> tuple[Any, ...]:
    """Return the names of the feature columns that the user speaks of: in the schema, or as the time."""
    in_time = (options.time_column,) if _is_name(options.time_column) else ()
    return (*options.kinds, *in_time)


def split_roles(frame: pd.DataFrame, options: Options) -> Roles:
    """Split a frame whose names `check_names` found to be all there.

    The weight and groups columns leave the features; the time column stays one.

    Raises
    ------
    InputError
        If what is given for a role is not one value a row.
    """
    named = [value for value in (options.weight, options.groups) if _is_name(value)]
    leaving = list(dict.fromkeys([options.target, *named]))
    return Roles(
        features=frame.drop(columns=leaving),
        target=frame[options.target],
        weight=_role(frame, options.weight, "weight"),
        groups=_role(frame, options.groups, "groups"),
        time=_role(frame, options.time_column, "time_column"),
        names=tuple(leaving),
    )


def check_existing(existing: Any, n_rows: int, index: pd.Index | None = None) -> None:
    """Refuse predictions of an existing system that are not one a training row, or indexed otherwise.

    Raises
    ------
    InputError
        If their number or their index is another.
    """
    if existing is None:
        return
    n_given = len(existing) if hasattr(existing, "__len__") else 1
    if n_given != n_rows:
        raise InputError(
            f"existing has {n_given:,} predictions for {n_rows:,} training rows. Pass one a training row, "
            "empty where there is none."
        )
    if index is not None and isinstance(existing, pd.Series | pd.DataFrame):
        _check_index(existing, index, "existing")


def row_weights(weight: "pd.Series[Any] | None") -> FloatArray | None:
    """Return weights of mean 1, or None where all rows count alike.

    Raises
    ------
    InputError
        If a weight is missing, infinite or negative, is no number, or all are zero.
    """
    if weight is None:
        return None
    values = _as_numbers(weight, "weight")
    for what, bad in (
        ("missing or infinite", ~np.isfinite(values)),
        ("negative", values < 0),
    ):
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise InputError(
                f"{int(bad.sum())} weights are {what}, the first in row {row} ({weight.iloc[row]}). "
                "Weights must be numbers from 0 up; give rows that should not count a weight of 0."
            )
    if not values.any():
        raise InputError("All weights are zero. Give at least some rows a weight above 0.")
    scaled = values / values.mean()
    return None if np.ptp(scaled) == 0 else scaled


def row_groups(groups: "pd.Series[Any] | None") -> NDArray[np.intp] | None:
    """Return group numbers; a row whose group is missing is a group of its own."""
    if groups is None:
        return None
    codes, levels = read_cells(groups, "groups").texts()
    alone = codes < 0
    return np.where(alone, len(levels) + np.cumsum(alone), codes).astype(np.intp)


def row_times(time: "pd.Series[Any] | None") -> FloatArray | None:
    """Return times as numbers that can be ordered.

    Raises
    ------
    InputError
        If a time is missing or is neither a date nor a number.
    """
    if time is None:
        return None
    values = _as_numbers(time, "time_column")
    bad = ~np.isfinite(values)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InputError(
            f"{int(bad.sum())} rows of time_column have no readable time, the first is row {row} "
            f"({time.iloc[row]}). Fill or drop them."
        )
    return values


def _as_numbers(series: "pd.Series[Any]", role: str) -> FloatArray:
    cells: Cells = read_cells(series, role)
    if cells.form is not Form.TEXT:
        return cells.numbers()
    codes, levels = cells.texts()
    rule = guess_rule(levels, np.bincount(codes[codes >= 0], minlength=len(levels)))
    if rule is None:
        raise InputError(f"{role} holds text such as {str(series.iloc[0])!r}. Give numbers{_or_dates(role)}.")
    return np.append(parse_texts(levels, rule), np.nan)[codes]


def _or_dates(role: str) -> str:
    return " or dates" if role == "time_column" else ""


def _is_name(value: object) -> bool:
    return value is not None and isinstance(value, str | int | float | tuple)


def _is_hashable(value: object) -> bool:
    return getattr(value, "__hash__", None) is not None and not isinstance(value, tuple | pd.Index)


def _check_name(frame: pd.DataFrame, value: Any, role: str, *, required: bool = False) -> list[Finding]:
    if not required and not _is_name(value):
        return []
    # Among texts, pandas takes None for a column named nan.
    if _is_hashable(value) and value in list(frame.columns):
        return []
    names = {str(name): name for name in frame.columns}
    near = get_close_matches(str(value), names, n=1, cutoff=0.5)
    shown = ", ".join(map(shown_name, list(names.values())[:20])) + (", …" if len(names) > 20 else "")
    way_out = f"Did you mean {shown_name(names[near[0]])}?" if near else f"The columns are: {shown}."
    if _is_hashable(value):
        message = f"{role} {shown_name(value)} is not a column of df."
    else:
        message = f"{role} must be the name of a column of df, not a {type(value).__name__}."
    return [Finding("unknown_column", Severity.ERROR, message, way_out, str(value))]


def _role(frame: pd.DataFrame, value: Any, role: str) -> "pd.Series[Any] | None":
    if value is None:
        return None
    if _is_name(value):
        column: pd.Series[Any] = frame[value]
        return column
    series = _series(value, role)
    if len(series) != len(frame):
        raise InputError(f"{role} has {len(series)} values for {len(frame)} rows. Give one a row.")
    if isinstance(value, pd.Series | pd.DataFrame):
        _check_index(value, frame.index, role)
    return series


def _series(value: Any, role: str) -> "pd.Series[Any]":
    """Return values given for a role; a frame or an array of one column will do."""
    plain = value.to_pandas() if hasattr(value, "to_pandas") else value
    if isinstance(plain, pd.Series):
        return plain
    try:
        values: Any = plain if isinstance(plain, pd.DataFrame | pd.Index) else np.asarray(plain)
    except ValueError as error:  # lists of several lengths
        raise InputError(f"{role} is not one value a row: {str(error).rstrip('.')}.") from error
    if values.ndim == 2 and values.shape[1] == 1:
        return pd.Series(values.iloc[:, 0] if isinstance(values, pd.DataFrame) else values[:, 0])
    if values.ndim != 1:
        what = f"has {values.shape[1]} columns" if values.ndim == 2 else f"is a {type(value).__name__}"
        raise InputError(f"{role} {what}. Give the name of a column of df, or one value a row.")
    return pd.Series(values)


def _check_index(given: "pd.Series[Any] | pd.DataFrame", index: pd.Index, role: str) -> None:
    if not given.index.equals(index):
        raise InputError(
            f"The index of {role} differs from that of df, so that rows could be mixed up. Align them, "
            f"or pass {role}.to_numpy() to go by position."
        )
