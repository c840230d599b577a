"""The matrix forests look at."""

from dataclasses import replace

import numpy as np
import pytest

from tabular_automl.core.errors import ArtifactError
from tabular_automl.core.fitting import FeatureSpec, Rows
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.task import TaskKind
from tabular_automl.learners.forest_columns import LARGEST, MISSING, ROWS_A_LEVEL, ForestColumns

RNG = np.random.default_rng(0)


def numbers(column: np.ndarray) -> ForestColumns:
    """Return what is learnt from one column of numbers."""
    shape = ProblemShape(TaskKind.REGRESSION, len(column), 1, 0, 1)
    return ForestColumns.fit(Rows(column[:, np.newaxis], column), FeatureSpec(("c0",)), shape)


def category(
    codes: np.ndarray, y: np.ndarray, weight: np.ndarray | None = None, *, n_classes: int = 1
) -> ForestColumns:
    """Return what is learnt from one category, between two columns of numbers."""
    task = TaskKind.REGRESSION if n_classes == 1 else TaskKind.MULTICLASS
    n_levels = int(np.nanmax(codes)) + 1
    spec = FeatureSpec(("c0", "c1", "c2"), (1,), (n_levels,))
    X = np.column_stack([np.zeros(len(y)), codes, np.ones(len(y))])
    return ForestColumns.fit(Rows(X, y, weight), spec, ProblemShape(task, len(y), 2, 1, n_classes))


def places(columns: ForestColumns, codes: list[float]) -> np.ndarray:
    """Return the places of levels in both orders."""
    X = np.column_stack([np.zeros(len(codes)), codes, np.ones(len(codes))])
    return columns.transform(X)[:, 2:]


def test_missing_is_below_everything_where_training_rows_miss_it():
    found = numbers(np.array([1.0, np.nan, 5.0])).transform(np.array([[np.nan], [-np.inf]]))
    assert found[0, 0] == MISSING < found[1, 0]


def test_missing_is_in_the_middle_where_no_training_row_misses_it():
    columns = numbers(np.array([1.0, 4.0, 500.0]))
    found = columns.transform(np.array([[np.nan], [4.0]]))
    assert found[0, 0] == found[1, 0]


@pytest.mark.parametrize("column", [np.full(4, np.nan), np.array([np.inf, -np.inf, np.nan]), np.full(3, 2.0)])
def test_columns_that_say_nothing(column):
    found = numbers(column).transform(np.array([[np.nan], [0.0], [1e300], [-1e300], [np.inf]]))
    assert not np.isnan(found).any()


def test_what_single_precision_cannot_hold_is_held_within_it():
    found = numbers(np.array([-1e308, 1e308, 1.7e308])).transform(
        np.array([[-np.inf], [-1.7e308], [1.7e308], [np.inf]])
    )
    assert np.isfinite(found).all()
    assert found[0, 0] == found[1, 0] == -LARGEST
    assert found[2, 0] == found[3, 0] <= LARGEST


def test_digits_far_behind_the_first_are_kept():
    nanoseconds = 1.7e18 + 1e9 * np.arange(10.0)
    found = numbers(nanoseconds).transform(nanoseconds[:, np.newaxis])
    assert len(np.unique(found)) == 10


def test_levels_are_in_the_order_of_their_target_and_of_their_frequency():
    codes = np.repeat([0.0, 1.0, 2.0], [3 * ROWS_A_LEVEL, 2 * ROWS_A_LEVEL, ROWS_A_LEVEL])
    y = np.repeat([5.0, 9.0, 1.0], [3 * ROWS_A_LEVEL, 2 * ROWS_A_LEVEL, ROWS_A_LEVEL])
    found = places(category(codes, y), [0, 1, 2])
    assert found[2, 0] < found[0, 0] < found[1, 0]
    assert found[2, 1] < found[1, 1] < found[0, 1]


def test_levels_of_few_rows_share_one_place():
    codes = np.concatenate([np.repeat([0.0, 1.0], ROWS_A_LEVEL), np.arange(2.0, 42.0)])
    y = np.concatenate([np.repeat([-1.0, 1.0], ROWS_A_LEVEL), np.tile([-9.0, 9.0], 20)])
    found = places(category(codes, y), [0, 1, *range(2, 42)])
    assert found[0, 0] < found[2, 0] < found[1, 0]
    assert len(np.unique(found[2:, 0])) == 1, "their own targets must not be told"


def test_weights_move_the_order():
    codes = np.repeat([0.0, 1.0], 2 * ROWS_A_LEVEL)
    y = np.tile([0.0, 1.0], 2 * ROWS_A_LEVEL)
    weight = np.where((codes == 0) == (y == 0), 1.5, 0.5)
    first, second = places(category(codes, y, weight), [0, 1])[:, 0]
    assert first < second
    first, second = places(category(codes, y, 2.0 - weight), [0, 1])[:, 0]
    assert first > second


def test_several_classes_are_ordered_along_where_they_differ_most():
    shares = np.array([[0.8, 0.1, 0.1], [0.5, 0.4, 0.1], [0.1, 0.8, 0.1]])
    codes = np.repeat([1.0, 0.0, 2.0], 400)
    y = np.concatenate([RNG.choice(3, 400, p=share).astype(float) for share in shares])
    one_end, middle, other_end = places(category(codes, y, n_classes=3), [1, 0, 2])[:, 0]
    assert min(one_end, other_end) < middle < max(one_end, other_end)


@pytest.mark.parametrize("unknown", [np.nan, 3.0, 1e9, -1.0])
def test_unknown_levels_are_missing_ones(unknown):
    codes = np.repeat([0.0, np.nan, 2.0], 2 * ROWS_A_LEVEL)
    y = np.repeat([0.0, 9.0, 3.0], 2 * ROWS_A_LEVEL)
    found = places(category(codes, y), [0, 2, unknown])
    assert found[:, 0].argmax() == 2, "rows without a level have the highest targets"
    np.testing.assert_array_equal(found[2], places(category(codes, y), [np.nan])[0])


def test_arrays_bring_it_back():
    columns = category(np.repeat([0.0, 1.0], 60), np.arange(120.0))
    X = RNG.normal(size=(20, 3))
    np.testing.assert_array_equal(
        ForestColumns.from_arrays(columns.arrays()).transform(X), columns.transform(X)
    )


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("numbers", np.array([0, 0]), "there twice"),
        ("numbers", np.array([0, 7]), "is missing"),
        ("categories", np.array([-1]), "is missing"),
        ("n_levels", np.array([10**6]), "'places' has shape"),
        ("n_levels", np.array([-5]), "-5 levels"),
        ("centers", np.zeros(3), "'centers' has shape"),
        ("fills", np.array([0.0, np.nan]), "'fills' holds NaN"),
        ("places", np.full((3, 2), np.nan), "'places' holds NaN"),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(name, value, message):
    columns = category(np.repeat([0.0, 1.0], 60), np.arange(120.0))
    with pytest.raises(ArtifactError, match=message):
        ForestColumns.from_arrays({**columns.arrays(), name: value})


def test_a_table_of_categories_only():
    columns = category(np.repeat([0.0, 1.0], 60), np.arange(120.0))
    only = replace(columns, numbers=columns.numbers[:0], centers=columns.centers[:0], fills=columns.fills[:0])
    only = replace(only, categories=np.zeros(1, dtype=np.intp))
    assert only.transform(np.array([[0.0], [1.0], [np.nan]])).shape == (3, 2)
    assert only.transform(np.empty((0, 1))).shape == (0, 2)
