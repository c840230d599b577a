import os
import signal
import sqlite3
import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from odd_learners import row_marks  # type: ignore[import-not-found]
from open_runtime import make_problem, open_runtime  # type: ignore[import-not-found]
from refit_learners import spied  # type: ignore[import-not-found]

from tabular_automl.core.candidate import Candidate, Recipe
from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.core.errors import StoreError
from tabular_automl.core.folds import TIME_ORDERED
from tabular_automl.core.progress import Event
from tabular_automl.core.task import TaskKind
from tabular_automl.crossfit import Refit, Request, RunStore, Runtime, cross_fit, load_models, refit
from tabular_automl.crossfit.fold_job import ALL_ROWS
from tabular_automl.crossfit.process_workers import ProcessWorkers
from tabular_automl.crossfit.refit import expected_refit_seconds
from tabular_automl.learners import FAMILIES, learner_for
from tabular_automl.testing import FakeClock

N_FOLDS = 4
GROWTH = 4 / 3


def fit_folds(runtime, *candidates, n_folds=N_FOLDS, max_rounds=None):
    """Fit on folds, in this process and without a deadline."""
    requests = iter([Request(one, n_folds, max_rounds=max_rounds) for one in candidates])
    found = list(cross_fit(requests, runtime.problem, runtime.in_driver()))
    assert all(isinstance(fit, CrossFit) for fit in found), found
    return found


def made(crossfits, copies, runtime, **settings):
    return refit(crossfits, copies, runtime, **settings)


def model_of(found):
    assert isinstance(found, Refit), found
    (model,) = load_models(found.candidate.family, [found.fit.folder])
    return model


def labels(results):
    return [(result.candidate.label, getattr(result, "copy", "failed")) for result in results]


def at(runtime, seconds):
    """Return the runtime so many seconds after its start; its clock stands still."""
    clock = FakeClock(runtime.budget.started + seconds)
    return replace(runtime, budget=replace(runtime.budget, clock=clock)), clock


def ready(workers):
    """Wait until every worker can take a job; return their process ids."""
    for _ in range(300):
        if workers.free == workers.n_slots:
            return workers.process_ids
        workers.wait(0.1)
    return pytest.fail("a worker is busy with a job that nobody waits for")


@contextmanager
def when(happened, do):
    """Do something in a thread as soon as something has happened."""

    def watch():
        while not happened():
            time.sleep(0.01)
        do()

    thread = threading.Thread(target=watch)
    thread.start()
    yield
    thread.join()


def refits_in(log):
    return [line.split()[1] for line in log.read_text().splitlines() if line.startswith("refit")]


@pytest.mark.parametrize("fixture", ["one_worker", "two_workers"])
@pytest.mark.parametrize("weighted", [False, True])
def test_every_refit_has_seen_all_rows_for_the_rounds_of_its_family(fixture, weighted, request):
    problem = make_problem()
    if weighted:
        problem = replace(problem, weight=np.linspace(0.5, 1.5, problem.n_rows))
    with open_runtime(problem, request.getfixturevalue(fixture)) as runtime:
        fits = fit_folds(runtime, spied(best=6), spied("fit", "Seedless", rounds=40, best=20))
        results = made(fits, 2, runtime)
        models = [model_of(found) for found in results]
        X = runtime.encoder(Recipe("ordinal")).transform(problem.table)
    assert labels(results) == [("fit", 0), ("fit", 0), ("fit", 1)]
    for found, model, fit in zip(results, models, (*fits, fits[0]), strict=True):
        np.testing.assert_array_equal(model.seen, np.sort(row_marks(X)))
        np.testing.assert_array_equal(model.targets, np.sort(problem.y))
        assert model.given["weight"] == (pytest.approx(problem.weight.sum()) if weighted else None)
        wanted = learner_for(found.candidate.family).refit_rounds(fit.joint_round, GROWTH)
        assert found.rounds == model.given["max_rounds"] == wanted > fit.joint_round
        assert model.given["patience"] is None
        assert (found.fit.fold, found.fit.complete, len(found.fit.curve)) == (ALL_ROWS, True, 0)


def test_copies_differ_by_their_seed_and_another_run_gives_others(one_worker):
    seeds = []
    for seed in (0, 1):
        with open_runtime(make_problem(), one_worker, seed=seed) as runtime:
            results = made(fit_folds(runtime, spied()), 3, runtime)
            seeds += [model_of(found).given["seed"] for found in results]
    assert len(set(seeds)) == 6


