"""Columns that say nothing, in all rows or in those of one fold, and tables without columns."""

import numpy as np
import pandas as pd
import pytest
from bad_input_rows import FIT, PREDICT, SCORE, covers  # type: ignore[import-not-found]
from front_door import column_of, counted, found, small_table  # type: ignore[import-not-found]

from tabular_automl.core.schema import Kind, Severity

EMPTY = {
    "NaN": ("all missing", np.nan),
    "None": ("all missing", None),
    "NaT": ("all missing", pd.NaT),
    "blank": ("all missing", "  "),
    "NA": ("all missing", pd.NA),
    "number": ("constant", 3),
    "text": ("constant", "x"),
    "truth": ("constant", True),
    "day": ("constant", pd.Timestamp("2020-01-01")),
}


@pytest.fixture(scope="module")
def with_empty(door):
    return door.fit(small_table().assign(**{name: value for name, (_, value) in EMPTY.items()}))


@covers("empty columns", FIT)
@pytest.mark.parametrize("name", EMPTY)
def test_it_is_left_out_with_a_warning(with_empty, name: str) -> None:
    check = {"all missing": "all_missing_column", "constant": "constant_column"}[EMPTY[name][0]]
    message = found(with_empty, Severity.WARNING)[check, name]
    assert message.startswith(f"Column {name!r} is not used: every cell is ")
    assert column_of(with_empty, name).kind is Kind.CONSTANT


@covers("empty columns", PREDICT, SCORE)
def test_what_new_rows_hold_there_changes_nothing(door, plain, with_empty) -> None:
    rows = small_table()
    expected = door.numbers(plain, rows)
    for value in (np.nan, "new", 5, np.inf):
        new = rows.assign(**dict.fromkeys(EMPTY, value))
        np.testing.assert_array_equal(door.numbers(with_empty, new), expected)
        assert counted(with_empty.schema_report_) == {}
    assert (door.numbers(with_empty, rows) == expected).all()  # nor that they lack it
    scored, deviations = door.score(with_empty, rows.assign(NaN=1, text="y").to_csv(index=False))
    np.testing.assert_allclose(scored, expected, rtol=1e-9)
    assert deviations == {}


@covers("empty columns", FIT, PREDICT, SCORE)
@pytest.mark.parametrize("family", ["linear", "lightgbm"])
@pytest.mark.parametrize(
    "values",
    [
        pytest.param(lambda inside: np.where(inside, np.arange(80.0), np.nan), id="missing in a fold"),
        pytest.param(lambda inside: np.where(inside, np.arange(80.0), 1.0), id="constant in a fold"),
        pytest.param(lambda inside: pd.Series(list("abcd") * 20).where(inside), id="text"),
        pytest.param(lambda inside: pd.Series(pd.date_range("2020", periods=80)).where(inside), id="dates"),
    ],
)
def test_a_column_that_only_one_fold_holds(door, family: str, values) -> None:
    """Models of the other folds, or the one fold's own model, see nothing in it."""
    inside = np.arange(80) < 20
    rows = np.arange(80)
    folds = [(rows[rows // 20 != block], rows[rows // 20 == block]) for block in range(4)]
    table = small_table().assign(odd=values(inside))
    model = door.fit(table, families=[family], splitter=folds)
    predicted = door.numbers(model, table)
    assert np.isfinite(predicted).all()
    np.testing.assert_allclose(door.score(model, table)[0], predicted, rtol=1e-9)


@covers("no columns", FIT, PREDICT, SCORE)
@pytest.mark.parametrize(
    ("features", "said"),
    [
        pytest.param({"one": 1, "two": None}, "None of the 2 columns is usable", id="only constant"),
        pytest.param({}, "df has no column besides the target", id="only the target"),
    ],
)
def test_the_prior_predicts_with_a_warning(door, features: dict[str, object], said: str) -> None:
    table = small_table()[["label"]].assign(**features)
    model = door.fit(table)
    assert said in found(model, Severity.WARNING)["no_features", None]
    share = (table["label"] == "dear").mean()
    probabilities = model.predict_proba(table.drop(columns="label"))
    assert list(probabilities.columns) == ["cheap", "dear"]
    np.testing.assert_allclose(probabilities["dear"], share, atol=0.02)
    np.testing.assert_allclose(door.score(model, table.to_csv(index=False))[0], probabilities, rtol=1e-9)


@covers("no columns", FIT, PREDICT)
def test_no_columns_at_all_is_an_error(door, plain) -> None:
    door.refuses(small_table()[[]], "df has no columns. Pass a table with the target and features")
    door.refuses_to_predict(
        plain, small_table()[[]], "3 of 3 columns .* are missing: 'size', 'rooms', 'city'"
    )
