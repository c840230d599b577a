"""Runs jobs in this very process."""

import os
import time
from collections.abc import Callable

from threadpoolctl import threadpool_limits

from tabular_automl.core.fitting import never
from tabular_automl.crossfit.occupancy import Occupancy
from tabular_automl.crossfit.workers import Finished, Job, Seat, Ticket, Workers


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
