import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneOut,
    RepeatedKFold,
    ShuffleSplit,
    TimeSeriesSplit,
)

from tabular_automl.core.errors import InputError
from tabular_automl.core.folds import TIME_ORDERED, FoldPlan
from tabular_automl.ingest.plan_folds import RowStructure, _repeats, count_repeats, plan_folds


@st.composite
def problems(draw: st.DrawFn) -> tuple[NDArray[np.float64], RowStructure, bool]:
    n = draw(st.integers(10, 120))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    is_classification = draw(st.booleans())
    if is_classification:
        n_classes = draw(st.integers(2, 5))
        y = np.r_[np.arange(n_classes), rng.integers(0, n_classes, n - n_classes)].astype(float)
    else:
        y = rng.normal(size=n).round(draw(st.integers(0, 3)))
    groups = np.r_[0, 1, rng.integers(0, draw(st.integers(2, n)), n - 2)] if draw(st.booleans()) else None
    copies = rng.integers(0, n, n) if draw(st.booleans()) else None
    time = np.r_[0.0, 1.0, rng.integers(0, 30, n - 2)] if draw(st.booleans()) and groups is None else None
    return y, RowStructure(groups, copies, time), is_classification


@settings(max_examples=200, deadline=None)
@given(problems(), st.integers(0, 5))
def test_invariants_of_every_plan(problem: tuple[NDArray[np.float64], RowStructure, bool], seed: int) -> None:
    y, structure, is_classification = problem
    try:
        plan = plan_folds(y, structure, seed, is_classification=is_classification)
    except InputError as error:
        assert "time_column" in str(error)  # noqa: PT017 (copies may tie all moments together)
        return
    held_out = np.concatenate([fold.held_out for fold in plan.first_repeat])
    assert len(np.unique(held_out)) == len(held_out), "a row is held out at most once"
    assert 1 <= plan.folds_per_repeat <= 8
    for fold in plan.folds:
        assert len(fold.train)
        assert len(fold.held_out)
        assert not np.intersect1d(fold.train, fold.held_out).size
        assert (np.diff(fold.train) > 0).all()
        assert (np.diff(fold.held_out) > 0).all()
        if structure.groups is not None:
            assert not np.intersect1d(structure.groups[fold.train], structure.groups[fold.held_out]).size
        if structure.time is not None:
            assert structure.time[fold.train].max() < structure.time[fold.held_out].min()
        else:
            assert len(fold.train) + len(fold.held_out) == len(y)
    if structure.time is None:
        assert len(held_out) == len(y)
    else:
        assert plan.n_repeats == 1
    again = plan_folds(y, structure, seed, is_classification=is_classification)
    assert again.digest == plan.digest, "data and seed alone decide"


@settings(max_examples=150, deadline=None)
@given(problems(), st.integers(0, 5), st.booleans())
def test_invariants_of_repeats(
    problem: tuple[NDArray[np.float64], RowStructure, bool], seed: int, weighted: bool
) -> None:
    y, structure, is_classification = problem
    structure = RowStructure(structure.groups, structure.duplicates)
    rng = np.random.default_rng(seed)
    weight = (rng.random(len(y)) < 0.5).astype(np.float64) if weighted else None
    try:
        plan = plan_folds(y, structure, seed, is_classification=is_classification, weight=weight)
    except InputError as error:
        assert "weight above 0" in str(error)  # noqa: PT017 (what counts may be in one group)
        return
    counting = np.ones(len(y), dtype=bool) if weight is None else weight > 0
    assert 1 <= plan.n_repeats <= count_repeats(len(y))
    seen = set()
    for numbers in plan.repeats(len(plan.folds)):
        folds = [plan.folds[number] for number in numbers]
        assert len(folds) == plan.folds_per_repeat
        held_out = np.concatenate([fold.held_out for fold in folds])
        np.testing.assert_array_equal(np.sort(held_out), np.arange(len(y)), "a repeat partitions the rows")
        seen.add(frozenset(tuple(fold.held_out[counting[fold.held_out]]) for fold in folds))
        for fold in folds:
            np.testing.assert_array_equal(fold.train, np.setdiff1d(np.arange(len(y)), fold.held_out))
            assert counting[fold.train].any()
            assert counting[fold.held_out].any()
            if structure.groups is not None:
                assert not np.intersect1d(structure.groups[fold.train], structure.groups[fold.held_out]).size
            elif structure.duplicates is not None:
                copies = structure.duplicates
                assert not np.intersect1d(copies[fold.train], copies[fold.held_out]).size
    assert len(seen) == plan.n_repeats, "no two repeats put the same rows together"


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(8, 90), min_size=2, max_size=4), st.integers(0, 9))
def test_every_repeat_is_stratified(counts: list[int], seed: int) -> None:
    y = np.repeat(np.arange(len(counts)), counts)
    made = plan(y, seed=seed)
    assert made.n_repeats == 5
    for numbers in made.repeats(len(made.folds)):
        shares = np.array(
            [np.bincount(y[made.folds[number].held_out], minlength=len(counts)) for number in numbers]
        )
        assert (np.ptp(shares, axis=0) <= 1).all()


