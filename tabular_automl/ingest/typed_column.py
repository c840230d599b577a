"""Columns of CSV get the type that all of their cells have."""

import re
from typing import Any

import numpy as np
import pandas as pd

NA_TEXTS = ("", "NA", "N/A", "n/a", "nan", "NaN", "null", "NULL", "None", "<NA>", "#N/A", "NaT")
"""Texts that a CSV cell holds for "missing" in columns of numbers and truth values."""

_INTEGER = r"^\s*[+-]?(0|[1-9]\d{0,17})\s*$"
_LONG_INTEGER = r"^\s*[+-]?[1-9]\d{18,}\s*$"
_LEAST_LONG = 1e18
_FLOAT = r"^\s*[+-]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*$"
_TRUTHS = {"True": True, "False": False, "true": True, "false": False, "TRUE": True, "FALSE": False}
# So many cells tell what a column cannot be, before all of them are looked at.
_GLANCE = 20
_ONE_INTEGER, _ONE_FLOAT = (re.compile(pattern, re.ASCII) for pattern in (_INTEGER, _FLOAT))


def typed_column(cells: Any) -> "pd.Series[Any]":
    """Return a column of text as integers, floats or truth values where all of its cells are, else as text.

    Numbers with leading zeros stay text, and whole numbers that int64 does not hold: both are keys. Empty
    cells of text are missing.

    Parameters
    ----------
    cells
        A `pyarrow.Array` or `pyarrow.ChunkedArray` of strings without nulls.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    known = pc.invert(pc.is_in(cells, pa.array(NA_TEXTS)))
    present = cells.filter(known)
    if not len(present):
        return pd.Series(np.nan, index=pd.RangeIndex(len(cells)), dtype=np.float64)
    glance = present.slice(0, _GLANCE).to_pylist()
    if all(text in _TRUTHS for text in glance) and pc.all(pc.is_in(present, pa.array(list(_TRUTHS)))).as_py():
        truths: pd.Series[Any] = cells.to_pandas().map(_TRUTHS)
        return truths.astype(bool) if len(present) == len(cells) else truths.astype("boolean")
    numbers = _numbers(present, glance)
    return _text(cells) if numbers is None else _spread(numbers, known.to_numpy(zero_copy_only=False))


def _numbers(present: Any, glance: list[str]) -> Any:
    """Return the numbers that all cells are; None where they are text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not all(_ONE_FLOAT.match(text) for text in glance):
        return None
    whole = all(_ONE_INTEGER.match(text) for text in glance)
    if whole and pc.all(pc.match_substring_regex(present, _INTEGER)).as_py():
        return pc.cast(pc.utf8_trim_whitespace(present), pa.int64()).to_numpy(zero_copy_only=False)
    if not pc.all(pc.match_substring_regex(present, _FLOAT)).as_py():
        return None
    numbers = pc.cast(pc.utf8_trim_whitespace(present), pa.float64())
    large = present.filter(pc.greater_equal(pc.abs(numbers), _LEAST_LONG))
    if len(large) and pc.any(pc.match_substring_regex(large, _LONG_INTEGER)).as_py():
        return None
    return numbers.to_numpy(zero_copy_only=False)


def _text(cells: Any) -> "pd.Series[Any]":
    import pyarrow as pa
    import pyarrow.compute as pc

    column = pc.if_else(pc.equal(cells, ""), pa.scalar(None, cells.type), cells).to_pandas()
    texts = pd.Series(column, dtype=pd.Series([""]).dtype)  # as this version of pandas holds texts
    return texts.where(texts.notna(), np.nan) if texts.dtype == object else texts


def _spread(numbers: Any, present: Any) -> "pd.Series[Any]":
    if present.all():
        return pd.Series(numbers)
    values = np.full(len(present), np.nan)
    values[present] = numbers
    return pd.Series(values)
