"""Runs jobs in processes of their own.

Each worker is a process with a pipe of its own. Nothing is shared between workers, so a worker that is killed
at any moment costs its one job. In pools that share a queue and its lock it costs more: joblib then fails the
whole call, and a pebble pool that loses an idle process takes no further job.
"""

import contextlib
import math
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING

from joblib.externals.loky.backend import get_context

from tabular_automl.core.budget import available_cores
from tabular_automl.core.errors import TabularAutoMLError
from tabular_automl.core.fitting import never
from tabular_automl.core.memory import held_memory
from tabular_automl.crossfit.occupancy import Occupancy, cpu_of_ended_children
from tabular_automl.crossfit.undisturbed_start import undisturbed_start
from tabular_automl.crossfit.worker_process import STOP, Answer, serve_jobs
from tabular_automl.crossfit.workers import STOP_GRACE_SECONDS, Finished, Job, Lost, Seat, Ticket, Workers
from tabular_automl.learners import FAMILIES

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

# How often a waiting driver looks at limits and stop requests, and at what the processes hold.
TICK_SECONDS = 0.05
LOOK_SECONDS = 0.25
# So many workers in a row that end before their first job, while no other has started, mean that none will.
MOST_STILLBORN = 3
# After one that did not start the next one is tried so much later, each time twice as long.
RETRY_SECONDS, MOST_RETRY_SECONDS = 0.1, 30.0
# A process whose pipe has ended may still be ending: killed at once it would seem to be killed by others.
ENDING_SECONDS = 0.2
# Jobs that ended within this time ended together: when one is lost its memory is free, and others go on.
TOGETHER_SECONDS = 1.0
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
# What a signal that ended a worker often means.
_DEATHS = {
    6: ": a library gave up; what it said, if anything, is on standard error",
    9: ": out of memory, or killed from outside; fewer rows or columns, or n_jobs, need less memory",
}


@dataclass(eq=False)
class _Slot:
    process: "BaseProcess"
    connection: Connection
    ready: bool = False
    ticket: Ticket | None = None
    started: float = 0.0
    asked: float | None = None
    held: int = 0

    @property
    def free(self) -> bool:
        return self.ready and self.ticket is None and self.process.exitcode is None

    @property
    def heard(self) -> bool:
        """Whether there is an answer to be received, or the end of the pipe."""
        try:
            return self.connection.poll()
        except OSError:  # as Windows says that the other side is gone
            return True


