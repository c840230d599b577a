"""How a problem is being solved: run store, workers, budget, seed and progress."""

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from tabular_automl.core.budget import Budget
from tabular_automl.core.candidate import Candidate, Recipe
from tabular_automl.core.crossfit import CrossFit, Failure, FoldFit
from tabular_automl.core.errors import StoreError
from tabular_automl.core.failure_text import reason_of
from tabular_automl.core.fitting import Encoder, FeatureSpec, FitContext
from tabular_automl.core.options import Options
from tabular_automl.core.problem import Problem
from tabular_automl.core.progress import Event, EventSink
from tabular_automl.core.utilisation import Utilisation
from tabular_automl.crossfit.fold_job import ALL_ROWS, DataFiles, FitJob, FitReport
from tabular_automl.crossfit.fold_key import ProblemIdentity
from tabular_automl.crossfit.in_process_workers import InProcessWorkers
from tabular_automl.crossfit.interrupt import first_ctrl_c
from tabular_automl.crossfit.matrix_file import write_matrix
from tabular_automl.crossfit.memory_plan import MemoryPlan
from tabular_automl.crossfit.observations import Observations
from tabular_automl.crossfit.run_facts import RunFacts
from tabular_automl.crossfit.run_folder import has_no_room
from tabular_automl.crossfit.store import End, RunStore
from tabular_automl.crossfit.tracker import Tracker
from tabular_automl.crossfit.workers import Finished, Ticket, Workers
from tabular_automl.learners import Limits
from tabular_automl.preprocessing import fit_encoder
from tabular_automl.progress import open_display

# One thread a fit, as many fits as cores: OpenMP threads that outnumber the cores spin.
THREADS = 1
STOPPING = "Stopping as asked, with the best so far; Ctrl-C once more stops at once."
TAKEN_UP = "Fits of an earlier run are taken up where they are needed."
# What Python says of any disk that is full; and what tells of the run folder's: SQLite's word, and Python's
# of a used-up share of it, which how much is free does not show (Windows knows no such error).
_A_DISK_IS_FULL = os.strerror(errno.ENOSPC)
_OUR_DISK_IS_FULL = ("database or disk is full", *(() if os.name == "nt" else (os.strerror(errno.EDQUOT),)))
# How many encoded matrices of the table's own size the run folder must have room for.
_MATRICES_EXPECTED = 3


@dataclass(frozen=True)
class EncodedMatrix:
    """A recipe's matrix of the whole training table, as a file that workers map."""

    path: Path
    features: FeatureSpec


