"""Columns of every pandas type, sparse ones, and cells that are no scalars."""

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse as sp
from bad_input_rows import FIT, PREDICT, SCORE, covers  # type: ignore[import-not-found]
from front_door import cells_of, column_of, counted, found, small_table  # type: ignore[import-not-found]

from tabular_automl.core.schema import Kind

N = 80
TEXT_TYPES = {
    "str": "str",
    "string[pyarrow]": "string[pyarrow]",
    "string[python]": "string[python]",
    "object": object,
    "Arrow string": pd.ArrowDtype(pa.string()),
    "Arrow large string": pd.ArrowDtype(pa.large_string()),
}
CATEGORY_TYPES = {
    "category": pd.CategoricalDtype(),
    "unused levels": pd.CategoricalDtype(["Bonn", "Lima", "Oslo", "Rome"]),
    "ordered levels": pd.CategoricalDtype(["Lima", "Oslo", "Rome", "Zug"], ordered=True),
    "Arrow dictionary": pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string())),
}
NUMBER_TYPES = {
    "Int64": "Int64",
    "Float64": "Float64",
    "Arrow numbers": "double[pyarrow]",
    "Arrow integers": "int64[pyarrow]",
    "Arrow decimals": pd.ArrowDtype(pa.decimal128(10, 2)),
    "int8": "int8",
    "uint16": "uint16",
    "float32": "float32",
    "object": object,
}
BOOLEAN_TYPES = {"boolean": "boolean", "Arrow bool": "bool[pyarrow]", "object": object}


@pytest.fixture(scope="module")
def gappy(door):
    """A model of plain types, every ninth city, room and garden missing."""
    table = plain_types()
    return table, door.fit(table)


def plain_types() -> pd.DataFrame:
    table: Any = small_table().assign(garden=np.arange(N) % 5 < 2)
    table["city"] = table["city"].astype(object).mask(table.index % 9 == 0)
    table["rooms"] = table["rooms"].astype(float).mask(table.index % 9 == 0)
    table["garden"] = table["garden"].astype(object).mask(table.index % 9 == 0)
    return table


def as_type(table: Any, name: str, dtype) -> pd.DataFrame:
    if isinstance(dtype, str) and dtype in {"int8", "uint16"}:  # which cannot miss a cell
        return table.assign(**{name: table[name].fillna(1).astype(dtype)})
    return table.assign(**{name: table[name].astype(dtype)})


def check_same_model(door, gappy, table: pd.DataFrame) -> None:
    """Fit, predict and score in another type what the plain model knows."""
    plain, plain_model = gappy
    expected = door.numbers(plain_model, plain)
    np.testing.assert_array_equal(door.numbers(plain_model, table), expected)
    assert set(counted(plain_model.schema_report_)) <= {("rooms", "changed_dtype")}
    np.testing.assert_allclose(door.score(plain_model, table)[0], expected, rtol=1e-9)
    model = door.fit(table)
    np.testing.assert_array_equal(door.numbers(model, table), expected)
    assert counted(model.schema_report_) == {}
    scored, deviations = door.score(model, table, chunk_rows=33)
    np.testing.assert_allclose(scored, expected, rtol=1e-9)
    assert deviations == {}
    np.testing.assert_allclose(door.score(model, plain.to_csv(index=False))[0], expected, rtol=1e-9)


@covers("types of columns", FIT, PREDICT, SCORE)
@pytest.mark.parametrize("kind", TEXT_TYPES)
def test_text_of_every_type_is_one_model(door, gappy, kind: str) -> None:
    check_same_model(door, gappy, as_type(gappy[0], "city", TEXT_TYPES[kind]))


@covers("types of columns", FIT, PREDICT, SCORE)
@pytest.mark.parametrize("kind", CATEGORY_TYPES)
def test_categories_of_every_type_are_one_model(door, gappy, kind: str) -> None:
    table = as_type(gappy[0], "city", CATEGORY_TYPES[kind])
    check_same_model(door, gappy, table)
    assert column_of(door.fit(table), "city").categories == ("Lima", "Oslo", "Rome")


@covers("types of columns", FIT, PREDICT, SCORE)
@pytest.mark.parametrize("kind", NUMBER_TYPES)
def test_numbers_of_every_type_are_one_model(door, gappy, kind: str) -> None:
    table = as_type(gappy[0], "rooms", NUMBER_TYPES[kind])
    if kind in {"int8", "uint16"}:
        filled = gappy[0].assign(rooms=gappy[0]["rooms"].fillna(1))
        gappy = filled, door.fit(filled)
    check_same_model(door, gappy, table)


@covers("types of columns", FIT, PREDICT, SCORE)
@pytest.mark.parametrize("kind", BOOLEAN_TYPES)
def test_truths_of_every_type_are_one_model(door, gappy, kind: str) -> None:
    check_same_model(door, gappy, as_type(gappy[0], "garden", BOOLEAN_TYPES[kind]))


@covers("types of columns", FIT, PREDICT)
def test_the_order_of_levels_is_the_users(door, table: pd.DataFrame) -> None:
    """Where a person has ordered levels, they keep their order, in the model as well."""
    levels = ["Rome", "Lima", "Zug", "Oslo"]
    table["city"] = pd.Categorical(table["city"], categories=levels, ordered=True)
    model = door.fit(table)
    assert column_of(model, "city").categories == ("Rome", "Lima", "Oslo")
    assert cells_of(model, table.assign(city="Zug"), "city") == [None] * N


