"""Fits chosen candidates again on all rows, at the rounds their folds agreed on."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from tabular_automl.core.candidate import Candidate
from tabular_automl.core.crossfit import CrossFit, Failure, FoldFit
from tabular_automl.core.failure_text import reason_of
from tabular_automl.core.problem import Problem
from tabular_automl.core.seeds import derive_seed
from tabular_automl.crossfit.cross_fit import POLL_SECONDS
from tabular_automl.crossfit.fold_job import ALL_ROWS, FitJob, FitReport, JobFailure
from tabular_automl.crossfit.fold_key import FitSettings, fold_key
from tabular_automl.crossfit.runtime import EncodedMatrix, Runtime
from tabular_automl.crossfit.workers import Finished, Lost, Ticket
from tabular_automl.learners import Limits, learner_for

# A refit starts only if it is expected to end within this share of the time that is left.
START_SHARE = 0.9


@dataclass(frozen=True, eq=False)
class Refit:
    """A candidate fitted on all rows.

    Attributes
    ----------
    candidate, copy
        What was fitted, and which of its copies: they differ by their seed.
    fit
        The kept model; its curve is empty.
    rounds
        How many rounds it was given.
    """

    candidate: Candidate
    copy: int
    fit: FoldFit
    rounds: int


def refit(
    crossfits: Sequence[CrossFit], copies: int, runtime: Runtime, *, reserve: float = 0.0
) -> tuple[Refit | Failure, ...]:
    """Fit candidates on all rows, as often as asked for.

    The first copy of every candidate is started before any second one. With a time limit a refit starts only
    while it is expected to end in time, and one that was cut short is dropped: with fewer rounds than its
    folds agreed on it would be another model. Refits found in the run store are not made again.

    Parameters
    ----------
    crossfits
        What to fit: their rounds are those of the joint round, for as many more rows as all rows are.
    copies
        How often, each time with another seed; once where the seed changes nothing.
    runtime
        How it is being solved.
    reserve
        Seconds before the end of the fits' time that are needed for something else.

    Returns
    -------
    tuple of Refit or Failure
        First copies first, candidates in the order given, whichever ended first; nothing for a refit that
        found no time.
    """
    scheduler = _Scheduler(runtime, reserve)
    try:
        scheduler.run(crossfits, copies)
    finally:
        scheduler.end()
    return scheduler.results


def n_copies(fit: CrossFit, copies: int) -> int:
    """Return how many of so many copies are worth fitting: one where the seed changes nothing."""
    return copies if learner_for(fit.candidate.family).capabilities.uses_seed else 1


def expected_refit_seconds(fit: CrossFit, problem: Problem) -> float:
    """Return the core-seconds that one refit of a cross fit is expected to take."""
    growth = _growth(fit, problem)
    try:
        rounds = learner_for(fit.candidate.family).refit_rounds(fit.joint_round, growth)
    except Exception:  # noqa: BLE001 - a third-party learner may fail in any way; its refit says so
        rounds = fit.joint_round
    # Folds ran on beyond the joint round, until their patience ended.
    ran = float(np.mean([len(fold.curve) for fold in fit.folds]))
    a_fold = float(np.mean([fold.seconds for fold in fit.folds]))
    return a_fold * growth * rounds / ran


def _growth(fit: CrossFit, problem: Problem) -> float:
    """Return how many times the rows of a fold's fit all rows are."""
    trained = float(np.mean([len(problem.folds.folds[fold.fold].train) for fold in fit.folds]))
    return problem.n_rows / trained


@dataclass(frozen=True, eq=False)
class _Wanted:
    """A refit to be made; ``number`` counts the wanted ones."""

    number: int
    candidate: Candidate
    copy: int
    key: str
    seed: int
    rounds: int
    expected: float

    @classmethod
    def of(cls, number: int, fit: CrossFit, copy: int, runtime: Runtime) -> Self:
        problem, learner = runtime.problem, learner_for(fit.candidate.family)
        rounds = learner.refit_rounds(fit.joint_round, _growth(fit, problem))
        seed = derive_seed(runtime.seed, "refit", fit.candidate.key, copy)
        settings = FitSettings(seed, runtime.threads, rounds, None)
        key = fold_key(runtime.identity, ALL_ROWS, fit.candidate, learner, settings=settings)
        return cls(number, fit.candidate, copy, key, seed, rounds, expected_refit_seconds(fit, problem))


