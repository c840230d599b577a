"""One column as the user gave it, whatever its pandas type, read into one of five forms."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabular_automl.core.errors import InputError
from tabular_automl.core.fitting import FloatArray
from tabular_automl.preprocessing.parsing import parse_texts

Texts = NDArray[np.object_]

EXACT_INTEGERS = 2**53
"""Above it float64 does not hold every integer; such columns are read as text."""

_NO_TEXT = re.compile(r"^<.* at 0x[0-9a-fA-F]+>$", re.DOTALL)  # an address says nothing in the next process


class Form(StrEnum):
    """What the cells of a column are, as far as their type says."""

    NUMBER = "number"
    BOOLEAN = "boolean"
    DATETIME = "datetime"
    TIMEDELTA = "timedelta"
    TEXT = "text"


class UnreadableCellsError(InputError):
    """Cells hold something that is no number, text or point in time."""


@dataclass(frozen=True, eq=False)
class Cells:
    """A column of cells.

    Attributes
    ----------
    form
        Number, boolean, datetime, timedelta or text.
    dtype
        The pandas dtype as text.
    values
        Float64, NaN where missing (booleans 0 and 1, datetimes UTC seconds since 1970, timedeltas seconds);
        None for text.
    codes, levels
        For text: positions in ``levels``, -1 where missing, and the distinct texts; else None.
    numbers_among
        For text: shape (n_levels,), the value of levels that were numbers among text, NaN for all others;
        None when all were text.
    is_category
        Whether the user declared a category by the type of the column.
    is_declared
        Whether the user declared a category in the schema.
    ordered
        Whether the user declared an order of the levels.
    is_single
        Whether numbers were of single precision: 0.1 then means the float32 nearest to it.
    zoned
        For points in time: shape (n_rows,), which of them carried a time zone; else None.
    """

    form: Form
    dtype: str
    values: FloatArray | None = None
    codes: NDArray[np.intp] | None = None
    levels: Texts | None = None
    numbers_among: FloatArray | None = None
    is_category: bool = False
    is_declared: bool = False
    ordered: bool = False
    is_single: bool = False
    zoned: NDArray[np.bool_] | None = None
    _parsed: dict[str, FloatArray] = field(default_factory=dict, repr=False)

    def parsed_levels(self, rule: str) -> FloatArray:
        """Return the levels of text parsed by a rule of the schema; it is done once a rule."""
        if rule not in self._parsed:
            _, levels = self.texts()
            parsed = parse_texts(levels, rule)
            if self.numbers_among is not None and not rule.startswith("bool"):
                # Only text is read by the rule: 1.5 among "1,5" stays what it is, and 1990 is no year.
                own = self.numbers_among if rule.startswith("number") else np.nan
                parsed = np.where(np.isnan(self.numbers_among), parsed, own)
            self._parsed[rule] = parsed
        return self._parsed[rule]

    def texts(self) -> tuple[NDArray[np.intp], Texts]:
        """Return the cells as text: codes (-1 where missing) and distinct levels.

        A number's text is that of its value: 1 and 1.0 are both "1".
        """
        if self.codes is not None and self.levels is not None:
            return self.codes, self.levels
        values = self.numbers()
        codes, uniques = pd.factorize(values)
        return codes.astype(np.intp), self._level_texts(uniques)

    def numbers(self) -> FloatArray:
        """Return the values of a column that is not text."""
        if self.values is None:
            raise TypeError("Cells of text have no numbers; parse them by a rule of the schema.")
        return self.values

    def _level_texts(self, values: FloatArray) -> Texts:
        if self.form is Form.BOOLEAN:
            return _objects("True" if value else "False" for value in values)
        if self.form is Form.DATETIME:
            return _objects(text_of(np.datetime64(round(value * 1e6), "us")) for value in values)
        if self.form is Form.TIMEDELTA:
            return _objects(str(pd.Timedelta(seconds=value)) for value in values)
        return number_texts(values, single=self.is_single)


def read_cells(series: "pd.Series[Any]", name: object = None) -> Cells:
    """Read a column of any pandas type.

    Parameters
    ----------
    series
        The column; not changed.
    name
        Its name for messages.

    Raises
    ------
    UnreadableCellsError
        If cells hold lists, dicts, bytes, arrays, complex numbers or objects without a text of their own;
        names the column.
    """
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _read_category(series, name)
    if isinstance(dtype, pd.SparseDtype):
        return read_cells(pd.Series(series.to_numpy(), index=series.index), name)
    if isinstance(dtype, pd.PeriodDtype):
        return read_cells(series.dt.to_timestamp(), name)
    if isinstance(dtype, pd.IntervalDtype):
        return _read_intervals(series, str(dtype))
    if isinstance(dtype, pd.ArrowDtype):
        return _read_arrow(series, name)
    return _read_typed(series, name)


def number_texts(values: Iterable[float], *, single: bool = False) -> Texts:
    """Return numbers as text by value.

    >>> number_texts([1.0, 0.5, -0.0]).tolist()
    ['1', '0.5', '0']
    """

    def text(value: float) -> str:
        if value.is_integer() and abs(value) <= EXACT_INTEGERS:
            return str(int(value))
        return str(np.float32(value)) if single else repr(float(value))

    return _objects(text(float(value)) for value in values)


def text_of(value: object) -> str:
    """Return any scalar as text, the same whether its column holds one type or several."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating | Decimal):
        return str(number_texts([float(value)])[0])
    if isinstance(value, date | np.datetime64):
        return _stamp_text(value)
    return str(value)


