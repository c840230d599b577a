"""Names of columns: twice the same, of any type, of several levels."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bad_input_rows import FIT, PREDICT, SCORE, covers  # type: ignore[import-not-found]
from front_door import counted, found, small_table  # type: ignore[import-not-found]

ODD_NAMES = {
    "integer": 7,
    "mixed": 1.5,
    "empty": "",
    "whitespace": " \t",
    "emoji": "größe 😀",
    "JSON": '{"a": [1, 2]}',
    "[ ] <": "[a] <b>",
    "a date": pd.Timestamp("2020-01-01"),
    "nothing": None,
}


def twice(table: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([table, table[["size", "city"]]], axis=1)


def twice_as_csv(table: pd.DataFrame) -> str:
    return twice(table).to_csv(index=False)


@covers("duplicate names", FIT)
@pytest.mark.parametrize("source", ["frame", "csv", "parquet"])
def test_an_error_lists_names_and_positions(door, table: pd.DataFrame, source: str) -> None:
    match = r"'size' appears 2 times, at positions 0, 4\.(.|\n)*'city' appears 2 times, at positions 2, 5\."
    if source == "frame":
        door.refuses(twice(table), match)
        return
    path = door.path(f"rows.{source}")
    if source == "csv":
        path.write_text(twice_as_csv(table), encoding="utf-8")
    else:
        columns = [pa.array(twice(table).iloc[:, place]) for place in range(6)]
        pq.write_table(pa.table(columns, names=list(twice(table).columns)), path)
    door.refuses(path, match)
    door.refuses_to_fit_file(path, match)


@covers("duplicate names", PREDICT, SCORE)
def test_a_needed_column_may_not_be_there_twice(door, plain, table: pd.DataFrame) -> None:
    match = "Columns appear more than once: 'city', 'size'. Keep one of each"
    door.refuses_to_predict(plain, twice(table), match)
    door.refuses_to_score(plain, twice_as_csv(table), match)


@covers("duplicate names", PREDICT, SCORE)
def test_other_columns_may(door, plain, table: pd.DataFrame) -> None:
    rows = pd.concat([table, table[["size"]].set_axis(["note"], axis=1)], axis=1)
    rows = pd.concat([rows, rows[["note"]]], axis=1)
    expected = door.numbers(plain, table)
    np.testing.assert_array_equal(door.numbers(plain, rows), expected)
    assert ("note", "extra_column") in counted(plain.schema_report_)
    scored, _ = door.score(plain, rows.to_csv(index=False))
    np.testing.assert_allclose(scored, expected, rtol=1e-9)


@covers("odd names", FIT, PREDICT, SCORE)
@pytest.mark.parametrize("kind", ODD_NAMES)
def test_a_name_changes_no_prediction(door, plain, table: pd.DataFrame, kind: str) -> None:
    odd = table.rename(columns={"size": ODD_NAMES[kind]})
    model = door.fit(odd)
    expected = door.numbers(plain, table)
    np.testing.assert_array_equal(door.numbers(model, odd), expected)
    assert counted(model.schema_report_) == {}
    np.testing.assert_array_equal(door.numbers(model, odd[odd.columns[::-1]]), expected)


@covers("odd names", FIT, PREDICT, SCORE)
def test_files_hold_names_as_text(door, table: pd.DataFrame) -> None:
    names = {"size": 7, "rooms": '{"a": [1, 2]}', "city": "[a] <b>, größe 😀"}
    odd = table.rename(columns=names)
    model = door.fit(odd)
    expected = door.numbers(model, odd)
    for rows in (odd.to_csv(index=False), odd.rename(columns=str)):
        scored, deviations = door.score(model, rows)
        np.testing.assert_allclose(scored, expected, rtol=1e-9)
        assert deviations == {}


@covers("odd names", FIT, PREDICT, SCORE)
@pytest.mark.parametrize("family", ["linear", "lightgbm"])
def test_space_beside_underscore(door, table: pd.DataFrame, family: str) -> None:
    """A space beside underscore: LightGBM takes "a b" and "a_b" for one name."""
    table["noise"] = np.arange(80) % 7
    plain = door.fit(table, families=[family])
    close = table.rename(columns={"size": "a b", "noise": "a_b"})
    model = door.fit(close, families=[family])
    expected = door.numbers(plain, table)
    np.testing.assert_array_equal(door.numbers(model, close[close.columns[::-1]]), expected)
    np.testing.assert_allclose(door.score(model, close.to_csv(index=False))[0], expected, rtol=1e-9)


@covers("levels of names", FIT, PREDICT, SCORE)
def test_a_multiindex_is_joined(door, plain, table: pd.DataFrame) -> None:
    """The levels of a MultiIndex become one name."""
    deep = table.set_axis(pd.MultiIndex.from_tuples([("home", name) for name in table.columns]), axis=1)
    model = door.fit(deep, ("home", "label"), schema={("home", "rooms"): "numeric"})
    assert "as in 'home_size'" in found(model)["joined_names", None]
    assert model.predict(deep).name == "home_label"
    expected = door.numbers(plain, table)
    np.testing.assert_array_equal(door.numbers(model, deep), expected)
    joined = table.add_prefix("home_")
    np.testing.assert_array_equal(door.numbers(model, joined), expected)
    np.testing.assert_allclose(door.score(model, joined.to_csv(index=False))[0], expected, rtol=1e-9)


@covers("levels of names", FIT)
def test_levels_that_join_to_one_name_are_refused(door) -> None:
    table = small_table()
    names = [("a_b", "c"), ("a", "b_c"), ("city", ""), ("label", "")]
    clash = table.set_axis(pd.MultiIndex.from_tuples(names), axis=1)
    door.refuses(
        clash, r"'a_b_c' appears 2 times, at positions 0, 1\. Names of several levels were joined by '_'"
    )
