"""Events that tell a person what a run is doing."""

import sys
from collections.abc import Callable
from dataclasses import dataclass


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
    """

    stage: str
    message: str
    elapsed: float


EventSink = Callable[[Event], None]


def event_sink(progress: "bool | EventSink | None") -> EventSink:
    """Return where events go: True writes lines to stderr, False drops them, a callable receives them.

    None writes lines when a person is watching, that is in a terminal or a notebook.
    """
    if callable(progress):
        return progress
    watched = sys.stderr.isatty() or "ipykernel" in sys.modules
    shown = watched if progress is None else progress
    return _write_line if shown else _drop


def _write_line(event: Event) -> None:
    sys.stderr.write(f"[{event.elapsed:6.1f} s] {event.message}\n")
    sys.stderr.flush()


def _drop(event: Event) -> None:
    del event
