import os
import signal
import threading
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest
from odd_learners import candidate  # type: ignore[import-not-found]
from open_runtime import make_problem, open_runtime  # type: ignore[import-not-found]
from probe_learners import CLOCK, timed  # type: ignore[import-not-found]

from tabular_automl.core.candidate import Candidate, Recipe
from tabular_automl.core.crossfit import CrossFit
from tabular_automl.core.task import TaskKind
from tabular_automl.crossfit import Pace, Request, Runtime, cross_fit, probe
from tabular_automl.crossfit.probe import FORMULA_FACTOR, LEAST_ROUNDS, ROUNDS, SHARE, TOTAL_SHARE, ProbeJob
from tabular_automl.crossfit.workers import Finished, Lost
from tabular_automl.learners import FAMILIES, learner_for
from tabular_automl.testing import FakeClock


@pytest.fixture
def watch(monkeypatch):
    """Let probes read the clock of `Timed` learners; return a function that says how long they took."""
    # The package offers the function under the name of its module.
    module = import_module("tabular_automl.crossfit.probe")
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=CLOCK))
    before = CLOCK()
    return lambda: CLOCK() - before


def probed(candidates, workers, *, seconds: float | None = 1_000.0, **settings):
    with open_runtime(make_problem(), workers, seconds=seconds, **settings) as runtime:
        return probe(candidates, runtime)


@pytest.mark.parametrize("asks", [1, 4])
@pytest.mark.parametrize(("setup", "a_round"), [(2.0, 0.5), (0.0, 1.0), (20.0, 0.25)])
def test_a_pace_tells_what_is_spent_once_from_what_is_spent_on_each_round(
    one_worker, watch, setup, a_round, asks
):
    wanted = timed(setup, a_round, asks=asks)
    (pace,) = probed([wanted], one_worker, seconds=100_000.0)
    assert pace.candidate == wanted
    assert (pace.setup, pace.a_round) == (pytest.approx(setup), pytest.approx(a_round))
    assert pace.seconds(100) == pytest.approx(setup + 100 * a_round)
    assert watch() == pytest.approx(setup + ROUNDS * a_round)


def test_a_slow_probe_ends_with_its_second_round(one_worker, watch):
    (pace,) = probed([timed(40.0, 10.0)], one_worker, seconds=1_000.0)
    assert SHARE * 1_000.0 < 50.0
    assert watch() == pytest.approx(60.0)
    assert (pace.setup, pace.a_round) == (pytest.approx(40.0), pytest.approx(10.0))


def test_a_fit_of_one_round_counts_as_that_round(one_worker, watch):
    (pace,) = probed([timed(3.0, 1.0, rounds=1)], one_worker)
    assert (pace.setup, pace.a_round) == (0.0, pytest.approx(4.0))


def test_paces_come_in_the_order_of_the_candidates_and_some_have_none(one_worker, watch):
    mute, slow, fast = timed(kind="Mute"), timed(a_round=2.0), timed(a_round=0.1)
    paces = probed([mute, slow, timed(kind="WithoutRounds"), fast], one_worker)
    assert [pace.candidate for pace in paces] == [slow, fast]


@pytest.mark.parametrize("behaviour", ["raise", "sys-exit"])
def test_a_learner_that_fails_has_no_pace_in_process(one_worker, watch, behaviour):
    paces = probed([candidate(behaviour), timed()], one_worker)
    assert [pace.candidate for pace in paces] == [timed()]


@pytest.mark.parametrize("behaviour", ["raise", "exit", "sys-exit", "shot"])
def test_a_learner_that_fails_has_no_pace_and_costs_no_other(two_workers, behaviour):
    sound = candidate(rounds=20)
    paces = probed([candidate(behaviour), sound], two_workers)
    assert [pace.candidate for pace in paces] == [sound]


@pytest.mark.parametrize(
    "impossible", [replace(timed(), recipe=Recipe("no such recipe")), timed(kind="NoRegression")]
)
def test_what_cannot_be_encoded_or_fitted_has_no_pace(one_worker, watch, impossible):
    paces = probed([impossible, timed()], one_worker)
    assert [pace.candidate for pace in paces] == [timed()]
    assert watch() == pytest.approx(2.0 + ROUNDS * 0.5)