def test_the_first_repeat_is_the_plan_without_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    y = np.arange(200) % 3
    repeated = plan(y)
    # The package's attribute of that name is the function.
    monkeypatch.setattr(sys.modules["tabular_automl.ingest.plan_folds"], "REPEATS", ())
    alone = plan(y)
    assert [fold.digest for fold in alone.folds] == [fold.digest for fold in repeated.first_repeat]
    assert (alone.n_repeats, repeated.n_repeats) == (1, 5)


@pytest.mark.parametrize(("n_rows", "repeats"), [(2_000, 5), (2_001, 3), (10_000, 3), (10_001, 1)])
def test_few_rows_are_dealt_several_times(n_rows: int, repeats: int) -> None:
    made = plan(np.arange(n_rows) % 2)
    assert made.n_repeats == repeats
    assert len(made.folds) == 8 * repeats


@pytest.mark.parametrize(
    "structure",
    [
        {"time": np.arange(64.0)},
        {"splitter": KFold(4)},
        {"groups": np.arange(64) // 8},
        {"duplicates": np.arange(64) // 32},
    ],
    ids=["in time", "own splitter", "one group a fold", "one set of copies a fold"],
)
def test_what_cannot_be_dealt_otherwise_is_dealt_once(structure: dict[str, Any]) -> None:
    assert plan(np.arange(64) % 2, **structure).n_repeats == 1


def test_a_dealing_to_another_number_of_folds_is_no_repeat() -> None:
    everything = np.ones(4, dtype=bool)
    dealings = [np.array(fold_of) for fold_of in ([0, 0, 1, 1], [0, 1, 2, 2], [1, 1, 0, 0], [0, 1, 0, 1])]
    repeats = _repeats(dealings, everything)
    held_out = [[fold.held_out.tolist() for fold in folds] for folds in repeats]
    assert held_out == [[[0, 1], [2, 3]], [[0, 2], [1, 3]]]


def test_two_rows_are_dealt_once() -> None:
    assert plan([0.0, 1.0], is_classification=False).n_repeats == 1


def test_rows_that_weigh_nothing_make_no_repeat() -> None:
    weight = (np.arange(64) < 2).astype(np.float64)
    made = plan_folds(np.arange(64.0), RowStructure(), 0, is_classification=False, weight=weight)
    assert (made.folds_per_repeat, made.n_repeats) == (2, 1)


def plan(y: object, *, is_classification: bool = True, seed: int = 0, **structure: Any) -> FoldPlan:
    return plan_folds(
        np.asarray(y, float),
        RowStructure(**structure),
        seed,
        is_classification=is_classification,
    )


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(8, 90), min_size=2, max_size=4), st.integers(0, 9))
def test_classes_and_sizes_are_even(counts: list[int], seed: int) -> None:
    y = np.repeat(np.arange(len(counts)), counts)
    folds = plan(y, seed=seed).first_repeat
    shares = np.array([np.bincount(y[fold.held_out], minlength=len(counts)) for fold in folds])
    assert (np.ptp(shares, axis=0) <= 1).all()
    assert np.ptp(shares.sum(axis=1)) <= 1


def test_regression_is_stratified_by_quantiles() -> None:
    y = np.random.default_rng(0).lognormal(size=800)
    means = [np.log(y[fold.held_out]).mean() for fold in plan(y, is_classification=False).folds]
    assert np.ptp(means) < 0.25


def test_seeds_give_different_plans() -> None:
    y = np.arange(100) % 2
    assert plan(y, seed=1).digest != plan(y, seed=2).digest


