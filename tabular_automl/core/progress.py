"""Events that tell a person what a run is doing."""

import logging
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
    is_warning
        Whether a person should act on it.
    """

    stage: str
    message: str
    elapsed: float
    is_warning: bool = False


EventSink = Callable[[Event], None]


def event_sink(progress: "bool | EventSink | None") -> EventSink:
    """Return where events go: True writes lines to stderr, False drops them, a callable receives them.

    None writes lines when a person is watching, that is in a terminal or a notebook; else events go to the
    logger ``tabular_automl``, from where Python shows warnings unless told otherwise.
    """
    if callable(progress):
        return progress
    if progress is None:
        watched = sys.stderr.isatty() or "ipykernel" in sys.modules
        return _write_line if watched else _log
    return _write_line if progress else _drop


def _write_line(event: Event) -> None:
    sys.stderr.write(f"[{event.elapsed:6.1f} s] {event.message}\n")
    sys.stderr.flush()


def _log(event: Event) -> None:
    level = logging.WARNING if event.is_warning else logging.INFO
    logging.getLogger("tabular_automl").log(level, event.message)


def _drop(event: Event) -> None:
    del event