def _stamp_text(value: date | np.datetime64) -> str:
    try:
        stamp = pd.Timestamp(value)
    except (ValueError, OverflowError):  # pandas 2 knows the years 1677 to 2262 alone
        return str(value)
    stamp = stamp.tz_convert(None) if stamp.tzinfo else stamp
    return stamp.as_unit("us").isoformat() + "Z"


def _read_typed(series: "pd.Series[Any]", name: object) -> Cells:
    dtype, text = series.dtype, str(series.dtype)
    if pd.api.types.is_complex_dtype(dtype):
        raise _unreadable(name, series.iloc[0], "Split it into a real and an imaginary part.")
    if pd.api.types.is_bool_dtype(dtype):
        return Cells(Form.BOOLEAN, text, _floats(series))
    if pd.api.types.is_numeric_dtype(dtype):
        return _read_numbers(series, text)
    if pd.api.types.is_datetime64_any_dtype(dtype):
        zoned = np.full(len(series), series.dt.tz is not None)
        return Cells(Form.DATETIME, text, _seconds(series), zoned=zoned)
    if pd.api.types.is_timedelta64_dtype(dtype):
        return Cells(Form.TIMEDELTA, text, _floats(series.dt.total_seconds()))
    if isinstance(dtype, pd.StringDtype):
        return _read_strings(series, text)
    return _read_objects(series, text, name)


def _read_numbers(series: "pd.Series[Any]", dtype: str) -> Cells:
    if pd.api.types.is_integer_dtype(series.dtype) and len(series):
        low, high = series.min(), series.max()
        if not pd.isna(low) and (low < -EXACT_INTEGERS or high > EXACT_INTEGERS):
            return _read_objects(series.astype(object), dtype, None)
    single = dtype.lower().startswith(("float32", "float16", "halffloat")) or dtype == "float[pyarrow]"
    return Cells(Form.NUMBER, dtype, _floats(series), is_single=single)


def _read_strings(series: "pd.Series[Any]", dtype: str) -> Cells:
    codes, uniques = pd.factorize(series)
    levels = np.asarray(uniques, dtype=object)
    return _text_cells(codes.astype(np.intp), levels, dtype)


