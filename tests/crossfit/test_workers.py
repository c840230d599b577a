import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from joblib import Parallel, delayed, parallel_config
from odd_jobs import Environment, Holding, Imported, LastWords, ProcessId, UntilStopped  # type: ignore[import-not-found]
from waiting import eventually, finished_by, results_of, wait_for_free  # type: ignore[import-not-found]

from tabular_automl.core.budget import Budget
from tabular_automl.core.errors import InputError, TabularAutoMLError
from tabular_automl.crossfit import process_workers, start_workers
from tabular_automl.crossfit.in_process_workers import InProcessWorkers
from tabular_automl.crossfit.process_workers import MOST_STILLBORN, ProcessWorkers
from tabular_automl.crossfit.workers import STOP_GRACE_SECONDS, Lost


@pytest.fixture
def own_pool():
    """Two workers that a test may spoil."""
    with ProcessWorkers(2, families=()) as workers:
        wait_for_free(workers, 2)
        yield workers


@pytest.fixture
def pool(two_workers):
    """Both workers, alive and idle."""
    wait_for_free(two_workers, 2)
    return two_workers


def test_jobs_run_at_the_same_time_in_other_processes(pool):
    tickets = [pool.submit(ProcessId(0.2)) for _ in range(2)]
    assert pool.free == 0
    results = results_of(pool, 2)
    assert {results[ticket] for ticket in tickets} == set(pool.process_ids)
    assert os.getpid() not in pool.process_ids


def test_a_full_pool_takes_no_job(pool):
    for _ in range(2):
        pool.submit(ProcessId())
    with pytest.raises(RuntimeError, match="No worker is free"):
        pool.submit(ProcessId())
    results_of(pool, 2)


