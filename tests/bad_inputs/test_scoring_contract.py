"""New rows that differ from the training rows, one by one and in files."""

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from bad_input_rows import FIT, PREDICT, SCORE, covers  # type: ignore[import-not-found]
from front_door import cells_of, counted, small_table  # type: ignore[import-not-found]

from tabular_automl.core.errors import SchemaError

N = 80


def training() -> pd.DataFrame:
    """A column of each kind."""
    table = small_table()
    table["garden"] = table["rooms"] % 3 == 0
    table["built"] = pd.date_range("1990-01-01", periods=N, freq="17D")
    table["took"] = pd.to_timedelta(table["rooms"] * 7, unit="s")
    table["money"] = pd.Series([f"${value:,}" for value in table["rooms"] * 321], dtype="string")
    table["zip"] = [f"{value:05d}" for value in table["rooms"] % 7]
    table["grade"] = table["rooms"] % 5
    return table


@pytest.fixture(scope="module")
def model(door):
    return door.fit(training(), schema={"grade": "categorical"})


@pytest.fixture
def rows() -> pd.DataFrame:
    return training().drop(columns="label")


@covers("rows unlike training", FIT, PREDICT, SCORE)
def test_rows_like_training_do_not_deviate(door, model, rows: pd.DataFrame) -> None:
    expected = door.numbers(model, rows)
    assert counted(model.schema_report_) == {}
    for file in (rows, rows.to_csv(index=False)):
        scored, deviations = door.score(model, file)
        np.testing.assert_allclose(scored, expected, rtol=1e-9)
        assert deviations == {}


@covers("rows unlike training", PREDICT, SCORE)
def test_every_missing_column_is_named(door, model, rows: pd.DataFrame) -> None:
    """A "missing column" is no column of missing cells."""
    match = "2 of 9 columns the model was trained with are missing: 'city', 'zip'"
    door.refuses_to_predict(model, rows.drop(columns=["city", "zip"]), match)
    for file in (rows.drop(columns=["city", "zip"]), rows.drop(columns=["city", "zip"]).to_csv(index=False)):
        door.refuses_to_score(model, file, match)


@covers("rows unlike training", PREDICT, SCORE)
def test_reordered_and_extra_columns_change_nothing(door, model, rows: pd.DataFrame) -> None:
    """A "reordered" table with an "extra column" is the same table."""
    expected = door.numbers(model, rows)
    other = rows[rows.columns[::-1]].assign(more=1, label="dear")
    np.testing.assert_array_equal(door.numbers(model, other), expected)
    assert counted(model.schema_report_) == {("more", "extra_column"): 0}
    for file in (other, other.to_csv(index=False)):
        scored, deviations = door.score(model, file)
        np.testing.assert_allclose(scored, expected, rtol=1e-9)
        assert deviations == {("more", "extra_column"): 0}


@covers("rows unlike training", PREDICT, SCORE)
def test_fractions_in_a_whole_column_stay_fractions(door, model, rows: pd.DataFrame) -> None:
    """int → float: 0.9 is 0.9, and counted."""
    rows["rooms"] = rows["rooms"] - 0.1
    for frame in (rows, rows.astype({"rooms": object})):
        assert cells_of(model, frame, "rooms") == rows["rooms"].tolist()
        expected = door.numbers(model, frame)
        assert counted(model.schema_report_) == {("rooms", "changed_dtype"): N}
    whole = training().assign(rooms=lambda frame: frame["rooms"].astype(float))
    door.predict(model, whole)
    assert counted(model.schema_report_) == {}
    np.testing.assert_allclose(door.score(model, rows)[0], expected, rtol=1e-9)


@covers("rows unlike training", PREDICT, SCORE)
def test_missing_where_none_was_is_no_zero(door, model, rows: pd.DataFrame) -> None:
    """A NaN where none was is imputed as missing, never as 0, and counted."""
    gaps = rows.assign(rooms=rows["rooms"].where(rows.index > 2), city=rows["city"].where(rows.index > 4))
    expected = door.numbers(model, gaps)
    deviations = {("rooms", "new_missing"): 3, ("city", "new_missing"): 5}
    assert counted(model.schema_report_) == deviations
    zero = gaps.assign(rooms=gaps["rooms"].fillna(0))
    assert not np.allclose(door.numbers(model, zero)[:3], expected[:3])
    for file in (gaps, gaps.to_csv(index=False)):
        scored, told = door.score(model, file)
        np.testing.assert_allclose(scored, expected, rtol=1e-9)
        assert told == deviations


@covers("rows unlike training", PREDICT, SCORE)
def test_an_unseen_category_is_missing_not_another_level(door, model, rows: pd.DataFrame) -> None:
    """An "unseen category", of text or of numbers, tells the model nothing."""
    unseen = rows.assign(
        city=rows["city"].where(rows.index > 3, "Atlantis"), grade=rows["grade"].where(rows.index > 1, 99)
    )
    nothing = rows.assign(city=rows["city"].where(rows.index > 3), grade=rows["grade"].where(rows.index > 1))
    expected = door.numbers(model, nothing)
    np.testing.assert_array_equal(door.numbers(model, unseen), expected)
    deviations = {("city", "unseen_category"): 4, ("grade", "unseen_category"): 2}
    assert counted(model.schema_report_) == deviations
    for file in (unseen, unseen.to_csv(index=False)):
        scored, told = door.score(model, file)
        np.testing.assert_allclose(scored, expected, rtol=1e-9)
        assert told == deviations


