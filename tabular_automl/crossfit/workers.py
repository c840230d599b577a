"""Processes that run jobs: submit, wait, kill one.

Each worker is a process with a pipe of its own. Nothing is shared between workers, so a worker that is killed
at any moment costs its one job. In pools that share a queue and its lock it costs more: joblib then fails the
whole call, and a pebble pool that loses an idle process takes no further job.
"""

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import current_process
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from joblib.externals.loky.backend import get_context
from threadpoolctl import threadpool_limits

from tabular_automl.core.budget import Budget
from tabular_automl.core.errors import TabularAutoMLError
from tabular_automl.core.fitting import never
from tabular_automl.crossfit.occupancy import Occupancy, cpu_of_ended_children
from tabular_automl.learners import FAMILIES, import_ahead

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

# A job that was asked to stop is killed after so many seconds.
STOP_GRACE_SECONDS = 1.0
# How often a waiting driver looks at limits and stop requests.
TICK_SECONDS = 0.05
# So many workers in a row that end before their first job mean that none ever will start.
MOST_STILLBORN = 3
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
_STOP = None
# What a signal that ended a worker often means.
_DEATHS = {
    6: ": a library gave up, as when there is no memory left; fewer rows or columns, or n_jobs, need less",
    9: ": out of memory, or killed from outside; fewer rows or columns, or n_jobs, need less memory",
}
_PR_SET_PDEATHSIG = 1


class Job(Protocol):
    """Work for one worker: picklable, and ``run`` catches what goes wrong in it."""

    def run(self, should_stop: Callable[[], bool]) -> object:
        """Do the work; between steps ask ``should_stop`` and end early when it says so."""
        ...


@dataclass(frozen=True, eq=False)
class Ticket:
    """A submitted job.

    Attributes
    ----------
    job
        The work.
    hard_limit
        Seconds after which it is killed, or None.
    should_stop
        Asked while it runs; once true the job is asked to stop, and killed if it does not within
        `STOP_GRACE_SECONDS`.
    """

    job: Job
    hard_limit: float | None = None
    should_stop: Callable[[], bool] = never


@dataclass(frozen=True)
class Lost:
    """What a job left behind whose worker is gone.

    Attributes
    ----------
    reason
        For a person.
    seconds
        How long the job had run.
    killed
        Whether we killed it (for a limit); False when the process ended by itself.
    signal
        Number of the signal that ended the process when we did not; None: it ended by itself.
    """

    reason: str
    seconds: float
    killed: bool
    signal: int | None = None


class Seat(NamedTuple):
    """Where a job runs or may run: the process, and its job (None: it is idle)."""

    process: int
    ticket: Ticket | None


@dataclass(frozen=True)
class Finished:
    """A job that ended: its result, or `Lost`."""

    ticket: Ticket
    result: object


class Workers(ABC):
    """Runs jobs one a slot; a context manager that ends every process it started.

    Attributes
    ----------
    occupancy
        When jobs ran.
    """

    occupancy: Occupancy

    @staticmethod
    def start(budget: Budget, families: Sequence[str] | None = None) -> "Workers":
        """Start processes, or for one job of a run that counts alone bound take this process.

        What runs in this process cannot be killed, so a time limit takes a process for one job, too. Returns
        at once; while the caller goes on, processes import what the families (None: all of them) need.

        Raises
        ------
        TabularAutoMLError
            If processes are needed and this one may not start any, as in joblib's multiprocessing backend.
        """
        if budget.n_jobs == 1 and not budget.timed:
            return InProcessWorkers(Occupancy(budget.clock))
        if current_process().daemon:
            raise TabularAutoMLError(
                "This process is a daemon, which may not start worker processes. Use joblib's loky backend, "
                "or n_jobs=1 with max_candidates and without time_limit to fit in this process."
            )
        named = FAMILIES if families is None else families
        return ProcessWorkers(budget.n_jobs, named, Occupancy(budget.clock))

    @property
    @abstractmethod
    def n_slots(self) -> int:
        """How many jobs can run at a time."""

    @property
    @abstractmethod
    def free(self) -> int:
        """How many jobs would start at once if submitted now."""

    @property
    @abstractmethod
    def seats(self) -> tuple[Seat, ...]:
        """Where jobs run or may run."""

    @abstractmethod
    def submit(
        self, job: Job, *, hard_limit: float | None = None, should_stop: Callable[[], bool] = never
    ) -> Ticket:
        """Start a job on a free slot."""

    @abstractmethod
    def wait(self, timeout: float) -> list[Finished]:
        """Return jobs that ended, or nothing after ``timeout`` seconds or when a slot became free."""

    @abstractmethod
    def kill(self, ticket: Ticket) -> None:
        """End one job, if it still runs; it is not reported by `wait`. Its siblings don't notice."""

    @abstractmethod
    def close(self) -> None:
        """End all workers at once."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class InProcessWorkers(Workers):
    """Runs jobs in this process, one thread each, when `wait` is called; limits are soft only."""

    def __init__(self, occupancy: Occupancy | None = None) -> None:
        self.occupancy = occupancy or Occupancy()
        self._queued: Ticket | None = None

    @property
    def n_slots(self) -> int:
        """Return how many jobs can run at a time."""
        return 1

    @property
    def free(self) -> int:
        """Return how many jobs would start at once."""
        return 0 if self._queued else 1

    @property
    def seats(self) -> tuple[Seat, ...]:
        """Return this process."""
        return (Seat(os.getpid(), self._queued),)

    def submit(
        self, job: Job, *, hard_limit: float | None = None, should_stop: Callable[[], bool] = never
    ) -> Ticket:
        """Start a job on a free slot."""
        if self._queued:
            raise RuntimeError("The in-process worker already has a job; wait for it first.")
        self._queued = Ticket(job, hard_limit, should_stop)
        return self._queued

    def wait(self, timeout: float) -> list[Finished]:
        """Return jobs that ended."""
        del timeout
        ticket, self._queued = self._queued, None
        if ticket is None:
            return []
        cpu = time.process_time()
        self.occupancy.began(self)
        with threadpool_limits(limits=1):
            finished = Finished(ticket, ticket.job.run(ticket.should_stop))
        self.occupancy.used_here(self, time.process_time() - cpu)
        self.occupancy.ended(self)
        return [finished]

    def kill(self, ticket: Ticket) -> None:
        """End one job."""
        if self._queued is ticket:
            self._queued = None

    def close(self) -> None:
        """End all."""
        self._queued = None


@dataclass(frozen=True)
class _Answer:
    """What a worker sends: its job's result with the wall seconds (none at first), all its CPU seconds."""

    result: object
    seconds: float
    cpu: float


