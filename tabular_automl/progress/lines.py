"""Displays without a screen of their own: a line an event, to stderr or to the logger."""

import logging
import sys

from tabular_automl.core.progress import Event, Status
from tabular_automl.progress.wording import event_line


class Lines:
    """Writes each event as a line to stderr; how far the run is goes unsaid."""

    def event(self, event: Event) -> None:
        """Write a line."""
        if sys.stderr is not None:  # as in programs without a console
            sys.stderr.write(f"{event_line(event)}\n")
            sys.stderr.flush()

    def status(self, status: Status) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class Logged:
    """Hands each event to the logger ``tabular_automl``, warnings as such, the others as information."""

    def event(self, event: Event) -> None:
        """Log an event."""
        level = logging.WARNING if event.is_warning else logging.INFO
        # As an argument: a percent sign in a column's name formats nothing.
        logging.getLogger("tabular_automl").log(level, "%s", event.message)

    def status(self, status: Status) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""
