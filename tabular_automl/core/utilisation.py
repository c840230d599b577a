"""How well the cores were used during a fit."""

from collections.abc import Mapping
from dataclasses import dataclass

# Jobs wait for files as well, and are started and ended: not all of their time is CPU time.
CROWDED = 0.8


@dataclass(frozen=True)
class Utilisation:
    """Where the core-seconds of a fit went, from the start of its clock to its end.

    Attributes
    ----------
    cores
        How many cores the fit could use.
    seconds
        Wall seconds.
    fitting
        Core-seconds in which jobs (fits, held-out predictions, probes) ran on workers, at most ``cores`` at a
        time.
    other
        Core-seconds of other work on cores that had no job: CPU time of the driver, and that of workers while
        they start.
    driver_cpu, startup_cpu, jobs_cpu
        CPU seconds by the system's account: of the driver outside of jobs, of workers until they were ready,
        and of the jobs (on Windows without those of jobs that were killed).
    without_fits
        Wall seconds in which no job ran, by stage; ``first fit`` is what was waited for the first job after
        its stage had begun: matrices to encode, workers to start.

    Examples
    --------
    >>> print(Utilisation(2, 10.0, 17.6, 1.4, 0.9, 1.1, 17.2, {"ingest": 0.3, "weigh": 0.5}))
    2 cores for 10.0 s: 88% fitting, 7% other work, 5% idle; no fit ran for 0.8 s
    """

    cores: int
    seconds: float
    fitting: float
    other: float
    driver_cpu: float
    startup_cpu: float
    jobs_cpu: float
    without_fits: Mapping[str, float]

    @property
    def core_seconds(self) -> float:
        """All there were."""
        return self.cores * self.seconds

    @property
    def idle(self) -> float:
        """Core-seconds in which nothing was done."""
        return max(0.0, self.core_seconds - self.fitting - self.other)

    @property
    def seconds_without_fits(self) -> float:
        """Wall seconds in which no job ran."""
        return sum(self.without_fits.values())

    @property
    def crowded(self) -> bool:
        """Whether jobs got much less CPU time than they ran: something else used their cores."""
        return self.jobs_cpu < CROWDED * self.fitting

    def __str__(self) -> str:
        cores = f"{self.cores} core{'s' * (self.cores > 1)} for {self.seconds:.1f} s"
        if self.core_seconds <= 0:
            return cores
        fitting, other = (round(100 * part / self.core_seconds) for part in (self.fitting, self.other))
        shares = f"{fitting}% fitting, {other}% other work, {max(0, 100 - fitting - other)}% idle"
        return f"{cores}: {shares}; no fit ran for {self.seconds_without_fits:.1f} s"
