import os
from dataclasses import dataclass, replace

import numpy as np
import pytest
from odd_learners import candidate  # type: ignore[import-not-found]
from open_runtime import make_problem, open_runtime  # type: ignore[import-not-found]

from tabular_automl.core.candidate import Candidate, Recipe, freeze_params
from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.core.errors import MemoryLimitError
from tabular_automl.core.memory import memory_limit
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.task import TaskKind
from tabular_automl.crossfit import Request, cross_fit, memory_plan, probe, refit
from tabular_automl.crossfit.fold_job import FitReport, JobFailure
from tabular_automl.crossfit.memory_plan import USABLE_SHARE, WORKER_RESIDENT, MemoryPlan
from tabular_automl.crossfit.workers import Finished, Lost, Seat, Ticket

GB = 2**30
SHAPE = ProblemShape(TaskKind.REGRESSION, 100, 3, 1, 1)
# No process has this id: its worker is taken to hold what any idle worker holds.
NOBODY = 2**22 + 1


@dataclass(frozen=True)
class Busy:
    """A job of a candidate, as the plan sees it."""

    candidate: Candidate

    def run(self, should_stop):
        return None


@dataclass
class Pool:
    """Workers as the plan sees them: what each of them is fitting (None: nothing)."""

    fitting: list[Candidate | None]
    process: int = NOBODY

    @property
    def n_slots(self) -> int:
        return len(self.fitting)

    @property
    def seats(self) -> tuple[Seat, ...]:
        return tuple(Seat(self.process, None if one is None else Ticket(Busy(one))) for one in self.fitting)


def plan_of(gigabytes: float, *, counted: bool = False) -> MemoryPlan:
    return MemoryPlan(gigabytes * GB, SHAPE, counted)


def needing(gigabytes: float, **params: str | float) -> Candidate:
    return candidate(bytes=gigabytes * GB, **params)


def ended(wanted: Candidate, result: object, *, beside_others: bool = False) -> Finished:
    return Finished(Ticket(Busy(wanted)), result, beside_others)


def learn(plan, wanted, result, pool=None, *, beside_others: bool = False) -> None:
    plan.learn(wanted, ended(wanted, result, beside_others=beside_others), pool or Pool([None, None]))


def refuses(plan, wanted, pool) -> bool:
    try:
        plan.require(wanted, pool)
    except MemoryLimitError:
        return True
    return False


def report(plan: MemoryPlan, gigabytes: float) -> FitReport:
    """What a worker reports whose job took so much."""
    return FitReport(None, np.zeros(1), 1.0, (gigabytes * GB + WORKER_RESIDENT) / 2**20, True)  # type: ignore[arg-type]


def test_what_fits_alone_waits_for_what_runs_and_never_where_nothing_runs():
    plan = plan_of(4)
    for wanted in (needing(2.5), needing(0.1), needing(40)):
        assert not plan.must_wait(wanted, Pool([None, None]))
    assert plan.must_wait(needing(2.5), Pool([needing(2.5), None]))
    assert not plan.must_wait(needing(0.5), Pool([needing(2.5), None]))
    assert not plan.must_wait(needing(2.5), Pool([needing(0.5), None]))


def test_predictions_need_less_than_fits():
    plan, pool = plan_of(4), Pool([needing(2.5), None])
    assert plan.must_wait(needing(1.5), pool)
    assert not plan.must_wait(needing(1.5), pool, predicts=True)


def test_a_refusal_says_what_is_expected_what_there_is_and_the_way_out():
    with pytest.raises(
        MemoryLimitError,
        match=r"expected to take 9\.00 GB .* 3\.\d\d GB of 4\.00 GB are left .* more memory, .*rows",
    ):
        plan_of(4).require(needing(9), Pool([None]))


def test_what_costs_nothing_is_never_refused():
    prior = Candidate("prior", (), Recipe("none"))
    for counted in (False, True):
        assert not refuses(plan_of(0.01, counted=counted), prior, Pool([None]))
        assert refuses(plan_of(0.01, counted=counted), needing(0.001), Pool([None]))


def test_an_unknown_limit_lets_everything_through():
    plan = MemoryPlan(float("inf"), SHAPE, counted=False)
    assert not refuses(plan, needing(1e6), Pool([None]))
    assert not plan.must_wait(needing(1e6), Pool([needing(1e6), None]))


def test_idle_workers_take_room_in_a_run_that_no_count_bounds():
    sizes = [gigabytes / 10 for gigabytes in range(1, 80)]
    fitting = [
        sum(not refuses(plan_of(4), needing(size), Pool([None] * n_workers)) for size in sizes)
        for n_workers in (1, 4, 12)
    ]
    assert fitting[0] > fitting[1] > fitting[2] > 0


