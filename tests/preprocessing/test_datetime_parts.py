"""Calendar parts against pandas."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from tabular_automl.preprocessing.datetime_parts import PARTS, datetime_parts, varying_parts


@given(st.lists(st.integers(-9_000_000_000, 9_000_000_000), min_size=1, max_size=20))
@settings(deadline=None)
def test_parts_agree_with_pandas(seconds):
    found = datetime_parts(np.array(seconds, dtype=np.float64), PARTS)
    dates = pd.Series(pd.to_datetime(seconds, unit="s")).dt
    for part, row in zip(PARTS, found, strict=True):
        np.testing.assert_array_equal(row, getattr(dates, "day_of_week" if part == "weekday" else part))


def test_missing_stays_missing_and_absurd_dates_are_survived():
    found = datetime_parts(np.array([np.nan, 1e300, -1e300]), PARTS)
    assert np.isnan(found[:, 0]).all()
    assert np.isfinite(found[:, 1:]).all()


def test_nothing_varies_in_one_moment():
    assert varying_parts(np.array([5.0, 5.0, np.nan])) == ()
    assert varying_parts(np.array([np.nan])) == ()