class _Scheduler:
    def __init__(self, runtime: Runtime, reserve: float) -> None:
        self._runtime = runtime
        self._reserve = reserve
        self._jobs: dict[Ticket, _Wanted] = {}
        self._found: dict[int, Refit | Failure] = {}

    @property
    def results(self) -> tuple[Refit | Failure, ...]:
        """What there is, in the order in which it was wanted."""
        return tuple(self._found[number] for number in sorted(self._found))

    def run(self, crossfits: Sequence[CrossFit], copies: int) -> None:
        """Fit until all is there, or the time is over."""
        workers = self._runtime.workers
        waiting = self._wanted(crossfits, copies)
        while waiting or self._jobs:
            while waiting and workers.free and not self._must_wait(waiting[0]):
                self._start(waiting.popleft())
            if self._stopped:
                waiting.clear()
            if waiting or self._jobs:
                for finished in workers.wait(POLL_SECONDS):
                    self._absorb(finished)

    def end(self) -> None:
        """Kill what still runs."""
        for ticket in self._jobs:
            self._runtime.drop(ticket)

    @property
    def _left(self) -> float:
        return self._runtime.budget.remaining - self._reserve

    @property
    def _stopped(self) -> bool:
        return self._runtime.budget.cancelled or self._left <= 0

    def _wanted(self, crossfits: Sequence[CrossFit], copies: int) -> deque[_Wanted]:
        """Return what is to be fitted, without what the run store has."""
        waiting: deque[_Wanted] = deque()
        for copy in range(copies):
            for place, fit in enumerate(crossfits):
                if copy >= n_copies(fit, copies):
                    continue
                number = copy * len(crossfits) + place
                try:
                    wanted = _Wanted.of(number, fit, copy, self._runtime)
                except Exception as error:  # noqa: BLE001 - a third-party learner may fail in any way
                    self._fail(number, _failure(fit.candidate, reason_of(error)))
                    continue
                found = self._runtime.store.lookup(wanted.key)
                if found is None:
                    waiting.append(wanted)
                else:
                    self._runtime.observations.kept(found.folder)
                    self._take(wanted, found)
        return waiting

    def _start(self, wanted: _Wanted) -> None:
        """Submit a refit, if there is time."""
        # Encoding takes time: it is asked for before whether there is enough, and afterwards what is left.
        if not self._in_time(wanted, self._runtime.encoding_seconds(wanted.candidate.recipe)):
            return
        try:
            self._runtime.memory.require(wanted.candidate, self._runtime.workers)
            matrix = self._runtime.matrix(wanted.candidate.recipe)
        except Exception as error:  # noqa: BLE001 - a recipe may fail in any way; it costs this refit only
            self._fail(wanted.number, _failure(wanted.candidate, reason_of(error)))
            return
        if self._in_time(wanted):
            limit = None if self._left == float("inf") else max(self._left, 0.0)
            job = self._job(wanted, matrix)
            ticket = self._runtime.workers.submit(job, hard_limit=limit, should_stop=lambda: self._stopped)
            self._jobs[ticket] = wanted
            self._runtime.tracker.started(ticket, wanted.candidate.name, "all rows")

    def _must_wait(self, wanted: _Wanted) -> bool:
        """Whether a refit would not fit into memory beside those that run now."""
        return self._runtime.memory.must_wait(wanted.candidate, self._runtime.workers)

    def _in_time(self, wanted: _Wanted, first: float = 0.0) -> bool:
        """Whether a refit may start; ``first`` are the seconds of what must be done before it can."""
        left = self._left - first
        enough = wanted.expected <= START_SHARE * left or not self._runtime.budget.timed
        return enough and left > 0 and not self._stopped

    def _job(self, wanted: _Wanted, matrix: EncodedMatrix) -> FitJob:
        runtime = self._runtime
        return FitJob(
            wanted.candidate,
            ALL_ROWS,
            matrix.path,
            runtime.data,
            runtime.fit_context(matrix, wanted.seed, Limits(wanted.rounds, None)),
            scratch=runtime.store.new_scratch(),
            folder=runtime.store.fits / wanted.key,
            durable=runtime.store.durable,
        )

    def _absorb(self, finished: Finished) -> None:
        """Take in what a refit came to."""
        wanted, result = self._jobs.pop(finished.ticket), finished.result
        self._runtime.ended(wanted.candidate, finished)
        match result:
            case FitReport(complete=True):
                fit = FoldFit(
                    wanted.key, ALL_ROWS, result.folder, result.curve, result.seconds, result.memory_mb
                )
                self._take(wanted, fit)
                self._runtime.keep(fit, wanted.candidate, result.digest)
            case FitReport():
                self._runtime.store.discard(result.folder.parent)
            case Lost(killed=True):
                pass  # for the time, or because a person asked for the best so far
            case Lost(reason=reason, seconds=seconds):
                self._fail(wanted.number, _failure(wanted.candidate, reason, seconds))
            case JobFailure(reason=reason, seconds=seconds, detail=detail):
                self._fail(wanted.number, _failure(wanted.candidate, reason, seconds), detail)

    def _take(self, wanted: _Wanted, fit: FoldFit) -> None:
        self._found[wanted.number] = Refit(wanted.candidate, wanted.copy, fit, wanted.rounds)

    def _fail(self, number: int, failure: Failure, detail: str = "") -> None:
        self._found[number] = failure
        self._runtime.failed(failure, detail, stage="weigh")


def _failure(candidate: Candidate, reason: str, seconds: float = 0.0) -> Failure:
    return Failure(candidate, None, f"refit: {reason}", seconds)
