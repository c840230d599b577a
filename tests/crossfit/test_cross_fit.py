import os
import shutil
import signal
import sqlite3
import threading
from dataclasses import replace
from typing import TypeVar

import numpy as np
import pytest
from odd_learners import candidate  # type: ignore[import-not-found]
from open_runtime import make_problem, open_runtime  # type: ignore[import-not-found]

from tabular_automl.core.candidate import Candidate, Recipe, freeze_params
from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.core.errors import FoldPlanMismatchError, StoreError
from tabular_automl.core.task import TaskKind
from tabular_automl.crossfit import (
    Request,
    Runtime,
    cross_fit,
    joint_round,
    load_models,
    rounds_without_each,
)
from tabular_automl.testing import FakeClock

N_FOLDS = 4
Result = TypeVar("Result", CrossFit, Failure)


def fit_all(candidates, problem, workers, n_folds=N_FOLDS, **settings):
    with open_runtime(problem, workers, **settings) as runtime:
        requests = iter([Request(c, n_folds) for c in candidates])
        return list(cross_fit(requests, problem, runtime))


def only(kind: type[Result], results: list[CrossFit | Failure]) -> list[Result]:
    return [result for result in results if isinstance(result, kind)]


@pytest.mark.parametrize("kind", [TaskKind.BINARY, TaskKind.REGRESSION])
@pytest.mark.parametrize("rounds", [1, 3])
def test_no_rows_prediction_came_from_a_model_that_saw_it(two_workers, kind, rounds):
    problem = make_problem(kind)
    witness = Candidate("odd_learners:Witness", freeze_params({"rounds": rounds}), Recipe("ordinal"))
    (fit,) = fit_all([witness], problem, two_workers)
    assert isinstance(fit, CrossFit)
    np.testing.assert_array_equal(fit.rows, np.arange(problem.n_rows))
    assert fit.predictions.max() == 0.0


def test_predictions_are_those_of_the_kept_models_at_rounds_chosen_without_the_fold(two_workers):
    problem = make_problem()
    with open_runtime(problem, two_workers) as runtime:
        (fit,) = cross_fit(iter([Request(candidate(rounds=7), N_FOLDS)]), problem, runtime)
        assert isinstance(fit, CrossFit)
        curves = [fold.curve for fold in fit.folds]
        weights = [float(len(fold.held_out)) for fold in problem.folds.folds]
        X = runtime.encoder(Recipe("ordinal")).transform(problem.table)
        expected = np.full((problem.n_rows, 1), np.nan)
        for fold, model, rounds in zip(
            problem.folds.folds,
            load_models(fit.candidate.family, [fold.folder for fold in fit.folds]),
            rounds_without_each(curves, weights),
            strict=True,
        ):
            expected[fold.held_out] = model.predict(X[fold.held_out], rounds)
    np.testing.assert_array_equal(fit.predictions, expected)
    assert fit.joint_round == joint_round(curves, weights)
    assert all(len(curve) == 7 for curve in curves)
    assert all(fold.memory_mb > 10 for fold in fit.folds)


def test_any_number_of_workers_gives_the_same_bits(two_workers, one_worker):
    problem = make_problem()
    linear = Candidate("linear", (), Recipe("linear"))
    candidates = [candidate(rounds=r) for r in (1, 4, 9)] + [linear]
    runs = [fit_all(candidates, problem, workers, count=9) for workers in (one_worker, two_workers)]
    for one, two in zip(*runs, strict=True):
        assert one.candidate == two.candidate
        np.testing.assert_array_equal(one.predictions, two.predictions)
        assert one.joint_round == two.joint_round
        assert [fold.key for fold in one.folds] == [fold.key for fold in two.folds]


def test_another_seed_gives_another_fit(one_worker):
    problem = make_problem()
    fits = [fit_all([candidate()], problem, one_worker, seed=seed)[0] for seed in (0, 1)]
    assert not np.array_equal(fits[0].predictions, fits[1].predictions)


def test_a_prefix_of_the_plan_covers_its_rows_and_is_never_fitted_twice(two_workers, tmp_path):
    problem = make_problem()
    log = tmp_path / "log"
    wanted = candidate(log=str(log))
    with open_runtime(problem, two_workers) as runtime:
        (short,) = cross_fit(iter([Request(wanted, 2)]), problem, runtime)
        (long,) = cross_fit(iter([Request(wanted, 99)]), problem, runtime)
    assert isinstance(short, CrossFit)
    assert isinstance(long, CrossFit)
    held_out = [fold.held_out for fold in problem.folds.folds]
    np.testing.assert_array_equal(short.rows, np.sort(np.concatenate(held_out[:2])))
    assert len(long.folds) == N_FOLDS
    assert len(log.read_text().splitlines()) == N_FOLDS


