"""Time, counts and cores: all that bounds a run."""

import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from tabular_automl.core.cgroup import group_cores
from tabular_automl.core.options import Options

RESERVED_SHARE = 0.04
RESERVED_SECONDS = 0.8


@dataclass(frozen=True, eq=False)
class Budget:
    """A deadline or a count, the cores, the clock, and whether a person asked to stop.

    Attributes
    ----------
    limit
        Seconds from ``started`` to the deadline, or None when only counts bound the run.
    max_candidates
        How many candidates may be fitted, or None. When given, nothing else reads the clock
        (``limit`` then only aborts), so that the same seed gives the same model.
    n_jobs
        Number of worker processes.
    reserve
        Seconds before the deadline that are kept for weighing, so that fits end earlier.
    clock
        Monotonic seconds; tests inject their own.
    """

    limit: float | None
    max_candidates: int | None
    n_jobs: int
    reserve: float = 0.0
    clock: Callable[[], float] = time.monotonic
    started: float = 0.0
    _cancelled: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def start(cls, options: Options, clock: Callable[[], float] = time.monotonic) -> "Budget":
        """Start the clock on what the caller allows.

        Negative ``n_jobs`` count back from the available cores, as in joblib: -1 is all of them.
        """
        n_jobs = options.n_jobs if options.n_jobs > 0 else max(1, available_cores() + 1 + options.n_jobs)
        limit = options.seconds
        reserve = 0.0 if limit is None else min(max(RESERVED_SECONDS, RESERVED_SHARE * limit), limit / 5)
        return cls(limit, options.max_candidates, n_jobs, reserve, clock, clock())

    @property
    def counted(self) -> bool:
        """Whether counts, not seconds, decide what is fitted."""
        return self.max_candidates is not None

    @property
    def timed(self) -> bool:
        """Whether seconds decide what is fitted: there is a deadline, and no count instead of it."""
        return self.limit is not None and not self.counted

    @property
    def cores(self) -> int:
        """How many jobs really run at a time: workers beyond the available cores share them."""
        return min(self.n_jobs, available_cores())

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self.clock() - self.started

    @property
    def remaining(self) -> float:
        """Seconds until fits must be over (deadline less reserve), infinite without a deadline."""
        return float("inf") if self.limit is None else self.limit - self.reserve - self.elapsed

    def used_up(self, share: float) -> bool:
        """Whether in a run bounded by time so much of the reserve before the deadline is gone.

        Work that only gets better with time ends then. In a run bounded by counts it never does.
        """
        return self.timed and self.remaining <= -share * self.reserve

    def from_now(self, seconds: float) -> "Budget":
        """Return the budget with so many seconds left for fits; who cancels the one cancels the other."""
        return replace(self, limit=self.elapsed + seconds + self.reserve)

    @property
    def cancelled(self) -> bool:
        """Whether a person asked for the best so far (Ctrl-C)."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Ask the run to end with what it has."""
        self._cancelled.set()

    @property
    def over(self) -> bool:
        """Whether no further fit may start."""
        return self.cancelled or self.remaining <= 0


def available_cores() -> int:
    """Return how many cores this process may run on, or its container has the time of, rounded up."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = group_cores()
    return bound if quota is None else max(1, min(bound, math.ceil(quota)))