def _read_objects(series: "pd.Series[Any]", dtype: str, name: object) -> Cells:
    inferred = pd.api.types.infer_dtype(series, skipna=True)
    if inferred == "string":
        return _read_strings(series, dtype)
    if inferred == "interval":
        return _read_intervals(series, dtype)
    is_exact = inferred == "integer" and series.dropna().abs().max() <= EXACT_INTEGERS
    if is_exact or inferred in {"boolean", "floating", "mixed-integer-float", "decimal", "empty"}:
        form = Form.BOOLEAN if inferred == "boolean" else Form.NUMBER
        return Cells(form, dtype, _floats(series))
    if inferred in {"datetime", "datetime64", "date"}:
        zones = [getattr(value, "tzinfo", None) for value in series]  # a date has none
        zoned = np.fromiter((zone is not None for zone in zones), bool, len(zones))
        return Cells(Form.DATETIME, dtype, _object_seconds(series), zoned=zoned)
    if inferred in {"timedelta", "timedelta64"}:
        return Cells(Form.TIMEDELTA, dtype, _floats(pd.to_timedelta(series).dt.total_seconds()))
    _check_objects(series, name)
    return _read_mixed(series, dtype)


def _check_objects(series: "pd.Series[Any]", name: object) -> None:
    try:
        values = pd.unique(series.dropna())
    except TypeError:
        value = next(value for value in series if getattr(value, "__hash__", None) is None)
        raise _unreadable(name, value, "Turn it into plain columns, or drop it.") from None
    for value in values:
        if isinstance(value, bytes | complex | tuple | frozenset):
            raise _unreadable(name, value, "Turn it into plain columns (bytes: decode them), or drop it.")
        if not isinstance(value, str | int | float) and _NO_TEXT.match(str(value)):
            raise _unreadable(name, value, "Turn it into text or numbers, or drop it.")


def _read_intervals(series: "pd.Series[Any]", dtype: str) -> Cells:
    """Read intervals as text whose levels are in the order of the intervals, as if a category said so."""
    codes, uniques = pd.factorize(series)
    levels = list(uniques)
    order = sorted(range(len(levels)), key=lambda code: (levels[code].left, levels[code].right))
    place = np.empty(len(levels) + 1, dtype=np.intp)
    place[order] = np.arange(len(levels))
    place[-1] = -1
    texts = _objects(str(levels[code]) for code in order)
    return Cells(Form.TEXT, dtype, None, place[codes], texts, ordered=True)


def _read_mixed(series: "pd.Series[Any]", dtype: str) -> Cells:
    # pandas takes True, 1 and 1.0 for one value (as text the first differs), hence the types.
    codes, values = _factorize_by_type(series)
    cells = _text_cells(codes, _objects(text_of(value) for value in values), dtype)
    kept = [value for value in values if not isinstance(value, str) or value.strip()]
    numbers = np.fromiter((_number_of(value) for value in kept), np.float64, len(kept))
    if all(isinstance(value, float | np.floating | Decimal) or _is_exact(value) for value in kept):
        return Cells(Form.NUMBER, dtype, np.append(numbers, np.nan)[cells.texts()[0]])
    return replace(cells, numbers_among=numbers)


def _is_exact(value: object) -> bool:
    """Say whether a value is a whole number that float64 holds; truth values are none."""
    is_whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return is_whole and abs(value) <= EXACT_INTEGERS  # type: ignore[arg-type]


def _number_of(value: object) -> float:
    if isinstance(value, int | float | np.number | np.bool_ | Decimal):
        try:
            return float(value)
        except OverflowError:
            return np.nan
    return np.nan


def _read_arrow(series: "pd.Series[Any]", name: object) -> Cells:
    """Read Arrow-backed columns by way of the pandas type that holds the same values."""
    import pyarrow as pa

    dtype, text = series.dtype.pyarrow_dtype, str(series.dtype)  # type: ignore[union-attr]
    if pa.types.is_dictionary(dtype):
        cells = read_cells(series.astype(object).astype("category"), name)
        return replace(cells, dtype=text)
    if pa.types.is_integer(dtype) or pa.types.is_floating(dtype):
        return _read_numbers(series, text)
    if pa.types.is_string(dtype) or pa.types.is_large_string(dtype):
        return _read_strings(series, text)
    if pa.types.is_boolean(dtype):
        return Cells(Form.BOOLEAN, text, _floats(series))
    if pa.types.is_timestamp(dtype):
        micros = series.astype(pd.ArrowDtype(pa.timestamp("us", dtype.tz)))
        seconds = _floats(micros.astype("int64[pyarrow]")) / 1e6
        return Cells(Form.DATETIME, text, seconds, zoned=np.full(len(series), dtype.tz is not None))
    return _read_objects(series.astype(object), text, name)