CELLS: dict[str, list[tuple[Any, Any, str | None]]] = {
    "rooms": [
        ("7", 7.0, "changed_dtype"), (" 7.5 ", 7.5, "changed_dtype"), ("1e3", 1000.0, "changed_dtype"),
        ("1,234", None, "unparseable"), ("many", None, "unparseable"), ("0x1", None, "unparseable"),
        ("n/a", None, "new_missing"), ("", None, "new_missing"), (None, None, "new_missing"),
        (Decimal("2.5"), 2.5, "changed_dtype"), (np.inf, None, "infinite"), ("inf", None, "infinite"),
        (dt.datetime(2020, 1, 1), None, "unparseable"), (10**30, 1e30, "changed_dtype"), (True, 1.0, None),
    ],
    "city": [
        (5, None, "unseen_category"), (" Oslo", None, "unseen_category"), ("oslo", None, "unseen_category"),
        (True, None, "unseen_category"), ("  ", None, "new_missing"), ("Oslo", "Oslo", None),
    ],
    "garden": [
        ("yes", 1.0, "changed_dtype"), ("False", 0.0, "changed_dtype"), (1, 1.0, "changed_dtype"),
        (2, None, "unparseable"), ("maybe", None, "unparseable"), (None, None, "new_missing"),
    ],
    "built": [
        ("1990-01-02", 631238400.0, "changed_dtype"), ("01/02/1990", None, "unparseable"),
        (631238400, None, "unparseable"), (pd.NaT, None, "new_missing"),
        (dt.date(1990, 1, 2), 631238400.0, None),
        (pd.Timestamp("1990-01-02", tz="Asia/Tokyo"), 631206000.0, "changed_zone"),
    ],
    "took": [
        ("0 days 00:00:07", 7.0, "changed_dtype"), ("00:07", 420.0, "changed_dtype"),
        (7, None, "unparseable"), (dt.timedelta(seconds=7), 7.0, None),
    ],
    "money": [
        (5, 5.0, "changed_dtype"), ("$1,234.5", 1234.5, None), ("5,5", None, "unparseable"),
        ("(5)", -5.0, None),
    ],
    "zip": [("00005", "00005", None), ("5", None, "unseen_category"), (5, None, "unseen_category")],
    "grade": [
        ("3", "3", "changed_dtype"), (3.0, "3", None), ("3.0", "3", "changed_dtype"),
        (3.5, None, "unseen_category"),
    ],
}  # fmt: skip


@covers("rows unlike training", PREDICT, SCORE)
@pytest.mark.parametrize("name", CELLS)
def test_a_cell_of_another_type_is_converted_or_counted(door, model, rows: pd.DataFrame, name: str) -> None:
    """number → text, text → number and the rest: read as the schema says, or missing and counted."""
    for given, meant, what in CELLS[name]:
        row = rows.head(1).assign(**{name: pd.Series([given], dtype=object)})
        assert cells_of(model, row, name) == [meant], repr(given)
        expected = door.numbers(model, row)
        assert np.isfinite(expected).all()
        deviations = counted(model.schema_report_)
        assert (what is None) == (deviations == {}), (given, deviations)
        assert what is None or (name, what) in deviations, (given, deviations)
        if isinstance(given, str):
            scored, told = door.score(model, row.to_csv(index=False))
            np.testing.assert_allclose(scored, expected, rtol=1e-9)
            # In a file every cell is text: that alone is no deviation.
            assert told == {key: count for key, count in deviations.items() if key[1] != "changed_dtype"}


@covers("rows unlike training", PREDICT, SCORE)
def test_too_many_deviations_fail_above_the_threshold(door, model, rows: pd.DataFrame) -> None:
    """The "threshold" is a share of the rows, for every column; nothing is predicted above it."""
    rows["city"] = rows["city"].where(rows.index >= 40, "Atlantis")
    match = (
        r"Column 'city': 50.0% of 80 rows deviate from the training schema \(unseen_category, such as 'Atl"
    )
    for predict in (model.predict, model.predict_proba):
        with pytest.raises(SchemaError, match=match):
            predict(rows, max_deviating_share=0.49)
        assert len(predict(rows, max_deviating_share=0.5)) == N
    door.refuses_to_score(model, rows.to_csv(index=False), match, "--max-deviating-share", "0.49")
    assert door.score(model, rows, max_deviating_share=0.5)[1] == {("city", "unseen_category"): 40}
    with pytest.raises(ValueError, match="max_deviating_share is 50; it must lie between 0 and 1"):
        model.predict(rows, max_deviating_share=50)


@covers("one row", PREDICT, SCORE)
@pytest.mark.parametrize("family", ["linear", "lightgbm"])
def test_one_row_and_a_batch_agree(door, family: str) -> None:
    """One row of every kind of badness, alone and among the others, in frames and in chunks of a file."""
    model = door.fit(training(), families=[family])
    batch = pd.concat([training().drop(columns="label").astype(object).head(1)] * 60, ignore_index=True)
    odd = [(name, given) for name, cells in CELLS.items() for given, _, _ in cells]
    for place, (name, given) in enumerate(odd):
        batch.loc[[place], name] = pd.Series([given], index=[place], dtype=object)
    together = door.numbers(model, batch)
    alone = np.vstack([door.numbers(model, batch.iloc[[place]]) for place in range(len(odd))])
    np.testing.assert_allclose(alone, together[: len(odd)], rtol=1e-9)
    file = batch.to_csv(index=False)
    np.testing.assert_allclose(
        door.score(model, file, chunk_rows=1)[0], door.score(model, file)[0], rtol=1e-9
    )