@dataclass(eq=False)
class _Slot:
    process: "BaseProcess"
    connection: Connection
    ready: bool = False
    ticket: Ticket | None = None
    started: float = 0.0
    asked: float | None = field(default=None)

    @property
    def free(self) -> bool:
        return self.ready and self.ticket is None and self.process.exitcode is None


class ProcessWorkers(Workers):
    """One process a slot; a process that ends is replaced while the others go on."""

    def __init__(
        self, n_jobs: int, families: Sequence[str] = FAMILIES, occupancy: Occupancy | None = None
    ) -> None:
        self.occupancy = occupancy or Occupancy()
        self._context = get_context("loky")
        self._families = tuple(families)
        self._stillborn = 0
        self._n_slots = n_jobs
        self._slots: list[_Slot] = []
        try:
            self._fill_slots()
        except BaseException:  # as Ctrl-C raises it: nobody will close what was never returned
            self.close()
            raise

    @property
    def n_slots(self) -> int:
        """Return how many jobs can run at a time."""
        return self._n_slots

    @property
    def free(self) -> int:
        """Return how many jobs would start at once."""
        return sum(slot.free for slot in self._slots)

    @property
    def seats(self) -> tuple[Seat, ...]:
        """Return the workers."""
        return tuple(Seat(slot.process.pid or 0, slot.ticket) for slot in self._slots)

    @property
    def process_ids(self) -> tuple[int, ...]:
        """Process ids of the workers."""
        return tuple(slot.process.pid or 0 for slot in self._slots)

    def submit(
        self, job: Job, *, hard_limit: float | None = None, should_stop: Callable[[], bool] = never
    ) -> Ticket:
        """Start a job on a free slot."""
        slot = next((slot for slot in self._slots if slot.free), None)
        if slot is None:
            raise RuntimeError("No worker is free; look at `free` before you submit.")
        ticket = Ticket(job, hard_limit, should_stop)
        slot.ticket, slot.started, slot.asked = ticket, time.monotonic(), None
        self.occupancy.began(slot)
        # A worker that died while idle is noticed by `wait`, which then reports this job as lost.
        with contextlib.suppress(OSError):
            slot.connection.send(job)
        return ticket

    def wait(self, timeout: float) -> list[Finished]:
        """Return jobs that ended."""
        end = time.monotonic() + timeout
        while True:
            self._fill_slots()
            free = self.free
            finished = self._overdue()
            left = 0.0 if finished else max(0.0, min(TICK_SECONDS, end - time.monotonic()))
            ready = wait([slot.connection for slot in self._slots], left)
            for slot in [slot for slot in self._slots if slot.connection in ready]:
                finished += self._receive(slot)
            if finished or self.free > free or time.monotonic() >= end:
                return finished

    def kill(self, ticket: Ticket) -> None:
        """End one job."""
        for slot in [slot for slot in self._slots if slot.ticket is ticket]:
            self._end(slot)

    def close(self) -> None:
        """End all."""
        for slot in self._slots:
            _kill(slot.process)
        for slot in list(self._slots):
            self._end(slot)

    def _fill_slots(self) -> None:
        while len(self._slots) < self._n_slots:
            self._add_slot()

    def _add_slot(self) -> None:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_serve, args=(theirs, os.getpid(), self._families), env=_ONE_THREAD, daemon=True
        )
        with _sigint_blocked():
            process.start()
            self._slots.append(_Slot(process, ours, started=time.monotonic()))
        # With our copy of their end closed, the end of the process reads as the end of the pipe.
        theirs.close()

    def _receive(self, slot: _Slot) -> list[Finished]:
        try:
            answer: _Answer = slot.connection.recv()
        except (EOFError, OSError):
            return self._bury(slot)
        if not slot.ready:
            slot.ready = True
            self._stillborn = 0
            self.occupancy.started_up(slot, time.monotonic() - slot.started, answer.cpu)
            return []
        self.occupancy.used(slot, answer.cpu)
        self.occupancy.ended(slot, answer.seconds)
        ticket, slot.ticket = slot.ticket, None
        return [Finished(ticket, answer.result)] if ticket else []

    def _bury(self, slot: _Slot) -> list[Finished]:
        exit_code = self._end(slot)
        if slot.ticket:
            seconds = time.monotonic() - slot.started
            by = -exit_code if exit_code is not None and exit_code < 0 else None
            return [Finished(slot.ticket, Lost(_death(exit_code), seconds, killed=False, signal=by))]
        self._stillborn += not slot.ready
        if self._stillborn >= MOST_STILLBORN:
            raise TabularAutoMLError(
                f"{self._stillborn} worker processes in a row ended before they could take work: "
                f"{_death(exit_code)}. Use n_jobs=1 with max_candidates to fit in this process."
            )
        return []

    def _overdue(self) -> list[Finished]:
        """Ask jobs to stop that should, and kill those that are over their limits."""
        now = time.monotonic()
        lost = []
        for slot in [slot for slot in self._slots if slot.ticket]:
            ticket = slot.ticket
            seconds = now - slot.started
            if ticket is None:
                continue
            if slot.asked is None and ticket.should_stop():
                slot.asked = now
                with contextlib.suppress(OSError):
                    slot.connection.send(_STOP)
            if ticket.hard_limit is not None and seconds > ticket.hard_limit:
                reason = f"killed after {seconds:.1f} s: its limit was {ticket.hard_limit:.1f} s"
            elif slot.asked is not None and now - slot.asked > STOP_GRACE_SECONDS:
                reason = f"killed {STOP_GRACE_SECONDS:.0f} s after it was asked to stop"
            else:
                continue
            self._end(slot)
            lost.append(Finished(ticket, Lost(reason, seconds, killed=True)))
        return lost

    def _end(self, slot: _Slot) -> int | None:
        """Kill one worker at once and forget it."""
        self._slots.remove(slot)
        before = cpu_of_ended_children()
        _kill(slot.process)
        slot.process.join(1.0)
        self.occupancy.used(slot, cpu_of_ended_children() - before)
        self.occupancy.ended(slot)
        slot.connection.close()
        return slot.process.exitcode


