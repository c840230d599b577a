from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.model_selection import KFold

from tabular_automl.core.errors import InputError
from tabular_automl.core.options import Options
from tabular_automl.ingest.roles import split_roles
from tabular_automl.ingest.usable_rows import UsableRows, take_rows, usable_rows


@pytest.fixture
def frame() -> pd.DataFrame:
    target = [None if row % 4 == 0 else float(row) for row in range(40)]
    return pd.DataFrame({"x": range(40), "w": 1.0, "y": target}, index=pd.RangeIndex(100, 140))


def cut(frame: pd.DataFrame, **told: Any) -> UsableRows:
    options = Options("y", **{"missing_target": "drop", **told})
    return usable_rows(split_roles(frame, options), options)


def test_all_parts_are_cut_alike(frame: pd.DataFrame) -> None:
    usable = cut(frame, weight="w", groups=np.arange(40), time_column="x")
    assert usable.kept is not None
    assert usable.kept.tolist() == [row for row in range(40) if row % 4]
    roles = usable.roles
    assert roles.weight is not None
    assert roles.groups is not None
    assert roles.time is not None
    for part in (roles.features, roles.target, roles.weight, roles.time):
        assert part.index.tolist() == (usable.kept + 100).tolist()
    assert roles.groups.tolist() == usable.kept.tolist()


def test_without_being_asked_nothing_is_cut(frame: pd.DataFrame) -> None:
    usable = cut(frame, missing_target="error")
    assert (usable.kept, usable.findings) == (None, ())
    assert cut(frame.dropna()).kept is None


def test_positions_of_a_splitter_are_translated(frame: pd.DataFrame) -> None:
    mask = np.arange(40) < 20
    usable = cut(frame, splitter=[([1, 2, 4, 5], [7, 8]), (mask, ~mask)])
    (first, second), (left, right) = usable.splitter
    assert [first.tolist(), second.tolist()] == [[0, 1, 3], [5]]
    assert [left.tolist(), right.tolist()] == [list(range(15)), list(range(15, 30))]


def test_a_splitter_that_splits_by_itself_stays(frame: pd.DataFrame) -> None:
    splitter = KFold(3)
    assert cut(frame, splitter=splitter).splitter is splitter


@pytest.mark.parametrize("pair", [([-1, 2], [3]), ([1, 99], [3]), (["a"], [1]), 7, ([1.5], [2])], ids=str)
def test_what_is_no_pair_of_positions_is_left_to_the_fold_plan(frame: pd.DataFrame, pair: Any) -> None:
    assert cut(frame, splitter=[pair]).splitter == [pair]


def test_a_side_without_rows_is_an_error(frame: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="Fold 1 of the splitter has no row with a usable target"):
        cut(frame, splitter=[([1], [2]), ([1], [4, 8])])


def test_too_few_rows_are_an_error(frame: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="Target 'y' is usable in 9 of 12 rows only; at least 10"):
        cut(frame.head(12))


@pytest.mark.parametrize(
    "values",
    [
        list("abcd"),
        tuple("abcd"),
        np.array(list("abcd")),
        pd.Series(list("abcd"), index=[9, 9, 9, 9]),
        pd.DataFrame({"a": list("abcd")}),
        pl.Series(list("abcd")),
    ],
    ids=lambda values: type(values).__name__,
)
def test_rows_are_taken_of_whatever_has_rows(values: Any) -> None:
    assert np.asarray(take_rows(values, np.array([1, 3]))).ravel().tolist() == ["b", "d"]
    assert take_rows(values, None) is values