def test_the_first_copy_of_all_comes_before_any_second(one_worker, tmp_path):
    log = tmp_path / "log"
    with open_runtime(make_problem(), one_worker) as runtime:
        fits = fit_folds(runtime, *(spied(label=name, log=str(log)) for name in "abc"))
        results = made(fits, 3, runtime)
    assert refits_in(log) == list("abcabcabc")
    assert labels(results) == [(name, copy) for copy in range(3) for name in "abc"]


def test_any_number_of_workers_gives_the_same_refits_in_the_same_order(one_worker, two_workers):
    found = []
    linear = Candidate("linear", (), Recipe("linear"), label="linear")
    broken = spied("raise", label="broken")
    for workers in (one_worker, two_workers):
        with open_runtime(make_problem(), workers, count=9) as runtime:
            fits = fit_folds(runtime, broken, linear, *(spied(label=name) for name in "ab"))
            results = made(fits, 3, runtime)
            X = runtime.encoder(Recipe("linear")).transform(runtime.problem.table)
            predictions = [model_of(one).predict(X) for one in results if isinstance(one, Refit)]
            found.append((labels(results), [getattr(one, "reason", "") for one in results], predictions))
    assert found[0][:2] == found[1][:2]
    assert found[0][0][:5] == [("broken", "failed"), ("linear", 0), ("a", 0), ("b", 0), ("broken", "failed")]
    for one, two in zip(found[0][2], found[1][2], strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", TaskKind)
def test_every_family_can_be_refitted(one_worker, family, kind):
    problem = make_problem(kind)
    learner = learner_for(family)
    params = learner.defaults(problem.shape)
    with open_runtime(problem, one_worker, count=9) as runtime:
        wanted = Candidate(family, params, learner.recipe(params), label=family)
        fits = fit_folds(runtime, wanted, n_folds=2, max_rounds=10)
        results = made(fits, 2, runtime)
        X = runtime.encoder(wanted.recipe).transform(problem.table)
        models = [model_of(found) for found in results]
        predictions = [model.predict(X) for model in models]
    assert len(results) == 1 + learner.capabilities.uses_seed
    assert all(model.rounds <= found.rounds for model, found in zip(models, results, strict=True))
    assert all(np.isfinite(one).all() for one in predictions)


def test_refits_of_an_earlier_run_are_not_made_again_even_when_the_time_is_over(
    one_worker, two_workers, tmp_path
):
    log = tmp_path / "log"
    found = []
    for workers, seconds in ((two_workers, 0), (one_worker, 0), (one_worker, 2_000)):
        with open_runtime(make_problem(), workers, seconds=1_000, run_dir=tmp_path / "run") as runtime:
            fits = fit_folds(runtime, *(spied(label=name, log=str(log)) for name in "ab"))
            results = made(fits, 2, at(runtime, seconds)[0])
            found.append((labels(results), [model_of(one).given for one in results]))
    assert sorted(refits_in(log)) == list("aabb")
    assert found[0] == found[1] == found[2]
    assert len(found[0][0]) == 4


@pytest.mark.parametrize("harm", ["damaged", "gone", "curve"])
def test_a_stored_refit_that_came_to_harm_is_made_again(one_worker, tmp_path, harm):
    log = tmp_path / "log"
    for _ in range(2):
        with open_runtime(make_problem(), one_worker, run_dir=tmp_path / "run") as runtime:
            (found,) = made(fit_folds(runtime, spied(label="a", log=str(log))), 1, runtime)
            assert model_of(found).given["max_rounds"] == found.rounds
        for path in (
            found.fit.folder.iterdir() if harm != "curve" else [found.fit.folder.parent / "curve.npy"]
        ):
            path.unlink() if harm == "gone" else path.write_bytes(path.read_bytes()[:-5])
    assert refits_in(log) == ["a", "a"]


def test_a_refit_depends_on_data_seed_and_rounds(one_worker, tmp_path):
    log = tmp_path / "log"
    problem = make_problem()
    changes = [
        (problem, 0, {}),
        (replace(problem, y=problem.y + 1), 0, {}),
        (problem, 1, {}),
        (problem, 0, {"best": 3}),
        (problem, 0, {}),
    ]
    for changed, seed, params in changes:
        with open_runtime(changed, one_worker, run_dir=tmp_path / "run", seed=seed) as runtime:
            made(fit_folds(runtime, spied(label="a", log=str(log), **params)), 1, runtime)
    assert len(refits_in(log)) == 4


@pytest.mark.parametrize(("elapsed", "reserve"), [(2_000, 0.0), (500, 900.0)])
def test_without_time_no_refit_is_started(one_worker, tmp_path, elapsed, reserve):
    log = tmp_path / "log"
    with open_runtime(make_problem(), one_worker, seconds=1_000) as runtime:
        fits = fit_folds(runtime, spied(label="a", log=str(log)))
        assert made(fits, 3, at(runtime, elapsed)[0], reserve=reserve) == ()
    assert refits_in(log) == []


def test_after_ctrl_c_no_refit_is_started(one_worker, tmp_path):
    log = tmp_path / "log"
    with open_runtime(make_problem(), one_worker) as runtime:
        fits = fit_folds(runtime, spied(label="a", log=str(log)))
        runtime.budget.cancel()
        assert made(fits, 3, runtime) == ()
    assert refits_in(log) == []


def test_only_refits_expected_to_end_in_time_are_started(one_worker, tmp_path):
    log = tmp_path / "log"
    with open_runtime(make_problem(), one_worker, seconds=1_000) as runtime:
        dear, cheap = fit_folds(runtime, *(spied(label=name, log=str(log)) for name in ("dear", "cheap")))
        dear = replace(dear, folds=tuple(replace(fold, seconds=600.0) for fold in dear.folds))
        results = made([dear, cheap], 2, at(runtime, 200)[0])
    assert labels(results) == [("cheap", 0), ("cheap", 1)]
    assert refits_in(log) == ["cheap", "cheap"]


def test_in_a_counted_run_expected_seconds_do_not_matter_and_a_limit_only_aborts(one_worker):
    with open_runtime(make_problem(), one_worker, seconds=1_000, count=9) as runtime:
        (fit,) = fit_folds(runtime, spied())
        slow = replace(fit, folds=tuple(replace(fold, seconds=5_000.0) for fold in fit.folds))
        assert len(made([slow], 3, at(runtime, 500)[0])) == 3
        late, _ = at(runtime, 2_000)
        assert made([replace(slow, joint_round=1)], 3, late) == ()


@pytest.mark.parametrize("behaviour", ["hang", "slow"])
@pytest.mark.parametrize("ending", ["deadline", "ctrl-c"])
def test_a_refit_that_is_cut_short_is_dropped_and_leaves_nothing(two_workers, tmp_path, behaviour, ending):
    with open_runtime(make_problem(), two_workers, seconds=1_000, run_dir=tmp_path / "run") as runtime:
        fits = fit_folds(runtime, spied(label="quick"), spied(behaviour))
        known = set(runtime.store.fits.iterdir())
        now, clock = at(runtime, 0)

        def end() -> None:
            clock.advance(2_000) if ending == "deadline" else os.kill(os.getpid(), signal.SIGINT)

        with when(lambda: set(runtime.store.fits.iterdir()) > known, end):
            results = made(fits, 1, now)
        left_behind = {path.name for path in set(runtime.store.fits.iterdir()) - known}
        scratch = [path for path in runtime.store.scratch.iterdir() if path.is_dir()]
    assert labels(results) == [("quick", 0)]
    assert left_behind == {results[0].fit.key}
    assert scratch == []


def test_a_refit_that_answers_no_request_to_stop_is_killed_at_the_end_of_its_time(two_workers):
    with open_runtime(make_problem(), two_workers, seconds=60) as runtime:
        (fit,) = fit_folds(runtime, spied("hang"))
        quick = replace(fit, folds=tuple(replace(fold, seconds=0.01) for fold in fit.folds))
        before = ready(two_workers)
        assert made([quick], 1, runtime, reserve=runtime.budget.remaining - 1.0) == ()
        assert len(set(before) - set(ready(two_workers))) == 1


def test_ctrl_c_in_process_drops_the_refit_that_runs(one_worker, tmp_path):
    log = tmp_path / "log"
    with open_runtime(make_problem(), one_worker) as runtime:
        behaviours = {"quick": "fit", "slow": "slow", "later": "fit"}
        fits = fit_folds(runtime, *(spied(do, label=name, log=str(log)) for name, do in behaviours.items()))
        with when(lambda: "slow" in refits_in(log), lambda: os.kill(os.getpid(), signal.SIGINT)):
            results = made(fits, 1, runtime)
        partial = list(runtime.store.fits.glob("*partial*"))
    assert labels(results) == [("quick", 0)]
    assert refits_in(log) == ["quick", "slow"]
    assert partial == []


def test_an_interrupted_refit_leaves_no_job_behind(two_workers, monkeypatch):
    with open_runtime(make_problem(), two_workers) as runtime:
        fits = fit_folds(runtime, spied("hang"))
        ready(two_workers)
        before, wait = two_workers.free, two_workers.wait

        def interrupted(timeout):
            finished = wait(timeout)
            if two_workers.free < before:
                raise KeyboardInterrupt
            return finished

        with monkeypatch.context() as patch:
            patch.setattr(two_workers, "wait", interrupted)
            with pytest.raises(KeyboardInterrupt):
                made(fits, 1, runtime)
    ready(two_workers)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("raise", "RuntimeError: told to raise in refits"),
        ("nan", "of the training prediction are NaN or infinite"),
        ("unloadable", "ValueError: this model cannot be loaded"),
        ("exit", "ended with exit code 7"),
        ("shot", "signal 9"),
    ],
)
def test_a_failed_refit_is_said_and_costs_itself_only(two_workers, tmp_path, behaviour, reason):
    with open_runtime(make_problem(), two_workers, run_dir=tmp_path / "run") as runtime:
        fits = fit_folds(runtime, spied(behaviour), spied(label="sound"))
        failure, sound = made(fits, 1, runtime)
        assert [path for path in runtime.store.scratch.iterdir() if path.is_dir()] == []
    assert isinstance(failure, Failure)
    assert failure.reason.startswith("refit: ")
    assert reason in failure.reason
    assert (failure.candidate, failure.fold) == (fits[0].candidate, None)
    assert labels([sound]) == [("sound", 0)]
    stored = sqlite3.connect(tmp_path / "run" / "run.sqlite").execute("SELECT reason, detail FROM failures")
    ((kept, detail),) = stored.fetchall()
    assert kept == failure.reason
    assert ("Traceback" in detail) is (behaviour in {"raise", "nan", "unloadable"})