def test_data_that_cannot_be_read_costs_the_probe_only(one_worker):
    with open_runtime(make_problem(), one_worker, seconds=1_000) as runtime:
        runtime.data.rows(0, "held_out").unlink()
        assert probe([candidate()], runtime) == ()


def test_a_probe_that_is_killed_is_as_slow_as_it_was_long(two_workers):
    (pace,) = probed([candidate("hang")], two_workers, seconds=5.0)
    assert pace.candidate == candidate("hang")
    assert pace.setup == 0.0
    assert pace.a_round > 0.9 * TOTAL_SHARE * 5.0


@pytest.mark.parametrize(("seconds", "n_paces"), [(29.0, 0), (31.0, 1)])
def test_a_probe_that_is_killed_early_tells_nothing(one_worker, monkeypatch, seconds, n_paces):
    lost = Lost("its limit was over", seconds, killed=True)
    monkeypatch.setattr(one_worker, "wait", lambda _: [Finished(one_worker._queued, lost)])
    assert len(probed([candidate()], one_worker, seconds=1_000.0)) == n_paces


@pytest.mark.parametrize(("seconds", "n_paces"), [(490.0 / FORMULA_FACTOR, 0), (510.0 / FORMULA_FACTOR, 1)])
def test_what_would_be_killed_before_its_second_round_is_not_started(one_worker, watch, seconds, n_paces):
    assert TOTAL_SHARE * 490 < LEAST_ROUNDS * 20 < TOTAL_SHARE * 510
    dear = timed(1.0, 1.0, kind="Dear")
    with open_runtime(make_problem(), one_worker, seconds=seconds) as runtime:
        assert len(probe([dear], runtime)) == n_paces
        assert bool(list(runtime.store.scratch.glob("matrix-*"))) == bool(n_paces), "encoded in vain"


def test_on_many_rows_a_part_of_them_tells_the_pace(one_worker, watch, monkeypatch):
    wanted = timed(setup=0.02, a_round=0.01, kind="RowByRow")
    (on_all,) = probed([wanted], one_worker)
    on_all_took = watch()
    monkeypatch.setattr(import_module("tabular_automl.crossfit.probe"), "MOST_ROWS", 30)
    (on_part,) = probed([wanted], one_worker)
    assert watch() - on_all_took == pytest.approx(on_all_took / 4, rel=0.05)
    assert (on_part.setup, on_part.a_round) == pytest.approx((on_all.setup, on_all.a_round), rel=0.05)


@contextmanager
def on_our_clock(workers, seconds=1_000.0):
    """Open a runtime whose time is that of `CLOCK`."""
    with open_runtime(make_problem(), workers, seconds=seconds) as runtime:
        yield replace(runtime, budget=replace(runtime.budget, clock=CLOCK, started=CLOCK()))


def noted_limits(workers, monkeypatch):
    """Return a list that gets the soft and the hard limit of each probe."""
    limits = []
    submit = workers.submit

    def noted(job, *, hard_limit=None, **others):
        limits.append((job.seconds, hard_limit))
        return submit(job, hard_limit=hard_limit, **others)

    monkeypatch.setattr(workers, "submit", noted)
    return limits


def test_all_probes_together_have_a_bound(one_worker, watch, monkeypatch):
    limits = noted_limits(one_worker, monkeypatch)
    wanted = [timed(0.0, a_round) for a_round in (11.0, 5.0, 40.0, 1.0)]
    with on_our_clock(one_worker) as runtime:
        paces = probe(wanted, runtime)
    # Of 80 s the first takes its share and a bit, the second about half of what is left, the third too much.
    np.testing.assert_allclose(limits, [(30.0, 80.0), (23.5, 47.0), (11.0, 22.0)])
    assert [pace.candidate for pace in paces] == wanted[:3]
    assert watch() == pytest.approx(33.0 + 25.0 + 80.0)


