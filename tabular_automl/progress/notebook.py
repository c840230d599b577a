"""A cell's output in a notebook, updated in place."""

from collections import deque
from collections.abc import Sequence
from html import escape
from typing import Any, Self

from tabular_automl.core.progress import Event, Status
from tabular_automl.progress.wording import closing_line, event_line, facts, heading, may_be_stopped

SHOWN_EVENTS = 3
_HINT = "Interrupt ends it with the best so far"
_CELL = "text-align: left; vertical-align: top"


class Notebook:
    """Shows the status, the last events and all warnings as HTML; a closing line and the warnings stay.

    Colours and fonts are the notebook's own. Frontends that show no HTML get the same as text.

    Parameters
    ----------
    handle
        IPython's handle of the output.
    """

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self._events: deque[str] = deque(maxlen=SHOWN_EVENTS)
        self._warnings: list[str] = []
        self._status: Status | None = None
        self._shown = ""

    @classmethod
    def open(cls) -> Self:
        """Open an output in the running cell; to be called on the thread that runs it."""
        from IPython.display import display

        handle = display(  # type: ignore[no-untyped-call]
            _bundle("tabular_automl"), raw=True, display_id=True
        )
        return cls(handle)

    def event(self, event: Event) -> None:
        """Show an event with the next status."""
        (self._warnings if event.is_warning else self._events).append(event_line(event))

    def status(self, status: Status) -> None:
        """Bring the output up to date, if anything in it has changed."""
        self._status = status
        title = f"{heading(status)} ({_HINT})" if may_be_stopped(status) else heading(status)
        self._show(_bundle(f"tabular_automl: {title}", facts(status), [*self._warnings, *self._events]))

    def close(self) -> None:
        """Leave a closing line and the warnings."""
        if self._status is not None:
            self._show(_bundle(f"tabular_automl: {closing_line(self._status)}", lines=self._warnings))

    def _show(self, bundle: dict[str, str]) -> None:
        if bundle["text/html"] != self._shown:
            self._shown = bundle["text/html"]
            self._handle.update(bundle, raw=True)


def _bundle(title: str, rows: Sequence[tuple[str, str]] = (), lines: Sequence[str] = ()) -> dict[str, str]:
    """Return an output as HTML and as text; whatever comes from data is escaped."""
    cells = "".join(
        f'<tr><td style="{_CELL}">{escape(label)}</td><td style="{_CELL}">{escape(text)}</td></tr>'
        for label, text in rows
    )
    told = "".join(f"<div>{escape(line)}</div>" for line in lines)
    html = f"<div><div><b>{escape(title)}</b></div><table>{cells}</table>{told}</div>"
    text = "\n".join((title, *(f"  {label:<12}{text}" for label, text in rows), *lines))
    return {"text/html": html, "text/plain": text}
