"""How far a run is, as the tracker tells it."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from open_runtime import make_problem, open_runtime  # type: ignore[import-not-found]

from tabular_automl.core.budget import Budget
from tabular_automl.core.candidate import Candidate, Origin, Recipe, freeze_params
from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.core.metrics import metric_named
from tabular_automl.core.options import Options
from tabular_automl.core.problem import Problem
from tabular_automl.core.progress import Event, Running
from tabular_automl.core.task import TaskKind
from tabular_automl.crossfit import Request, cross_fit
from tabular_automl.crossfit.tracker import Tracker
from tabular_automl.testing import FAKE_FAMILY, FakeClock

EACH_KIND = pytest.mark.parametrize("kind", list(TaskKind))


def candidate(number: int, label: str = "") -> Candidate:
    return Candidate("linear", freeze_params({"number": number}), Recipe("none"), Origin.USER, label=label)


def result(
    problem: Problem, number: int, share: float, *, rows: int | None = None, label: str = "", pruned: str = ""
) -> CrossFit:
    """Return predictions that are so far on the way from half-way predictions to the truth."""
    n_outputs = problem.task.n_outputs
    truth = np.eye(n_outputs)[problem.y.astype(int)] if n_outputs > 1 else problem.y[:, None]
    predictions = share * truth + (1 - share) * truth.mean(axis=0)
    covered = np.arange(problem.n_rows if rows is None else rows)
    return CrossFit(
        candidate(number, label), problem.folds.digest, (), covered, predictions[covered], 1, 0.0,
        pruned=pruned,
    )  # fmt: skip


def tracker_of(problem: Problem, clock: FakeClock | None = None, count: int | None = None) -> Tracker:
    options = Options("target", time_limit=60, max_candidates=count)
    return Tracker(problem, Budget.start(options, clock or FakeClock()))


def test_each_candidate_is_counted_once_by_what_came_of_it_last() -> None:
    problem = make_problem()
    tracker = tracker_of(problem, count=9)
    tracker.settled(result(problem, 1, 0.5, pruned="far behind"))
    tracker.settled(result(problem, 1, 0.5))  # taken up again
    tracker.settled(result(problem, 2, 0.5, pruned="far behind"))
    tracker.settled(result(problem, 3, 0.5))
    tracker.settled(Failure(candidate(3), 2, "a later fold failed", 1.0))
    tracker.settled(Failure(candidate(4), None, "failed as a whole", 1.0))
    tracker.settled(Failure(candidate(5), 0, "failed", 1.0))
    tracker.settled(result(problem, 5, 0.5))  # and succeeded when tried again
    status = tracker.status()
    assert (status.done, status.failed, status.pruned) == (3, 1, 1)
    assert status.candidates_left == 4


def test_a_candidate_on_a_prefix_counts_when_it_is_at_its_end() -> None:
    """Whatever comes of it on the way, and however often: what is done is done."""
    problem = make_problem()
    tracker = tracker_of(problem, count=9)

    def counts() -> tuple[int, int, int]:
        status = tracker.status()
        return status.done, status.failed, status.pruned

    for number in (1, 2, 3):
        tracker.on_its_way(candidate(number))
        tracker.settled(result(problem, number, 0.5, rows=30))
    assert counts() == (0, 0, 0)
    best = tracker.status().best  # it may be looked at all the same
    assert best is not None
    tracker.settled(result(problem, 1, 0.5))
    tracker.at_its_end(candidate(1))
    assert counts() == (1, 0, 0)
    tracker.settled(result(problem, 2, 0.5, rows=30, pruned="can't help"))
    assert counts() == (1, 0, 0)
    tracker.at_its_end(candidate(2))
    tracker.at_its_end(candidate(3))
    assert counts() == (2, 0, 1)
    tracker.settled(result(problem, 1, 0.5, pruned="on more folds"))
    assert counts() == (2, 0, 1)


@EACH_KIND
def test_the_gain_is_the_relative_reduction_of_the_loss_on_the_same_rows(kind: TaskKind) -> None:
    problem = make_problem(kind)
    metric = metric_named(problem.task.metric, kind)
    tracker = tracker_of(problem)
    baselines = [result(problem, 10, 0.1, label="poor"), result(problem, 11, -0.1, label="worse")]
    baselines = [replace(one, predictions=_shuffled(one.predictions)) for one in baselines]
    tracker.compare_with(baselines)
    found = result(problem, 1, 0.4, rows=90, label="found")
    tracker.settled(found)
    losses = [metric.loss(problem.y[:90], one.predictions[:90]) for one in baselines]
    loss = metric.loss(problem.y[:90], found.predictions)
    best = tracker.status().best
    assert best is not None
    assert best.name == "linear/found"
    assert best.metric == problem.task.metric
    assert best.score == pytest.approx(metric.score(loss))
    assert best.gain == pytest.approx(1 - loss / min(losses))
    assert best.baseline == ("poor", "worse")[int(np.argmin(losses))]


def test_of_fewer_rows_or_pruned_none_is_the_best() -> None:
    problem = make_problem()
    tracker = tracker_of(problem)
    tracker.settled(result(problem, 1, 0.3, label="full"))
    tracker.settled(result(problem, 2, 0.9, rows=30, label="one fold"))
    tracker.settled(result(problem, 3, 0.9, label="left", pruned="far behind"))
    best = tracker.status().best
    assert best is not None
    assert best.name == "linear/full"


def test_a_later_result_of_the_same_candidate_replaces_a_luckier_one() -> None:
    problem = make_problem()
    tracker = tracker_of(problem)
    tracker.settled(result(problem, 1, 0.9, label="repeated"))
    tracker.settled(result(problem, 2, 0.8, label="other"))
    tracker.settled(result(problem, 1, 0.7, label="repeated"))
    best = tracker.status().best
    assert best is not None
    assert best.name == "linear/other"


def test_an_ensemble_that_is_reported_is_the_best() -> None:
    problem = make_problem()
    metric = metric_named(problem.task.metric, problem.task.kind)
    tracker = tracker_of(problem)
    bar = result(problem, 10, 0.0, label="zero rule")
    tracker.compare_with([bar])
    tracker.settled(result(problem, 1, 0.5))
    loss = metric.loss(problem.y, bar.predictions)
    tracker.ensemble(loss / 4, 3)
    best = tracker.status().best
    assert best is not None
    assert (best.name, best.baseline) == ("ensemble of 3", "zero rule")
    assert best.gain == pytest.approx(0.75)


def test_an_ensemble_judged_on_other_rows_than_the_best_candidate_is_not_shown() -> None:
    problem = make_problem()
    tracker = tracker_of(problem)
    tracker.ensemble(1e-9, 3, np.arange(30))
    early = tracker.status().best
    tracker.settled(result(problem, 1, 0.5, label="all rows"))
    later = tracker.status().best
    assert early is not None
    assert later is not None
    assert (early.name, later.name) == ("ensemble of 3", "linear/all rows")


def test_there_is_no_gain_over_a_baseline_of_other_rows_or_without_loss() -> None:
    problem = make_problem()
    for bar in (result(problem, 10, 0.1, rows=30), result(problem, 10, 1.0)):
        tracker = tracker_of(problem)
        tracker.compare_with([bar])
        tracker.settled(result(problem, 1, 0.5))
        best = tracker.status().best
        assert best is not None
        assert (best.gain, best.baseline) == (None, "")


def test_what_runs_is_told_with_its_seconds_the_longest_first() -> None:
    clock = FakeClock(100.0)
    tracker = tracker_of(make_problem(), clock)
    first, second = object(), object()
    tracker.started(first, "linear/a", "fold 0")
    clock.advance(3)
    tracker.started(second, "linear/b", "all rows")
    clock.advance(1)
    status = tracker.status()
    assert status.running == (Running("linear/a", "fold 0", 4.0), Running("linear/b", "all rows", 1.0))
    assert (status.elapsed, status.seconds_left) == (4.0, 56.0)
    tracker.ended(first)
    tracker.ended(first)  # nothing happens to what is over
    assert [one.name for one in tracker.status().running] == ["linear/b"]


def test_the_stage_is_that_of_the_last_event() -> None:
    tracker = tracker_of(make_problem())
    tracker.happened(Event("weigh", "chosen", 1.0))
    assert tracker.status().stage == "weigh"


def test_a_fit_feeds_it(one_worker) -> None:
    """What runs is known while it runs, by name and fold; what came of it when it is over."""
    problem = make_problem()
    fake = Candidate(FAKE_FAMILY, freeze_params({"behaviour": "fit"}), Recipe("ordinal"), label="fake")
    fails = Candidate(FAKE_FAMILY, freeze_params({"behaviour": "raise"}), Recipe("ordinal"), label="fails")
    with open_runtime(problem, one_worker, count=2) as runtime:
        seen: set[str] = set()
        started = runtime.tracker.started

        def start(job: object, name: str, part: str) -> None:
            started(job, name, part)
            seen.update(one.part for one in runtime.tracker.status().running)

        runtime.tracker.started = start
        list(cross_fit(iter([Request(fake, 2), Request(fails, 2)]), problem, runtime))
        status = runtime.tracker.status()
    assert {"fold 0", "fold 1", "predicting fold 0", "predicting fold 1"} <= seen
    assert (status.done, status.failed, status.running) == (1, 1, ())
    assert status.best is not None
    assert status.best.name == fake.name


def test_fits_in_the_driver_are_no_candidates(one_worker) -> None:
    problem = make_problem()
    prior = Candidate("prior", (), Recipe("none"))
    with open_runtime(problem, one_worker, count=2) as runtime:
        list(cross_fit(iter([Request(prior, 4)]), problem, runtime.in_driver()))
        assert runtime.tracker.status().done == 0


def test_a_thread_may_ask_while_the_run_goes_on() -> None:
    problem = make_problem()
    tracker = tracker_of(problem)
    over, errors = threading.Event(), []

    def watch() -> None:
        try:
            while not over.is_set():
                tracker.status()
        except RuntimeError as error:  # such as a dictionary that changed while it was read
            errors.append(error)

    thread = threading.Thread(target=watch)
    thread.start()
    for number in range(300):
        tracker.started(number, "linear/a", "fold 0")
        tracker.settled(result(problem, number, 0.5, rows=5))
        tracker.ended(number - 1)
    over.set()
    thread.join()
    assert errors == []
    assert tracker.status().done == 300


def _shuffled(predictions: np.ndarray) -> np.ndarray:
    """Return predictions most of which are some other row's."""
    order = np.arange(len(predictions))
    order[20:] = np.random.default_rng(0).permutation(order[20:])
    return predictions[order]