def test_a_failed_refit_is_tried_again_by_a_later_run(one_worker, tmp_path):
    log = tmp_path / "log"
    for _ in range(2):
        with open_runtime(make_problem(), one_worker, run_dir=tmp_path / "run") as runtime:
            (failure,) = made(fit_folds(runtime, spied("raise", label="a", log=str(log))), 1, runtime)
            assert isinstance(failure, Failure)
    assert refits_in(log) == ["a", "a"]


def test_a_family_that_cannot_say_its_rounds_fails_alone(one_worker):
    with open_runtime(make_problem(), one_worker) as runtime:
        fits = fit_folds(runtime, spied("fit", "NoGrowth", label="odd"), spied(label="sound"))
        odd = fits[0]
        a_fold, ran = np.mean([[fold.seconds, len(fold.curve)] for fold in odd.folds], axis=0)
        expected = a_fold * GROWTH * odd.joint_round / ran
        assert expected_refit_seconds(odd, runtime.problem) == pytest.approx(expected)
        results = made(fits, 1, runtime)
    assert labels(results) == [("odd", "failed"), ("sound", 0)]
    assert results[0].reason == "refit: ZeroDivisionError: no rounds"


def test_a_matrix_that_cannot_be_made_again_fails_its_refit_alone(one_worker, monkeypatch):
    matrix = Runtime.matrix

    def full_disk(runtime, recipe):
        if recipe.name == "linear":
            raise OSError("No space left on device")
        return matrix(runtime, recipe)

    with open_runtime(make_problem(), one_worker) as runtime:
        fits = fit_folds(runtime, Candidate("linear", (), Recipe("linear"), label="linear"), spied())
        monkeypatch.setattr(Runtime, "matrix", full_disk)
        results = made(fits, 1, runtime)
    assert labels(results) == [("linear", "failed"), ("fit", 0)]
    assert results[0].reason == "refit: OSError: No space left on device"


