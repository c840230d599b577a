"""Calendar parts of datetime columns."""

from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from tabular_automl.core.fitting import FloatArray

DAY = 86_400
# The period of each part, for learners that need cycles; a year doesn't come back.
PERIODS = MappingProxyType({"month": 12, "day": 31, "weekday": 7, "hour": 24})
PARTS = ("year", *PERIODS)
# What 64-bit seconds and calendars both can hold (years 1 to 9999).
_EARLIEST, _LATEST = -62_135_596_800.0, 253_402_300_799.0


def datetime_parts(seconds: FloatArray, parts: tuple[str, ...]) -> FloatArray:
    """Return calendar parts of UTC seconds since 1970, shape (len(parts), n_rows); NaN where missing.

    >>> datetime_parts(np.array([0.0, np.nan]), ("year", "weekday", "hour"))
    array([[1970.,   nan],
           [   3.,   nan],
           [   0.,   nan]])
    """
    missing = np.isnan(seconds)
    whole = np.floor(np.clip(np.where(missing, 0.0, seconds), _EARLIEST, _LATEST)).astype(np.int64)
    found = np.empty((len(parts), len(seconds)))
    for position, part in enumerate(parts):
        found[position] = _part(whole, part)
    found[:, missing] = np.nan
    return found


def varying_parts(seconds: FloatArray) -> tuple[str, ...]:
    """Return the parts that take more than one value."""
    known = seconds[~np.isnan(seconds)]
    if len(known) == 0:
        return ()
    values = datetime_parts(known, PARTS)
    return tuple(part for part, row in zip(PARTS, values, strict=True) if row.min() < row.max())


def _part(seconds: NDArray[np.int64], part: str) -> NDArray[np.int64]:
    if part == "hour":
        return seconds % DAY // 3600
    days = seconds // DAY
    if part == "weekday":
        return (days + 3) % 7  # 1970 began on a Thursday; Monday is 0
    dates = days.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    values: NDArray[np.int64]
    if part == "day":
        values = (dates - months.astype("datetime64[D]")).astype(np.int64) + 1
    elif part == "month":
        values = months.astype(np.int64) % 12 + 1
    else:
        values = dates.astype("datetime64[Y]").astype(np.int64) + 1970
    return values
