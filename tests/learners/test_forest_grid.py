"""Splits of ranks and splits of values send training rows the same way."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tabular_automl.learners import forest_grid
from tabular_automl.learners.forest_columns import LARGEST, MISSING
from tabular_automl.learners.forest_grid import ForestGrid

CELLS = st.one_of(
    st.floats(-float(LARGEST), float(LARGEST), width=32),
    st.sampled_from([float(MISSING), 0.0, 1.0, 1.0 + 2**-23, float(LARGEST), -float(LARGEST), 1e-45]),
)
COLUMNS = arrays(np.float32, st.integers(1, 40), elements=CELLS)


@pytest.fixture(params=[1_000, 4], ids=["distinct values", "quantiles"], scope="module", autouse=True)
def most_cells(request):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forest_grid, "MOST_CELLS", request.param)
        yield request.param


@settings(max_examples=200)
@given(COLUMNS, st.floats(0.0, 1.0, exclude_max=True))
def test_a_split_of_ranks_is_the_same_split_of_values(column, share):
    grid, ranks = ForestGrid.fit(np.column_stack([np.ones(len(column), dtype=np.float32), column]))
    low, high = ranks[:, 1].min(), ranks[:, 1].max()
    split = low + share * (float(high) - low)
    if low == high or split >= high:
        return
    threshold = grid.thresholds(np.array([1]), np.array([split]))
    assert threshold.dtype == np.float32
    assert np.isfinite(threshold).all()
    np.testing.assert_array_equal(column <= threshold, ranks[:, 1] <= split)


def test_only_the_order_counts(most_cells):
    values = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    _, ranks = ForestGrid.fit(values)
    _, stretched = ForestGrid.fit(values**3 * np.float32(1e12))
    np.testing.assert_array_equal(ranks, stretched)
    assert ranks.min() == 0.0
    assert ranks.max() <= most_cells - 1


def test_missing_is_below_all_ranks():
    column = np.array([[3.0], [MISSING], [-1e30]], dtype=np.float32)
    grid, ranks = ForestGrid.fit(column)
    assert ranks[1, 0] < ranks[2, 0] == 0.0 < ranks[0, 0]
    apart = grid.thresholds(np.zeros(1, dtype=np.intp), np.array([-0.5]))
    np.testing.assert_array_equal(column[:, 0] <= apart, [False, True, False])


def test_half_way_between_ranks_is_half_way_between_values():
    grid, _ = ForestGrid.fit(np.array([[0.0], [10.0], [1000.0]], dtype=np.float32))
    found = grid.thresholds(np.zeros(2, dtype=np.intp), np.array([0.5, 1.5]))
    np.testing.assert_allclose(found, [5.0, 505.0])
