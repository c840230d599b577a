import signal
import threading

import numpy as np
import pytest
from open_runtime import make_problem, open_runtime  # type: ignore[import-not-found]

from tabular_automl.core.budget import Budget
from tabular_automl.core.candidate import Candidate, Recipe
from tabular_automl.core.crossfit import CrossFit
from tabular_automl.core.errors import StoreError
from tabular_automl.core.options import Options
from tabular_automl.core.progress import Event
from tabular_automl.crossfit import Request, Runtime, cross_fit, matrix_file
from tabular_automl.testing import FakeClock

ORDINAL = Recipe("ordinal")


def test_a_matrix_is_what_the_encoder_makes_and_is_written_once(one_worker):
    problem = make_problem()
    with open_runtime(problem, one_worker) as runtime:
        matrix = runtime.matrix(ORDINAL)
        written = np.load(matrix.path, mmap_mode="r")
        np.testing.assert_array_equal(written, runtime.encoder(ORDINAL).transform(problem.table))
        assert written.flags.c_contiguous
        assert written.dtype == np.float64
        assert runtime.matrix(ORDINAL) is matrix
        assert runtime.encoder(ORDINAL) is runtime.encoder(Recipe("ordinal"))
        assert matrix.features == runtime.encoder(ORDINAL).features


def test_chunks_give_the_same_matrix(one_worker, monkeypatch):
    problem = make_problem()
    monkeypatch.setattr(matrix_file, "CHUNK_ROWS", 7)
    for recipe in (ORDINAL, Recipe("linear")):
        with open_runtime(problem, one_worker) as runtime:
            written = np.load(runtime.matrix(recipe).path)
            np.testing.assert_allclose(written, runtime.encoder(recipe).transform(problem.table), rtol=1e-12)


def test_stage_seconds_add_up(one_worker):
    problem, clock = make_problem(), FakeClock(100.0)
    seen: list[Event] = []
    options = Options("target", time_limit=None, progress=seen.append)
    budget = Budget.start(options, clock)
    clock.advance(1)
    with Runtime.open(problem, options, budget, one_worker) as runtime:
        for stage, seconds in (("baselines", 2), ("fit", 3), ("fit", 4), ("weigh", 5)):
            clock.advance(seconds)
            runtime.emit(stage, "done")
        clock.advance(1)
        assert runtime.stage_seconds() == {"ingest": 1, "baselines": 2, "fit": 7, "weigh": 6, "total": 16}
    assert [event.stage for event in seen] == ["ingest", "baselines", "fit", "fit", "weigh"]
    assert seen[-1].elapsed == 15


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_fitted(one_worker, tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(StoreError, match="cannot be written"),
        open_runtime(make_problem(), one_worker, run_dir=tmp_path / "file" / "run"),
    ):
        pytest.fail("the runtime must not open")


def test_a_run_folder_keeps_fits_and_nothing_that_can_be_made_again(one_worker, tmp_path):
    with open_runtime(make_problem(), one_worker, run_dir=tmp_path / "run ü") as runtime:
        runtime.matrix(ORDINAL)
    assert {path.name for path in (tmp_path / "run ü").iterdir()} == {
        "run.sqlite",
        "lock.sqlite",
        "fits",
    }


def test_ctrl_c_and_deadline_do_not_reach_fits_in_the_driver(one_worker):
    with open_runtime(make_problem(), one_worker, seconds=30) as runtime:
        signal.raise_signal(signal.SIGINT)
        instant = runtime.in_driver()
        assert runtime.budget.cancelled
        assert not instant.budget.over
        prior = Candidate("prior", (), Recipe("none"))
        (fit,) = cross_fit(iter([Request(prior, 4)]), runtime.problem, instant)
        assert isinstance(fit, CrossFit)
        assert list(cross_fit(iter([Request(prior, 4)]), runtime.problem, runtime)) == []


def test_outside_the_main_thread_signal_handlers_stay(one_worker):
    handlers = []

    def run():
        with open_runtime(make_problem(), one_worker):
            handlers.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert handlers == [before]
