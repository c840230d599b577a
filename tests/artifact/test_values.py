import datetime as dt
import json
import math
from collections.abc import Hashable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabular_automl.artifact.values import decode_value, encode_value
from tabular_automl.core.errors import ArtifactError, InputError

SCALARS = (
    st.text(st.characters())
    | st.integers()
    | st.booleans()
    | st.none()
    | st.floats(allow_nan=False)
    | st.dates()
    | st.datetimes(min_value=dt.datetime(1700, 1, 1), max_value=dt.datetime(2200, 1, 1)).map(pd.Timestamp)
)
VALUES = st.recursive(SCALARS, lambda parts: st.lists(parts, max_size=3).map(tuple), max_leaves=6)


def through_json(value: Hashable) -> object:
    return decode_value(json.loads(json.dumps(encode_value(value), allow_nan=False)))


def same(left: object, right: object) -> bool:
    if isinstance(left, tuple) and isinstance(right, tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and left == right and repr(left) == repr(right)


@given(VALUES)
def test_values_come_back_equal_and_of_their_type(value: Hashable) -> None:
    assert same(through_json(value), value)


def test_nan_comes_back() -> None:
    back = through_json(float("nan"))
    assert isinstance(back, float)
    assert math.isnan(back)


@pytest.mark.parametrize("text", ["\ud800", "\x00", "\ufeff", "e\u0301", "{}", '{"tuple": []}'])
def test_awkward_text_comes_back(text: str) -> None:
    assert through_json(text) == text


@pytest.mark.parametrize(
    ("value", "expected"),
    [(np.int64(3), 3), (np.bool_(1), True), (np.float32(0.5), 0.5), (np.str_("a"), "a"), (-0.0, -0.0)],
)
def test_numpy_scalars_become_pythons(value: Hashable, expected: Hashable) -> None:
    assert same(through_json(value), expected)


@pytest.mark.parametrize(
    "value",
    [
        pd.Timestamp("2024-05-01 12:00", tz="Europe/Berlin"),
        pd.Timedelta("1 days 00:00:00.000000001"),
        dt.date(2024, 1, 2),
    ],
)
def test_times_come_back(value: Hashable) -> None:
    assert through_json(value) == value


@pytest.mark.parametrize("value", [1j, b"a", frozenset(), pd.NaT])
def test_other_types_are_refused_by_name(value: Hashable) -> None:
    with pytest.raises(InputError, match=f"of type {type(value).__name__}: column names and labels must be"):
        encode_value(value)


@pytest.mark.parametrize("facts", [{"code": "x"}, {"tuple": [], "float": "1"}])
def test_unknown_tags_are_refused(facts: object) -> None:
    with pytest.raises(ArtifactError, match="unknown type"):
        decode_value(facts)