def test_matrices_do_not_count_as_probes(one_worker, watch, monkeypatch):
    limits = noted_limits(one_worker, monkeypatch)
    matrix = Runtime.matrix

    def slow_matrix(runtime, recipe):
        CLOCK.advance(200.0)
        return matrix(runtime, recipe)

    monkeypatch.setattr(Runtime, "matrix", slow_matrix)
    with on_our_clock(one_worker) as runtime:
        assert len(probe([timed(0.0, 2.0), timed(0.0, 1.0)], runtime)) == 2
    np.testing.assert_allclose([hard for _, hard in limits], [80.0, 60.0])


@pytest.mark.parametrize("seconds", [None, 50.0])
def test_only_a_time_limit_gives_probes_a_limit(one_worker, monkeypatch, seconds):
    limits = noted_limits(one_worker, monkeypatch)
    (pace,) = probed([candidate(rounds=20)], one_worker, seconds=seconds)
    soft = float("inf") if seconds is None else SHARE * seconds
    assert limits == [(soft, None if seconds is None else pytest.approx(TOTAL_SHARE * seconds, rel=0.01))]
    assert pace.a_round > 0


def test_after_the_deadline_and_after_ctrl_c_nothing_is_probed(one_worker, monkeypatch):
    monkeypatch.setattr(one_worker, "submit", lambda *_, **__: pytest.fail("it was probed"))
    with open_runtime(make_problem(), one_worker, seconds=10) as runtime:
        clock = FakeClock(runtime.budget.started + 11)
        assert probe([candidate()], replace(runtime, budget=replace(runtime.budget, clock=clock))) == ()
        runtime.budget.cancel()
        assert probe([candidate()], runtime) == ()


def test_ctrl_c_ends_probes_and_leaves_no_job_behind(two_workers):
    problem = make_problem()
    with open_runtime(problem, two_workers, seconds=1_000) as runtime:
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        assert probe([candidate("hang"), candidate("hang", seconds=1)], runtime) == ()
        assert runtime.budget.cancelled
    with open_runtime(problem, two_workers) as runtime:
        (fit,) = cross_fit(iter([Request(candidate(), 2)]), problem, runtime)
    assert isinstance(fit, CrossFit)


def test_nothing_is_encoded_that_would_outlast_the_time_left(one_worker, monkeypatch):
    monkeypatch.setattr(Runtime, "matrix", lambda *_: pytest.fail("it was encoded"))
    with open_runtime(make_problem(), one_worker, seconds=10) as runtime:
        runtime.observations.encoded(10.0)
        assert probe([candidate()], runtime) == ()


def test_probes_keep_nothing_and_change_no_fit(one_worker):
    problem = make_problem()
    predictions = []
    for first in ((), (candidate(rounds=20),)):
        with open_runtime(problem, one_worker) as runtime:
            probe(first, runtime)
            assert list(runtime.store.fits.iterdir()) == []
            (fit,) = cross_fit(iter([Request(candidate(rounds=20), 2)]), problem, runtime)
            assert isinstance(fit, CrossFit)
            predictions.append(fit.predictions)
    np.testing.assert_array_equal(predictions[0], predictions[1])


@pytest.mark.parametrize("family", [f for f in FAMILIES if learner_for(f).capabilities.uses_rounds])
@pytest.mark.parametrize("kind", TaskKind)
def test_every_family_with_rounds_has_a_pace(one_worker, family, kind):
    problem = make_problem(kind)
    learner = learner_for(family)
    params = learner.defaults(problem.shape)
    wanted = Candidate(family, params, learner.recipe(params))
    with open_runtime(problem, one_worker, seconds=1_000) as runtime:
        (pace,) = probe([wanted], runtime)
    assert pace.a_round > 0
    assert pace.setup >= 0


def test_a_probe_learns_on_fold_0_and_is_stopped_from_outside(one_worker, watch):
    with open_runtime(make_problem(), one_worker, seconds=1_000) as runtime:
        matrix = runtime.matrix(Recipe("ordinal"))
        jobs = []
        submit = one_worker.submit

        def noted(job, **limits):
            jobs.append(job)
            return submit(job, **limits)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(one_worker, "submit", noted)
            probe([timed()], runtime)
        (job,) = jobs
        assert isinstance(job, ProbeJob)
        assert job.matrix == matrix.path
        assert job.context.max_rounds == ROUNDS
        stopped = job.run(lambda: True)
    assert isinstance(stopped, Pace)
    assert stopped.a_round == pytest.approx(2.5)