def _read_category(series: "pd.Series[Any]", name: object) -> Cells:
    categories = series.cat.categories
    inner = read_cells(pd.Series(categories), name)
    codes = series.cat.codes.to_numpy().astype(np.intp)
    dtype, ordered = "category", bool(series.cat.ordered)
    if inner.codes is None or inner.levels is None:
        values = np.append(inner.numbers(), np.nan)[codes]
        zoned = None if inner.zoned is None else np.append(inner.zoned, False)[codes]
        return replace(inner, dtype=dtype, values=values, is_category=True, ordered=ordered, zoned=zoned)
    inner_codes = np.append(inner.codes, -1)[codes]
    ordered |= inner.ordered
    return replace(inner, _parsed={}, dtype=dtype, codes=inner_codes, is_category=True, ordered=ordered)


def _text_cells(codes: NDArray[np.intp], levels: Texts, dtype: str) -> Cells:
    """Take empty texts for missing."""
    empty = np.fromiter((not text or text.isspace() for text in levels), bool, len(levels))
    if empty.any():
        places = np.append(np.where(empty, -1, np.cumsum(~empty) - 1), -1)
        codes, levels = places[codes], levels[~empty]
    return Cells(Form.TEXT, dtype, None, codes, levels)


def _floats(series: "pd.Series[Any]") -> FloatArray:
    if series.dtype == object:
        series = series.where(series.notna(), np.nan)
    return series.to_numpy(dtype=np.float64, na_value=np.nan)


def _seconds(series: "pd.Series[Any]") -> FloatArray:
    if series.dt.tz is not None:
        series = series.dt.tz_convert("UTC").dt.tz_localize(None)
    micros = series.to_numpy(dtype="datetime64[us]")
    return np.where(np.isnat(micros), np.nan, micros.astype(np.int64) / 1e6)


def _object_seconds(series: "pd.Series[Any]") -> FloatArray:
    """Return the seconds of date objects; pandas gives up years that the unit of the others cannot hold."""
    seconds = _seconds(pd.to_datetime(series, utc=True, errors="coerce"))
    for row in np.flatnonzero(np.isnan(seconds) & series.notna().to_numpy()):
        seconds[row] = _seconds_of(series.iloc[row])
    return seconds


def _seconds_of(value: date | np.datetime64) -> float:
    if isinstance(value, np.datetime64):
        return float(value.astype("datetime64[us]").astype(np.int64) / 1e6)
    moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()


def _factorize_by_type(series: "pd.Series[Any]") -> tuple[NDArray[np.intp], list[object]]:
    """Return numbers of the distinct (type, value) pairs, -1 where missing."""
    places: dict[tuple[type, object], int] = {}
    missing = series.isna().to_numpy()
    codes = np.fromiter(
        (
            -1 if gone else places.setdefault((type(v), v), len(places))
            for v, gone in zip(series, missing, strict=True)
        ),
        np.intp,
        len(series),
    )
    return codes, [value for _, value in places]


def _objects(texts: Iterable[str]) -> Texts:
    found = list(texts)
    array = np.empty(len(found), dtype=object)
    array[:] = found
    return array


def _unreadable(name: object, value: object, way_out: str) -> UnreadableCellsError:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return UnreadableCellsError(
        f"Column {str(name)!r} holds {type(value).__name__} cells such as {shown}, which are neither "
        f"numbers, text nor dates. {way_out}"
    )
