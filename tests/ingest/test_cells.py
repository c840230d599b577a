from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tabular_automl.ingest.cells import Form, UnreadableCellsError, read_cells

DAYS = pd.DatetimeIndex(["1970-01-01", "1970-01-02", pd.NaT])
NUMBERS = [
    pd.Series([1, 2, None], dtype="Int64"),
    pd.Series([1, 2, None], dtype="Float64"),
    pd.Series([1, 2, None], dtype="float32"),
    pd.Series([1, 2, None], dtype="int64[pyarrow]"),
    pd.Series([1, 2, None], dtype="double[pyarrow]"),
    pd.Series([Decimal(1), Decimal(2), None], dtype=pd.ArrowDtype(pa.decimal128(10, 2))),
    pd.Series([1, 2, None], dtype=object),
    pd.Series([Decimal(1), Decimal(2), None], dtype=object),
    pd.Series([1, 2.0, np.nan], dtype=object),
    pd.Series(pd.arrays.SparseArray([1.0, 2.0, np.nan])),
    pd.Series([1, 2, None], dtype="category"),
]
TEXTS = [
    pd.Series(["a", "b", None], dtype="string[python]"),
    pd.Series(["a", "b", None], dtype="string[pyarrow]"),
    pd.Series(["a", "b", None], dtype=object),
    pd.Series(["a", "b", None], dtype="str"),
    pd.Series(["a", "b", None], dtype=pd.ArrowDtype(pa.string())),
    pd.Series(["a", "b", None], dtype=pd.ArrowDtype(pa.large_string())),
    pd.Series(["a", "b", None], dtype="category"),
    pd.Series(["a", "b", None], dtype=pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string()))),
    pd.Series(["a", "b", " "]),
]
TIMES = [
    pd.Series(DAYS),
    pd.Series(DAYS).dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"),
    pd.Series(DAYS).astype("datetime64[s]"),
    pd.Series(DAYS).astype("timestamp[us][pyarrow]"),
    pd.Series(DAYS).dt.date,
    pd.Series(
        [pd.Timestamp("1970-01-01"), pd.Timestamp("1970-01-02 01:00", tz="Europe/Rome"), None], dtype=object
    ),
    pd.Series(pd.PeriodIndex(["1970-01-01", "1970-01-02", None], freq="D")),
    pd.Series([pa.scalar(0), pa.scalar(1), None], dtype=object).map(
        lambda s: None if s is None else pd.Timestamp(s.as_py(), unit="D")
    ),
]
BOOLEANS = [
    pd.Series([True, False, None], dtype="boolean"),
    pd.Series([True, False, None], dtype="bool[pyarrow]"),
    pd.Series([True, False, None], dtype=object),
    pd.Series([True, False, None], dtype="category"),
]


@pytest.mark.parametrize("series", NUMBERS, ids=lambda s: str(s.dtype))
def test_numbers_of_every_type(series: pd.Series) -> None:
    cells = read_cells(series)
    assert cells.form is Form.NUMBER
    np.testing.assert_array_equal(cells.numbers(), [1, 2, np.nan])
    codes, levels = cells.texts()
    assert codes.tolist() == [0, 1, -1]
    assert levels.tolist() == ["1", "2"]


@pytest.mark.parametrize("series", TEXTS, ids=lambda s: str(s.dtype))
def test_texts_of_every_type(series: pd.Series) -> None:
    codes, levels = read_cells(series).texts()
    assert codes.tolist() == [0, 1, -1]
    assert levels.tolist() == ["a", "b"]


@pytest.mark.parametrize("series", TIMES, ids=lambda s: str(s.dtype))
def test_times_of_every_type(series: pd.Series) -> None:
    cells = read_cells(series)
    assert cells.form is Form.DATETIME
    np.testing.assert_array_equal(cells.numbers(), [0, 86400, np.nan])


@pytest.mark.parametrize("series", BOOLEANS, ids=lambda s: str(s.dtype))
def test_booleans_of_every_type(series: pd.Series) -> None:
    cells = read_cells(series)
    assert cells.form is Form.BOOLEAN
    np.testing.assert_array_equal(cells.numbers(), [1, 0, np.nan])
    assert cells.texts()[1].tolist() == ["True", "False"]


def test_durations_are_seconds() -> None:
    for series in (
        pd.Series(pd.to_timedelta(["1s", "2h"])),
        pd.Series(pd.to_timedelta(["1s", "2h"]), dtype=object),
    ):
        cells = read_cells(series)
        assert cells.form is Form.TIMEDELTA
        assert cells.numbers().tolist() == [1.0, 7200.0]


def test_mixed_objects_become_text_by_value() -> None:
    codes, levels = read_cells(pd.Series(["x", 1, 1.0, True, None, np.float64(2.5)], dtype=object)).texts()
    assert [levels[code] if code >= 0 else None for code in codes] == ["x", "1", "1", "True", None, "2.5"]


def test_integers_beyond_float_keep_every_digit() -> None:
    for dtype in ("int64", "Int64", object):
        cells = read_cells(pd.Series([2**60, 2**60 + 1], dtype=dtype))
        assert cells.texts()[1].tolist() == [str(2**60), str(2**60 + 1)]
    assert read_cells(pd.Series([10**30, 1], dtype=object)).texts()[1].tolist() == [str(10**30), "1"]


@pytest.mark.parametrize(
    "value", [[1], {"a": 1}, b"x", np.zeros(2), 1j, (1, 2)], ids=lambda v: type(v).__name__
)
def test_cells_that_are_no_scalars_are_refused(value: object) -> None:
    series = pd.Series([None, None, "x"], dtype=object).map(lambda cell: None if cell is None else value)
    with pytest.raises(UnreadableCellsError, match=f"Column 'odd' holds {type(value).__name__}"):
        read_cells(series, "odd")


def test_arrow_lists_are_refused() -> None:
    with pytest.raises(UnreadableCellsError, match="Column 'odd'"):
        read_cells(pd.Series([[1], [2]], dtype=pd.ArrowDtype(pa.list_(pa.int64()))), "odd")


def test_dates_that_the_unit_of_the_others_cannot_hold_are_kept() -> None:
    far = datetime(9999, 12, 31, tzinfo=UTC)
    near, naive = pd.Timestamp("2020-01-01").as_unit("ns"), far.replace(tzinfo=None)
    for value in (naive, naive.date()):
        cells = read_cells(pd.Series([near, value, None], dtype=object), "x")
        assert cells.form is Form.DATETIME, value
        np.testing.assert_array_equal(cells.numbers(), [near.timestamp(), far.timestamp(), np.nan])
    moments = pd.Series([near.to_datetime64(), np.datetime64("9999-12-31", "s")], dtype=object)
    assert read_cells(moments, "x").numbers()[1] == far.timestamp()
