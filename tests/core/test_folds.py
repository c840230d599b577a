"""The fold plan: repeats of equally many folds, and which prefixes of it make a result."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabular_automl.core.folds import Fold, FoldPlan

ROWS = np.arange(12)


def fold(*held_out: int) -> Fold:
    return Fold(np.setdiff1d(ROWS, held_out), np.array(held_out))


def dealt(n_folds: int, n_repeats: int) -> FoldPlan:
    folds = [
        fold(*np.sort(part))
        for repeat in range(n_repeats)
        for part in np.array_split(np.random.default_rng(repeat).permutation(ROWS), n_folds)
    ]
    return FoldPlan(tuple(folds), "shuffled", n_repeats=n_repeats)


PLANS = st.builds(dealt, st.integers(2, 6), st.integers(1, 4))


@given(PLANS)
def test_folds_come_repeat_by_repeat(plan: FoldPlan) -> None:
    repeats = plan.repeats(len(plan.folds))
    assert len(repeats) == plan.n_repeats
    assert [number for numbers in repeats for number in numbers] == list(range(len(plan.folds)))
    for numbers in repeats:
        assert len(numbers) == plan.folds_per_repeat == len(plan.first_repeat)
        held_out = np.concatenate([plan.folds[number].held_out for number in numbers])
        np.testing.assert_array_equal(np.sort(held_out), ROWS)


@given(PLANS, st.integers(0, 40))
def test_a_usable_prefix_is_part_of_the_first_repeat_or_whole_repeats(plan: FoldPlan, n_folds: int) -> None:
    usable = plan.usable_folds(n_folds)
    assert usable <= min(n_folds, len(plan.folds))
    assert min(n_folds, len(plan.folds)) - usable < plan.folds_per_repeat
    assert usable == n_folds or usable % plan.folds_per_repeat == 0
    assert plan.usable_folds(usable) == usable
    counted = np.zeros(len(ROWS), dtype=int)
    for numbers in plan.repeats(n_folds):
        for number in numbers:
            counted[plan.folds[number].held_out] += 1
    assert sum(map(len, plan.repeats(n_folds))) == usable
    assert len(set(counted[counted > 0])) <= 1, "every row held out is held out equally often"


@pytest.mark.parametrize(
    ("n_rows", "n_folds", "expected"),
    [(800, 8, 1), (35, 8, 1), (1_003, 10, 1), (1_001, 20, 2), (30, 30, 3), (3_000, 200, 20), (10, 1, 1)],
)
def test_of_many_folds_it_takes_more_to_say_anything(n_rows: int, n_folds: int, expected: int) -> None:
    rows = np.arange(n_rows)
    folds = [Fold(np.setdiff1d(rows, part), part) for part in np.array_split(rows, n_folds)]
    assert FoldPlan(tuple(folds), "custom").fewest_folds == expected
    assert FoldPlan((*folds, *folds), "shuffled", n_repeats=2).fewest_folds == expected


def test_repeats_are_part_of_the_identity() -> None:
    plan = dealt(3, 2)
    assert plan.digest != FoldPlan(plan.first_repeat, "shuffled").digest
    assert plan.digest != dealt(3, 3).digest
    assert plan.digest == dealt(3, 2).digest
    assert plan.digest != FoldPlan(plan.folds, "shuffled").digest


@pytest.mark.parametrize("n_repeats", [0, 2, 4])
def test_repeats_have_equally_many_folds(n_repeats: int) -> None:
    folds = dealt(3, 1).folds
    with pytest.raises(ValueError, match=f"3 folds are not {n_repeats} repeats of equally many"):
        FoldPlan(folds, "shuffled", n_repeats=n_repeats)


def test_repeats_hold_out_the_same_rows() -> None:
    first, other = (fold(0, 1), fold(2, 3)), (fold(0, 2), fold(1, 4))
    with pytest.raises(ValueError, match="Repeat 1 does not hold out the same rows as repeat 0"):
        FoldPlan((*first, *other), "shuffled", n_repeats=2)
