"""More columns than a fit should take, than there are rows, or than memory holds."""

from importlib import import_module

import numpy as np
import pandas as pd
import pytest
from bad_input_rows import FIT, PREDICT, SCORE, covers  # type: ignore[import-not-found]
from front_door import counted, found, small_table  # type: ignore[import-not-found]

from tabular_automl.core.schema import Kind, Severity
from tabular_automl.ingest import read
from tabular_automl.ingest import screen_columns as screening

ingest_module = import_module("tabular_automl.ingest.ingest")  # the room's own name is the function's


def wide_table(n_columns: int, n_rows: int = 80) -> pd.DataFrame:
    noise = np.random.default_rng(0).normal(size=(n_rows, n_columns - 3))
    table = small_table(n_rows)
    return pd.concat([table, pd.DataFrame(noise).add_prefix("n")], axis=1)


@pytest.fixture
def few_are_many(monkeypatch) -> None:
    """Screen from 50 columns on, so that a test needs no large table."""
    monkeypatch.setattr(screening, "MAX_COLUMNS", 50)
    monkeypatch.setattr(screening, "MIN_COLUMNS", 20)


@covers("too many columns", FIT, PREDICT)
def test_10000_columns_are_screened(door) -> None:
    """10,000 columns are halved, and that is said."""
    table = wide_table(10_000, n_rows=40)
    model = door.fit(table)
    assert "df has 10,000 feature columns; 5,000 of them are used." in found(model)["too_many_columns", None]
    assert len(model.run.schema) == 10_000
    used = [column.name for column in model.run.schema.features]
    assert len(used) == 5_000
    expected = door.numbers(model, table)
    assert len(np.unique(expected)) > 2
    np.testing.assert_array_equal(door.numbers(model, table[used]), expected)


@covers("too many columns", FIT, PREDICT, SCORE)
def test_what_tells_rows_apart_stays_and_so_does_what_was_named(door, few_are_many) -> None:
    table = wide_table(100)
    table["copy"] = table["n5"]
    table["rare"] = np.where(np.arange(80) == 3, 1.0, 0.0)
    table["wanted"] = np.where(np.arange(80) == 5, 1.0, 0.0)
    model = door.fit(table, schema={"wanted": "numeric"})
    assert found(model, Severity.WARNING)["too_many_columns", None].startswith(
        "df has 103 feature columns; 50 of them are used. 53 are left out: 1 copies of other columns, then "
        "those of whose rows the fewest differ, evenly spread among equals. The target was not looked at."
    )
    kinds = {column.name: column.kind for column in model.run.schema}
    assert kinds["copy"] is kinds["rare"] is Kind.LEFT_OUT
    assert kinds["wanted"] is Kind.NUMERIC
    used = [name for name, kind in kinds.items() if kind is not Kind.LEFT_OUT]
    expected = door.numbers(model, table)
    assert counted(model.schema_report_) == {}
    np.testing.assert_array_equal(door.numbers(model, table[used]), expected)
    for rows in (table.to_csv(index=False), table[used]):
        scored, deviations = door.score(model, rows)
        np.testing.assert_allclose(scored, expected, rtol=1e-9)
        assert deviations == {}


@covers("too many columns", FIT)
def test_strict_stops_at_it(door, few_are_many) -> None:
    door.refuses(wide_table(51), "51 feature columns; 50 of them are used", strict=True)


@covers("too many columns", FIT, PREDICT, SCORE)
def test_more_columns_than_rows_are_said(door) -> None:
    """With more columns than rows, chance has many to choose from."""
    table = wide_table(200)
    model = door.fit(table)
    assert found(model, Severity.NOTICE)["more_columns_than_rows", None].startswith(
        "df has more feature columns (200) than rows (80)."
    )
    np.testing.assert_allclose(door.score(model, table)[0], door.numbers(model, table), rtol=1e-9)


@covers("too many columns", FIT)
@pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "sparse"])
def test_a_table_too_large_for_memory_is_refused_before_it_is_read(door, monkeypatch, *, is_sparse) -> None:
    """A table too large for memory when dense: sparse ones are, too, once they are read."""
    monkeypatch.setattr(ingest_module, "memory_limit", lambda: 100_000)
    table = wide_table(200)
    if is_sparse:
        dense = table.drop(columns=["city", "label"])
        table = dense.astype(pd.SparseDtype(float)).assign(label=table["label"])
    door.refuses(table, r"80 rows and (200|199) feature columns; a fit needs at least 0\.0 GiB of memory")
    monkeypatch.setattr(ingest_module, "memory_limit", lambda: 400_000)
    model = door.fit(table)
    assert "a fit needs about 0.0 GiB" in found(model, Severity.WARNING)["memory", None]


@covers("too many columns", FIT, PREDICT, SCORE)
def test_little_memory_cuts_columns_to_a_minimum(door, few_are_many, monkeypatch) -> None:
    monkeypatch.setattr(ingest_module, "memory_limit", lambda: 80 * 30 * 40)
    table = wide_table(45)
    model = door.fit(table)
    assert "45 feature columns; 30 of them are used" in found(model)["too_many_columns", None]
    assert ("memory", None) not in found(model)
    monkeypatch.setattr(ingest_module, "memory_limit", lambda: 80 * 15 * 40)
    least = door.fit(table)
    assert "45 feature columns; 20 of them are used" in found(least)["too_many_columns", None]
    assert ("memory", None) in found(least)
    np.testing.assert_allclose(door.score(model, table)[0], door.numbers(model, table), rtol=1e-9)


@covers("too many columns", SCORE)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_wide_files_are_scored_in_smaller_chunks(door, plain, monkeypatch, kind: str) -> None:
    monkeypatch.setattr(read, "CHUNK_CELLS", 40)
    table = small_table()
    rows = table.to_csv(index=False) if kind == "csv" else table
    assert {len(chunk) for chunk in read.read_chunks(door.file(rows), 50_000)} == {10}
    np.testing.assert_allclose(door.score(plain, rows)[0], door.numbers(plain, table), rtol=1e-9)