def test_time_spent_encoding_counts_before_a_refit_starts(one_worker, tmp_path, monkeypatch):
    log = tmp_path / "log"
    wanted = spied(label="a", log=str(log))
    with open_runtime(make_problem(), one_worker, run_dir=tmp_path / "run") as runtime:
        fit_folds(runtime, wanted)
    matrix = Runtime.matrix
    with open_runtime(make_problem(), one_worker, seconds=100, run_dir=tmp_path / "run") as runtime:
        late, clock = at(runtime, 0)
        fits = fit_folds(runtime, wanted)
        assert runtime.encoding_seconds(wanted.recipe) > 0

        def slow_matrix(runtime, recipe):
            clock.advance(200.0)
            return matrix(runtime, recipe)

        monkeypatch.setattr(Runtime, "matrix", slow_matrix)
        assert made(fits, 1, late) == ()
        assert clock() == runtime.budget.started + 200.0  # it was encoded, in vain
    with open_runtime(make_problem(), one_worker, seconds=100, run_dir=tmp_path / "run") as runtime:
        late, clock = at(runtime, 0)
        runtime.observations.encoded(99.0)
        assert made(fit_folds(runtime, wanted), 1, late) == ()
        assert clock() == runtime.budget.started  # it was not even begun
    assert refits_in(log) == []


