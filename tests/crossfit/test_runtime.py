import shutil
import signal
import threading
from dataclasses import replace

import numpy as np
import pytest
from open_runtime import make_problem, open_runtime  # type: ignore[import-not-found]
from small_disk import files_no_larger_than  # type: ignore[import-not-found]

from tabular_automl.core.budget import Budget
from tabular_automl.core.candidate import Candidate, Recipe
from tabular_automl.core.crossfit import CrossFit
from tabular_automl.core.errors import StoreError
from tabular_automl.core.options import Options
from tabular_automl.core.progress import Event
from tabular_automl.crossfit import Request, Runtime, cross_fit, load_models, matrix_file, refit
from tabular_automl.crossfit.fold_job import FitJob
from tabular_automl.crossfit.in_process_workers import InProcessWorkers
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


def test_a_matrix_that_finds_no_room_leaves_none_taken_and_is_not_tried_again(one_worker):
    with open_runtime(make_problem(), one_worker) as runtime:
        with files_no_larger_than(1_000), pytest.raises(OSError, match="File too large") as first:
            runtime.matrix(ORDINAL)
        assert not list(runtime.store.scratch.glob("matrix-*"))
        with pytest.raises(OSError, match="File too large") as again:  # though there is room by now
            runtime.matrix(ORDINAL)
        assert again.value is first.value
        assert runtime.encoding_seconds(ORDINAL) == 0.0
        assert runtime.matrix(Recipe("linear")).path.exists()


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


def test_ctrl_c_is_told_once_by_the_next_event(one_worker):
    seen: list[Event] = []
    options = Options("target", time_limit=None, progress=seen.append)
    with Runtime.open(make_problem(), options, Budget.start(options), one_worker) as runtime:
        runtime.emit("fit", "before")
        runtime.budget.cancel()
        runtime.emit("fit", "after")
        runtime.emit("weigh", "later")
    stopping = "Stopping as asked, with the best so far; Ctrl-C once more stops at once."
    assert [event.message for event in seen][-4:] == ["before", stopping, "after", "later"]


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
        "run.lock",
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


def test_a_run_folder_that_has_gone_is_named(one_worker, tmp_path):
    problem, request = make_problem(), Request(Candidate("linear", (), Recipe("linear")), 2)

    def fit():
        with open_runtime(problem, one_worker, run_dir=tmp_path / "run") as runtime:
            (made,) = cross_fit(iter([request]), problem, runtime)
            assert isinstance(made, CrossFit)
            shutil.rmtree(runtime.store.root)
            load_models("linear", [fold.folder for fold in made.folds])

    with pytest.raises(StoreError, match=r"run has gone while a run worked in it\. Start again, and leave"):
        fit()


class Interrupted(InProcessWorkers):
    """Its one job was half done when Ctrl-C came twice."""

    def wait(self, timeout):
        (seat,) = self.seats
        assert seat.ticket is not None
        assert isinstance(seat.ticket.job, FitJob)
        (seat.ticket.job.scratch / "model").mkdir(parents=True)
        raise KeyboardInterrupt


@pytest.mark.parametrize("refitted", [True, False])
def test_a_job_that_is_killed_at_the_end_leaves_nothing(one_worker, refitted):
    problem, requests = make_problem(), [Request(Candidate("linear", (), Recipe("linear")), 2)]
    with open_runtime(problem, one_worker) as runtime:
        made = list(cross_fit(iter(requests), problem, runtime)) if refitted else []
        fits = [fit for fit in made if isinstance(fit, CrossFit)]
        before = sorted(runtime.store.scratch.iterdir())
        with Interrupted() as workers:
            interrupted = replace(runtime, workers=workers)
            with pytest.raises(KeyboardInterrupt):
                _ = refit(fits, 1, interrupted) or list(cross_fit(iter(requests), problem, interrupted))
        left = {path for path in runtime.store.scratch.iterdir() if path not in before}
        assert not [path for path in left if path.is_dir()]
