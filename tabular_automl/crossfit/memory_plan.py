"""Which jobs fit into memory: a job that would not is never started."""

import math
import os
import signal
from dataclasses import dataclass, field
from typing import Protocol

from tabular_automl.core.budget import Budget
from tabular_automl.core.candidate import Candidate
from tabular_automl.core.cgroup import group_oom_kills
from tabular_automl.core.errors import MemoryLimitError
from tabular_automl.core.memory import held_memory, memory_limit
from tabular_automl.core.problem import Problem, ProblemShape
from tabular_automl.crossfit.fold_job import FitReport, JobFailure, PredictJob
from tabular_automl.crossfit.workers import Finished, Lost, Seat
from tabular_automl.learners import learner_for

# Bytes held by a worker between its jobs, and resident in it (libraries are mapped files): measured.
WORKER_HELD = 150e6
WORKER_RESIDENT = 230e6
# Bytes held by the driver: libraries; and for each cell of the table, the caller's copy and ours.
DRIVER_HELD = 250e6
DRIVER_HELD_A_CELL = 24.0
# The kernel needs some of what there is.
USABLE_SHARE = 0.95
# A held-out prediction reads a part of the rows that a fit reads.
PREDICTION_SHARE = 0.5
# An observed peak changes a family's formula by no more than these factors.
LEAST_FACTOR, MOST_FACTOR = 0.5, 3.0
# A job lost to memory is taken to need this share of what there is for one job alone: after a loss beside
# others the likes of it run alone, after a loss alone they are refused.
LOST_BESIDE, LOST_ALONE = 0.97, 1.001
# A worker that was killed, or gave up, was short of memory if its job was of this share of the room at least.
FAIR_SHARE = 0.3
_KILLED = getattr(signal, "SIGKILL", None)
_GB = 2**30


class SeatedJobs(Protocol):
    """What the plan asks of `Workers`."""

    @property
    def n_slots(self) -> int:
        """How many jobs can run at a time."""
        ...

    @property
    def seats(self) -> tuple[Seat, ...]:
        """Where jobs run or may run; fewer than slots while a worker is replaced."""
        ...


