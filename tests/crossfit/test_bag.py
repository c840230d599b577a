import numpy as np
import pytest
from odd_learners import candidate  # type: ignore[import-not-found]
from open_runtime import make_problem  # type: ignore[import-not-found]

from tabular_automl.core.crossfit import CrossFit, Failure, FoldFit
from tabular_automl.crossfit import Request
from tabular_automl.crossfit.bag import Bag, FoldSetup
from tabular_automl.crossfit.fold_job import predictions_file
from tabular_automl.learners import Limits

WEIGHTS = [30.0] * 4
PROBLEM = make_problem()


def fit_of(tmp_path, fold, rounds, *, complete=True):
    folder = tmp_path / str(fold) / "model"
    folder.mkdir(parents=True, exist_ok=True)
    return FoldFit("k", fold, folder, np.linspace(2.0, 1.0, rounds), 1.0, 1.0, complete)


def bag_of(fits):
    setups = tuple(FoldSetup("k", 0) for _ in range(4))
    return Bag(0, Request(candidate(), 4), Limits(100, None), setups, {fit.fold: fit for fit in fits})


def predict(bag, fold):
    np.save(predictions_file(bag.fits[fold].folder, bag.rounds[fold]), np.full((30, 1), float(fold)))
    assert bag.take_predictions(fold, PROBLEM)


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
    np.save(predictions_file(bag.fits[2].folder, 10), np.zeros((30, 1)))
    bag.choose_rounds(PROBLEM, WEIGHTS)
    assert list(bag.to_predict) == [0, 1, 3]


@pytest.mark.parametrize("harm", ["truncated", "garbage", "shape", "dtype", "nan"])
def test_damaged_predictions_are_made_again(tmp_path, harm):
    bag = bag_of([fit_of(tmp_path, f, 10) for f in range(4)])
    path = predictions_file(bag.fits[2].folder, 10)
    values = {"shape": np.zeros((29, 1)), "dtype": np.zeros((30, 1), int), "nan": np.full((30, 1), np.nan)}
    np.save(path, values.get(harm, np.zeros((30, 1))))
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