def test_workers_that_are_not_ready_yet_are_waited_for(one_worker):
    with open_runtime(make_problem(), one_worker, seconds=60) as runtime:
        fits = fit_folds(runtime, spied())
        with ProcessWorkers(1, families=("prior",)) as fresh:
            assert fresh.free == 0
            results = made(fits, 1, replace(runtime, workers=fresh))
    assert labels(results) == [("fit", 0)]


def test_a_full_disk_leaves_the_refit_to_this_run(one_worker, monkeypatch):
    def full(*_):
        raise StoreError("disk full")

    events: list[Event] = []
    with open_runtime(make_problem(), one_worker) as runtime:
        fits = fit_folds(runtime, spied())
        monkeypatch.setattr(RunStore, "put", full)
        (found,) = made(fits, 1, replace(runtime, sink=events.append))
        assert model_of(found).given["max_rounds"] == found.rounds
    assert "serves this run only: disk full" in events[-1].message


def test_ordered_in_time_a_refit_sees_the_most_recent_rows_too(one_worker):
    problem = make_problem()
    (newest, *_) = problem.folds.folds
    ordered = replace(problem, folds=replace(problem.folds, scheme=TIME_ORDERED))
    with open_runtime(ordered, one_worker) as runtime:
        (found,) = made(fit_folds(runtime, spied()), 1, runtime)
        assert np.isin(problem.y[newest.held_out], model_of(found).targets).all()


def test_nothing_is_wanted_of_no_copies_or_no_candidates(one_worker):
    with open_runtime(make_problem(), one_worker) as runtime:
        assert made(fit_folds(runtime, spied()), 0, runtime) == ()
        assert made([], 3, runtime) == ()


def test_expected_seconds_are_those_of_a_fold_for_more_rows_and_other_rounds(one_worker):
    problem = make_problem()
    with open_runtime(problem, one_worker) as runtime:
        (fit,) = fit_folds(runtime, spied(rounds=40, best=20))
    timed = replace(
        fit, folds=tuple(replace(fold, seconds=s) for fold, s in zip(fit.folds, (1, 2, 3, 2), strict=True))
    )
    rounds = learner_for(fit.candidate.family).refit_rounds(20, GROWTH)
    assert expected_refit_seconds(timed, problem) == pytest.approx(2.0 * GROWTH * rounds / 40)
    # A single fold that ran on does not make a refit cheap.
    uneven = tuple(replace(fold, curve=np.ones(40 if fold.fold else 400)) for fold in timed.folds)
    rounds = learner_for(fit.candidate.family).refit_rounds(300, GROWTH)
    dear = replace(timed, folds=uneven, joint_round=300)
    assert expected_refit_seconds(dear, problem) == pytest.approx(2.0 * GROWTH * rounds / 130)


def test_growth_is_that_of_the_folds_which_were_fitted(one_worker):
    problem = make_problem()
    half = replace(problem.folds.folds[0], train=problem.folds.folds[0].train[:45])
    plan = replace(problem.folds, folds=(half, *problem.folds.folds[1:]))
    with open_runtime(replace(problem, folds=plan), one_worker) as runtime:
        (fit,) = fit_folds(runtime, spied(rounds=90), n_folds=1)
        (found,) = made([fit], 1, runtime)
    assert found.rounds == learner_for(fit.candidate.family).refit_rounds(90, 120 / 45)