def test_in_a_counted_run_a_refusal_depends_on_nothing_but_formula_and_limit(monkeypatch):
    sizes = [gigabytes / 10 for gigabytes in range(1, 80)]
    pools = [Pool([None]), Pool([None], os.getpid()), Pool([None] * 12), Pool([needing(9), None])]
    plan = plan_of(4, counted=True)
    verdicts = [[refuses(plan, needing(size), pool) for size in sizes] for pool in pools]
    learn(plan, needing(0.1), report(plan, 3.0))
    learn(plan, needing(3), Lost("gone", 1.0, killed=False, signal=9))
    monkeypatch.setattr(memory_plan, "held_memory", lambda process: 3 * GB)
    verdicts += [[refuses(plan, needing(size), pool) for size in sizes] for pool in pools]
    assert all(verdict == verdicts[0] for verdict in verdicts)
    assert {True, False} <= set(verdicts[0])
    # The same figures count in a run that no count bounds.
    assert refuses(plan_of(4), needing(2), Pool([None]))


def test_what_a_worker_kept_of_earlier_jobs_serves_the_next_one(monkeypatch):
    held = {NOBODY: 2 * GB, os.getpid(): GB / 4}
    monkeypatch.setattr(memory_plan, "held_memory", held.get)
    assert not refuses(plan_of(4), needing(3), Pool([None]))
    assert refuses(plan_of(4), needing(3), Pool([None, None]))


def test_observed_peaks_correct_the_familys_formula():
    plan, pool = plan_of(8), Pool([needing(3), None])
    assert not plan.must_wait(needing(3), pool)
    learn(plan, needing(1), report(plan, 2.0))
    assert plan.must_wait(needing(3), pool)
    lower = plan_of(8)
    assert lower.must_wait(needing(4.5), Pool([needing(4.5), None]))
    learn(lower, needing(4.5), report(lower, 2.7))
    assert not lower.must_wait(needing(4.5), Pool([needing(4.5), None]))


def test_small_fits_teach_little_about_large_ones():
    plan = plan_of(8)
    learn(plan, needing(0.001), report(plan, 0.02))
    assert not plan.must_wait(needing(3), Pool([needing(3), None]))


def test_the_drivers_own_peak_teaches_nothing():
    plan = plan_of(8)
    learn(plan, needing(1), report(plan, 6.0), Pool([None], os.getpid()))
    assert not plan.must_wait(needing(3), Pool([needing(3), None]))


@pytest.mark.parametrize(
    "loss",
    [
        Lost("gone", 1.0, killed=False, signal=9),
        Lost("gone", 1.0, killed=False, signal=6),
        JobFailure("MemoryError: Unable to allocate", 1.0),
        JobFailure("CatBoostError: std::bad_alloc", 1.0),
    ],
)
def test_after_a_loss_beside_others_the_likes_of_it_run_alone_and_after_one_alone_not_at_all(loss):
    plan, lost = plan_of(8), needing(3)
    others = Pool([needing(0.2, rounds=2), None])
    assert not plan.must_wait(lost, others)
    learn(plan, lost, loss, beside_others=True)
    assert plan.must_wait(lost, others)
    assert plan.must_wait(needing(3.5), others)
    assert not refuses(plan, lost, Pool([None, None]))
    learn(plan, lost, loss)
    assert refuses(plan, lost, Pool([None, None]))
    assert not refuses(plan, needing(0.1), Pool([None, None]))


@pytest.mark.parametrize(
    "other",
    [
        Lost("too slow", 1.0, killed=True, signal=9),
        Lost("exit", 1.0, killed=False),
        Lost("segmentation fault", 1.0, killed=False, signal=11),
        JobFailure("ValueError: no", 1.0),
    ],
)
def test_other_losses_teach_nothing(other):
    plan = plan_of(8)
    learn(plan, needing(3), other)
    assert not refuses(plan, needing(3), Pool([None, None]))


KILLED, ABORTED = (Lost("gone", 1.0, killed=False, signal=number) for number in (9, 6))


@pytest.mark.parametrize("loss", [KILLED, ABORTED])
@pytest.mark.parametrize("beside_others", [False, True])
def test_what_was_small_was_not_lost_to_memory(loss, beside_others):
    plan, pool = plan_of(8), Pool([needing(0.2), None])
    learn(plan, needing(0.2), loss, beside_others=beside_others)
    assert not plan.must_wait(needing(0.2), pool)
    assert not refuses(plan, needing(0.2), pool)


@pytest.mark.parametrize("loss", [KILLED, ABORTED])
def test_what_held_much_was_lost_to_memory_whatever_its_formula_said(loss):
    plan = plan_of(8)
    learn(plan, needing(0.2), replace(loss, held=4 * GB))
    assert refuses(plan, needing(0.2), Pool([None, None]))


def test_beside_others_a_smaller_job_is_a_fair_share():
    plan, pool = plan_of(8), Pool([None] * 8)
    learn(plan, needing(0.5), KILLED, pool)
    assert not plan.must_wait(needing(0.5), Pool([needing(0.5), None]))
    learn(plan, needing(0.5), KILLED, pool, beside_others=True)
    assert plan.must_wait(needing(0.5), Pool([needing(0.5), None]))


