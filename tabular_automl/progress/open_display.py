"""Decides where a run is shown."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tabular_automl.core.progress import Display, Event, EventSink, Status
from tabular_automl.progress.guarded import Guarded
from tabular_automl.progress.is_terminal import is_terminal
from tabular_automl.progress.lines import Lines, Logged
from tabular_automl.progress.live import Live


@contextmanager
def open_display(progress: "bool | EventSink | None", status: Callable[[], Status]) -> Iterator[EventSink]:
    """Show a run while the ``with`` lasts, and give what takes its events.

    Parameters
    ----------
    progress
        True: a live display in a terminal or a notebook, elsewhere lines on stderr. False: nothing. A
        callable receives each `Event`, and what it raises ends the run. None: as True where a person is
        watching (a terminal, a notebook), else events go to the logger ``tabular_automl``, from where Python
        shows warnings unless told otherwise.
    status
        Returns how far the run is; called from another thread, and only for a live display.
    """
    screen = None if callable(progress) or progress is False else _screen()
    if callable(progress):
        yield progress
    elif progress is False:
        yield _drop
    elif screen is not None:
        with Live(Guarded((screen, Lines, Logged)), status) as live:
            yield live.event
    elif progress or is_terminal(sys.stderr):
        yield Guarded((Lines, Logged)).event
    else:
        yield Guarded((Logged,)).event


def watched_live() -> bool:
    """Return whether there is a terminal or a notebook that can show a live display."""
    return _screen() is not None


def _screen() -> Callable[[], Display] | None:
    """Return what makes a live display; None where there is no place for one."""
    if _in_notebook():
        return _open_notebook
    # Two displays in one terminal would write over each other, as fits in several threads might.
    if (
        threading.current_thread() is threading.main_thread()
        and is_terminal(sys.stderr)
        and _terminal_obeys()
    ):
        return _open_terminal
    return None


def _in_notebook() -> bool:
    # In IPython's terminal there is a shell without a kernel.
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


def _terminal_obeys() -> bool:
    """Return whether the terminal understands cursor movements, and a person wants them."""
    unknown = "" if os.name == "nt" else "dumb"
    return (os.environ.get("TERM") or unknown) not in {"dumb", "unknown"} and not os.environ.get("NO_COLOR")


def _open_terminal() -> Display:
    from tabular_automl.progress.terminal import Terminal

    return Terminal(sys.stderr)


def _open_notebook() -> Display:
    from tabular_automl.progress.notebook import Notebook

    return Notebook.open()


def _drop(event: Event) -> None:
    del event