# Sparse columns.


def sparse_table() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a table with sparse columns, and the same one dense."""
    table = small_table()
    dense = table.assign(
        zeros=np.where(table["size"] > 1, table["size"], 0.0),
        gaps=np.where(table["size"] > 0, table["size"], np.nan),
        flags=table["rooms"] > 30,
        counts=np.where(table["rooms"] > 30, table["rooms"], 0),
    )
    sparse = dense.assign(
        zeros=pd.arrays.SparseArray(dense["zeros"], fill_value=0.0),
        gaps=pd.arrays.SparseArray(dense["gaps"]),
        flags=pd.arrays.SparseArray(dense["flags"], fill_value=False),
        counts=pd.arrays.SparseArray(dense["counts"], fill_value=0),
    )
    return sparse, dense


@covers("cells that are no scalars", FIT, PREDICT, SCORE)
def test_sparse_columns_are_read_as_dense_ones(door) -> None:
    """To be sparse is a way of storing, no other content."""
    sparse, dense = sparse_table()
    model, same = door.fit(sparse), door.fit(dense)
    expected = door.numbers(same, dense)
    for each, rows in ((model, sparse), (model, dense), (same, sparse)):
        np.testing.assert_array_equal(door.numbers(each, rows), expected)
        assert counted(each.schema_report_) == {}
    for file in (dense, sparse.to_csv(index=False)):
        np.testing.assert_allclose(door.score(model, file)[0], expected, rtol=1e-9)


@covers("cells that are no scalars", FIT, PREDICT)
def test_a_sparse_matrix_is_told_how_to_become_a_table(door, plain) -> None:
    matrix = sp.random(N, 5, density=0.5, format="csr", random_state=0)
    match = "df is a csr_matrix, a sparse matrix without column names. Pass pd.DataFrame.sparse.from_spmatrix"
    door.refuses(matrix, match)
    door.refuses_to_predict(plain, matrix, match)
    names = ["a", "b", "c", "d", "e"]
    sparse: Any = pd.DataFrame.sparse
    frame = sparse.from_spmatrix(matrix, columns=names).assign(label=small_table()["label"])
    assert [column.name for column in door.fit(frame).run.schema.features] == names


# Cells that are no scalars.

NO_SCALARS = {
    "list": [1, 2],
    "dict": {"a": 1},
    "bytes": b"x",
    "array": np.zeros(2),
    "set": {1},
    "tuple": (1, 2),
    "object": object(),
    "frame": pd.DataFrame({"a": [1]}),
}


def with_cell(table: pd.DataFrame, value: object, *, everywhere: bool) -> pd.DataFrame:
    cells = table["city"].astype(object).to_numpy().copy()
    for row in range(len(cells)) if everywhere else [17]:
        cells[row] = value
    return table.assign(city=pd.Series(cells, index=table.index, dtype=object))


@covers("cells that are no scalars", FIT, PREDICT)
@pytest.mark.parametrize("everywhere", [True, False], ids=["every cell", "one cell"])
@pytest.mark.parametrize("kind", NO_SCALARS)
def test_an_error_names_the_column_and_the_cell(door, plain, kind: str, *, everywhere: bool) -> None:
    value = NO_SCALARS[kind]
    table = with_cell(small_table(), value, everywhere=everywhere)
    match = f"Column 'city' holds {type(value).__name__} cells such as (.|\n)*neither numbers, text nor dates"
    door.refuses(table, match)
    door.refuses_to_predict(plain, table, match)


@covers("cells that are no scalars", FIT, SCORE)
@pytest.mark.parametrize(
    ("cell", "kind"),
    [([1, 2], "list|ndarray"), ({"a": 1}, "dict"), (b"x", "bytes")],
    ids=["list", "dict", "bytes"],
)
def test_parquet_with_such_cells_is_refused(door, plain, cell: object, kind: str) -> None:
    table = with_cell(small_table(), cell, everywhere=True)
    match = f"Column 'city' holds ({kind}) cells"
    door.refuses_to_score(plain, table, match)
    door.refuses_to_fit_file(table, match)


@covers("cells that are no scalars", FIT)
def test_all_such_columns_are_told_at_once(door, table: pd.DataFrame) -> None:
    table = with_cell(table, [1], everywhere=True).assign(raw=b"x")
    door.refuses(table, r"2 things must be put right first:(.|\n)*'city' holds list(.|\n)*'raw' holds bytes")


@covers("cells that are no scalars", PREDICT)
def test_columns_that_are_not_needed_may_hold_anything(door, plain, table: pd.DataFrame) -> None:
    rows = with_cell(table.assign(note=1), [1], everywhere=True).rename(columns={"city": "more"})
    rows["city"] = table["city"]
    np.testing.assert_array_equal(door.numbers(plain, rows), door.numbers(plain, table))


@covers("types of columns", FIT, PREDICT)
def test_times_of_day_are_durations(door, table: Any) -> None:
    """They are counted from midnight."""
    table["opens"] = [dt.time(place % 12, 30) for place in range(N)]
    model = door.fit(table)
    assert column_of(model, "opens").kind is Kind.NUMERIC
    assert cells_of(model, table, "opens")[:2] == [1800.0, 5400.0]
    assert ("parsed_text", "opens") in found(model)
