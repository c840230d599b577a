"""A display that may break without harm."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from tabular_automl.core.progress import Display, Event, Status


class Guarded:
    """Shows a run on the first of several displays; one that breaks is left for the next, which says so.

    A screen may go away at any moment: a terminal is closed, a stream is replaced. When the last display is
    broken, there is nobody left to tell, and nothing is shown any more.

    Parameters
    ----------
    makers
        Make the displays when their turn comes, the first one at once.
    """

    def __init__(self, makers: Sequence[Callable[[], Display]]) -> None:
        self._waiting = list(makers)
        self._shown: Display | None = None
        self._elapsed = 0.0
        self._next()

    def event(self, event: Event) -> None:
        """Show what has just happened."""
        self._elapsed = event.elapsed
        self._show(lambda display: display.event(event))

    def status(self, status: Status) -> None:
        """Show how far the run is."""
        self._elapsed = status.elapsed
        self._show(lambda display: display.status(status))

    def close(self) -> None:
        """Leave the screen in order."""
        self._show(lambda display: display.close())

    def _show(self, show: Callable[[Display], None]) -> None:
        while self._shown is not None:
            try:
                show(self._shown)
            except Exception as error:  # noqa: BLE001 - a screen may break in any way; the run goes on
                self._replace(error)
            else:
                return

    def _replace(self, error: Exception) -> None:
        if self._shown is not None:
            with suppress(Exception):
                self._shown.close()
        self._next()
        message = f"The progress display broke ({type(error).__name__}: {error}). The run goes on."
        self._show(lambda display: display.event(Event("fit", message, self._elapsed, is_warning=True)))

    def _next(self) -> None:
        self._shown = None
        if not self._waiting:
            return
        try:
            self._shown = self._waiting.pop(0)()
        except Exception as error:  # noqa: BLE001 - a screen that cannot be opened is a broken one
            self._replace(error)