def test_workers_use_one_thread_and_the_driver_stays_as_it_is(pool):
    before = os.environ.get("OMP_NUM_THREADS")
    ticket = pool.submit(Environment(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")))
    assert results_of(pool, 1)[ticket] == ["1", "1"]
    assert os.environ.get("OMP_NUM_THREADS") == before


def started_in_a_daemon() -> str:
    try:
        start_workers(Budget(60.0, None, 1)).close()
    except TabularAutoMLError as error:
        return str(error)
    return "started"


def test_a_daemon_is_told_what_to_do_instead():
    with parallel_config("multiprocessing"):
        found = Parallel(n_jobs=2)(delayed(started_in_a_daemon)() for _ in range(2))
    assert all("may not start worker processes. Use joblib's loky backend" in message for message in found)


@pytest.mark.parametrize("how", ["SIGKILL", "SIGSEGV"])
def test_a_worker_killed_mid_job_costs_one_job(pool, how):
    sibling = pool.submit(ProcessId(0.5))
    victim = pool.submit(UntilStopped())
    (busy,) = [slot for slot in pool._slots if slot.ticket is victim]
    os.kill(busy.process.pid, getattr(signal, how))
    results = results_of(pool, 2)
    assert results[sibling] in pool.process_ids
    assert isinstance(results[victim], Lost)
    assert f"signal {int(getattr(signal, how))}" in results[victim].reason
    assert not results[victim].killed


def test_kill_one_is_not_reported_and_its_sibling_is(pool):
    sibling, victim = pool.submit(ProcessId(0.3)), pool.submit(ProcessId(600))
    pool.kill(victim)
    assert list(results_of(pool, 1)) == [sibling]
    pool.kill(sibling)  # ended already: nothing to do


def test_a_hard_limit_kills(pool):
    sibling, victim = pool.submit(ProcessId(0.5)), pool.submit(ProcessId(600), hard_limit=0.2)
    results = results_of(pool, 2)
    assert results[victim].killed
    assert "its limit was 0.2 s" in results[victim].reason
    assert results[sibling] > 0


def test_what_ended_in_time_is_kept_however_late_the_driver_looks(pool):
    in_time = pool.submit(ProcessId(0.05), hard_limit=0.4)
    stop = threading.Event()
    stopping = pool.submit(UntilStopped(), should_stop=stop.is_set)
    stop.set()
    assert pool.wait(0.0) == []  # asks it to stop
    time.sleep(STOP_GRACE_SECONDS + 0.2)
    results = results_of(pool, 2)
    assert {results[in_time], results[stopping]} == set(pool.process_ids)


def test_a_job_still_running_beyond_its_limit_is_killed_however_late_the_driver_looks(pool):
    ticket = pool.submit(ProcessId(600), hard_limit=0.1)
    time.sleep(0.3)
    assert results_of(pool, 1)[ticket].killed


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_loss_tells_whether_others_ran_even_if_they_died_with_it(pool):
    for others in (1, 0):
        for _ in range(1 + others):
            pool.submit(ProcessId(600))
        for slot in pool._slots:
            if slot.ticket:
                os.kill(slot.process.pid, signal.SIGKILL)
        lost = finished_by(pool, 1 + others)
        assert [done.result.signal for done in lost] == [signal.SIGKILL] * (1 + others)
        assert [done.beside_others for done in lost] == [bool(others)] * (1 + others)
        wait_for_free(pool, 2)


def test_a_result_tells_whether_another_job_ran(pool):
    for _ in range(2):
        pool.submit(ProcessId())
    assert [done.beside_others for done in finished_by(pool, 2)] == [True, True]
    pool.submit(ProcessId())
    assert [done.beside_others for done in finished_by(pool, 1)] == [False]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not say what it holds")
def test_a_loss_tells_what_the_process_held(pool):
    pool.submit(Holding(64 * 2**20))
    (busy,) = [slot for slot in pool._slots if slot.ticket]
    eventually(lambda: pool.wait(0.05) == [] and busy.held > 64 * 2**20)
    os.kill(busy.process.pid, signal.SIGKILL)
    (done,) = finished_by(pool, 1)
    assert done.result.held > 64 * 2**20


def test_a_worker_that_takes_a_while_to_end_is_not_taken_for_killed(pool):
    ticket = pool.submit(LastWords(0.05))
    lost = results_of(pool, 1)[ticket]
    assert (lost.signal, lost.killed) == (None, False)
    assert "exit code 7" in lost.reason
    ticket = pool.submit(LastWords(600))
    lost = results_of(pool, 1)[ticket]
    assert (lost.signal, lost.killed) == (None, False)
    assert "closed its pipe" in lost.reason


def test_a_job_is_asked_to_stop_and_the_next_one_is_not(pool):
    stop = threading.Event()
    ticket = pool.submit(UntilStopped(), should_stop=stop.is_set)
    assert pool.wait(0.1) == []
    stop.set()
    assert results_of(pool, 1)[ticket] in pool.process_ids
    for _ in range(2):
        pool.submit(UntilStopped(), hard_limit=0.3)
    assert all(isinstance(result, Lost) for result in results_of(pool, 2).values())


def test_a_job_that_does_not_stop_when_asked_is_killed(pool, monkeypatch):
    monkeypatch.setattr(process_workers, "STOP_GRACE_SECONDS", 0.1)
    ticket = pool.submit(ProcessId(600), should_stop=lambda: True)
    lost = results_of(pool, 1)[ticket]
    assert lost.killed
    assert "after it was asked to stop" in lost.reason


def test_ctrl_c_does_not_reach_workers(pool):
    ticket = pool.submit(ProcessId(0.3))
    for pid in pool.process_ids:
        os.kill(pid, signal.SIGINT)
    assert results_of(pool, 1)[ticket] in pool.process_ids


@pytest.mark.skipif(sys.platform != "linux", reason="a process's signal mask is read as Linux shows it")
def test_ctrl_c_does_not_reach_workers_that_start():
    code = """
import signal
from pathlib import Path
from tabular_automl.crossfit.process_workers import ProcessWorkers

pool = ProcessWorkers(2)
for process_id in pool.process_ids:
    status = dict(line.split(":", 1) for line in Path(f"/proc/{process_id}/status").read_text().splitlines())
    print(bool(int(status["SigBlk"], 16) >> signal.SIGINT - 1 & 1))
print(bool(signal.pthread_sigmask(signal.SIG_BLOCK, ())))
pool.close()
"""
    command = [sys.executable, "-c", code]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own code
    assert shown.stdout.split() == ["True", "True", "False"]


def test_a_worker_is_ready_when_it_has_imported_what_its_families_need():
    with ProcessWorkers(1, families=("no.such:Family", "lightgbm", "xgboost")) as workers:
        wait_for_free(workers, 1)
        ticket = workers.submit(Imported(("lightgbm", "xgboost", "catboost")))
        assert results_of(workers, 1)[ticket] == ["lightgbm", "xgboost"]


def test_no_more_workers_start_at_a_time_than_there_are_cores(monkeypatch):
    monkeypatch.setattr(process_workers, "available_cores", lambda: 1)
    with ProcessWorkers(3, families=()) as workers:
        for n_ready in range(3):
            assert (workers.n_slots, len(workers.process_ids)) == (3, n_ready + 1)
            wait_for_free(workers, n_ready + 1)
            assert workers.wait(0.0) == []
        assert len(workers.process_ids) == 3


IN_A_WORKER = """
import os, sys
sys.path.insert(0, {here!r})
from odd_jobs import Descriptors, Printing
from waiting import results_of, wait_for_free
from tabular_automl.core.budget import Budget
from tabular_automl.crossfit import start_workers

streams = sys.stdout, sys.stderr
{before}
spoilt = sys.stdout, sys.stderr
with start_workers(Budget(60.0, None, 1), families=()) as workers:
    wait_for_free(workers, 1)
    workers.submit({job})
    (result,) = results_of(workers, 1).values()
same = (sys.stdout, sys.stderr) == spoilt
sys.stdout, sys.stderr = streams
{after}
"""


def in_a_worker(job: str, before: str = "", after: str = "") -> subprocess.CompletedProcess[bytes]:
    """Run a job in a worker of a process of its own, and some code before and after it."""
    code = IN_A_WORKER.format(here=str(Path(__file__).parent), job=job, before=before, after=after)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)  # noqa: S603 - our own code


def test_what_is_printed_in_a_worker_goes_to_stderr():
    shown = in_a_worker("Printing()", after="print('result')")
    assert shown.stdout.split() == [b"result"]
    assert sorted(shown.stderr.split()) == [b"printed", b"written"]


@pytest.mark.parametrize(
    "spoil",
    [
        "sys.stdout = sys.stderr = None",
        "sys.stdout = sys.stderr = open(os.devnull, 'w'); sys.stdout.close()",
    ],
    ids=["none", "closed"],
)
def test_workers_start_whatever_the_standard_streams_are(spoil):
    in_a_worker("Printing()", spoil, "assert same")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
def test_workers_start_where_standard_output_is_full():
    in_a_worker(
        "Printing()", "sys.stdout = open('/dev/full', 'w'); print('no room')", "assert same; os._exit(0)"
    )


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system does not say what is open")
def test_where_standard_descriptors_are_closed_no_file_gets_their_numbers():
    after = "null = [os.devnull] * 3; os._exit(0 if [result, Descriptors().run(None)] == [null, null] else 1)"
    in_a_worker("Descriptors()", "os.closerange(0, 3)", after)


def test_workers_that_never_start_are_given_up(monkeypatch):
    monkeypatch.setattr(process_workers, "serve_jobs", _exit_at_once)
    with ProcessWorkers(2) as workers, pytest.raises(TabularAutoMLError, match=r"exit code 5 .* n_jobs=1"):
        wait_for_free(workers, 2)


def test_workers_that_cannot_be_replaced_do_not_end_those_that_work(own_pool, monkeypatch):
    busy, victim = own_pool.submit(UntilStopped()), own_pool.submit(ProcessId(600))
    monkeypatch.setattr(process_workers, "serve_jobs", _exit_at_once)
    own_pool.kill(victim)
    eventually(lambda: own_pool.wait(0.1) == [] and own_pool._stillborn >= MOST_STILLBORN)
    own_pool.kill(busy)
    with pytest.raises(TabularAutoMLError, match="before they could take work"):
        wait_for_free(own_pool, 1)


def test_after_a_shortage_of_processes_all_slots_are_filled_again(own_pool, monkeypatch):
    busy, victim = own_pool.submit(UntilStopped()), own_pool.submit(ProcessId(600))
    with monkeypatch.context() as patch:
        patch.setattr(process_workers, "RETRY_SECONDS", 0.001)
        patch.setattr(ProcessWorkers, "_add_slot", _no_more_processes)
        own_pool.kill(victim)
        eventually(lambda: own_pool.wait(0.01) == [] and own_pool._stillborn > MOST_STILLBORN)
        assert [seat.ticket for seat in own_pool.seats] == [busy]
    wait_for_free(own_pool, 1)
    assert [seat.ticket for seat in own_pool.seats] == [busy, None]


def test_where_no_process_can_be_started_at_all_it_is_said(monkeypatch):
    monkeypatch.setattr(ProcessWorkers, "_add_slot", _no_more_processes)
    with (
        ProcessWorkers(2, families=()) as workers,
        pytest.raises(TabularAutoMLError, match=r"could not be started \(.*unavailable\)\. Use n_jobs=1"),
    ):
        wait_for_free(workers, 2)


def _no_more_processes(_):
    raise BlockingIOError("Resource temporarily unavailable")


def _exit_at_once(*_):
    os._exit(5)


def test_workers_end_with_a_driver_that_is_killed(tmp_path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from odd_jobs import ProcessId; from tabular_automl.crossfit.process_workers import ProcessWorkers\n"
        "workers = ProcessWorkers(2, families=())\n"
        "while workers.free < 1: workers.wait(0.1)\n"
        "workers.submit(ProcessId(600)); print(*workers.process_ids, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).parent)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as driver:  # noqa: S603 - our own code
        assert driver.stdout is not None
        process_ids = [int(text) for text in driver.stdout.readline().split()]
        driver.kill()
    assert len(process_ids) == 2
    eventually(lambda: not any(_alive(process_id) for process_id in process_ids))


def _alive(process_id: int) -> bool:
    status = Path(f"/proc/{process_id}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize(
    ("limit", "max_candidates", "n_jobs", "kind"),
    [
        (None, None, 1, InProcessWorkers),
        (9.0, 2, 1, ProcessWorkers),
        (9.0, None, 1, ProcessWorkers),
        (None, 2, 2, ProcessWorkers),
    ],
)
def test_only_a_single_job_without_a_time_limit_runs_in_this_process(limit, max_candidates, n_jobs, kind):
    with start_workers(Budget(limit, max_candidates, n_jobs), families=()) as workers:
        assert type(workers) is kind
        assert workers.n_slots == n_jobs


def test_a_learner_of_the_script_itself_is_refused_where_processes_would_not_find_it():
    own = ("lightgbm", "__main__:Own")
    with pytest.raises(InputError, match=r"'__main__:Own' is defined in the script .* Put it into a module"):
        start_workers(Budget(None, 3, 2), own)
    with start_workers(Budget(None, 3, 1), own) as workers:
        assert isinstance(workers, InProcessWorkers)


def test_one_job_runs_in_this_process():
    with InProcessWorkers() as workers:
        assert (workers.n_slots, workers.free) == (1, 1)
        assert workers.wait(0.0) == []
        ticket = workers.submit(ProcessId())
        assert workers.free == 0
        with pytest.raises(RuntimeError, match="already has a job"):
            workers.submit(ProcessId())
        assert results_of(workers, 1) == {ticket: os.getpid()}


def test_a_queued_job_can_be_killed_in_process():
    with InProcessWorkers() as workers:
        workers.kill(workers.submit(ProcessId()))
        assert workers.wait(0.0) == []


def test_processes_end_with_their_pool():
    with ProcessWorkers(2, families=()) as workers:
        process_ids = workers.process_ids
    assert not any(_alive(process_id) for process_id in process_ids)