@dataclass(frozen=True, eq=False)
class Runtime:
    """What a stage needs to do its work; opened by one ``with`` in the story.

    Attributes
    ----------
    problem
        What is being solved.
    store, workers, budget, seed
        How.
    data
        Files of target, weights and folds.
    identity
        The problem's share of the store's keys.
    sink
        Receives events.
    tracker
        Is told what happens, for whoever watches.
    memory
        Says which jobs fit into it.
    threads
        Threads of each fit; depends on the table alone, as results may depend on it.
    observations
        What the run has seen of its own costs.
    """

    problem: Problem
    store: RunStore
    workers: Workers
    budget: Budget
    seed: int
    data: DataFiles
    identity: ProblemIdentity
    sink: EventSink
    tracker: Tracker
    memory: MemoryPlan
    threads: int = THREADS
    observations: Observations = field(default_factory=Observations)
    _encoders: dict[str, Encoder] = field(default_factory=dict)
    _matrices: dict[str, EncodedMatrix] = field(default_factory=dict)
    _unmade: dict[str, Exception] = field(default_factory=dict)
    _events: list[Event] = field(default_factory=list)

    @classmethod
    @contextmanager
    def open(
        cls, problem: Problem, options: Options, budget: Budget, workers: Workers
    ) -> Iterator["Runtime"]:
        """Open the run store, write what all fits share, and turn the first Ctrl-C into `Budget.cancel`.

        Raises
        ------
        StoreError
            If the run folder can't be used; raised before any model is fitted.
        """
        folder = None if options.run_dir is None else Path(options.run_dir)
        tracker = Tracker(problem, budget)
        with (
            first_ctrl_c(budget.cancel),
            RunStore.open(folder, _needed_bytes(problem)) as store,
            _recorded(store, problem, options, budget) as identity,
            open_display(options.progress, tracker.status) as sink,
        ):
            data = _write_data(problem, store.scratch)
            observations = Observations.guess(problem.table)
            runtime = cls(
                problem, store, workers, budget, options.seed, data, identity, sink, tracker,
                MemoryPlan.of(problem, budget),
                observations=observations,
            )  # fmt: skip
            runtime.emit("ingest", _in_words(problem))
            for finding in problem.findings:
                if finding.must_be_heard:
                    runtime.emit("ingest", finding.announcement, is_warning=True)
            yield runtime

    def in_driver(self) -> "Runtime":
        """Return this runtime with fits in this process, for fits that cost nothing.

        Neither deadline nor Ctrl-C reaches them: whenever a person asks for the best so far, there is one.
        """
        budget = replace(self.budget, limit=None, n_jobs=1, _cancelled=threading.Event())
        # They are no candidates that a person waits for.
        tracker = Tracker(self.problem, budget)
        return replace(self, workers=InProcessWorkers(), budget=budget, tracker=tracker)

    def encoder(self, recipe: Recipe) -> Encoder:
        """Return the recipe's encoder, fitted on the features of all training rows."""
        if recipe.key not in self._encoders:
            self._encoders[recipe.key] = fit_encoder(recipe, self.problem.table)
        return self._encoders[recipe.key]

    def encoding_seconds(self, recipe: Recipe) -> float:
        """Return how long `matrix` is expected to take; 0 when it is there already, or can't be made."""
        known = recipe.key in self._matrices or recipe.key in self._unmade
        return 0.0 if known else self.observations.encoding_seconds

    def matrix(self, recipe: Recipe) -> EncodedMatrix:
        """Return the training table encoded by the recipe, written once.

        One that can't be made fails again at once, with the same error: trying again would take as long.
        """
        if recipe.key in self._unmade:
            raise self._unmade[recipe.key].with_traceback(None)
        if recipe.key not in self._matrices:
            started = self.budget.clock()
            path = self.store.scratch / f"matrix-{recipe.key}.npy"
            try:
                write_matrix(self.encoder(recipe), self.problem.table, path)
            except Exception as error:
                self._unmade[recipe.key] = error
                raise
            self._matrices[recipe.key] = EncodedMatrix(path, self.encoder(recipe).features)
            self.observations.encoded(self.budget.clock() - started)
        return self._matrices[recipe.key]

    def fit_context(self, matrix: EncodedMatrix, seed: int, limits: Limits) -> FitContext:
        """Return the circumstances of one fit on a matrix."""
        return FitContext(
            self.problem.shape, matrix.features, seed, self.threads, limits.max_rounds, limits.patience
        )

    def ended(self, candidate: Candidate, finished: Finished) -> None:
        """Take note that a candidate's fit or prediction is over, and remove what a failed fit left."""
        self.tracker.ended(finished.ticket)
        self.memory.learn(candidate, finished, self.workers)
        if not isinstance(finished.result, FitReport):
            self._discard_scratch(finished.ticket)

    def keep(self, fit: FoldFit, candidate: Candidate, digest: str) -> None:
        """Keep a fit, on a fold or on all rows, that was just made; ``digest`` is that of its model.

        One of which the store can't take note serves this run only, which is said.
        """
        self.observations.kept(fit.folder)
        try:
            self.store.put(fit, candidate, digest)
        except StoreError as error:
            stage, what = ("weigh", "refit") if fit.fold == ALL_ROWS else ("fit", "fit")
            self._look_for_full_disk(stage, str(error))
            self.emit(stage, f"a {what} of {candidate.name} serves this run only: {error}")

    def failed(self, failure: Failure, detail: str = "", *, stage: str = "fit") -> None:
        """Record a failure, with its traceback; that the disk is full is said once, as all fits meet it."""
        self.store.put_failure(failure, detail)
        self._look_for_full_disk(stage, f"{failure.reason}\n{detail}")

    def drop(self, ticket: Ticket) -> None:
        """Kill a job of which nothing is wanted any more, and remove what it left."""
        self.workers.kill(ticket)
        self.tracker.ended(ticket)
        self._discard_scratch(ticket)

    def _discard_scratch(self, ticket: Ticket) -> None:
        if isinstance(ticket.job, FitJob):
            self.store.discard(ticket.job.scratch)

    def emit(self, stage: str, message: str, *, is_warning: bool = False) -> None:
        """Tell whoever watches what was just done; ``stage`` as in `Event`.

        The first one after Ctrl-C comes after word of that: a signal's handler must not write.
        """
        if self.budget.cancelled and message != STOPPING and stage != "done" and not self._told(STOPPING):
            self.emit(stage, STOPPING)
        event = Event(stage, message, self.budget.elapsed, is_warning)
        self._events.append(event)
        self.store.put_event(event)
        self.tracker.happened(event)
        self.sink(event)

    def take_up(self) -> None:
        """Tell, once in a run, that it uses fits of an earlier one."""
        if not self._told(TAKEN_UP):
            self.emit("fit", TAKEN_UP)

    def _look_for_full_disk(self, stage: str, reason: str) -> None:
        is_ours = any(words in reason for words in _OUR_DISK_IS_FULL)
        if not is_ours and _A_DISK_IS_FULL not in reason:
            return
        root, way_out = self.store.root, "again with the same run_dir, which goes on from what it holds"
        if not self.store.durable:
            way_out = "again, or set TMPDIR to a folder on another disk"
        # A learner may have filled one of its own.
        is_ours = is_ours or has_no_room(root)
        told = f"The disk of {root} is full" if is_ours else "A disk is full"
        why = "" if is_ours else f" ({reason.splitlines()[0]})"
        if not self._told(told):
            lost = f"{told}, so that fits are lost{why}. Free some space and start {way_out}."
            self.emit(stage, lost, is_warning=True)

    def _told(self, beginning: str) -> bool:
        return any(event.message.startswith(beginning) for event in self._events)

    def leave(self, fit: CrossFit) -> None:
        """Tell that the search left a candidate early, and why (`CrossFit.pruned`)."""
        self.tracker.settled(fit)
        self.store.put_left(fit)
        self.emit("fit", f"{fit.candidate.name} left {fit.pruned}.")

    def stage_seconds(self) -> dict[str, float]:
        """Return wall seconds by stage, and ``total``; time counts for the stage whose event ends it."""
        seconds: dict[str, float] = {}
        before = 0.0
        for event in self._events:
            seconds[event.stage] = seconds.get(event.stage, 0.0) + event.elapsed - before
            before = event.elapsed
        total = self.budget.elapsed
        last = self._events[-1].stage
        seconds[last] += total - before
        return {**seconds, "total": total}

    def utilisation(self) -> Utilisation:
        """Return how well the cores were used until now; a gap counts for the stage whose event ends it."""
        started = self.budget.started
        stages = [(event.stage, started + event.elapsed) for event in self._events]
        return self.workers.occupancy.utilisation(started, self.budget.cores, stages)


