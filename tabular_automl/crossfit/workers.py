"""What runs jobs: submit, wait, kill one."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, Self

from tabular_automl.core.fitting import never
from tabular_automl.crossfit.occupancy import Occupancy

# A job that was asked to stop is killed after so many seconds, where it runs in a process of its own.
STOP_GRACE_SECONDS = 1.0


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
class Finished:
    """A job that ended.

    Attributes
    ----------
    ticket
        The job.
    result
        What it returned, or `Lost`.
    beside_others
        Whether another job ran when it ended, or just before: what ends together is heard of one by one.
    """

    ticket: Ticket
    result: object
    beside_others: bool = False


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
    held
        Bytes the process held when it was last looked at (`held_memory`); 0: never, or unknown.
    """

    reason: str
    seconds: float
    killed: bool
    signal: int | None = None
    held: int = 0


class Seat(NamedTuple):
    """Where a job runs or may run: the process, and its job (None: it is idle)."""

    process: int
    ticket: Ticket | None


class Workers(ABC):
    """Runs jobs one a slot; a context manager that ends every process it started.

    Attributes
    ----------
    occupancy
        When jobs ran.
    """

    occupancy: Occupancy

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
