"""Whatever a learner does: it is recorded with its reason and left out, and its siblings are kept."""

import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from odd_learners import candidate  # type: ignore[import-not-found]
from open_runtime import make_problem, open_runtime  # type: ignore[import-not-found]
from waiting import eventually  # type: ignore[import-not-found]

from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.crossfit import Request, cross_fit, time_plan

N_FOLDS = 4


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("abort", "signal 6"),
        ("nan-curve", "1 of 5 values of the held-out loss are NaN or infinite"),
        ("nothing", "AttributeError: 'NoneType' object"),
        ("speechless", "SpeechlessError: (its text cannot be had)"),
        ("wide", "held-out predictions have shape (30, 2), not (30, 1)"),
    ],
)
def test_a_misbehaving_learner_costs_its_candidate_only(two_workers, behaviour, reason):
    problem = make_problem()
    wanted = [candidate(), candidate(behaviour), candidate(rounds=3)]
    with open_runtime(problem, two_workers, count=3) as runtime:
        results = list(cross_fit((Request(one, N_FOLDS) for one in wanted), problem, runtime))
    before, failure, after = results
    assert isinstance(failure, Failure)
    assert failure.candidate.label == behaviour
    assert reason in failure.reason
    for fit in (before, after):
        assert isinstance(fit, CrossFit)
        assert len(fit.folds) == N_FOLDS
        assert np.isfinite(fit.predictions).all()


def test_a_model_that_ends_its_process_when_loaded_costs_its_candidate_only(two_workers):
    problem = make_problem()
    wanted = [candidate(), replace(candidate("abort"), family="odd_learners:Unloadable")]
    with open_runtime(problem, two_workers, count=2) as runtime:
        fit, failure = cross_fit((Request(one, N_FOLDS) for one in wanted), problem, runtime)
    assert isinstance(fit, CrossFit)
    assert isinstance(failure, Failure)
    assert "signal 6" in failure.reason


def test_a_time_limit_ends_one_that_hears_nothing_also_where_counts_bound_the_run(two_workers):
    problem = make_problem()
    wanted = [candidate(), candidate("deaf")]
    with open_runtime(problem, two_workers, seconds=6, count=2) as runtime:
        fit, *others = list(cross_fit((Request(one, N_FOLDS) for one in wanted), problem, runtime))
    assert isinstance(fit, CrossFit)
    assert len(fit.folds) == N_FOLDS
    (hung,) = others
    assert isinstance(hung, Failure)
    assert "time was over" in hung.reason


def test_a_prediction_that_runs_at_ctrl_c_is_not_waited_for(two_workers, tmp_path, monkeypatch):
    monkeypatch.setattr(time_plan, "LAST_PREDICTIONS_SECONDS", 1.2)
    problem, cell = make_problem(), tmp_path / "cell"
    dreamer = replace(candidate("mean", cell=str(cell)), family="odd_learners:Dreamer")
    with open_runtime(problem, two_workers) as runtime:

        def cancel_once_it_dreams() -> None:
            eventually(cell.exists)
            runtime.budget.cancel()

        person = threading.Thread(target=cancel_once_it_dreams)
        person.start()
        (failure,) = cross_fit(iter([Request(dreamer, 1)]), problem, runtime)
        person.join()
    assert isinstance(failure, Failure)
    assert "time was over" in failure.reason


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a worker notices by a thread of its own")
def test_a_worker_that_hears_nothing_ends_with_its_driver(tmp_path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from odd_jobs import Deaf\n"
        "from tabular_automl.crossfit.process_workers import ProcessWorkers\n"
        "workers = ProcessWorkers(1, families=())\n"
        "while not workers.free: workers.wait(0.1)\n"
        "workers.submit(Deaf(Path(sys.argv[2]))); print(*workers.process_ids, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, Path(__file__).parent, tmp_path / "started"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as driver:  # noqa: S603 - our own code
        assert driver.stdout is not None
        worker = psutil.Process(int(driver.stdout.readline()))
        eventually((tmp_path / "started").exists)
        driver.kill()
    worker.wait(timeout=60)
