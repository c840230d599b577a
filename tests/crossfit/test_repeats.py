"""Cross-validation over several repeats of the folds: what is honest, what is kept, what is fitted again."""

from dataclasses import replace

import numpy as np
import pytest
from odd_learners import candidate  # type: ignore[import-not-found]
from open_runtime import make_problem, open_runtime  # type: ignore[import-not-found]

from tabular_automl.core.candidate import Candidate, Recipe, freeze_params
from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.core.task import TaskKind
from tabular_automl.crossfit import Request, RunStore, cross_fit, load_models, rounds_without_each
from tabular_automl.ingest import RowStructure, plan_folds
from tabular_automl.testing import FAKE_FAMILY

N_FOLDS = 4
N_REPEATS = 3
ALL = N_FOLDS * N_REPEATS


def odd(name, rounds):
    return Candidate(f"odd_learners:{name}", freeze_params({"rounds": rounds}), Recipe("ordinal"))


def fit(problem, workers, wanted, n_folds=ALL, **settings) -> CrossFit:
    with open_runtime(problem, workers, **settings) as runtime:
        (result,) = cross_fit(iter([Request(wanted, n_folds)]), problem, runtime)
    assert isinstance(result, CrossFit), result
    return result


def assert_same(one: CrossFit, other: CrossFit) -> None:
    assert [fold.key for fold in one.folds] == [fold.key for fold in other.folds]
    np.testing.assert_array_equal(one.rows, other.rows)
    np.testing.assert_array_equal(one.predictions, other.predictions)
    assert (one.joint_round, one.n_repeats) == (other.joint_round, other.n_repeats)


@pytest.mark.parametrize("kind", [TaskKind.BINARY, TaskKind.REGRESSION])
@pytest.mark.parametrize("rounds", [1, 3])
def test_no_rows_prediction_came_from_a_model_that_saw_it(one_worker, kind, rounds):
    problem = make_problem(kind, n_repeats=N_REPEATS)
    found = fit(problem, one_worker, odd("Witness", rounds))
    assert found.n_repeats == N_REPEATS
    np.testing.assert_array_equal(found.rows, np.arange(problem.n_rows))
    assert found.predictions.max() == 0.0


