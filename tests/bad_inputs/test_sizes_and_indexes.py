"""Few rows, none at all, and indexes of every kind."""

import numpy as np
import pandas as pd
import pytest
from bad_input_rows import FIT, PREDICT, SCORE, covers  # type: ignore[import-not-found]
from front_door import small_table  # type: ignore[import-not-found]

N = 80


@covers("few rows", FIT)
@pytest.mark.parametrize(
    ("n_rows", "match"),
    [
        pytest.param(0, "df is empty: it has 4 columns but no rows", id="0 rows"),
        pytest.param(1, "df has 1 rows? only", id="1 row"),
        pytest.param(2, "df has 2 rows only", id="2 rows"),
        pytest.param(9, "df has 9 rows only", id="9 rows"),
    ],
)
def test_the_minimum_is_named(door, n_rows: int, match: str) -> None:
    few = small_table().head(n_rows)
    door.refuses(few, rf"{match}. At least 10 rows are needed")
    for file in (few.to_csv(index=False), few):
        door.refuses_to_fit_file(file, rf"{match}. At least 10 rows are needed")


@covers("few rows", FIT, PREDICT, SCORE)
@pytest.mark.parametrize("family", ["linear", "lightgbm"])
def test_ten_rows_are_enough(door, family: str) -> None:
    table = small_table(10).assign(label=["cheap", "dear"] * 5)
    model = door.fit(table, families=[family], splitter=None)
    predicted = door.numbers(model, table)
    assert np.isfinite(predicted).all()
    np.testing.assert_allclose(door.score(model, table)[0], predicted, rtol=1e-9)


TARGETS = {
    "strings": small_table()["label"],
    "category": small_table()["label"].astype(pd.CategoricalDtype(["dear", "never", "cheap"], ordered=True)),
    "Int64": (small_table()["size"] > 0).astype("Int64"),
    "floats": small_table()["size"] * 3,
}


@covers("few rows", PREDICT, SCORE)
@pytest.mark.parametrize("kind", TARGETS)
def test_no_rows_and_one_row_give_a_typed_result(door, kind: str) -> None:
    """0 rows give what 1 row gives, without the row."""
    table = small_table().assign(label=TARGETS[kind])
    model = door.fit(table)
    some = door.predict(model, table)
    for n_rows in (0, 1):
        few = door.predict(model, table.head(n_rows))
        pd.testing.assert_series_equal(few, some.head(n_rows))
        if model.classes_:
            pd.testing.assert_frame_equal(
                model.predict_proba(table.head(n_rows)), model.predict_proba(table).head(n_rows)
            )
        for file in (table.head(n_rows), table.head(n_rows).to_csv(index=False)):
            scored, deviations = door.score(model, file)
            np.testing.assert_allclose(scored, door.numbers(model, table.head(n_rows)), rtol=1e-9)
            assert scored.shape == (n_rows, max(len(model.classes_), 1))
            assert deviations == {}


INDEXES = {
    "duplicate index": pd.Index(["b", "a", "b", "b"] * 20, name="key"),
    "MultiIndex of rows": pd.MultiIndex.from_product([range(8), list("abcdefghij")], names=["n", "t"]),
    "dates": pd.date_range("2024-01-01", periods=N, tz="UTC"),
    "backwards": pd.RangeIndex(N, 0, -1),
    "missing": pd.Index([np.nan, *np.arange(N - 1.0)]),
}


@covers("odd indexes", FIT, PREDICT, SCORE)
@pytest.mark.parametrize("kind", INDEXES)
def test_the_index_is_kept_on_the_output(door, plain, kind: str) -> None:
    table = small_table().set_axis(INDEXES[kind], axis=0)
    model = door.fit(table)
    expected = door.numbers(plain, small_table())
    for each in (model, plain):
        pd.testing.assert_index_equal(door.predict(each, table).index, INDEXES[kind])
        pd.testing.assert_index_equal(each.predict_proba(table).index, INDEXES[kind])
        np.testing.assert_array_equal(door.numbers(each, table), expected)
    np.testing.assert_allclose(door.score(model, table)[0], expected, rtol=1e-9)


@covers("odd indexes", FIT)
@pytest.mark.parametrize("role", ["weight", "groups", "time_column", "existing"])
@pytest.mark.parametrize("kind", ["disjoint", "reordered"])
def test_what_has_another_index_is_refused(door, table: pd.DataFrame, role: str, kind: str) -> None:
    index = table.index + 500 if kind == "disjoint" else table.index[::-1]
    values = table["label"].to_numpy() if role == "existing" else np.arange(1.0, N + 1)
    given = pd.Series(values, index=index)
    door.refuses(
        table, f"The index of {role} differs from that of df, so that rows could be mixed up", **{role: given}
    )
    assert door.fit(table, **{role: given.to_numpy()}).run.n_folds > 1


@covers("odd indexes", FIT)
def test_an_index_that_matches_may_be_odd(door, table: pd.DataFrame) -> None:
    odd = table.set_axis(INDEXES["MultiIndex of rows"], axis=0)
    weight = pd.Series(np.arange(1.0, N + 1), index=odd.index)
    assert door.fit(odd, weight=weight).run.score == door.fit(table, weight=weight.to_numpy()).run.score
