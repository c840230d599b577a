from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from odd_learners import candidate  # type: ignore[import-not-found]
from open_runtime import make_problem  # type: ignore[import-not-found]

from tabular_automl.core.crossfit import CrossFit, Failure, FoldFit
from tabular_automl.crossfit import Request, joint_round, rounds_without_each
from tabular_automl.crossfit.bag import Bag, FoldSetup
from tabular_automl.crossfit.fold_job import predictions_file
from tabular_automl.crossfit.stored_array import write_sealed
from tabular_automl.learners import Limits

WEIGHTS = [30.0] * 4
PROBLEM = make_problem()
# Three repeats of four folds.
REPEATED = make_problem(n_repeats=3)
CURVES = st.lists(st.lists(st.floats(0, 10), min_size=1, max_size=9).map(np.array), min_size=12, max_size=12)


def fit_of(tmp_path, fold, rounds, *, complete=True):
    folder = tmp_path / str(fold) / "model"
    folder.mkdir(parents=True, exist_ok=True)
    return FoldFit("k", fold, folder, np.linspace(2.0, 1.0, rounds), 1.0, 1.0, complete)


def bag_of(fits, n_folds=4):
    setups = tuple(FoldSetup("k", 0) for _ in range(n_folds))
    return Bag(0, Request(candidate(), n_folds), Limits(100, None), setups, {fit.fold: fit for fit in fits})


def predict(bag, fold, problem=PROBLEM):
    write_sealed(predictions_file(bag.fits[fold].folder, bag.rounds[fold]), np.full((30, 1), float(fold)))
    assert bag.take_predictions(fold, problem)


def repeated_bag(tmp_path, curves):
    fits = [FoldFit("k", fold, tmp_path / str(fold) / "model", c, 1.0, 1.0) for fold, c in enumerate(curves)]
    return bag_of(fits, n_folds=12)


def test_folds_of_the_store_are_not_waited_for(tmp_path):
    assert list(bag_of([fit_of(tmp_path, 1, 5)]).waiting) == [0, 2, 3]


@pytest.mark.parametrize(("last", "kept"), [(20, 4), (5, 4), (4, 3)])
def test_a_last_fold_cut_much_too_short_is_left_out(tmp_path, last, kept):
    bag = bag_of([fit_of(tmp_path, f, 10) for f in range(3)] + [fit_of(tmp_path, 3, last, complete=False)])
    bag.choose_rounds(PROBLEM, WEIGHTS)
    assert list(bag.to_predict) == list(range(kept))


def test_a_short_complete_fold_stays(tmp_path):
    bag = bag_of([fit_of(tmp_path, f, 10) for f in range(3)] + [fit_of(tmp_path, 3, 1)])
    bag.choose_rounds(PROBLEM, WEIGHTS)
    assert bag.rounds == {0: 10, 1: 10, 2: 10, 3: 1}


def test_a_gap_ends_the_prefix(tmp_path):
    bag = bag_of([fit_of(tmp_path, f, 10) for f in (0, 1, 3)])
    bag.cut_here()
    bag.choose_rounds(PROBLEM, WEIGHTS)
    for fold in list(bag.to_predict):
        predict(bag, fold)
    result = bag.result(PROBLEM, WEIGHTS)
    assert isinstance(result, CrossFit)
    assert [fold.fold for fold in result.folds] == [0, 1]
    for fold in (0, 1):
        held_out = PROBLEM.folds.folds[fold].held_out
        assert (result.predictions[np.searchsorted(result.rows, held_out)] == fold).all()


def test_predictions_that_are_there_are_not_made_again(tmp_path):
    bag = bag_of([fit_of(tmp_path, f, 10) for f in range(4)])
    write_sealed(predictions_file(bag.fits[2].folder, 10), np.zeros((30, 1)))
    bag.choose_rounds(PROBLEM, WEIGHTS)
    assert list(bag.to_predict) == [0, 1, 3]


@pytest.mark.parametrize("harm", ["truncated", "garbage", "shape", "dtype", "nan", "bit", "no seal"])
def test_damaged_predictions_are_made_again(tmp_path, harm):
    bag = bag_of([fit_of(tmp_path, f, 10) for f in range(4)])
    path = predictions_file(bag.fits[2].folder, 10)
    values = {"shape": np.zeros((29, 1)), "dtype": np.zeros((30, 1), int), "nan": np.full((30, 1), np.nan)}
    write_sealed(path, values.get(harm, np.ones((30, 1))))
    if harm == "bit":
        content = bytearray(path.read_bytes())
        content[128 + 8 * 7] ^= 1  # the last bit of the eighth number
        path.write_bytes(content)
        assert 0 < abs(np.load(path)[7, 0] - 1) < 1e-15
    if harm == "no seal":
        np.save(path, np.ones((30, 1)))
    if harm == "truncated":
        path.write_bytes(path.read_bytes()[:-8])
    if harm == "garbage":
        path.write_bytes(b"PK\x03\x04 not an array")
    bag.choose_rounds(PROBLEM, WEIGHTS)
    assert list(bag.to_predict) == [0, 1, 2, 3]


