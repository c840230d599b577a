"""Whatever scikit-learn accepts as `X` becomes the same frame; rows that could be mixed up are refused."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse

from tabular_automl import TabularClassifier
from tabular_automl.core.errors import InputError
from tabular_automl.estimators import tables
from tabular_automl.estimators.tables import check_same_rows, in_order_of, read_features, with_target

ESTIMATOR = TabularClassifier()
FRAME = pd.DataFrame({"size": [1.5, 0.0, 3.0], "town": ["Bonn", None, "Köln"]})


@pytest.mark.parametrize(
    "given", [FRAME, pl.from_pandas(FRAME), pl.from_pandas(FRAME).lazy(), pa.Table.from_pandas(FRAME)]
)
def test_frames_of_every_library_keep_names_and_values(given):
    read = read_features(given, ESTIMATOR, min_rows=1)
    assert list(read.columns) == ["size", "town"]
    assert read["size"].tolist() == [1.5, 0.0, 3.0]
    assert read["town"].isna().tolist() == [False, True, False]


@pytest.mark.parametrize("make", [np.asarray, list, sparse.csr_array, sparse.coo_matrix, sparse.dok_array])
def test_arrays_lists_and_sparse_matrices_get_numbers_for_names(make):
    values = [[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]]
    read = read_features(make(values), ESTIMATOR, min_rows=1)
    pd.testing.assert_frame_equal(read, pd.DataFrame(values))


def test_text_and_missing_cells_of_an_array_stay():
    read = read_features(np.array([["a", np.nan], ["b", 1.0]], dtype=object), ESTIMATOR, min_rows=1)
    assert read[0].tolist() == ["a", "b"]
    assert read[1].isna().tolist() == [True, False]


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (np.zeros(5), "Expected 2D array"),
        (np.zeros((5, 2, 2)), "Found array with dim 3"),
        (np.zeros((5, 0)), "0 feature"),
        (np.zeros((2, 1)), r"2 sample\(s\).*minimum of 3 is required by TabularClassifier"),
        (np.zeros((5, 2), dtype=complex), "Complex data not supported"),
        (pd.Series(np.zeros(5)), "Expected a 2-dimensional container"),
    ],
)
def test_what_is_no_table_is_refused_in_the_words_of_scikit_learn(X, words):
    with pytest.raises(ValueError, match=words):
        read_features(X, ESTIMATOR, min_rows=3)


def test_a_sparse_matrix_too_large_for_memory_is_refused_before_it_is_made_dense(monkeypatch):
    wide = sparse.csr_array((1000, 10**9), dtype=np.float32)
    monkeypatch.setattr(tables, "memory_limit", lambda: 2**34)
    with pytest.raises(
        InputError, match=r"1,000 rows and 1,000,000,000 columns, .* 7,450\.6 GiB.*TruncatedSVD"
    ):
        read_features(wide, ESTIMATOR, min_rows=1)
    monkeypatch.setattr(tables, "memory_limit", lambda: 8 * 4 * 100)
    read_features(sparse.csr_array(np.ones((10, 10))), ESTIMATOR, min_rows=1)
    with pytest.raises(InputError, match="10 rows and 11 columns"):
        read_features(sparse.csr_array(np.ones((10, 11))), ESTIMATOR, min_rows=1)


def test_columns_are_put_in_order_only_where_all_are_there():
    frame = pd.DataFrame(np.eye(3), columns=["a", "b", "c"])
    assert list(in_order_of(frame, ["c", "a", "b"]).columns) == ["c", "a", "b"]
    for other in (["a", "b"], ["a", "b", "d"], ["a", "b", "c", "c"]):
        assert in_order_of(frame, other) is frame


def test_indexes_that_were_set_and_differ_are_refused():
    X = pd.DataFrame({"a": [1, 2, 3]}, index=[7, 8, 9])
    shuffled = pd.Series([0, 1, 0], index=[9, 8, 7])
    with pytest.raises(InputError, match=r"index of groups differs from that of X.*groups\.to_numpy\(\)"):
        check_same_rows(X, {"y": shuffled.sort_index(), "groups": shuffled})


@pytest.mark.parametrize(
    "y", [pd.Series([0, 1, 0]), pd.Series([0, 1, 0], index=[7, 8, 9]), [0, 1, 0], None, pl.Series([0, 1, 0])]
)
def test_rows_go_by_position_where_no_index_speaks_against_it(y):
    X = pd.DataFrame({"a": [1, 2, 3]}, index=[7, 8, 9])
    check_same_rows(X, {"y": y})
    check_same_rows(X.reset_index(drop=True), {"y": y})
    check_same_rows(X.to_numpy(), {"y": y})


@pytest.mark.parametrize(
    ("y", "columns", "name"),
    [
        (pd.Series([1, 2], name="price"), ["a", "b"], "price"),
        (pd.Series([1, 2], name="a"), ["a", "b"], "a_"),
        (pd.Series([1, 2], name=("two", "levels")), ["a", "b"], "target"),
        ([1, 2], ["target", "target_"], "target__"),
        ([1, 2], [0, 1], "target"),
    ],
)
def test_the_target_has_a_name_of_its_own_beside_the_features(y, columns, name):
    X = pd.DataFrame([[5, 6], [7, 8]], columns=columns, index=[3, 3])
    table, target = with_target(X, y, np.array([1, 2]))
    assert target == name
    assert list(table.columns) == [*columns, name]
    assert table[name].tolist() == [1, 2]
    assert list(X.columns) == columns