class ProcessWorkers(Workers):
    """One process a slot; a process that ends is replaced while the others go on.

    No more start at a time than there are cores: each imports a lot, and work waits for the first of them.
    Where no further process can be started, it goes on with those there are, and tries again later.
    """

    def __init__(
        self, n_jobs: int, families: Sequence[str] = FAMILIES, occupancy: Occupancy | None = None
    ) -> None:
        self.occupancy = occupancy or Occupancy()
        self._context = get_context("loky")
        self._families = tuple(families)
        self._stillborn = 0
        self._next_start = self._last_end = self._next_look = -math.inf
        self._n_slots, self._most_starting = n_jobs, available_cores()
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
        slot.ticket, slot.started, slot.asked, slot.held = ticket, time.monotonic(), None, 0
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
            # First what has come: a driver that was busy must not take its own delay for the job's.
            finished = self._received(0.0)
            self._look_at_memory()
            finished += self._overdue()
            if not finished and self.free <= free:
                finished = self._received(max(0.0, min(TICK_SECONDS, end - time.monotonic())))
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
        while self._may_start and time.monotonic() >= self._next_start:
            try:
                self._add_slot()
            except OSError as error:  # as when there are too many processes, or no memory for one
                self._did_not_start(f"could not be started ({error})", hopeless=not self._slots)

    @property
    def _may_start(self) -> bool:
        n_starting = sum(not slot.ready for slot in self._slots)
        return len(self._slots) < self._n_slots and n_starting < self._most_starting

    def _add_slot(self) -> None:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=serve_jobs, args=(theirs, os.getpid(), self._families), env=_ONE_THREAD, daemon=True
        )
        # With our copy of their end closed, the end of the process reads as the end of the pipe.
        with theirs, undisturbed_start():
            try:
                process.start()
            except OSError:
                ours.close()
                raise
            self._slots.append(_Slot(process, ours, started=time.monotonic()))

    def _did_not_start(self, what: str, *, hopeless: bool) -> None:
        """Try again later; raise if nothing can come of that."""
        self._stillborn += 1
        if hopeless and self._stillborn >= MOST_STILLBORN:
            raise TabularAutoMLError(
                f"{self._stillborn} worker processes in a row {what}. Use n_jobs=1 with max_candidates and "
                "without time_limit to fit in this process."
            )
        pause = min(MOST_RETRY_SECONDS, RETRY_SECONDS * 2 ** min(self._stillborn - 1, 9))
        self._next_start = time.monotonic() + pause

    def _received(self, timeout: float) -> list[Finished]:
        """Take in what the workers sent, and which of them are gone."""
        if not self._slots:
            time.sleep(timeout)
        ready = wait([slot.connection for slot in self._slots], timeout) if self._slots else []
        finished = []
        for slot in [slot for slot in self._slots if slot.connection in ready]:
            finished += self._receive(slot)
        return finished

    def _receive(self, slot: _Slot) -> list[Finished]:
        try:
            answer: Answer = slot.connection.recv()
        except (EOFError, OSError):
            return self._bury(slot)
        if not slot.ready:
            slot.ready = True
            self._stillborn, self._next_start = 0, -math.inf
            self.occupancy.started_up(slot, time.monotonic() - slot.started, answer.cpu)
            return []
        self.occupancy.used(slot, answer.cpu)
        self.occupancy.ended(slot, answer.seconds)
        ticket, beside_others = slot.ticket, self._beside_others(slot)
        slot.ticket, self._last_end = None, time.monotonic()
        return [Finished(ticket, answer.result, beside_others)] if ticket else []

    def _bury(self, slot: _Slot) -> list[Finished]:
        ticket, beside_others = slot.ticket, self._beside_others(slot)
        seconds = time.monotonic() - slot.started
        exit_code = self._end(slot, ENDING_SECONDS)
        if ticket:
            by = -exit_code if exit_code is not None and exit_code < 0 else None
            reason = f"its worker process {_death(exit_code)}"
            lost = Lost(reason, seconds, killed=False, signal=by, held=slot.held)
            return [Finished(ticket, lost, beside_others)]
        if not slot.ready:
            nobody = not any(other.ready for other in self._slots)
            self._did_not_start(f"{_death(exit_code)} before they could take work", hopeless=nobody)
        return []

    def _beside_others(self, slot: _Slot) -> bool:
        """Whether other jobs run beside a slot's job, or did until just before."""
        if any(other.ticket for other in self._slots if other is not slot):
            return True
        return self._last_end > max(slot.started, time.monotonic() - TOGETHER_SECONDS)

    def _look_at_memory(self) -> None:
        """Note what busy processes hold: nobody can ask one that was killed."""
        if time.monotonic() >= self._next_look:
            for slot in self._slots:
                if slot.ticket and slot.process.pid:
                    slot.held = max(slot.held, held_memory(slot.process.pid) or 0)
            self._next_look = time.monotonic() + LOOK_SECONDS

    def _overdue(self) -> list[Finished]:
        """Ask jobs to stop that should, and kill those that are over their limits."""
        now = time.monotonic()
        lost = []
        for slot in [slot for slot in self._slots if slot.ticket and not slot.heard]:
            ticket = slot.ticket
            seconds = now - slot.started
            if ticket is None:
                continue
            if slot.asked is None and ticket.should_stop():
                slot.asked = now
                with contextlib.suppress(OSError):
                    slot.connection.send(STOP)
            if ticket.hard_limit is not None and seconds > ticket.hard_limit:
                reason = f"killed after {seconds:.1f} s: its limit was {ticket.hard_limit:.1f} s"
            elif slot.asked is not None and now - slot.asked > STOP_GRACE_SECONDS:
                reason = f"killed {STOP_GRACE_SECONDS:.0f} s after it was asked to stop"
            else:
                continue
            beside_others = self._beside_others(slot)
            self._end(slot)
            lost.append(Finished(ticket, Lost(reason, seconds, killed=True), beside_others))
        return lost

    def _end(self, slot: _Slot, patience: float = 0.0) -> int | None:
        """Forget one worker; return its exit code, or None if it had to be killed, after so many seconds."""
        self._slots.remove(slot)
        before = cpu_of_ended_children()
        # Not by `join`: it waits for ever for a process that has closed its files and goes on.
        end = time.monotonic() + patience
        while (exit_code := slot.process.exitcode) is None and time.monotonic() < end:
            time.sleep(0.001)
        _kill(slot.process)
        slot.process.join(1.0)
        self.occupancy.used(slot, cpu_of_ended_children() - before)
        self.occupancy.ended(slot)
        slot.connection.close()
        if slot.ticket:
            self._last_end = time.monotonic()
        return exit_code


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
        return f"was ended by signal {-exit_code} ({signal.strsignal(-exit_code)}){hint}"
    return "closed its pipe" if exit_code is None else f"ended with exit code {exit_code}"
