"""What a run tells a person while it works: events as they happen, and its status at any moment."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Event:
    """One step of a run.

    Attributes
    ----------
    stage
        ``ingest``, ``baselines``, ``fit``, ``weigh`` or ``done``.
    message
        One line for a person.
    elapsed
        Seconds since the start of the run.
    is_warning
        Whether a person should act on it.
    """

    stage: str
    message: str
    elapsed: float
    is_warning: bool = False


EventSink = Callable[[Event], None]


@dataclass(frozen=True)
class Running:
    """What one worker does right now.

    Attributes
    ----------
    name
        The candidate's name.
    part
        Which part of its work, such as ``fold 3`` or ``all rows``.
    seconds
        Seconds since its start.
    """

    name: str
    part: str
    seconds: float


@dataclass(frozen=True)
class Best:
    """The best result so far.

    Attributes
    ----------
    name
        Whose it is: a candidate's name, or ``ensemble of 5``.
    metric, score
        The metric's name, and its value in the metric's own direction.
    gain
        1 - loss / loss of the best baseline on the same rows: how much of the way from that baseline to a
        perfect score is done. None where there is no such baseline, or it is perfect itself.
    baseline
        The name of that baseline; empty where ``gain`` is None.
    """

    name: str
    metric: str
    score: float
    gain: float | None = None
    baseline: str = ""


@dataclass(frozen=True)
class Status:
    """How far a run is.

    Attributes
    ----------
    stage
        The stage of the last event.
    elapsed
        Seconds since the start of the run.
    limit, max_candidates
        What bounds the run, or None.
    done, failed, pruned
        Candidates that were fitted, that failed, and that the search left before all their folds were fitted.
    best
        The best result so far, or None.
    running
        What the workers do, the longest running first.
    cancelled
        Whether a person asked for the best so far.
    expected
        The score to expect on new rows, once it is known.
    """

    stage: str
    elapsed: float
    limit: float | None = None
    max_candidates: int | None = None
    done: int = 0
    failed: int = 0
    pruned: int = 0
    best: Best | None = None
    running: tuple[Running, ...] = ()
    cancelled: bool = False
    expected: str = ""

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the deadline; None without one."""
        return None if self.limit is None else max(0.0, self.limit - self.elapsed)

    @property
    def candidates_left(self) -> int | None:
        """Candidates still to come in a run bounded by their number; None in any other."""
        if self.max_candidates is None:
            return None
        return max(0, self.max_candidates - self.done - self.failed - self.pruned)


class Display(Protocol):
    """Shows a run to a person: any number of events and statuses in order of time, then one `close`.

    Whatever a display raises costs the run nothing but that display.
    """

    def event(self, event: Event) -> None:
        """Show what has just happened."""
        ...

    def status(self, status: Status) -> None:
        """Show how far the run is."""
        ...

    def close(self) -> None:
        """Leave the screen in order, with what is worth keeping."""
        ...