def test_a_lost_fold_ends_the_prefix(tmp_path):
    bag = bag_of([fit_of(tmp_path, f, 10) for f in range(4)])
    bag.choose_rounds(PROBLEM, WEIGHTS)
    predict(bag, 3)
    bag.lose(Failure(bag.request.candidate, 2, "worker died", 1.0), 2)
    assert [bag.dropped(fold) for fold in range(4)] == [False, False, True, True]
    assert list(bag.to_predict) == [0, 1]
    for fold in (0, 1):
        predict(bag, fold)
    result = bag.result(PROBLEM, WEIGHTS)
    assert isinstance(result, CrossFit)
    assert [fold.fold for fold in result.folds] == [0, 1]


def test_without_a_fold_before_the_lost_one_there_is_its_failure(tmp_path):
    bag = bag_of([fit_of(tmp_path, 1, 10)])
    bag.lose(Failure(bag.request.candidate, 0, "worker died", 2.0), 0)
    bag.choose_rounds(PROBLEM, WEIGHTS)
    result = bag.result(PROBLEM, WEIGHTS)
    assert isinstance(result, Failure)
    assert (result.fold, result.reason, result.seconds) == (0, "worker died", 3.0)


def test_without_a_finished_fold_there_is_a_failure(tmp_path):
    bag = bag_of([fit_of(tmp_path, 1, 10)])
    bag.cut_here()
    bag.choose_rounds(PROBLEM, WEIGHTS)
    result = bag.result(PROBLEM, WEIGHTS)
    assert isinstance(result, Failure)
    assert "time was over" in result.reason