def test_a_second_run_in_the_same_folder_fits_nothing(two_workers, one_worker, tmp_path):
    problem = make_problem()
    log = tmp_path / "log"
    wanted = [candidate(log=str(log), rounds=r) for r in (1, 5)]
    first = fit_all(wanted, problem, two_workers, run_dir=tmp_path / "run", count=9)
    fits = log.read_text()
    again = fit_all(wanted, make_problem(), one_worker, run_dir=tmp_path / "run", count=9)
    assert log.read_text() == fits
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.predictions, two.predictions)
        assert [f.seconds for f in one.folds] == [f.seconds for f in two.folds]


def test_damaged_predictions_are_made_again_without_a_fit(one_worker, tmp_path):
    log = tmp_path / "log"
    wanted = [candidate(log=str(log), rounds=5)]
    (first,) = fit_all(wanted, make_problem(), one_worker, run_dir=tmp_path / "run", count=9)
    damaged = list((tmp_path / "run" / "fits").glob("*/predictions-*.npy"))
    assert len(damaged) == N_FOLDS
    for path, harm in zip(damaged, (b"", b"PK\x03\x04", all_but_its_end(damaged[2]), None), strict=True):
        path.unlink() if harm is None else path.write_bytes(harm)
    (again,) = fit_all(wanted, make_problem(), one_worker, run_dir=tmp_path / "run", count=9)
    np.testing.assert_array_equal(again.predictions, first.predictions)
    assert len(log.read_text().splitlines()) == N_FOLDS


def all_but_its_end(path):
    return path.read_bytes()[:-5]


def test_a_fit_without_its_model_is_made_again(one_worker, tmp_path):
    log = tmp_path / "log"
    wanted = [candidate(log=str(log), rounds=5)]
    (first,) = fit_all(wanted, make_problem(), one_worker, run_dir=tmp_path / "run", count=9)
    shutil.rmtree(first.folds[1].folder)
    with open_runtime(make_problem(), one_worker, run_dir=tmp_path / "run", count=9) as runtime:
        (again,) = cross_fit(iter([Request(wanted[0], N_FOLDS)]), runtime.problem, runtime)
        assert isinstance(again, CrossFit)
        assert len(load_models(again.candidate.family, [fold.folder for fold in again.folds])) == N_FOLDS
    np.testing.assert_array_equal(again.predictions, first.predictions)
    assert len(log.read_text().splitlines()) == N_FOLDS + 1


def test_a_damaged_model_is_fitted_again(one_worker, tmp_path):
    wanted = Candidate("linear", (), Recipe("linear"))
    (first,) = fit_all([wanted], make_problem(), one_worker, run_dir=tmp_path / "run", count=9)
    damaged = sorted((tmp_path / "run" / "fits").glob("*/model/arrays.npz"))
    damaged[0].write_bytes(all_but_its_end(damaged[0]))
    content = bytearray(damaged[1].read_bytes())
    content[len(content) // 2] ^= 1
    damaged[1].write_bytes(content)
    with open_runtime(make_problem(), one_worker, run_dir=tmp_path / "run", count=9) as runtime:
        (again,) = cross_fit(iter([Request(wanted, N_FOLDS)]), runtime.problem, runtime)
        assert isinstance(again, CrossFit)
        assert len(load_models(again.candidate.family, [fold.folder for fold in again.folds])) == N_FOLDS
    np.testing.assert_array_equal(again.predictions, first.predictions)


def test_a_matrix_that_cannot_be_made_for_stored_fits_is_a_failure(one_worker, tmp_path, monkeypatch):
    wanted = candidate(rounds=5)
    fit_all([wanted], make_problem(), one_worker, run_dir=tmp_path / "run")
    for path in (tmp_path / "run" / "fits").glob("*/predictions-*.npy"):
        path.unlink()

    def no_space(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(Runtime, "matrix", no_space)
    (failure,) = fit_all([wanted], make_problem(), one_worker, run_dir=tmp_path / "run")
    assert isinstance(failure, Failure)
    assert "No space left" in failure.reason


def test_a_run_on_other_data_finds_nothing(two_workers, tmp_path):
    log = tmp_path / "log"
    wanted = [candidate(log=str(log))]
    fit_all(wanted, make_problem(), two_workers, run_dir=tmp_path / "run")
    problem = make_problem()
    fit_all(wanted, replace(problem, y=problem.y + 1), two_workers, run_dir=tmp_path / "run")
    assert len(log.read_text().splitlines()) == 2 * N_FOLDS


def test_two_runs_in_one_folder_are_refused(one_worker, tmp_path):
    problem = make_problem()
    with (
        open_runtime(problem, one_worker, run_dir=tmp_path / "run"),
        pytest.raises(StoreError, match="in use"),
        open_runtime(problem, one_worker, run_dir=tmp_path / "run"),
    ):
        pass


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("raise", "RuntimeError: told to raise"),
        ("nan", "30 of 30 values of the held-out prediction are NaN or infinite"),
        ("exit", "ended with exit code 7"),
        ("sys-exit", "SystemExit: 3"),
        ("shot", "signal 9 (Killed): out of memory, or killed from outside; fewer rows"),
        ("abort", "signal 6 (Aborted): a library gave up; what it said"),
        ("hungry", "MemoryError: Unable to allocate 1.00 GiB"),
    ],
)
def test_a_misbehaving_learner_costs_its_candidate_only(two_workers, behaviour, reason):
    problem = make_problem()
    results = fit_all([candidate(), candidate(behaviour), candidate(rounds=3)], problem, two_workers)
    (failure,) = only(Failure, results)
    assert reason in failure.reason
    assert failure.candidate.label == behaviour
    assert failure.fold is not None
    assert {len(fit.folds) for fit in only(CrossFit, results)} == {N_FOLDS}
    assert len(only(CrossFit, results)) == 2


