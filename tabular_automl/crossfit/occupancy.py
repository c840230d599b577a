"""When jobs ran on the workers, and what the CPU did besides."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.utilisation import Utilisation

FIRST_FIT = "first fit"


class Occupancy:
    """Keeps book of the jobs of some workers, each known by a token of its own; nothing is decided by it.

    Durations are measured where a job runs: a driver that is busy hears of its end only later.

    Parameters
    ----------
    clock
        Monotonic seconds, as of `Budget.clock`.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._running: dict[object, float] = {}
        self._jobs: list[tuple[float, float]] = []
        self._startups: list[_Startup] = []
        self._workers_cpu: dict[object, float] = {}
        self._cpu_of_own_jobs = 0.0
        self._driver: list[tuple[float, float]] = []
        self._look_at_driver()

    def started_up(self, worker: object, seconds: float, cpu: float) -> None:
        """Note that a worker is ready: how long it took until then, and its CPU seconds."""
        now = self._clock()
        self._startups.append(_Startup(now - seconds, now, cpu))
        self._workers_cpu[worker] = cpu

    def began(self, worker: object) -> None:
        """Note that a worker got a job."""
        self._look_at_driver()
        self._running[worker] = self._clock()

    def ended(self, worker: object, seconds: float | None = None) -> None:
        """Note that a worker's job, if it had one, is over; it ran for ``seconds``, None: until now."""
        self._look_at_driver()
        start, now = self._running.pop(worker, None), self._clock()
        if start is not None:
            self._jobs.append((start, now if seconds is None else min(now, start + seconds)))

    def used(self, worker: object, cpu: float) -> None:
        """Note the CPU seconds of a worker since it was started; what is less than known says nothing new."""
        self._workers_cpu[worker] = max(cpu, self._workers_cpu.get(worker, 0.0))

    def used_here(self, worker: object, cpu: float) -> None:
        """Note further CPU seconds of a worker that is this very process; call it before `ended`."""
        self._workers_cpu[worker] = self._workers_cpu.get(worker, 0.0) + cpu
        self._cpu_of_own_jobs += cpu

    def utilisation(self, since: float, cores: int, stages: Sequence[tuple[str, float]]) -> Utilisation:
        """Return how well the cores were used from a moment of the clock until now.

        Parameters
        ----------
        since
            The start, by the clock.
        cores
            How many there were to use.
        stages
            Names of the stages with their ends by the clock, in order; the last one goes on until now.
        """
        self._look_at_driver()
        now = self._clock()
        edges, running = self._timeline(since, now, [end for _, end in stages])
        width = np.diff(edges)
        free = np.maximum(cores - running, 0) * width
        besides = self._besides(edges)
        times, cpu = np.array(self._driver).T
        of_startups = sum(startup.cpu for startup in self._startups)
        return Utilisation(
            cores,
            float(now - since),
            float((np.minimum(running, cores) * width).sum()),
            float(np.minimum(free, besides).sum()),
            float(cpu[-1] - np.interp(since, times, cpu)),
            float(of_startups),
            float(max(0.0, sum(self._workers_cpu.values()) - of_startups)),
            self._gaps(edges, running, stages),
        )

    def _look_at_driver(self) -> None:
        self._driver.append((self._clock(), time.process_time() - self._cpu_of_own_jobs))

    def _timeline(
        self, since: float, now: float, ends: Sequence[float]
    ) -> tuple[FloatArray, NDArray[np.intp]]:
        """Return moments between which nothing changed, and how many jobs ran from each to the next."""
        jobs = np.array([*self._jobs, *((start, now) for start in self._running.values())]).reshape(-1, 2)
        startups = [moment for startup in self._startups for moment in (startup.start, startup.end)]
        looks = [moment for moment, _ in self._driver]
        moments = np.concatenate([[since, now], jobs.ravel(), startups, looks, ends])
        edges = np.unique(np.clip(moments, since, now))
        begun = np.searchsorted(np.sort(jobs[:, 0]), edges[:-1], side="right")
        over = np.searchsorted(np.sort(jobs[:, 1]), edges[:-1], side="right")
        return edges, begun - over

    def _besides(self, edges: FloatArray) -> FloatArray:
        """Return the CPU seconds of driver and starting workers between one moment and the next."""
        times, cpu = np.array(self._driver).T
        total: FloatArray = np.diff(np.interp(edges, times, cpu))
        for startup in self._startups:
            total += startup.cpu * np.diff(np.interp(edges, [startup.start, startup.end], [0.0, 1.0]))
        return total

    def _gaps(
        self, edges: FloatArray, running: NDArray[np.intp], stages: Sequence[tuple[str, float]]
    ) -> dict[str, float]:
        """Return the seconds without a job by stage, those before the first job apart."""
        names, ends = [name for name, _ in stages], [end for _, end in stages]
        busy = np.flatnonzero(running)
        first = int(busy[0]) if len(busy) else -1
        # The stage in which the first job began has its own waiting counted apart.
        of_first = names[_place(ends, edges[first])] if names and first >= 0 else None
        gaps: dict[str, float] = {}
        for position in np.flatnonzero(running == 0):
            name = names[_place(ends, edges[position])] if names else ""
            name = FIRST_FIT if position < first and name == of_first else name
            gaps[name] = gaps.get(name, 0.0) + float(edges[position + 1] - edges[position])
        return gaps


def cpu_of_ended_children() -> float:
    """Return the CPU seconds of all processes this one has started and waited for; 0 on Windows."""
    if sys.platform == "win32":
        return 0.0
    from resource import RUSAGE_CHILDREN, getrusage

    usage = getrusage(RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@dataclass(frozen=True)
class _Startup:
    start: float
    end: float
    cpu: float


def _place(ends: Sequence[float], moment: float) -> int:
    """Return which stage a moment is in."""
    return min(int(np.searchsorted(ends, moment, side="right")), len(ends) - 1)
