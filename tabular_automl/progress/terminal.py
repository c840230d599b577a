"""A terminal in which a few lines are kept up to date."""

import sys
from collections import deque
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from tabular_automl.core.progress import Event, Status
from tabular_automl.progress.is_terminal import is_terminal
from tabular_automl.progress.wording import closing_line, event_line, facts, heading, may_be_stopped

SHOWN_EVENTS = 3
_HINT = "Ctrl-C ends it with the best so far"
_LABEL_WIDTH = 12


class Terminal:
    """Shows the status and the last events in place; warnings stay above, a closing line stays in the end.

    What other code writes to the terminal meanwhile goes above as well. The cursor stays visible, so that
    nothing has to be put right after a process that was killed.

    Parameters
    ----------
    stream
        The terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, force_terminal=True, force_jupyter=False, highlight=False)
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            # Output that goes to a file, or to whatever stands in for it, must not land in the terminal.
            redirect_stdout=is_terminal(sys.stdout),
        )
        self._events: deque[str] = deque(maxlen=SHOWN_EVENTS)
        self._status: Status | None = None
        self._shown = ""

    def event(self, event: Event) -> None:
        """Show an event with the next status; print a warning at once."""
        if event.is_warning:
            self._console.print(Text(event_line(event), style="yellow"), soft_wrap=True)
        else:
            self._events.append(event_line(event))

    def status(self, status: Status) -> None:
        """Bring the lines up to date, if anything in them has changed."""
        self._status = status
        frame = self._frame(status)
        if frame.plain != self._shown:
            self._shown = frame.plain
            self._start()
            self._live.update(frame, refresh=True)

    def close(self) -> None:
        """Replace the lines by a closing one."""
        # At the end rich shows all lines, more than it could erase where the terminal has fewer.
        self._live.update(Text())
        self._live.stop()
        if self._status is not None:
            self._console.print(Text(closing_line(self._status)), soft_wrap=True)

    def _start(self) -> None:
        if not self._live.is_started:
            self._live.start()
            self._console.show_cursor(True)

    def _frame(self, status: Status) -> Text:
        frame = Text(no_wrap=True, overflow="ellipsis")
        frame.append("tabular_automl", style="bold").append(f": {heading(status)}")
        if may_be_stopped(status):
            frame.append(f" ({_HINT})", style="dim")
        for label, text in facts(status):
            frame.append(f"\n  {label:<{_LABEL_WIDTH}}", style="dim").append(text)
        for line in self._events:
            frame.append(f"\n  {line}", style="dim")
        return frame
