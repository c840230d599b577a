"""Whatever scikit-learn accepts as ``y``, as an array of one dimension."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import column_or_1d

from tabular_automl.core.errors import InputError


def read_target(y: Any) -> NDArray[Any]:
    """Return a target as an array of numpy's own type: labels keep theirs, ``Int64`` becomes int64.

    A column of shape (n_rows, 1) is taken with scikit-learn's warning.

    Parameters
    ----------
    y
        Array, list, or Series or frame of one column.

    Raises
    ------
    ValueError
        With scikit-learn's own words if it has several columns; `InputError` if values are missing or
        infinite.
    """
    if isinstance(y, pd.Series) and pd.api.types.is_extension_array_dtype(y.dtype):
        y = y.astype(object).to_numpy()  # scikit-learn would turn whole numbers and truth values into floats
    values = np.asarray(column_or_1d(y, warn=True))
    missing = pd.isna(values)
    infinite = np.isinf(values) if values.dtype.kind == "f" else np.zeros_like(missing)
    for what, unusable in (("missing", missing), ("infinite", infinite)):
        if unusable.any():
            raise InputError(
                f"y is {what} in {int(unusable.sum())} of {len(values)} rows, the first is row "
                f"{int(np.flatnonzero(unusable)[0])}. Drop them from X and y."
            )
    return pd.Series(values).infer_objects().to_numpy() if values.dtype == object else values