@pytest.mark.parametrize(("loss", "believed"), [(KILLED, True), (ABORTED, False)])
def test_what_the_kernel_ended_for_memory_was_lost_to_it_however_small(loss, believed, monkeypatch):
    counts = iter([3, 4, 4])
    monkeypatch.setattr(memory_plan, "group_oom_kills", lambda: next(counts))
    plan, pool = plan_of(8), Pool([needing(0.2), None])
    learn(plan, needing(0.2), loss, beside_others=True)
    assert plan.must_wait(needing(0.2), pool) == believed


def test_each_process_that_the_kernel_ended_explains_one_loss(monkeypatch):
    kills = [3]
    monkeypatch.setattr(memory_plan, "group_oom_kills", lambda: kills[0])
    plan = plan_of(8)
    kills[0] = 4
    first, second = needing(0.2), replace(needing(0.2), family="odd_learners:Quitter")
    learn(plan, first, KILLED)
    assert refuses(plan, first, Pool([None, None]))
    learn(plan, second, KILLED)
    assert not refuses(plan, second, Pool([None, None]))
    kills[0] = 5
    learn(plan, second, KILLED)
    assert refuses(plan, second, Pool([None, None]))


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -1.0])
def test_a_formula_that_gives_no_number_of_bytes_is_refused(wrong):
    with pytest.raises(
        ValueError, match=r"odd_learners:Odd.memory\(\) returned .* must be a number of bytes"
    ):
        plan_of(4).require(candidate(bytes=wrong), Pool([None]))


@pytest.mark.parametrize("fixture", ["one_worker", "two_workers"])
@pytest.mark.parametrize("count", [None, 9])
def test_a_candidate_that_would_not_fit_fails_before_it_is_started(fixture, count, request, tmp_path):
    problem, log = make_problem(), tmp_path / "log"
    with open_runtime(problem, request.getfixturevalue(fixture), count=count) as opened:
        runtime = replace(opened, memory=replace(opened.memory, limit=4.0 * GB))
        requests = iter([Request(needing(40, log=str(log)), 2), Request(candidate(), 2)])
        refused, fit = cross_fit(requests, problem, runtime)
    assert isinstance(refused, Failure)
    assert isinstance(fit, CrossFit)
    assert refused.fold is None
    assert "MemoryLimitError: a fit is expected to take 40.00 GB" in refused.reason
    assert not log.exists()


def test_what_is_in_the_store_needs_no_memory(one_worker, tmp_path):
    problem, wanted = make_problem(), needing(40, rounds=1)
    for limit in (80.0 * GB, 4.0 * GB):
        with open_runtime(problem, one_worker, run_dir=tmp_path / "run") as opened:
            runtime = replace(opened, memory=replace(opened.memory, limit=limit))
            (fit,) = cross_fit(iter([Request(wanted, 2)]), problem, runtime)
        assert isinstance(fit, CrossFit)


def test_jobs_that_do_not_fit_beside_each_other_run_one_after_the_other(two_workers, tmp_path):
    problem = make_problem()
    hermits = [needing(2, behaviour="hermit", cell=str(tmp_path / "cell"), rounds=r) for r in (2, 3)]
    with open_runtime(problem, two_workers) as opened:
        runtime = replace(opened, memory=replace(opened.memory, limit=4.0 * GB))
        results = list(cross_fit(iter([Request(one, 1) for one in hermits]), problem, runtime))
    assert [type(result) for result in results] == [CrossFit, CrossFit]


def test_refits_and_probes_that_would_not_fit_are_not_started(two_workers):
    problem, linear = make_problem(), Candidate("linear", freeze_params({"knots": 0}), Recipe("linear"))
    with open_runtime(problem, two_workers, seconds=60) as opened:
        (fit,) = cross_fit(iter([Request(linear, 2)]), problem, opened)
        assert isinstance(fit, CrossFit)
        assert len(probe([linear], opened)) == 1
        runtime = replace(opened, memory=replace(opened.memory, limit=1e6))
        assert probe([linear], runtime) == ()
        (failure,) = refit([fit], 1, runtime)
    assert isinstance(failure, Failure)
    assert "refit: MemoryLimitError: a fit is expected to take" in failure.reason


def test_a_worker_that_is_killed_for_memory_makes_its_family_wait(two_workers):
    problem = make_problem()
    with open_runtime(problem, two_workers) as opened:
        runtime = replace(opened, memory=replace(opened.memory, limit=4.0 * GB))
        (failure,) = cross_fit(iter([Request(needing(2, behaviour="shot"), 1)]), problem, runtime)
        assert isinstance(failure, Failure)
        (refused,) = cross_fit(iter([Request(needing(2), 1)]), problem, runtime)
    assert isinstance(refused, Failure)
    assert "MemoryLimitError" in refused.reason


def test_the_plan_of_a_run_knows_this_machines_limit(two_workers):
    with open_runtime(make_problem(), two_workers) as runtime:
        limit = memory_limit()
        assert limit is not None
        assert runtime.memory.limit == pytest.approx(USABLE_SHARE * limit)