@given(CURVES, st.integers(0, 11), st.integers(0, 2**32 - 1))
def test_no_fold_that_holds_out_its_rows_chooses_a_folds_round(curves, fold, seed):
    weights = [30.0] * 12
    bag = repeated_bag(Path(), curves)
    bag.choose_rounds(REPEATED, weights)
    assert set(bag.rounds) == set(range(12))
    repeat = fold // 4
    rng = np.random.default_rng(seed)
    # Other losses in the fold itself and in all other repeats, which hold out its rows too.
    changed = [c if f // 4 == repeat and f != fold else rng.random(len(c)) for f, c in enumerate(curves)]
    other = repeated_bag(Path(), changed)
    other.choose_rounds(REPEATED, weights)
    assert other.rounds[fold] == bag.rounds[fold]
    own = slice(4 * repeat, 4 * repeat + 4)
    chosen = rounds_without_each(curves[own], weights[own])[fold % 4]
    assert bag.rounds[fold] == min(chosen, len(curves[fold]))


def test_a_rows_prediction_is_the_mean_over_the_repeats(tmp_path):
    bag = bag_of([fit_of(tmp_path, f, 10 + f) for f in range(12)], n_folds=12)
    bag.choose_rounds(REPEATED, [30.0] * 12)
    for fold in list(bag.to_predict):
        predict(bag, fold, REPEATED)
    result = bag.result(REPEATED, [30.0] * 12)
    assert isinstance(result, CrossFit)
    assert (len(result.folds), result.n_repeats, result.folds_per_repeat) == (12, 3, 4)
    np.testing.assert_array_equal(result.rows, np.arange(120))
    total = np.zeros((120, 1))
    for fold, held_out in enumerate(fold.held_out for fold in REPEATED.folds.folds):
        total[held_out] += fold
    np.testing.assert_allclose(result.predictions, total / 3)
    assert result.joint_round == joint_round([fit.curve for fit in result.folds], [30.0] * 12)


@pytest.mark.parametrize("gap", range(4, 8))
@pytest.mark.parametrize(
    "reason", ["not fitted", "fit lost", "not predicted", "prediction lost", "cut short"]
)
def test_an_unfinished_repeat_leaves_the_result_of_those_before_it(tmp_path, gap, reason):
    weights = [30.0] * 12
    alone = bag_of([fit_of(tmp_path, f, 10 + f) for f in range(4)])
    fits = [fit_of(tmp_path, f, 10 + f) for f in range(8)]
    if reason in {"not fitted", "fit lost"}:
        del fits[gap]
    if reason == "cut short":
        fits = [*fits[:gap], fit_of(tmp_path, gap, 4, complete=False)]
    bag = bag_of(fits, n_folds=8)
    if reason == "fit lost":
        bag.lose(Failure(bag.request.candidate, gap, "worker died", 1.0), gap)
    bag.cut_here()
    for each in (alone, bag):
        each.choose_rounds(REPEATED, weights)
        if each is bag and reason == "prediction lost":
            bag.lose(Failure(bag.request.candidate, gap, "worker died", 1.0), gap)
        for fold in list(each.to_predict):
            if reason != "not predicted" or fold != gap:
                predict(each, fold, REPEATED)
    first, result = alone.result(REPEATED, weights), bag.result(REPEATED, weights)
    assert isinstance(first, CrossFit)
    assert isinstance(result, CrossFit)
    assert result.n_repeats == 1
    assert [fold.fold for fold in result.folds] == [0, 1, 2, 3]
    assert [fold.folder for fold in result.folds] == [fold.folder for fold in first.folds]
    np.testing.assert_array_equal(result.rows, first.rows)
    np.testing.assert_array_equal(result.predictions, first.predictions)
    assert (result.joint_round, result.plan) == (first.joint_round, first.plan)


def test_only_folds_of_whole_repeats_are_predicted(tmp_path):
    bag = bag_of([fit_of(tmp_path, f, 10) for f in range(10)], n_folds=12)
    bag.cut_here()
    bag.choose_rounds(REPEATED, [30.0] * 12)
    assert list(bag.to_predict) == list(range(8))


def test_a_first_repeat_that_was_cut_short_itself_counts_as_it_does_alone(tmp_path):
    fits = [fit_of(tmp_path, f, 10) for f in range(3)] + [fit_of(tmp_path, 3, 4, complete=False)]
    later = [fit_of(tmp_path, f, 10) for f in range(4, 7)] + [fit_of(tmp_path, 7, 4, complete=False)]
    bag = bag_of([*fits, *later], n_folds=8)
    bag.choose_rounds(REPEATED, [30.0] * 12)
    assert list(bag.to_predict) == [0, 1, 2]


def test_the_round_of_the_bag_is_that_of_all_repeats(tmp_path):
    early, late = np.array([1.0, 1.5, 3.0]), np.array([9.0, 3.0, 2.9])
    fits = [replace(fit_of(tmp_path, f, 3), curve=early if f < 4 else late) for f in range(8)]
    bag = bag_of(fits, n_folds=8)
    bag.choose_rounds(REPEATED, [30.0] * 12)
    for fold in list(bag.to_predict):
        predict(bag, fold, REPEATED)
    assert [bag.rounds[fold] for fold in range(8)] == [1] * 4 + [3] * 4
    assert bag.result(REPEATED, [30.0] * 12).joint_round == 2


def bag_with_bar(fits, bar, n_folds=4):
    setups = tuple(FoldSetup("k", 0, bar if fold == 0 else None) for fold in range(n_folds))
    return Bag(0, Request(candidate(), n_folds), Limits(100, None), setups, {fit.fold: fit for fit in fits})


def given_up(tmp_path, rounds):
    return replace(fit_of(tmp_path, 0, rounds), given_up=True)


@pytest.mark.parametrize("when", ["from the store", "last", "before the others"])
def test_a_fold_that_was_given_up_is_the_last(tmp_path, when):
    bar = np.array([np.inf, np.inf, 0.5])
    first, others = given_up(tmp_path, 3), [fit_of(tmp_path, fold, 9) for fold in (1, 2)]
    bag = bag_with_bar([*others, first] if when == "from the store" else [], bar)
    for fit in {"from the store": [], "last": [*others, first], "before the others": [first, *others]}[when]:
        bag.keep(fit)
    assert bag.fitted
    assert [bag.dropped(fold) for fold in range(4)] == [False, True, True, True]
    bag.choose_rounds(PROBLEM, WEIGHTS)
    assert list(bag.to_predict) == [0]
    predict(bag, 0)
    result = bag.result(PROBLEM, WEIGHTS)
    assert isinstance(result, CrossFit)
    assert [fold.fold for fold in result.folds] == [0]
    assert result.pruned == "fell behind after 3 rounds on fold 0: loss 1, 0.5 or less was asked for"
    np.testing.assert_array_equal(result.rows, PROBLEM.folds.folds[0].held_out)
    assert result.seconds == sum(fit.seconds for fit in bag.fits.values())


def test_what_became_of_folds_beyond_one_given_up_does_not_matter(tmp_path):
    bag = bag_with_bar([], np.zeros(1))
    bag.lose(Failure(bag.request.candidate, 2, "worker died", 1.0), 2)
    bag.keep(given_up(tmp_path, 3))
    assert bag.lost == {}
    bag.choose_rounds(PROBLEM, WEIGHTS)
    predict(bag, 0)
    assert bag.result(PROBLEM, WEIGHTS).pruned


def test_a_whole_fit_is_not_pruned_by_its_bar(tmp_path):
    bag = bag_with_bar([fit_of(tmp_path, fold, 9) for fold in range(4)], np.full(9, np.inf))
    bag.choose_rounds(PROBLEM, WEIGHTS)
    for fold in list(bag.to_predict):
        predict(bag, fold)
    result = bag.result(PROBLEM, WEIGHTS)
    assert (len(result.folds), result.pruned) == (4, "")
