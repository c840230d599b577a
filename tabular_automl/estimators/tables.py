"""Whatever scikit-learn accepts as ``X``, as the pandas frame that the engine reads."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils import check_array

from tabular_automl.core.errors import InputError
from tabular_automl.core.memory import memory_limit
from tabular_automl.ingest import to_pandas
from tabular_automl.ingest.checks import check_frame, raise_errors

DENSE_SHARE = 0.25
"""The engine holds a table a few times over, so a quarter of the memory is what one copy may take."""


def read_features(X: Any, estimator: BaseEstimator, *, min_rows: int) -> pd.DataFrame:
    """Return features as a pandas frame; frames keep their columns, those of arrays are numbered from 0.

    Parameters
    ----------
    X
        A frame of any library that narwhals knows, or an array, list or sparse matrix of two dimensions.
        Not changed.
    estimator
        Named in scikit-learn's messages.
    min_rows
        How many rows an array must have.

    Raises
    ------
    ValueError
        With scikit-learn's own words if an array has the wrong shape or complex numbers; `InputError` if it
        is no table, or a sparse one that would be too large for memory.
    """
    if hasattr(type(X), "columns"):  # of a lazy frame itself that would run the query
        frame = to_pandas(X)
        # scikit-learn knows columns by name, so this comes before it looks at them.
        raise_errors(found for found in check_frame(frame, X) if found.check == "duplicate_column")
        return frame
    array = check_array(
        X,
        accept_sparse=True,
        dtype=None,
        ensure_all_finite=False,
        ensure_min_samples=min_rows,
        estimator=estimator,
        input_name="X",
    )
    return pd.DataFrame(_dense(array) if issparse(array) else array)


def in_order_of(frame: pd.DataFrame, names: list[Any]) -> pd.DataFrame:
    """Return the columns in the order of ``names`` where a frame has just these; else the frame as it is."""
    given = list(frame.columns)
    is_reordered = given != names and len(given) == len(names) and set(given) == set(names)
    return frame[names] if is_reordered else frame


def check_same_rows(X: Any, others: Mapping[str, Any]) -> None:
    """Refuse values whose index tells that they belong to other rows than those of ``X``.

    Like scikit-learn we go by position. An index that pandas has numbered by itself says nothing; but two
    that were set, or come from the same larger table, and differ mean that rows would be mixed up.

    Raises
    ------
    InputError
        If so.
    """
    if not isinstance(X, pd.DataFrame) or _is_default(X.index):
        return
    for name, values in others.items():
        if not isinstance(values, pd.Series | pd.DataFrame) or _is_default(values.index):
            continue
        if len(values) == len(X) and not values.index.equals(X.index):
            raise InputError(
                f"The index of {name} differs from that of X, so that rows could be mixed up. Align them, as "
                f"by {name}.loc[X.index], or pass {name}.to_numpy() to go by position."
            )


def with_target(X: pd.DataFrame, y: Any, values: NDArray[Any]) -> tuple[pd.DataFrame, str]:
    """Return the features with the target beside them, and the target's name: that of ``y`` if it is free."""
    taken = {str(column) for column in X.columns}
    wanted = getattr(y, "name", None)
    name = wanted if isinstance(wanted, str) and wanted else "target"
    while name in taken:
        name += "_"
    return pd.concat([X, pd.Series(values, index=X.index, name=name)], axis=1), name


def _is_default(index: pd.Index) -> bool:
    return isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1


def _dense(matrix: Any) -> NDArray[Any]:
    n_rows, n_columns = matrix.shape
    needed, memory = 8 * n_rows * n_columns, memory_limit()
    if memory is not None and needed > DENSE_SHARE * memory:
        raise InputError(
            f"X is a sparse matrix of {n_rows:,} rows and {n_columns:,} columns, which would take "
            f"{needed / 2**30:,.1f} GiB as the dense table that is needed; a quarter of the memory of "
            f"{memory / 2**30:,.1f} GiB is allowed. Reduce its columns, as by TruncatedSVD or SelectKBest; "
            "to predict, pass fewer rows at a time."
        )
    return np.asarray(matrix.toarray())