def _kill(process: "BaseProcess") -> None:
    if process.exitcode is None and process.pid:
        if os.name == "posix":
            # SIGKILL: a learner in native code would answer SIGTERM only when it is done.
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        else:
            process.terminate()


def _death(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        hint = _DEATHS.get(-exit_code, "")
        return f"its worker process was ended by signal {-exit_code} ({signal.strsignal(-exit_code)}){hint}"
    return f"its worker process ended with exit code {exit_code}"


@contextlib.contextmanager
def _sigint_blocked() -> Iterator[None]:
    """Block Ctrl-C while a worker starts: it inherits the mask, and must not die of a person's Ctrl-C."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(connection: Connection, driver: int, families: tuple[str, ...]) -> None:
    """Run jobs as they come, until the driver is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with(driver)
    # All before the first job: an import in its place would count against the limit of a short probe.
    for family in families:
        import_ahead(family)
    with contextlib.suppress(EOFError, OSError):
        connection.send(_Answer(None, 0.0, time.process_time()))
        while True:
            job = connection.recv()
            # A request to stop may arrive when its job has just ended.
            if job is not _STOP:
                started = time.monotonic()
                result = job.run(connection.poll)
                connection.send(_Answer(result, time.monotonic() - started, time.process_time()))


def _end_with(driver: int) -> None:
    """See to it that this process ends as soon as the driver did, also in the middle of a job."""
    # The kernel's signal also ends a job in native code, where none of our threads gets its turn. It comes
    # when the driver's thread that started the worker ends: the one that waits for the worker's results.
    told_by_kernel = sys.platform == "linux" and not ctypes.CDLL(None).prctl(
        _PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL)
    )
    if os.getppid() != driver:
        os._exit(1)
    if not told_by_kernel:
        threading.Thread(target=_watch, args=(driver,), daemon=True).start()


def _watch(driver: int) -> None:
    while os.getppid() == driver:
        time.sleep(1.0)
    os._exit(1)
