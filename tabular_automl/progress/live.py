"""Keeps a display up to date from a thread of its own."""

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from types import TracebackType

from tabular_automl.core.progress import Display, Event, Status

# At most four updates a second: more could not be read, and would cost the fits their core.
UPDATE_SECONDS = 0.25
# A terminal that was stopped (Ctrl-S) takes no output; the run ends without its closing words.
CLOSE_SECONDS = 1.0


class Live:
    """Shows events and the status of a run while its ``with`` lasts.

    All output is written by one thread besides the run's own: the time goes on while this process encodes a
    matrix or fits by itself, and a terminal that is slow or stopped holds up nothing.

    Parameters
    ----------
    display
        Where to show it.
    status
        Returns how far the run is; called from the thread.
    """

    def __init__(self, display: Display, status: Callable[[], Status]) -> None:
        self._display = display
        self._status = status
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tabular_automl progress", daemon=True)

    def event(self, event: Event) -> None:
        """Show an event with the next update; returns at once."""
        self._events.put(event)

    def __enter__(self) -> "Live":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        try:
            self._update()
            while not self._over.wait(UPDATE_SECONDS):
                self._update()
            self._update()
        finally:
            self._display.close()

    def _update(self) -> None:
        while True:
            try:
                event = self._events.get_nowait()
            except Empty:
                break
            self._display.event(event)
        self._display.status(self._status())