@pytest.mark.parametrize(
    ("behaviour", "seconds", "reason"), [("shot", None, "signal 9"), ("hang", 0.1, "its limit was")]
)
@pytest.mark.parametrize("lost", [1, 2])
def test_a_fold_whose_worker_is_gone_leaves_the_folds_before_it(
    two_workers, tmp_path, behaviour, seconds, reason, lost
):
    problem = make_problem()
    where = float(problem.y[problem.folds.folds[lost].held_out[0]])
    unlucky = candidate(behaviour, where=where)
    with open_runtime(problem, two_workers, seconds=60, run_dir=tmp_path / "run") as runtime:
        requests = iter([Request(unlucky, N_FOLDS, seconds), Request(candidate(), N_FOLDS, 30)])
        results = list(cross_fit(requests, problem, runtime))
    prefix, sibling = sorted(only(CrossFit, results), key=lambda fit: len(fit.folds))
    (failure,) = only(Failure, results)
    assert [fold.fold for fold in prefix.folds] == list(range(lost))
    held_out = [fold.held_out for fold in problem.folds.folds[:lost]]
    np.testing.assert_array_equal(prefix.rows, np.sort(np.concatenate(held_out)))
    assert results[results.index(prefix) + 1] is failure
    assert (failure.candidate, failure.fold) == (unlucky, lost)
    assert reason in failure.reason
    assert len(sibling.folds) == N_FOLDS
    stored = sqlite3.connect(tmp_path / "run" / "run.sqlite").execute("SELECT fold, reason FROM failures")
    assert stored.fetchall() == [(lost, failure.reason)]


@pytest.mark.parametrize("fixture", ["one_worker", "two_workers"])
def test_a_learners_error_on_a_later_fold_leaves_the_folds_before_it(fixture, request):
    problem = make_problem()
    where = float(problem.y[problem.folds.folds[2].held_out[0]])
    workers = request.getfixturevalue(fixture)
    prefix, failure = fit_all([candidate("raise", where=where)], problem, workers, count=9)
    assert isinstance(prefix, CrossFit)
    assert [fold.fold for fold in prefix.folds] == [0, 1]
    assert isinstance(failure, Failure)
    assert (failure.fold, failure.reason) == (2, "RuntimeError: told to raise")


def test_a_candidate_given_up_still_tells_of_the_fold_it_lost(one_worker, monkeypatch):
    problem = make_problem()
    where = float(problem.y[problem.folds.folds[2].held_out[0]])
    matrix, calls = Runtime.matrix, []

    def full_disk_at_the_predictions(runtime, recipe):
        calls.append(recipe)
        if len(calls) > 3:
            raise OSError("No space left on device")
        return matrix(runtime, recipe)

    monkeypatch.setattr(Runtime, "matrix", full_disk_at_the_predictions)
    given_up, lost = fit_all([candidate("raise", where=where)], problem, one_worker)
    assert isinstance(given_up, Failure)
    assert isinstance(lost, Failure)
    assert (given_up.fold, lost.fold) == (None, 2)


