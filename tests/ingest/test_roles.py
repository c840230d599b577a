from typing import Any

import pandas as pd
import pytest

from tabular_automl.core.options import Options
from tabular_automl.core.schema import Severity
from tabular_automl.ingest.roles import check_names, named_features

FRAME = pd.DataFrame({"a": [1], "b": [2], "y": [3]})


def options(**told: Any) -> Options:
    return Options("y", **told)


@pytest.mark.parametrize("role", ["weight", "groups", "time_column"])
def test_the_target_has_no_other_role(role: str) -> None:
    (found,) = check_names(FRAME, options(**{role: "y"}))
    assert (found.check, found.severity, found.column) == ("role_is_target", Severity.ERROR, "y")
    assert found.way_out == f"Give each its own column, or leave {role} out."
    assert check_names(FRAME, options(**{role: "a"})) == []


def test_an_unknown_name_is_told_first() -> None:
    (found,) = check_names(FRAME, Options("x", weight="x", groups="x"))[:1]
    assert found.check == "unknown_column"


def test_none_is_no_name_of_a_column_named_nan() -> None:
    frame = FRAME.set_axis(pd.Index(["a", "b", None]), axis=1)
    (found,) = check_names(frame, Options(None))
    assert str(found) == "Target 'None' is not a column of df. The columns are: 'a', 'b', nan."


def test_features_are_named_in_the_schema_or_as_the_time() -> None:
    told = options(weight="w", time_column="a", schema={"b": "numeric"})
    assert named_features(told) == ("b", "a")
    assert named_features(options(time_column=[1, 2])) == ()
