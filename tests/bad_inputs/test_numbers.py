"""Numbers at the edge, numbers in text, and columns that mix types."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from bad_input_rows import FIT, PREDICT, SCORE, covers  # type: ignore[import-not-found]
from front_door import cells_of, column_of, counted, found, small_table  # type: ignore[import-not-found]

from tabular_automl.core.schema import Kind, Severity

N = 80
WHOLE = np.random.default_rng(7).integers(1_000, 99_999, N)


# Numbers at the edge.


@covers("odd numbers", FIT, PREDICT, SCORE)
@pytest.mark.parametrize("family", ["linear", "lightgbm"])
def test_inf_is_missing_everywhere(door, family: str) -> None:
    table = small_table()
    rows = table["size"].index
    infinite = table.assign(size=table["size"].mask(rows < 3, np.inf).mask(rows == 3, -np.inf))
    missing = table.assign(size=table["size"].mask(rows < 4))
    model, same = door.fit(infinite, families=[family]), door.fit(missing, families=[family])
    assert found(model, Severity.WARNING)["infinite_values", "size"].startswith(
        "Column 'size' has 4 cells (5.00%) that are infinite, such as 'inf', '-inf'. They are taken for "
    )
    expected = door.numbers(same, missing)
    np.testing.assert_array_equal(door.numbers(model, infinite), expected)
    assert counted(model.schema_report_) == {("size", "infinite"): 4}
    for file in (infinite, infinite.to_csv(index=False)):
        scored, deviations = door.score(model, file)
        np.testing.assert_allclose(scored, expected, rtol=1e-9)
        assert deviations == {("size", "infinite"): 4}
    # A missing value is told apart from the median that stands for it.
    median = table.assign(size=table["size"].median())
    assert not np.allclose(door.numbers(model, median), door.numbers(model, median.assign(size=np.inf)))


@covers("odd numbers", FIT, PREDICT, SCORE)
@pytest.mark.parametrize("family", ["linear", "lightgbm"])
@pytest.mark.parametrize("scale", [1e300, 1e-300])
def test_1e300_loses_no_model(door, family: str, scale: float) -> None:
    """Neither 1e300 nor 1e-300 overflows on the way to a learner."""
    table = small_table()
    some = table.assign(size=table["size"].where(table.index > 2, 1e300))
    every = table.assign(size=table["size"] * scale)
    for frame in (some, every):
        model = door.fit(frame, families=[family])
        predicted = door.numbers(model, frame)
        assert np.isfinite(predicted).all()
        assert cells_of(model, frame, "size") == frame["size"].tolist()
        np.testing.assert_allclose(door.score(model, frame.to_csv(index=False))[0], predicted, rtol=1e-9)


@covers("odd numbers", FIT, PREDICT, SCORE)
def test_minus_zero_is_zero(door, table: pd.DataFrame) -> None:
    """-0.0 and 0 are one number, one level and one text."""
    table["zero"] = np.array([0.0, 1.0, 2.0, 3.0])[np.arange(N) % 4]
    minus = table.assign(zero=table["zero"].where(table["zero"] > 0, -0.0))
    for overrides in ({}, {"zero": "categorical"}):
        model, same = door.fit(table, schema=overrides), door.fit(minus, schema=overrides)
        expected = door.numbers(model, table)
        for each in (model, same):
            np.testing.assert_array_equal(door.numbers(each, minus), expected)
        scored, deviations = door.score(model, minus.to_csv(index=False))
        np.testing.assert_allclose(scored, expected, rtol=1e-9)
        assert deviations == {}


@covers("odd numbers", FIT, PREDICT, SCORE)
def test_float16_overflow_is_reported(door, table: pd.DataFrame) -> None:
    """A float16 overflow leaves infinities behind."""
    with np.errstate(over="ignore"):
        table["small"] = (table["size"] * 60_000).astype("float16")
    n_lost = int(np.isinf(table["small"]).sum())
    assert n_lost > 5
    model = door.fit(table)
    assert f"has {n_lost} cells" in found(model)["infinite_values", "small"]
    expected = door.numbers(model, table)
    assert counted(model.schema_report_) == {("small", "infinite"): n_lost}
    np.testing.assert_allclose(door.score(model, table)[0], expected, rtol=1e-9)


# Numbers in text.

TEXTS = {
    "currency": [f"${value:,}.50" for value in WHOLE],
    "currency behind": [f"{value}.50 €" for value in WHOLE],
    "currency code": [f"USD {value:,}.50" for value in WHOLE],
    "debt": [f"({value:,}.50)" if value % 2 else f"{value:,}.50" for value in WHOLE],
    "minus": [f"−{value}.50" if value % 2 else f"{value}.50" for value in WHOLE],
    "percent": [f"{value}.50%" for value in WHOLE],
    "thousands": [f"{value:,}.50" for value in WHOLE],
    "thousands by apostrophe": [f"{value:,}.50".replace(",", "'") for value in WHOLE],
    "thousands by space": [f"{value:,}.50".replace(",", "\u202f") for value in WHOLE],
    "lakh": [f"12,{value // 1000:02d},{value % 1000:03d}" for value in WHOLE],
    "decimal comma": [f"{value},50" for value in WHOLE],
    "decimal comma and points": [f"{value:,};50".replace(",", ".").replace(";", ",") for value in WHOLE],
    "blanks": [f"  {value}.50 " for value in WHOLE],
}
MEANT = {
    "debt": np.where(WHOLE % 2, -(WHOLE + 0.5), WHOLE + 0.5),
    "minus": np.where(WHOLE % 2, -(WHOLE + 0.5), WHOLE + 0.5),
    "lakh": WHOLE + 1_200_000.0,
}


@pytest.fixture(scope="module")
def from_texts(door):
    return door.fit(small_table().assign(**TEXTS))


@covers("numbers in text", FIT, PREDICT)
@pytest.mark.parametrize("kind", TEXTS)
def test_it_is_read_as_the_number_it_says(from_texts, kind: str) -> None:
    column = column_of(from_texts, kind)
    assert column.kind is Kind.NUMERIC
    assert column.reason.startswith("Texts of which all are numbers")
    assert found(from_texts, Severity.NOTICE)["parsed_text", kind].startswith(
        f"Column {kind!r} holds text and is read as numbers."
    )
    rows = small_table().assign(**TEXTS)
    assert cells_of(from_texts, rows, kind) == list(MEANT.get(kind, WHOLE + 0.5))


@covers("numbers in text", PREDICT, SCORE)
def test_texts_and_numbers_give_the_same_predictions(door, from_texts) -> None:
    rows = small_table().assign(**TEXTS)
    expected = door.numbers(from_texts, rows)
    assert counted(from_texts.schema_report_) == {}
    typed = small_table().assign(**{kind: MEANT.get(kind, WHOLE + 0.5) for kind in TEXTS})
    np.testing.assert_array_equal(door.numbers(from_texts, typed), expected)
    for file in (rows, rows.to_csv(index=False), rows.to_csv(index=False, sep=";")):
        scored, deviations = door.score(from_texts, file, chunk_rows=7)
        np.testing.assert_allclose(scored, expected, rtol=1e-9)
        assert deviations == {}


@covers("numbers in text", PREDICT, SCORE)
def test_the_stored_schema_decides(door, from_texts) -> None:
    """No guess about a batch: "1,500" is what training says of its column."""
    row = small_table().assign(**TEXTS).head(1)
    odd = row.assign(thousands="1,500", **{"decimal comma": "1,500", "currency": "1,5", "percent": "n/a"})
    assert cells_of(from_texts, odd, "thousands") == [1500.0]
    assert cells_of(from_texts, odd, "decimal comma") == [1.5]
    assert cells_of(from_texts, odd, "currency") == [None]
    expected = door.numbers(from_texts, odd)
    deviations = {("currency", "unparseable"): 1, ("percent", "new_missing"): 1}
    assert counted(from_texts.schema_report_) == deviations
    scored, told = door.score(from_texts, odd.to_csv(index=False))
    np.testing.assert_allclose(scored, expected, rtol=1e-9)
    assert told == deviations


@covers("numbers in text", PREDICT, SCORE)
def test_a_file_with_decimal_commas_does_not_pass_for_thousands(door, plain, table: pd.DataFrame) -> None:
    """Training saw numbers: "1,234" may be 1.234, so it is no number here, and that is counted."""
    text = table.assign(size=table["size"].map(lambda value: f"{value + 3:.3f}".replace(".", ",")))
    missing = table.assign(size=np.nan)
    np.testing.assert_array_equal(door.numbers(plain, text), door.numbers(plain, missing))
    scored, deviations = door.score(plain, text.to_csv(index=False, sep=";"))
    np.testing.assert_allclose(scored, door.numbers(plain, missing), rtol=1e-9)
    assert deviations == {("size", "unparseable"): N}


@covers("numbers in text", FIT, PREDICT, SCORE)
@pytest.mark.parametrize(("n_bad", "kind"), [(5, "94% parse"), (4, "95% parse")])
def test_the_share_that_parses_decides(door, table: pd.DataFrame, n_bad: int, kind: str) -> None:
    table["odd"] = [*map(str, WHOLE[n_bad:] % 30), *["twelve"] * n_bad]
    model = door.fit(table)
    column, unread = column_of(model, "odd"), {("odd", "unparseable"): 4}
    if kind == "94% parse":
        assert column.parse == "string"
        assert cells_of(model, table, "odd") == list(table["odd"])
        unread.clear()
    else:
        assert column.reason == f"Texts of which 95% are numbers, such as {table['odd'][0]!r}."
        assert "4 cells (5.00%) that are not readable" in found(model)["unparseable_values", "odd"]
    expected = door.numbers(model, table)
    assert counted(model.schema_report_) == unread
    scored, deviations = door.score(model, table.to_csv(index=False))
    np.testing.assert_allclose(scored, expected, rtol=1e-9)
    assert deviations == unread


@covers("numbers in text", FIT, PREDICT, SCORE)
@pytest.mark.parametrize("source", ["frame", "file"])
def test_leading_zeros_and_na_as_a_country_are_kept(door, table: pd.DataFrame, source: str) -> None:
    """Codes keep their leading zeros, and NA as a country is Namibia."""
    table["zip"] = [f"{value % 7:05d}" for value in WHOLE]
    table["country"] = np.array(["NA", "DE", "FR", "IT", "ES", "US"])[WHOLE % 6]
    model = door.fit(table if source == "frame" else door.file(table.to_csv(index=False)))
    assert column_of(model, "zip").categories == tuple(f"{value:05d}" for value in range(7))
    assert "NA" in (column_of(model, "country").categories or ())
    assert cells_of(model, table, "country") == table["country"].tolist()
    as_numbers = table.head(2).assign(zip=[1, 2])
    assert cells_of(model, as_numbers, "zip") == [None, None]
    expected = door.numbers(model, table)
    for file in (table, table.to_csv(index=False)):
        scored, deviations = door.score(model, file)
        np.testing.assert_allclose(scored, expected, rtol=1e-9)
        assert deviations == {}


# Columns that mix types.


@covers("mixed cells", FIT, PREDICT, SCORE)
def test_mixed_types_are_numbers_if_nearly_all_parse(door, table: pd.DataFrame) -> None:
    """Of mixed types, as left behind by files read in chunks: numbers, and numbers as text."""
    mixed: list[object] = [int(value) if place % 2 else f"{value}.0" for place, value in enumerate(WHOLE)]
    mixed[4], mixed[6] = "unknown", None
    table["odd"] = pd.Series(mixed, dtype=object)
    model = door.fit(table)
    assert column_of(model, "odd").reason.startswith("Texts of which 98.7% are numbers")
    assert "1 cells (1.25%) that are not readable" in found(model)["unparseable_values", "odd"]
    meant = [None if place in {4, 6} else float(value) for place, value in enumerate(WHOLE)]
    assert cells_of(model, table, "odd") == meant
    expected = door.numbers(model, table)
    scored, deviations = door.score(model, table.to_csv(index=False))
    np.testing.assert_allclose(scored, expected, rtol=1e-9)
    assert deviations == {("odd", "unparseable"): 1}


@covers("mixed cells", FIT, PREDICT, SCORE)
def test_else_they_are_text_by_value(door, table: pd.DataFrame) -> None:
    table["odd"] = pd.Series(["x", 1, 1.0, True, 2.5, "y", "1", None] * 10, dtype=object)
    model = door.fit(table)
    assert column_of(model, "odd").categories == ("1", "2.5", "True", "x", "y")
    expected = door.numbers(model, table)
    scored, deviations = door.score(model, table.astype({"odd": "str"}).to_csv(index=False))
    assert deviations == {("odd", "unseen_category"): 10}  # "1.0", which a text column does not take for 1
    same = table.assign(odd=table["odd"].where(table.index % 8 != 2, "1"))
    np.testing.assert_array_equal(door.numbers(model, same), expected)
    unseen = table.assign(odd=table["odd"].where(table.index % 8 != 2, "new"))
    np.testing.assert_allclose(scored, door.numbers(model, unseen), rtol=1e-9)


@covers("mixed cells", FIT, PREDICT, SCORE)
def test_decimals_are_numbers(door, table: pd.DataFrame) -> None:
    """Decimal cells, alone or among floats, are the numbers they say."""
    table["alone"] = pd.Series([Decimal(int(value)) / 4 for value in WHOLE], dtype=object)
    table["among"] = pd.Series([Decimal(int(v)) / 4 if v % 2 else v / 4 for v in WHOLE], dtype=object)
    table["gaps"] = pd.Series([Decimal("NaN") if v % 2 else Decimal(int(v)) for v in WHOLE])
    model = door.fit(table)
    for name, meant in (("alone", list(WHOLE / 4)), ("among", list(WHOLE / 4))):
        assert column_of(model, name).kind is Kind.NUMERIC
        assert cells_of(model, table, name) == meant
    assert cells_of(model, table, "gaps") == [None if value % 2 else float(value) for value in WHOLE]
    assert found(model, Severity.NOTICE) == {}
    expected = door.numbers(model, table)
    parquet = table.drop(columns=["among", "gaps"]).assign(
        among=table["alone"], gaps=table["gaps"].astype(float)
    )
    for file in (parquet, table.to_csv(index=False)):
        scored, deviations = door.score(model, file)
        np.testing.assert_allclose(scored, expected, rtol=1e-9)
        assert deviations == {}


LARGE = {
    "huge integer": pd.Series([10**30 + int(value) for value in WHOLE], dtype=object),
    "int64 > 2^53": pd.Series(2**60 + np.arange(N)),
    "uint64": pd.Series([2**63 + place for place in range(N)], dtype="uint64"),
    "Int64": pd.Series(2**60 + np.arange(N), dtype="Int64"),
}


@covers("mixed cells", FIT, PREDICT, SCORE)
@pytest.mark.parametrize("kind", LARGE)
@pytest.mark.parametrize("source", ["frame", "file"])
def test_whole_numbers_beyond_floats_are_keys(door, plain, kind: str, source: str) -> None:
    table = small_table().assign(key=LARGE[kind], store=LARGE[kind].iloc[np.arange(N) % 4].to_numpy())
    given = table if source == "frame" else door.file(table.to_csv(index=False))
    model = door.fit(given)
    assert column_of(model, "key").kind is Kind.IDENTIFIER
    assert "Whole numbers beyond 2^53 are taken for keys." in found(model)["identifier_column", "key"]
    store = column_of(model, "store")
    assert store.kind is Kind.CATEGORICAL
    assert store.categories == tuple(sorted({str(cell) for cell in table["store"]}))
    expected = door.numbers(model, table)
    if kind != "huge integer":  # which Parquet cannot hold
        np.testing.assert_allclose(door.score(model, table)[0], expected, rtol=1e-9)
    scored, deviations = door.score(model, table.to_csv(index=False))
    np.testing.assert_allclose(scored, expected, rtol=1e-9)
    assert deviations == {}


@covers("mixed cells", FIT)
def test_a_key_can_be_declared_a_number(door, table: pd.DataFrame) -> None:
    table["nanoseconds"] = 1_700_000_000_000_000_000 + WHOLE * 10**9
    model = door.fit(table, schema={"nanoseconds": "numeric"})
    assert cells_of(model, table, "nanoseconds") == table["nanoseconds"].astype(float).tolist()


@covers("mixed cells", FIT, PREDICT)
@pytest.mark.parametrize("kind", ["complex", "complex objects"])
def test_complex_numbers_are_refused(door, plain, kind: str) -> None:
    dtype = complex if kind == "complex" else object
    table = small_table().assign(size=lambda frame: (frame["size"] + 1j).astype(dtype))
    match = "Column 'size' holds complex.* cells such as .*1j.*, which are neither numbers, text nor dates"
    door.refuses(table, match)
    door.refuses_to_predict(plain, table, match)


@covers("mixed cells", SCORE)
def test_complex_numbers_in_a_file_are_text(door, plain, table: pd.DataFrame) -> None:
    file = table.assign(size=(table["size"] + 1j).astype(str)).to_csv(index=False)
    assert door.score(plain, file)[1] == {("size", "unparseable"): N}