def test_in_a_counted_run_a_lost_fold_keeps_results_in_order(two_workers):
    problem = make_problem()
    where = float(problem.y[problem.folds.folds[1].held_out[0]])
    candidates = [candidate("shot", where=where), candidate(rounds=2), candidate(rounds=3)]
    results = fit_all(candidates, problem, two_workers, count=9)
    assert [result.candidate for result in results] == [candidates[0], *candidates]
    assert [type(result) for result in results] == [CrossFit, Failure, CrossFit, CrossFit]


@pytest.mark.parametrize("behaviour", ["raise", "nan", "sys-exit"])
def test_a_misbehaving_learner_costs_its_candidate_only_in_process(one_worker, behaviour):
    results = fit_all([candidate(behaviour), candidate()], make_problem(), one_worker)
    assert [type(result) for result in results] == [Failure, CrossFit]


def test_failures_are_kept_with_their_traceback(one_worker, tmp_path):
    fit_all([candidate("raise")], make_problem(), one_worker, run_dir=tmp_path / "run")
    ((reason, detail),) = sqlite3.connect(tmp_path / "run" / "run.sqlite").execute(
        "SELECT reason, detail FROM failures"
    )
    assert "told to raise" in reason
    assert "odd_learners.py" in detail


@pytest.mark.parametrize(
    ("family", "recipe", "reason"),
    [
        ("no_such_family", "ordinal", "There is no learner family 'no_such_family'"),
        ("odd_learners:NotMine", "ordinal", "cannot fit regression tasks"),
        ("refit_learners:NoRefitRounds", "ordinal", "ZeroDivisionError: no rounds"),
        ("odd_learners:Odd", "no such recipe", "There is no preprocessing recipe"),
    ],
)
def test_what_cannot_be_proposed_is_a_failure_without_a_fold(one_worker, family, recipe, reason):
    impossible = Candidate(family, (), Recipe(recipe))
    failure, fit = fit_all([impossible, candidate()], make_problem(), one_worker)
    assert isinstance(failure, Failure)
    assert failure.fold is None
    assert reason in failure.reason
    assert isinstance(fit, CrossFit)


def test_a_hanging_job_is_killed_and_its_sibling_is_kept(two_workers):
    problem = make_problem()
    with open_runtime(problem, two_workers, seconds=60) as runtime:
        requests = iter([Request(candidate("hang"), 1, 0.1), Request(candidate(rounds=3), N_FOLDS, 30)])
        results = list(cross_fit(requests, problem, runtime))
    (failure,) = only(Failure, results)
    assert "its limit was" in failure.reason
    assert len(only(CrossFit, results)[0].folds) == N_FOLDS


def test_a_soft_limit_keeps_the_rounds_and_the_partial_fit_answers_no_later_run(two_workers, tmp_path):
    problem = make_problem()
    log = tmp_path / "log"
    slow = candidate("slow", log=str(log), rounds=1000, seconds=100)
    for run in (1, 2):
        with open_runtime(problem, two_workers, seconds=60, run_dir=tmp_path / "run") as runtime:
            (fit,) = cross_fit(iter([Request(slow, 2, 0.4)]), problem, runtime)
        assert isinstance(fit, CrossFit)
        assert not fit.complete
        assert all(1 <= len(fold.curve) < 1000 for fold in fit.folds)
        assert np.isfinite(fit.predictions).all()
        assert len(log.read_text().splitlines()) == 2 * run


def test_the_deadline_ends_a_hanging_candidate_and_keeps_the_rest(two_workers):
    problem = make_problem()
    with open_runtime(problem, two_workers, seconds=3) as runtime:
        results = list(
            cross_fit(iter([Request(candidate(), N_FOLDS), Request(candidate("hang"), 2)]), problem, runtime)
        )
        overrun = -runtime.budget.remaining
    fit, hung = results
    assert isinstance(fit, CrossFit)
    assert isinstance(hung, Failure)
    assert "time was over" in hung.reason
    # Kills come from the same clock the deadline is read from; the rest is slack for a busy machine.
    assert overrun < 5


def test_nothing_starts_after_the_deadline(one_worker):
    problem = make_problem()
    with open_runtime(problem, one_worker, seconds=10) as runtime:
        clock = FakeClock(runtime.budget.started + 11)
        late = replace(runtime, budget=replace(runtime.budget, clock=clock))
        assert list(cross_fit(iter([Request(candidate(), 2)]), problem, late)) == []


