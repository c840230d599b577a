import os
import signal
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odd_jobs import ProcessId, Spinning  # type: ignore[import-not-found]
from waiting import finished_by, wait_for_free  # type: ignore[import-not-found]

from tabular_automl.core.budget import Budget
from tabular_automl.crossfit import start_workers
from tabular_automl.crossfit.occupancy import Occupancy
from tabular_automl.crossfit.workers import Lost
from tabular_automl.testing import FakeClock

JOBS = st.lists(st.tuples(st.integers(0, 3), st.floats(0, 5), st.floats(0, 5)), max_size=12)


@given(JOBS, st.integers(1, 4))
def test_all_core_seconds_are_accounted_for(jobs, cores):
    clock = FakeClock(100.0)
    occupancy = Occupancy(clock)
    for worker, pause, seconds in jobs:
        clock.advance(pause)
        occupancy.began(worker)
        clock.advance(seconds)
        occupancy.ended(worker)
    found = occupancy.utilisation(100.0, cores, [("fit", clock() - 1), ("weigh", clock())])
    assert found.seconds == pytest.approx(clock() - 100)
    assert found.fitting == pytest.approx(sum(seconds for *_, seconds in jobs))
    assert found.seconds_without_fits == pytest.approx(sum(pause for _, pause, _ in jobs))
    assert min(found.other, found.idle) >= 0
    assert found.fitting + found.other + found.idle == pytest.approx(cores * found.seconds)


def test_workers_beyond_the_cores_share_them():
    clock = FakeClock()
    occupancy = Occupancy(clock)
    for worker in range(3):
        occupancy.began(worker)
    clock.advance(2.0)
    assert occupancy.utilisation(0.0, 2, []).fitting == 4.0


def test_a_job_ends_when_the_worker_is_done_not_when_the_driver_hears_of_it():
    clock = FakeClock()
    occupancy = Occupancy(clock)
    occupancy.began("worker")
    clock.advance(10.0)
    occupancy.ended("worker", seconds=4.0)
    found = occupancy.utilisation(0.0, 1, [("fit", 10.0)])
    assert (found.fitting, found.without_fits) == (4.0, {"fit": 6.0})


def test_a_gap_is_shared_out_to_its_stages_and_the_wait_for_the_first_job_is_told_apart():
    clock = FakeClock()
    occupancy = Occupancy(clock)
    clock.advance(5.0)
    occupancy.began("worker")
    clock.advance(3.0)
    occupancy.ended("worker")
    clock.advance(4.0)
    found = occupancy.utilisation(
        0.0, 1, [("ingest", 1.0), ("baselines", 3.0), ("fit", 9.0), ("weigh", 11.0)]
    )
    expected = {"ingest": 1.0, "baselines": 2.0, "first fit": 2.0, "fit": 1.0, "weigh": 3.0}
    assert found.without_fits == pytest.approx(expected)


def test_the_start_of_a_worker_is_other_work_where_no_job_has_the_core():
    clock = FakeClock()
    occupancy = Occupancy(clock)
    clock.advance(4.0)
    occupancy.started_up("worker", seconds=4.0, cpu=3.0)
    assert occupancy.utilisation(0.0, 1, []).other == pytest.approx(3.0, abs=0.2)
    assert occupancy.utilisation(0.0, 1, []).startup_cpu == 3.0
    busy = Occupancy(clock)
    busy.began("sibling")
    clock.advance(4.0)
    busy.started_up("worker", seconds=4.0, cpu=3.0)
    assert busy.utilisation(4.0, 1, []).other == 0.0


def test_processes_tell_how_long_they_worked(two_workers):
    wait_for_free(two_workers, 2)
    since = time.monotonic()
    before = two_workers.occupancy.utilisation(since, 2, [])
    two_workers.submit(Spinning(0.2))
    time.sleep(2.0)  # a driver that is busy with something else
    finished_by(two_workers, 1)
    found = two_workers.occupancy.utilisation(since, 2, [])
    assert 0.2 <= found.fitting < 2.0
    assert found.jobs_cpu - before.jobs_cpu >= 0.2


def test_a_killed_job_counts_until_it_was_killed(two_workers):
    wait_for_free(two_workers, 2)
    since = time.monotonic()
    before = two_workers.occupancy.utilisation(since, 2, []).jobs_cpu
    two_workers.submit(Spinning(600.0), hard_limit=0.5)
    two_workers.kill(two_workers.submit(ProcessId(600)))
    (done,) = finished_by(two_workers, 1)
    assert isinstance(done.result, Lost)
    found = two_workers.occupancy.utilisation(since, 2, [])
    assert found.fitting >= 0.5
    if os.name == "posix":
        assert found.jobs_cpu > before
    time.sleep(0.2)
    later = two_workers.occupancy.utilisation(since, 2, [])
    assert later.fitting == pytest.approx(found.fitting)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_the_job_of_a_worker_that_died_is_over(two_workers):
    wait_for_free(two_workers, 2)
    since = time.monotonic()
    two_workers.submit(ProcessId(600))
    (busy,) = [slot for slot in two_workers._slots if slot.ticket]
    os.kill(busy.process.pid, signal.SIGKILL)
    assert isinstance(finished_by(two_workers, 1)[0].result, Lost)
    found = two_workers.occupancy.utilisation(since, 2, [])
    time.sleep(0.2)
    assert two_workers.occupancy.utilisation(since, 2, []).fitting == pytest.approx(found.fitting)


def test_cpu_time_of_a_job_in_this_process_is_not_the_drivers():
    budget = Budget(None, 1, 1, started=time.monotonic())
    with start_workers(budget, families=()) as workers:
        workers.submit(Spinning(0.3))
        workers.wait(0.0)
        found = workers.occupancy.utilisation(budget.started, 1, [])
    assert found.fitting >= 0.3
    assert found.jobs_cpu >= 0.3
    assert found.driver_cpu < found.jobs_cpu


def test_time_is_that_of_the_budgets_clock():
    clock = FakeClock(50.0)
    with start_workers(Budget(None, 1, 1, clock=clock, started=50.0), families=()) as workers:
        clock.advance(7.0)
        assert workers.occupancy.utilisation(50.0, 1, []).seconds == 7.0
