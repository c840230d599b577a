"""The edge where foreign frames become pandas frames with plain column names."""

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tabular_automl.core.errors import InputError


def to_pandas(df: Any) -> pd.DataFrame:
    """Return a table as a pandas frame with plain column names; the caller's table is not changed.

    Parameters
    ----------
    df
        A pandas frame, or any frame narwhals knows (polars, Arrow, Modin…).

    Raises
    ------
    InputError
        If it is no table.
    """
    if isinstance(df, pd.DataFrame):
        return _plain_names(df)
    if is_path(df):
        raise InputError(
            f"{str(df)!r} is the path of a file, where a table is needed. Read it first (pd.read_csv, "
            "pd.read_parquet), or score the file with the command `tabular-automl score`."
        )
    if isinstance(df, np.ndarray | dict | list | pd.Series):
        raise InputError(
            f"df is a {type(df).__name__}, which has no column names of its own. Pass pd.DataFrame(df), "
            "with a name for each column."
        )
    if hasattr(df, "tocsr") and hasattr(df, "nnz"):
        raise InputError(
            f"df is a {type(df).__name__}, a sparse matrix without column names. Pass "
            "pd.DataFrame.sparse.from_spmatrix(df, columns=…)."
        )
    import narwhals as nw

    try:
        native = nw.from_native(df)
    except TypeError:
        raise InputError(
            f"df is a {type(df).__name__}, not a table. Pass a pandas, polars or Arrow frame (to fit, the "
            "path of a CSV or Parquet file will do, too)."
        ) from None
    eager = native.collect() if isinstance(native, nw.LazyFrame) else native
    return _plain_names(eager.to_pandas())


def is_path(df: object) -> bool:
    """Say whether a table is given as the path of a file."""
    return isinstance(df, str | Path)


def name_reader(df: Any, frame: pd.DataFrame) -> Callable[[Any], Any]:
    """Return a function from the caller's name of a column to its name in the frame that ``df`` was read as.

    Columns of a pandas frame may be named as they are there: by the tuple of their levels, or by what
    `to_pandas` turns into text, as points in time. Columns of a file may be named by text, as on a command
    line. Unknown names stay what they are, and so do arrays of values.
    """
    is_deep = isinstance(df, pd.DataFrame) and isinstance(df.columns, pd.MultiIndex)
    known: dict[Any, Any] = {}
    if isinstance(df, pd.DataFrame):
        known = dict(zip(df.columns, frame.columns, strict=True))
    elif is_path(df):
        known = {**{str(name): name for name in frame.columns}, **{name: name for name in frame.columns}}

    def read(name: Any) -> Any:
        if is_deep and isinstance(name, tuple):
            return _joined(name)
        try:
            return known.get(name, name)
        except TypeError:  # what has no hash is no name
            return name

    return read


def shown_name(name: object) -> str:
    """Return a column's name as messages show it: 2 and '2' are different names."""
    return repr(name if type(name) in {int, float} else str(name))


def _plain_names(frame: pd.DataFrame) -> pd.DataFrame:
    """Join the levels of a MultiIndex, and turn names that are neither text nor numbers into text."""
    if isinstance(frame.columns, pd.MultiIndex):
        names: list[Hashable] = [_joined(parts) for parts in frame.columns]
    else:
        names = [_plain_name(name) for name in frame.columns]
        if all(old is new for old, new in zip(frame.columns, names, strict=True)):
            return frame
    renamed = frame.copy(deep=False)
    renamed.columns = pd.Index(names, dtype=object)
    return renamed


def _joined(parts: tuple[Hashable, ...]) -> str:
    return "_".join(str(part) for part in parts if str(part))


def _plain_name(name: Hashable) -> Hashable:
    if isinstance(name, str | int | float) and not isinstance(name, bool | np.generic):
        return name
    if isinstance(name, np.integer | np.floating):
        return name.item()
    return str(name)