def test_ctrl_c_ends_with_what_is_there(two_workers):
    problem = make_problem()
    results = []
    with open_runtime(problem, two_workers) as runtime:
        requests = iter(
            [Request(candidate(), N_FOLDS), Request(candidate("slow", rounds=10_000, seconds=600), 3)]
        )
        for result in cross_fit(requests, problem, runtime):
            results.append(result)
            if len(results) == 1:
                threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        assert runtime.budget.cancelled
        # A second Ctrl-C interrupts as usual.
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    first, cut = results
    assert isinstance(first, CrossFit)
    assert len(first.folds) == N_FOLDS
    assert isinstance(cut, CrossFit)
    assert not cut.complete
    assert 1 <= len(cut.folds) <= 2
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_in_process(one_worker):
    problem = make_problem()
    slow = Request(candidate("slow", rounds=10_000, seconds=600), 3)
    with open_runtime(problem, one_worker) as runtime:
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        (cut,) = cross_fit(iter([slow]), problem, runtime)
    assert isinstance(cut, CrossFit)
    assert len(cut.folds) == 1


def test_a_consumer_that_leaves_early_leaves_no_job_behind(two_workers):
    problem = make_problem()
    with open_runtime(problem, two_workers) as runtime:
        requests = iter([Request(candidate(), 1), Request(candidate("hang"), 2)])
        results = cross_fit(requests, problem, runtime)
        next(results)
        del results
        assert isinstance(
            next(cross_fit(iter([Request(candidate(rounds=2), 2)]), problem, runtime)), CrossFit
        )


def test_another_fold_plan_is_refused(one_worker):
    problem = make_problem()
    other = make_problem(n_folds=3)
    with (
        open_runtime(problem, one_worker) as runtime,
        pytest.raises(FoldPlanMismatchError, match="another fold plan"),
    ):
        list(cross_fit(iter(()), other, runtime))


def test_a_request_needs_a_fold():
    with pytest.raises(ValueError, match="at least one fold"):
        Request(candidate(), 0)


def test_workers_killed_while_idle_cost_nothing(two_workers):
    problem = make_problem()
    fit_all([candidate()], problem, two_workers)
    for pid in two_workers.process_ids:
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    (fit,) = fit_all([candidate()], problem, two_workers)
    assert isinstance(fit, CrossFit)


def fit_with_bar(workers, bar, run_dir=None, count=None):
    fake = Candidate("tabular_automl.testing.fake_learner:FakeLearner", (), Recipe("ordinal"))
    problem = make_problem()
    with open_runtime(problem, workers, run_dir=run_dir, count=count) as runtime:
        (fit,) = cross_fit(iter([Request(fake, N_FOLDS, bar=bar)]), problem, runtime)
        assert isinstance(fit, CrossFit)
        contents = {path.name for path in fit.folds[0].folder.parent.iterdir()}
        assert contents >= {"model", "curve.npy", f"predictions-{fit.joint_round}.npy"}
        assert fit.folds[0].folder.parent.name == fit.folds[0].key
        return fit


def test_a_candidate_behind_its_bar_ends_with_the_first_fold_and_its_predictions(two_workers, one_worker):
    bar = np.array([np.inf, np.inf, 0.0])
    fits = [fit_with_bar(workers, bar, count=9) for workers in (one_worker, two_workers)]
    held_out = make_problem().folds.folds[0].held_out
    for fit in fits:
        assert [(fold.fold, fold.given_up, fold.complete) for fold in fit.folds] == [(0, True, True)]
        assert len(fit.folds[0].curve) == 3
        assert fit.pruned.startswith("fell behind after 3 rounds on fold 0: loss ")
        np.testing.assert_array_equal(fit.rows, held_out)
        np.testing.assert_array_equal(fit.predictions, fits[0].predictions)


def test_a_bar_that_is_reached_changes_nothing(two_workers):
    with_bar, without = (fit_with_bar(two_workers, bar) for bar in (np.full(1, np.inf), None))
    assert [fold.key for fold in with_bar.folds] == [fold.key for fold in without.folds]
    assert with_bar.pruned == ""
    np.testing.assert_array_equal(with_bar.predictions, without.predictions)


def test_what_fell_behind_is_found_again_by_the_same_bar_only(two_workers, tmp_path):
    bar = np.array([np.inf, 0.0])
    first = fit_with_bar(two_workers, bar, tmp_path)
    again = fit_with_bar(two_workers, bar, tmp_path)
    assert again.folds[0].seconds == first.folds[0].seconds
    assert (again.pruned, again.folds[0].given_up) == (first.pruned, True)
    np.testing.assert_array_equal(again.predictions, first.predictions)
    later = fit_with_bar(two_workers, np.append(np.full(4, np.inf), 0.0), tmp_path)
    assert (len(first.folds[0].curve), len(later.folds[0].curve)) == (2, 5)
    whole = fit_with_bar(two_workers, None, tmp_path)
    assert (len(whole.folds), whole.pruned) == (N_FOLDS, "")
