"""A target in any form is an array of one dimension in numpy's own type, complete."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.exceptions import DataConversionWarning

from tabular_automl.core.errors import InputError
from tabular_automl.estimators.targets import read_target


@pytest.mark.parametrize(
    ("y", "dtype"),
    [
        ([1, 2], "int64"),
        (np.array([1, 2], dtype=np.int8), "int8"),
        (np.array([1.5, 2], dtype=np.float32), "float32"),
        (np.array(["a", "bc"]), "<U2"),
        (np.array(["a", "b"], dtype=object), "object"),
        (np.array([True, False]), "bool"),
        (np.array([True, False], dtype=object), "bool"),
        (np.array([1, 2], dtype=object), "int64"),
        (pd.Series([1, 2], dtype="Int64"), "int64"),
        (pd.Series([1, 2], dtype="Float64"), "float64"),
        (pd.Series([1, 2], dtype="int64[pyarrow]"), "int64"),
        (pd.Series([True, False], dtype="boolean"), "bool"),
        (pd.Series(["a", "b"], dtype="category"), "object"),
        (pd.Series([1, 2], dtype="category"), "int64"),
        (pd.Series(["a", "b"], dtype="string"), "object"),
        (pl.Series([1, 2]), "int64"),
        (pd.DataFrame({"y": [1.0, 2.0]}), "float64"),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
def test_values_and_types_stay(y, dtype):
    read = read_target(y)
    assert read.dtype == dtype
    assert read.tolist() == (y["y"].tolist() if isinstance(y, pd.DataFrame) else list(y))


def test_a_column_is_taken_with_the_warning_of_scikit_learn():
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed"):
        assert read_target(np.array([[1], [2]])).shape == (2,)


def test_several_columns_are_refused():
    with pytest.raises(ValueError, match="y should be a 1d array"):
        read_target(np.zeros((3, 2)))


@pytest.mark.parametrize(
    "y",
    [
        [1.0, 2.0, np.nan],
        np.array(["a", "b", None], dtype=object),
        pd.Series([1, 2, None], dtype="Int64"),
        pd.Series(["a", "b", None], dtype="category"),
        pd.Series(["a", "b", None], dtype="string"),
        pl.Series([1, 2, None]),
    ],
)
def test_missing_values_are_counted_and_located(y):
    with pytest.raises(InputError, match=r"missing in 1 of 3 rows, the first is row 2\. Drop"):
        read_target(y)