@pytest.mark.parametrize(
    ("structure", "is_classification", "scheme"),
    [
        ({}, True, "stratified"),
        ({}, False, "shuffled"),
        ({"groups": np.arange(100) // 4}, True, "stratified grouped"),
        ({"groups": np.arange(100) // 4}, False, "grouped"),
        ({"time": np.arange(100.0)}, False, "time-ordered"),
        ({"splitter": KFold(3)}, False, "custom"),
    ],
)
def test_schemes(structure: dict[str, Any], is_classification: bool, scheme: str) -> None:
    assert plan(np.arange(100) % 2, is_classification=is_classification, **structure).scheme == scheme


def test_groups_are_balanced_and_are_the_blocks() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 100, 2000)
    y = (rng.random(2000) < 0.2).astype(float)
    made = plan(y, groups=groups)
    sizes = [len(fold.held_out) for fold in made.folds]
    positives = [y[fold.held_out].sum() for fold in made.folds]
    assert np.ptp(sizes) < 60
    assert np.ptp(positives) < 40
    assert made.blocks is not None
    assert len(np.unique(made.blocks)) == 100


def test_copies_stay_together_without_groups() -> None:
    copies = np.arange(200) // 2
    made = plan(np.arange(200) // 2 % 2, duplicates=copies)
    for fold in made.folds:
        assert not np.intersect1d(copies[fold.train], copies[fold.held_out]).size


def test_the_last_block_of_time_is_fold_0() -> None:
    time = np.random.default_rng(0).permutation(1000).astype(float)
    made = plan(np.arange(1000) % 2, time=time)
    starts = [time[fold.held_out].min() for fold in made.folds]
    assert made.folds_per_repeat == 8
    assert starts == sorted(starts, reverse=True)
    assert time[made.folds[0].held_out].max() == 999
    assert len(made.folds[-1].train) == 300


def test_rows_of_one_moment_are_not_split() -> None:
    time = np.repeat([1.0, 2.0, 3.0], [80, 10, 10])
    made = plan(np.arange(100) % 2, time=time)
    assert [np.unique(time[fold.held_out]).tolist() for fold in made.folds] == [[3.0], [2.0]]


def test_groups_in_time_order_leave_training_when_held_out() -> None:
    time, groups = np.arange(100.0), np.arange(100) % 10
    groups[:50] += 10
    for fold in plan(np.arange(100) % 2, time=time, groups=groups).folds:
        assert not np.intersect1d(groups[fold.train], groups[fold.held_out]).size


@pytest.mark.parametrize("splitter", [KFold(4), TimeSeriesSplit(3), ShuffleSplit(1), GroupKFold(3)], ids=repr)
def test_own_splitters(splitter: Any) -> None:
    groups = np.arange(60) // 5
    made = plan(np.arange(60) % 2, splitter=splitter, groups=groups)
    pairs = list(splitter.split(np.zeros((60, 1)), None, groups))
    assert made.folds_per_repeat == len(pairs)
    if not isinstance(splitter, ShuffleSplit):
        first = pairs[-1 if isinstance(splitter, TimeSeriesSplit) else 0]
        np.testing.assert_array_equal(made.folds[0].held_out, first[1])


@pytest.mark.parametrize("options", [{}, {"max_train_size": 20}, {"gap": 3}])
def test_a_splitter_that_only_looks_back_is_time_ordered(options: dict[str, Any]) -> None:
    made = plan(np.arange(90) % 2, splitter=TimeSeriesSplit(8, **options))
    assert made.scheme == TIME_ORDERED
    starts = [fold.held_out[0] for fold in made.folds]
    assert starts == [80, 70, 60, 50, 40, 30, 20, 10]
    assert made.blocks is not None
    np.testing.assert_array_equal(made.blocks, np.arange(90) // 10)


def test_pairs_that_only_look_back_in_time_are_time_ordered() -> None:
    time = np.arange(30.0)[::-1]
    pairs = [(np.arange(20, 30), np.arange(10, 20)), (np.arange(10, 30), np.arange(10))]
    made = plan(np.arange(30) % 2, splitter=pairs, time=time)
    assert made.scheme == TIME_ORDERED
    assert [fold.held_out[0] for fold in made.folds] == [0, 10]
    assert plan(np.arange(30) % 2, splitter=pairs).scheme == "custom"
    looks_ahead = plan(np.arange(30) % 2, splitter=TimeSeriesSplit(4), time=time)
    assert looks_ahead.scheme == "custom", "rows may be sorted from the newest"
    through_a_moment = plan(np.arange(30) % 2, splitter=TimeSeriesSplit(4), time=np.arange(30.0) // 7)
    assert through_a_moment.scheme == TIME_ORDERED
    assert plan(np.arange(30) % 2, splitter=KFold(3), time=np.zeros(30)).scheme == "custom"


def test_one_holdout_is_no_order_in_time() -> None:
    made = plan(np.arange(30) % 2, splitter=[(np.arange(20), np.arange(20, 30))])
    assert made.scheme == "custom"
    assert made.blocks is None


def test_uneven_folds_are_bought_from_the_largest() -> None:
    rows = np.arange(40)
    sizes = [8, 30, 12, 30]
    pairs = [(np.delete(rows, [number])[-size:], [number]) for number, size in enumerate(sizes)]
    made = plan(rows % 2, splitter=[*pairs, (rows[:30], [39])])
    assert made.scheme == "custom"
    assert [len(fold.train) for fold in made.folds] == [30, 30, 30, 12, 8]
    assert [fold.held_out[0] for fold in made.folds] == [1, 3, 39, 2, 0]


class HalvesByCall:
    """A splitter of the user's own that knows no groups."""

    def split(self, X: NDArray[np.float64], y: object) -> Any:
        rows = np.arange(len(X))
        yield rows[::2], rows[1::2]
        yield rows[1::2], rows[::2]

    def __repr__(self) -> str:
        return "HalvesByCall()"


def test_a_splitter_may_know_no_groups() -> None:
    assert plan(np.arange(20) % 2, splitter=HalvesByCall()).folds_per_repeat == 2
    with pytest.raises(
        InputError, match=r"HalvesByCall\(\) cannot split these 20 rows.*split\(X, y, groups\)"
    ):
        plan(np.arange(20) % 2, splitter=HalvesByCall(), groups=np.arange(20) // 4)


def test_own_pairs_and_masks() -> None:
    mask = np.arange(20) < 5
    made = plan(np.arange(20) % 2, splitter=[(~mask, mask), (np.arange(5), [19, 18])])
    assert made.folds[0].held_out.tolist() == [0, 1, 2, 3, 4]
    assert made.folds[1].held_out.tolist() == [18, 19]


@pytest.mark.parametrize(
    ("splitter", "message"),
    [
        (RepeatedKFold(n_splits=2, n_repeats=2), "holds out row 0 in 2 folds"),
        ([([0, 1], [1, 2])], "1 rows in both train and held_out, the first is row 1"),
        ([([0, 1], [99])], "names row 99; df has rows 0 to 19"),
        ([([0, 1], [])], "has no held_out rows"),
        ([([0.5], [1])], "not integers"),
        ([1, 2], "not a pair of row positions"),
        ([], "no folds"),
        (2.5, "give a scikit-learn splitter"),
        (True, "give a scikit-learn splitter"),
        (1, "1 is too small a number of folds; give at least 2"),
        (21, "21 folds are more than the 20 rows. Ask for fewer"),
        (KFold(50), r"KFold\(n_splits=50.* cannot split these 20 rows"),
        (KFold, "KFold'> cannot split these 20 rows"),
        (GroupKFold(2), r"GroupKFold\(n_splits=2.* cannot split these 20 rows"),
    ],
)
def test_splitters_that_make_no_plan(splitter: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        plan(np.arange(20) % 2, splitter=splitter)


@pytest.mark.parametrize(
    ("splitter", "message"),
    [
        (LeaveOneOut(), r"gives more than 200 folds.* such as KFold\(10\)"),
        ([([0], [1])] * 201, "gives more than 200 folds"),
        (201, "201 folds are more than the 200 there may be. Ask for fewer"),
    ],
)
def test_so_many_folds_that_nothing_else_would_find_time_are_refused(splitter: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        plan(np.arange(300) % 2, splitter=splitter)
    assert plan(np.arange(200) % 2, splitter=LeaveOneOut()).folds_per_repeat == 200


@pytest.mark.parametrize("n_folds", [2, np.int64(5), 11])
@pytest.mark.parametrize("kept_together", [None, "groups", "duplicates"])
def test_a_number_means_so_many_folds_of_our_own_plan(n_folds: int, kept_together: str | None) -> None:
    y, numbers = np.arange(132) // 3 % 2, np.arange(132) // 3
    structure: dict[str, Any] = {} if kept_together is None else {kept_together: numbers}
    made = plan(y, splitter=n_folds, **structure)
    assert (len(made.folds), made.n_repeats) == (n_folds, 1)
    assert made.scheme == ("stratified grouped" if kept_together == "groups" else "stratified")
    held_out = np.concatenate([fold.held_out for fold in made.folds])
    np.testing.assert_array_equal(np.sort(held_out), np.arange(132))
    for fold in made.folds:
        np.testing.assert_array_equal(fold.train, np.setdiff1d(np.arange(132), fold.held_out))
        assert kept_together is None or not np.intersect1d(numbers[fold.train], numbers[fold.held_out]).size
        assert abs(y[fold.held_out].mean() - 0.5) < 0.3


def test_a_number_of_folds_may_be_the_one_we_choose() -> None:
    y = np.arange(200) % 3
    own = [fold.digest for fold in plan(y).first_repeat]
    assert [fold.digest for fold in plan(y, splitter=8).folds] == own


def test_a_number_of_folds_looks_back_in_time() -> None:
    made = plan(np.arange(100) % 2, splitter=3, time=np.arange(100.0))
    assert (made.scheme, made.folds_per_repeat) == (TIME_ORDERED, 3)
    assert all(fold.train.max() < fold.held_out.min() for fold in made.folds)


def test_more_folds_than_groups_are_refused() -> None:
    with pytest.raises(InputError, match=r"5 folds are more than the 4 groups\. Ask for fewer"):
        plan(np.arange(20) % 2, splitter=5, groups=np.arange(20) // 5)


def test_one_group_cannot_be_held_out() -> None:
    with pytest.raises(InputError, match="at least 2 are needed"):
        plan(np.arange(20) % 2, groups=np.zeros(20, dtype=int))


def test_one_moment_has_no_order() -> None:
    with pytest.raises(InputError, match="one point in time only"):
        plan(np.arange(20) % 2, time=np.zeros(20))


@settings(max_examples=100, deadline=None)
@given(problems(), st.integers(0, 2**32 - 1))
def test_every_fold_has_rows_that_count_on_both_sides(
    problem: tuple[NDArray[np.float64], RowStructure, bool], seed: int
) -> None:
    y, structure, is_classification = problem
    if structure.time is not None:
        return
    rng = np.random.default_rng(seed)
    weight = rng.random(len(y)) * (rng.random(len(y)) < rng.random())
    try:
        plan = plan_folds(y, structure, 0, is_classification=is_classification, weight=weight)
    except InputError as error:
        assert "weight above 0" in str(error)  # noqa: PT017 (what counts may be in one group)
        return
    assert plan.folds_per_repeat >= 2
    for fold in plan.folds:
        assert weight[fold.train].any()
        assert weight[fold.held_out].any()
        if structure.groups is not None:
            assert not np.intersect1d(structure.groups[fold.train], structure.groups[fold.held_out]).size
    assert sum(len(fold.held_out) for fold in plan.first_repeat) == len(y)


def test_a_group_without_weight_costs_no_fold() -> None:
    groups = np.repeat([0, 1, 2, 3], 30)
    y = np.linspace(0, 1, 120)
    plan = plan_folds(y, RowStructure(groups), 0, is_classification=False, weight=(groups > 0).astype(float))
    assert plan.folds_per_repeat == 3


def test_weights_above_0_leave_the_plan_alone() -> None:
    y = (np.arange(50) % 2).astype(np.float64)
    weight = np.linspace(0.1, 1, 50)
    plain = plan_folds(y, RowStructure(), 0, is_classification=True)
    assert plan_folds(y, RowStructure(), 0, is_classification=True, weight=weight).digest == plain.digest


def test_a_class_without_weight_costs_no_fold() -> None:
    y = np.repeat([0.0, 1.0, 2.0], [40, 3, 40])
    plan = plan_folds(y, RowStructure(), 0, is_classification=True, weight=(y != 1).astype(float))
    assert plan.folds_per_repeat == 8


@pytest.mark.filterwarnings("error")
def test_targets_beyond_integers_are_no_class_codes() -> None:
    assert plan(np.linspace(-1e20, 1e20, 80), is_classification=False).folds_per_repeat == 8


def test_one_row_that_counts_is_refused() -> None:
    weight = np.eye(1, 20)[0]
    with pytest.raises(InputError, match="1 row has a weight above 0"):
        plan_folds(np.arange(20.0), RowStructure(), 0, is_classification=False, weight=weight)


def test_a_text_is_no_splitter() -> None:
    with pytest.raises(InputError, match="splitter is 'kfold'; give a scikit-learn splitter"):
        plan_folds(np.arange(20.0), RowStructure(splitter="kfold"), 0, is_classification=False)