@dataclass(eq=False)
class MemoryPlan:
    """Decides which jobs may start, by what they are expected to hold and what processes hold already.

    In a run bounded by counts, whether a job fits at all is a matter of its formula and of static figures of
    one driver and one worker, so that it depends neither on timing nor on the number of workers. Else
    processes are asked what they hold, and peaks that were observed correct the formulas.

    Attributes
    ----------
    limit
        Bytes that all processes may hold together; infinite where that is unknown, and everything fits.
    shape
        Of the problem.
    counted
        Whether counts bound the run.
    """

    limit: float
    shape: ProblemShape
    counted: bool
    _factors: dict[str, float] = field(default_factory=dict)
    _oom_kills: int = field(default_factory=lambda: group_oom_kills() or 0)

    @classmethod
    def of(cls, problem: Problem, budget: Budget) -> "MemoryPlan":
        """Return the plan of a run on this machine."""
        limit = memory_limit()
        return cls(math.inf if limit is None else USABLE_SHARE * limit, problem.shape, budget.counted)

    def require(self, candidate: Candidate, workers: SeatedJobs) -> None:
        """Refuse a candidate of which not even one fit alone would fit into memory.

        Raises
        ------
        MemoryLimitError
            Says what a fit is expected to take and what there is.
        """
        formula = float(learner_for(candidate.family).memory(self.shape, candidate.params))
        if not 0 <= formula < math.inf:
            raise ValueError(f"{candidate.family}.memory() returned {formula}; it must be a number of bytes.")
        needed = formula if self.counted else self._corrected(candidate.family, formula)
        room = self._static_room if self.counted else self._room(workers)
        # What costs nothing, as the prior, is always fitted: without it there is no model at all.
        if formula > 0 and needed > room:
            left, limit = (f"{bytes_ / _GB:.2f} GB" for bytes_ in (max(room, 0.0), self.limit))
            raise MemoryLimitError(
                f"a fit is expected to take {needed / _GB:.2f} GB of memory, but {left} of {limit} are left "
                "beside this process and its workers. Give the machine or its container more memory, leave "
                f"out rows or columns, or name families without {candidate.family}."
            )

    def must_wait(self, candidate: Candidate, workers: SeatedJobs, *, predicts: bool = False) -> bool:
        """Whether a fit (or a held-out prediction) waits for a job that runs; never where nothing runs."""
        seats = workers.seats
        if self.limit == math.inf or not any(seat.ticket for seat in seats):
            return False
        idle = [seat for seat in seats if seat.ticket is None]
        # Workers that died are being replaced.
        held = self._driver() + WORKER_HELD * (workers.n_slots - len(seats))
        for seat in seats:
            job = self._of_running(seat)
            if idle and seat is idle[0]:
                job = self._of_job(candidate, predicts=predicts)
            # What a worker kept of earlier jobs serves the next one.
            held += max(held_memory(seat.process) or 0, WORKER_HELD + job)
        return held > self.limit

    def learn(self, candidate: Candidate, finished: Finished, workers: SeatedJobs) -> None:
        """Take in what became of a job that has just ended."""
        formula, result = self._formula(candidate), finished.result
        if isinstance(result, FitReport):
            # The driver's peak says nothing of the job it has just done itself.
            if result.memory_mb > 0 and not _in_process(workers):
                factor = 2**20 * result.memory_mb / (WORKER_RESIDENT + formula)
                self._raise(candidate.family, min(max(factor, LEAST_FACTOR), MOST_FACTOR))
        elif self.limit < math.inf and self._out_of_memory(candidate, finished, workers):
            expected = self._room(workers) * (LOST_BESIDE if finished.beside_others else LOST_ALONE)
            self._raise(candidate.family, (WORKER_RESIDENT + expected) / (WORKER_RESIDENT + formula))

    def _out_of_memory(self, candidate: Candidate, finished: Finished, workers: SeatedJobs) -> bool:
        """Whether a job was lost to memory: it says so, or the kernel does, or it was large when it died."""
        result = finished.result
        if isinstance(result, JobFailure):
            return "MemoryError" in result.reason or "bad_alloc" in result.reason
        if not isinstance(result, Lost) or result.killed or result.signal not in (_KILLED, signal.SIGABRT):
            return False
        if result.signal == _KILLED and self._was_ended_by_kernel():
            return True
        predicts = isinstance(finished.ticket.job, PredictJob)
        size = max(self._of_job(candidate, predicts=predicts), result.held - WORKER_HELD)
        # Beside others its own share of the room was smaller.
        n_sharing = workers.n_slots if finished.beside_others else 1
        return size >= FAIR_SHARE * self._room(workers) / n_sharing

    def _was_ended_by_kernel(self) -> bool:
        """Whether the kernel ended a process of this group for memory; each one explains one loss."""
        is_new = (group_oom_kills() or 0) > self._oom_kills
        self._oom_kills += is_new
        return is_new

    def _room(self, workers: SeatedJobs) -> float:
        """Return the bytes there are for a job that runs alone, when the jobs of now are done."""
        room = self.limit - self._driver()
        if _in_process(workers):
            return room
        # What one worker has kept serves the job that it takes.
        for seat in workers.seats[1:]:
            kept = None if seat.ticket else held_memory(seat.process)
            room -= max(0.0, (kept or 0) - WORKER_HELD)
        return room - WORKER_HELD * workers.n_slots

    @property
    def _static_room(self) -> float:
        return self.limit - self._static_driver - WORKER_HELD

    @property
    def _static_driver(self) -> float:
        return DRIVER_HELD + DRIVER_HELD_A_CELL * self.shape.n_rows * max(self.shape.n_columns, 1)

    def _driver(self) -> float:
        return held_memory(os.getpid()) or self._static_driver

    def _of_running(self, seat: Seat) -> float:
        job = None if seat.ticket is None else seat.ticket.job
        candidate = getattr(job, "candidate", None)
        if not isinstance(candidate, Candidate):
            return 0.0
        return self._of_job(candidate, predicts=isinstance(job, PredictJob))

    def _of_job(self, candidate: Candidate, *, predicts: bool) -> float:
        expected = self._corrected(candidate.family, self._formula(candidate))
        return PREDICTION_SHARE * expected if predicts else expected

    def _corrected(self, family: str, formula: float) -> float:
        """Return a formula's figure by what was observed of the family."""
        # Peaks are those of whole processes: with what is always there, small fits teach little.
        corrected = self._factors.get(family, 1.0) * (WORKER_RESIDENT + formula) - WORKER_RESIDENT
        return max(corrected, LEAST_FACTOR * formula)

    def _formula(self, candidate: Candidate) -> float:
        try:
            return max(0.0, float(learner_for(candidate.family).memory(self.shape, candidate.params)))
        except Exception:  # noqa: BLE001 - a third-party learner may fail in any way; `require` says so
            return 0.0

    def _raise(self, family: str, factor: float) -> None:
        self._factors[family] = max(factor, self._factors.get(family, 0.0))


def _in_process(workers: SeatedJobs) -> bool:
    return any(seat.process == os.getpid() for seat in workers.seats)