@contextmanager
def _recorded(
    store: RunStore, problem: Problem, options: Options, budget: Budget
) -> Iterator[ProblemIdentity]:
    """Keep a record of the run, from its beginning to whatever end it takes."""
    identity = ProblemIdentity.of(problem)
    store.begin(RunFacts.of(problem, options, identity))
    try:
        yield identity
    except BaseException as error:
        end: End = "cancelled" if isinstance(error, KeyboardInterrupt) else "failed"
        store.end(end, reason_of(error))
        if isinstance(error, Exception) and not store.root.is_dir():
            raise StoreError(
                f"Run folder {store.root} has gone while a run worked in it. Start again, and leave the "
                "folder where it is until the run has ended."
            ) from error
        raise
    store.end("cancelled" if budget.cancelled else "finished")


def _write_data(problem: Problem, folder: Path) -> DataFiles:
    data = DataFiles(folder, problem.weight is not None)
    try:
        np.save(data.y, problem.y)
        if problem.weight is not None:
            np.save(data.weight, problem.weight)
        for number, fold in enumerate(problem.folds.folds):
            np.save(data.rows(number, "train"), fold.train)
            np.save(data.rows(number, "held_out"), fold.held_out)
    except OSError as error:
        raise StoreError(
            f"Run folder {folder.parent} cannot be written: {error}. Choose another run_dir."
        ) from error
    return data


def _needed_bytes(problem: Problem) -> int:
    return _MATRICES_EXPECTED * 8 * problem.n_rows * (problem.shape.n_columns + len(problem.folds.folds))


def _in_words(problem: Problem) -> str:
    shape = problem.shape
    plan = problem.folds
    repeats = f", {plan.n_repeats} repeats" if plan.n_repeats > 1 else ""
    return (
        f"{shape.n_rows} rows, {shape.n_columns} features, {shape.task} task, "
        f"{plan.folds_per_repeat} folds ({plan.scheme}){repeats}"
    )
