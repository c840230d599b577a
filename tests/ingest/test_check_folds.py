from dataclasses import replace

import numpy as np
import pytest

from tabular_automl.core.errors import InputError
from tabular_automl.core.folds import Fold, FoldPlan
from tabular_automl.ingest.check_folds import check_folds

GROUPS = np.array([0, 0, 1, 1, 2, 2])


def plan(*held_out: list[int]) -> FoldPlan:
    rows = np.arange(6)
    return FoldPlan(tuple(Fold(np.setdiff1d(rows, out), np.array(out)) for out in held_out), "custom")


def test_a_sound_plan_stays_as_it_is() -> None:
    given = plan([0, 1], [2, 3], [4, 5])
    kept, findings = check_folds(given, GROUPS, np.array([1.0, 0, 1, 0, 1, 0]))
    assert kept is given
    assert findings == ()


def test_folds_in_which_nothing_counts_are_dropped_and_said() -> None:
    kept, (found,) = check_folds(plan([0, 1], [2, 3], [4, 5]), None, np.array([1.0, 1, 0, 0, 1, 1]))
    assert [fold.held_out.tolist() for fold in kept.folds] == [[0, 1], [4, 5]]
    assert found.check == "weightless_fold"
    assert "1 of 3 folds are left out" in found.message


def test_a_plan_that_loses_folds_has_one_repeat() -> None:
    first, second = ([0, 1], [2, 3], [4, 5]), ([0, 2], [1, 4], [3, 5])
    repeated = replace(plan(*first, *second), n_repeats=2)
    assert check_folds(repeated, GROUPS, np.ones(6))[0] is repeated
    kept, (found,) = check_folds(repeated, None, np.array([1.0, 1, 0, 0, 1, 1]))
    assert [fold.held_out.tolist() for fold in kept.folds] == [[0, 1], [4, 5]]
    assert kept.n_repeats == 1
    assert "1 of 3 folds are left out" in found.message


@pytest.mark.parametrize("weight", [[0, 0, 0, 0, 0, 1], [1, 1, 0, 0, 0, 0]])
def test_one_fold_that_counts_is_too_few(weight: list[int]) -> None:
    with pytest.raises(InputError, match=r"on both sides of 0 of 3 folds only.*Spread the weights"):
        check_folds(plan([0, 1], [2, 3], [4, 5]), None, np.array(weight, dtype=float))


def test_groups_on_both_sides_of_a_fold_are_said() -> None:
    _, (found,) = check_folds(plan([0, 1], [2, 4], [3, 5]), GROUPS, None)
    assert found.check == "groups_split"
    assert "2 of 3 folds: in fold 1 it trains on row 3 and holds out row 2 of the same group" in found.message
    assert "GroupKFold" in found.way_out
