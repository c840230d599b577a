import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabular_automl.crossfit import joint_round, rounds_without_each

CURVES = st.lists(st.lists(st.floats(0, 10), min_size=1, max_size=20).map(np.array), min_size=1, max_size=6)


def test_a_fold_that_stopped_early_is_continued_flat():
    assert joint_round([np.array([3.0, 2.0]), np.array([3.0, 2.5, 2.0, 1.5, 1.6])], [1.0, 1.0]) == 4


def test_weights_decide():
    falling, rising = np.array([1.0, 0.9]), np.array([1.0, 1.2])
    assert joint_round([falling, rising], [1.0, 1.0]) == 1
    assert joint_round([falling, rising], [3.0, 1.0]) == 2


def test_the_first_of_equal_rounds_is_chosen():
    assert joint_round([np.array([2.0, 1.0, 1.0])], [1.0]) == 2


@given(CURVES)
def test_no_fold_chooses_its_own_round(curves):
    weights = [1.0] * len(curves)
    chosen = rounds_without_each(curves, weights)
    for fold, curve in enumerate(curves):
        if len(curves) == 1:
            assert chosen == (joint_round(curves, weights),)
            continue
        # Whatever happens in a fold, its own round stays (unless it becomes the longest).
        changed = [*curves]
        changed[fold] = np.random.default_rng(0).random(len(curve))
        assert rounds_without_each(changed, weights)[fold] == chosen[fold]


@pytest.mark.parametrize("n_folds", [1, 3])
def test_curves_of_one_round(n_folds):
    assert rounds_without_each([np.array([0.3])] * n_folds, [1.0] * n_folds) == (1,) * n_folds