def test_with_groups_no_repeat_predicts_a_row_by_a_model_that_saw_it(one_worker):
    problem = make_problem(TaskKind.BINARY, n_rows=60)
    structure = RowStructure(groups=np.arange(60) // 3, duplicates=np.arange(60) // 2)
    problem = replace(problem, folds=plan_folds(problem.y, structure, 0, is_classification=True))
    found = fit(problem, one_worker, odd("Witness", 2), n_folds=len(problem.folds.folds))
    assert found.n_repeats == problem.folds.n_repeats == 5
    np.testing.assert_array_equal(found.rows, np.arange(60))
    assert found.predictions.max() == 0.0


@pytest.mark.parametrize("row", [0, 17, 119])
def test_no_row_chose_the_round_of_its_own_prediction(one_worker, row):
    problem = make_problem(n_repeats=N_REPEATS)
    y = np.random.default_rng(1).uniform(0, 30, problem.n_rows)
    moved = np.where(np.arange(problem.n_rows) == row, y + 600, y)
    teller = odd("RoundTeller", 60)
    before, after = (fit(replace(problem, y=target), one_worker, teller) for target in (y, moved))
    assert before.predictions[row] == after.predictions[row]
    assert len(np.unique(before.predictions)) > 1
    with_it = [fold for fold in problem.folds.folds if row in fold.held_out]
    others = np.setdiff1d(np.arange(problem.n_rows), np.concatenate([fold.held_out for fold in with_it]))
    assert (before.predictions[others] != after.predictions[others]).all(), "it chose those of all others"


def test_predictions_are_the_mean_of_the_kept_models_each_at_its_repeats_round(one_worker):
    problem = make_problem(n_repeats=N_REPEATS)
    wanted = candidate(rounds=7)
    with open_runtime(problem, one_worker) as runtime:
        (found,) = cross_fit(iter([Request(wanted, ALL)]), problem, runtime)
        assert isinstance(found, CrossFit)
        models = load_models(wanted.family, [fold.folder for fold in found.folds])
        X = runtime.encoder(Recipe("ordinal")).transform(problem.table)
    weights = [float(len(fold.held_out)) for fold in problem.folds.folds]
    expected = np.zeros((problem.n_rows, 1))
    for numbers in problem.folds.repeats(ALL):
        own = slice(numbers.start, numbers.stop)
        rounds = rounds_without_each([fold.curve for fold in found.folds[own]], weights[own])
        for number, round_ in zip(numbers, rounds, strict=True):
            held_out = problem.folds.folds[number].held_out
            expected[held_out] += models[number].predict(X[held_out], round_) / N_REPEATS
    np.testing.assert_allclose(found.predictions, expected, rtol=1e-12)


@pytest.mark.parametrize("kind", list(TaskKind))
def test_probabilities_stay_probabilities(one_worker, kind):
    problem = make_problem(kind, n_repeats=N_REPEATS)
    fake = Candidate(FAKE_FAMILY, freeze_params({"behaviour": "fit", "n_rounds": 5}), Recipe("ordinal"))
    found = fit(problem, one_worker, fake)
    assert found.predictions.shape == (problem.n_rows, problem.shape.n_outputs)
    if kind is TaskKind.MULTICLASS:
        np.testing.assert_allclose(found.predictions.sum(axis=1), 1.0)
    if kind is TaskKind.BINARY:
        assert 0 < found.predictions.min() <= found.predictions.max() < 1


def test_any_number_of_workers_gives_the_same_bits(one_worker, two_workers):
    problem = make_problem(n_repeats=N_REPEATS)
    one, two = (fit(problem, workers, candidate(rounds=5), count=9) for workers in (one_worker, two_workers))
    assert one.n_repeats == N_REPEATS
    assert_same(one, two)


def test_one_repeat_is_what_a_plan_of_one_repeat_gives(one_worker):
    repeated = make_problem(n_repeats=N_REPEATS)
    alone = make_problem()
    for n_folds in (1, 3, N_FOLDS):
        one = fit(alone, one_worker, candidate(rounds=5), n_folds)
        assert_same(one, fit(repeated, one_worker, candidate(rounds=5), n_folds))
        assert (one.n_repeats, one.folds_per_repeat) == (1, n_folds)


def test_further_repeats_fit_only_what_is_new(one_worker, tmp_path):
    problem = make_problem(n_repeats=N_REPEATS)
    wanted = candidate(rounds=5, log=str(tmp_path / "log"))
    fits = []
    with open_runtime(problem, one_worker, run_dir=tmp_path / "run") as runtime:
        for n_repeats in (1, 2, 3):
            request = Request(wanted, n_repeats * N_FOLDS)
            (found,) = cross_fit(iter([request]), problem, runtime)
            assert isinstance(found, CrossFit)
            assert found.n_repeats == n_repeats
            fits.append(found)
            assert len((tmp_path / "log").read_text().splitlines()) == n_repeats * N_FOLDS
    # The rounds of a repeat stay when others join, and so do its held-out predictions.
    assert len(list((tmp_path / "run" / "fits").glob("*/predictions-*.npy"))) == ALL
    again = fit(make_problem(n_repeats=N_REPEATS), one_worker, wanted, run_dir=tmp_path / "run")
    assert len((tmp_path / "log").read_text().splitlines()) == ALL
    assert_same(again, fits[-1])
    assert_same(fit(problem, one_worker, candidate(rounds=5, log=str(tmp_path / "log"))), again)


@pytest.mark.parametrize("count", [None, 9])
def test_a_candidate_asked_for_again_while_it_is_fitted_is_not_fitted_twice(two_workers, tmp_path, count):
    problem = make_problem(n_repeats=N_REPEATS)
    wanted = candidate("slow", rounds=4, seconds=0.08, log=str(tmp_path / "log"))
    with open_runtime(problem, two_workers, count=count) as runtime:
        requests = iter([Request(wanted, N_FOLDS * n_repeats) for n_repeats in (1, 2, 3)])
        results = list(cross_fit(requests, problem, runtime))
    assert [result.n_repeats for result in results if isinstance(result, CrossFit)] == [1, 2, 3]
    assert len((tmp_path / "log").read_text().splitlines()) == ALL


@pytest.mark.parametrize(("n_folds", "fitted"), [(3, 3), (7, 4), (11, 8), (99, 12)])
def test_folds_that_make_no_whole_repeat_are_not_fitted(one_worker, tmp_path, n_folds, fitted):
    problem = make_problem(n_repeats=N_REPEATS)
    found = fit(problem, one_worker, candidate(log=str(tmp_path / "log")), n_folds)
    assert len(found.folds) == fitted
    assert len((tmp_path / "log").read_text().splitlines()) == fitted


@pytest.mark.parametrize("fits", [5, 7, 11])
def test_an_interrupted_repeat_gives_the_result_of_those_before_it(one_worker, monkeypatch, tmp_path, fits):
    problem = make_problem(n_repeats=N_REPEATS)
    whole = fits // N_FOLDS * N_FOLDS
    log = tmp_path / "log"
    wanted = candidate(rounds=5, log=str(log))
    expected = fit(problem, one_worker, wanted, whole)
    log.unlink()
    put, kept = RunStore.put, []
    with open_runtime(problem, one_worker, run_dir=tmp_path / "run") as runtime:

        def ctrl_c_at_the_last(store, fold_fit, of, digest):
            put(store, fold_fit, of, digest)
            kept.append(fold_fit.fold)
            if len(kept) == fits:
                runtime.budget.cancel()

        with monkeypatch.context() as patched:
            patched.setattr(RunStore, "put", ctrl_c_at_the_last)
            (cut,) = cross_fit(iter([Request(wanted, ALL)]), problem, runtime)
    assert isinstance(cut, CrossFit)
    assert_same(cut, expected)
    assert len(log.read_text().splitlines()) == fits
    # What was fitted of the unfinished repeat is in the store, and serves whoever goes on.
    resumed = fit(problem, one_worker, wanted, run_dir=tmp_path / "run")
    assert resumed.n_repeats == N_REPEATS
    assert len(log.read_text().splitlines()) == ALL


def test_a_fold_that_fails_in_a_later_repeat_costs_that_repeat(one_worker):
    problem = make_problem(n_repeats=N_REPEATS)
    first_rows = [int(fold.held_out[0]) for fold in problem.folds.folds]
    failing = next(f for f in range(N_FOLDS, 2 * N_FOLDS) if first_rows.count(first_rows[f]) == 1)
    unlucky = candidate("raise", rounds=5, where=float(problem.y[first_rows[failing]]))
    expected = fit(problem, one_worker, unlucky, N_FOLDS)
    with open_runtime(problem, one_worker, count=9) as runtime:
        found, failure = cross_fit(iter([Request(unlucky, ALL)]), problem, runtime)
    assert isinstance(found, CrossFit)
    assert_same(found, expected)
    assert isinstance(failure, Failure)
    assert (failure.fold, failure.reason) == (failing, "RuntimeError: told to raise")
