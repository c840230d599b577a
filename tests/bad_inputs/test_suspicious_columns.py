"""Columns and rows that make a score look better than it is."""

import numpy as np
import pandas as pd
import pytest
from bad_input_rows import FIT, PREDICT, SCORE, covers  # type: ignore[import-not-found]
from front_door import column_of, counted, found, small_table  # type: ignore[import-not-found]

from tabular_automl.core.options import Options
from tabular_automl.core.schema import Kind, Severity
from tabular_automl.ingest import ingest

N = 80
KEYS = {
    "id": np.arange(N) * 3 + 7,
    "order_key": [f"{place:04d}" for place in range(N)],
    "code": [f"k{place}" for place in range(N)],
}


@pytest.fixture(scope="module")
def suspicious(door):
    table = small_table().assign(**KEYS)
    table["answer"] = (table["label"] == "dear").astype(int)
    return table, door.fit(table)


@covers("suspicious columns", FIT, PREDICT, SCORE)
@pytest.mark.parametrize("name", KEYS)
def test_an_identifier_is_left_out_and_that_is_said(door, suspicious, name: str) -> None:
    """An "identifier" is no feature, and may be anything in new rows."""
    table, model = suspicious
    assert column_of(model, name).kind is Kind.IDENTIFIER
    said = found(model, Severity.WARNING)["identifier_column", name]
    assert str(N) in said
    assert f"say schema={{{name!r}: " in said
    expected = door.numbers(model, table)
    for rows in (table.assign(**{name: "new"}), table.drop(columns=name)):
        np.testing.assert_array_equal(door.numbers(model, rows), expected)
        assert counted(model.schema_report_) == {}
        np.testing.assert_allclose(door.score(model, rows)[0], expected, rtol=1e-9)


@covers("suspicious columns", FIT)
def test_an_identifier_is_used_if_the_user_says_so(door, suspicious) -> None:
    model = door.fit(suspicious[0], schema={"id": "numeric", "code": "categorical"})
    assert {"id", "code"} <= {column.name for column in model.run.schema.features}


@covers("suspicious columns", FIT, PREDICT, SCORE)
def test_what_gives_the_target_away_is_kept_and_quantified(door, suspicious) -> None:
    """A column that "gives the target away" may be legitimate: a person decides."""
    table, model = suspicious
    said = found(model, Severity.WARNING)["gives_target_away", "answer"]
    assert "alone predicts target 'label' almost perfectly: a rule on it alone has 100.00% right" in said
    assert "answer" in {column.name for column in model.run.schema.features}
    turned = table.assign(answer=1 - table["answer"])
    assert (door.predict(model, turned) != door.predict(model, table)).mean() > 0.9
    np.testing.assert_allclose(door.score(model, turned)[0], door.numbers(model, turned), rtol=1e-9)


@covers("suspicious columns", FIT)
def test_strict_stops_and_tells_all_at_once(door, suspicious) -> None:
    """Told to be strict, the engine takes warnings for errors."""
    door.refuses(
        suspicious[0],
        r"4 things must be put right first:(.|\n)*'id'(.|\n)*'order_key'(.|\n)*'code'(.|\n)*'answer'",
        strict=True,
    )
    door.refuses_to_fit_file(suspicious[0].to_csv(index=False), "4 things must be put right", "--strict")


@covers("suspicious columns", FIT, PREDICT, SCORE)
def test_duplicated_rows_stay_together_and_are_counted(door) -> None:
    """Where duplicated rows are on both sides of a fold, models are scored from memory."""
    table = small_table()
    double = pd.concat([table, table])
    model = door.fit(double, splitter=None)
    assert found(model, Severity.WARNING)["duplicate_rows", None].startswith(
        "80 of 160 rows (50.00%) are exact copies of another row, target included, which chance can't"
    )
    for fold in ingest(double, Options("label")).folds.folds:
        assert not set(fold.train % N) & set(fold.held_out % N)
    np.testing.assert_allclose(door.score(model, double)[0], door.numbers(model, double), rtol=1e-9)
