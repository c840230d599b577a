"""A display that breaks costs the run nothing but that display."""

import io
import sys

import pytest

from tabular_automl.core.progress import Event, Status
from tabular_automl.progress import open_display
from tabular_automl.progress.guarded import Guarded
from tabular_automl.progress.lines import Lines


class Breaking:
    """Breaks when it is told to show a status."""

    def __init__(self) -> None:
        self.closed = False

    def event(self, event: Event) -> None:
        pass

    def status(self, status: Status) -> None:
        raise ValueError("I/O operation on closed file")

    def close(self) -> None:
        self.closed = True
        raise OSError("nobody is there")


class Kept:
    """Keeps the messages."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def event(self, event: Event) -> None:
        self.messages.append(event.message)

    def status(self, status: Status) -> None:
        self.messages.append(f"at {status.elapsed}")

    def close(self) -> None:
        self.messages.append("closed")


def test_the_next_display_says_so_and_goes_on() -> None:
    broken, kept = Breaking(), Kept()
    shown = Guarded([lambda: broken, lambda: kept])
    shown.event(Event("fit", "seen on the first", 1.0))
    shown.status(Status("fit", 2.0))
    shown.event(Event("fit", "seen on the second", 3.0))
    shown.close()
    assert broken.closed
    assert kept.messages == [
        "The progress display broke (ValueError: I/O operation on closed file). The run goes on.",
        "at 2.0",
        "seen on the second",
        "closed",
    ]


def test_one_that_cannot_be_opened_is_a_broken_one(capsys: pytest.CaptureFixture[str]) -> None:
    def closed() -> Lines:
        raise ImportError("there is no such screen")

    shown = Guarded([closed, Lines])
    shown.event(Event("fit", "a line", 1.0))
    first, second = capsys.readouterr().err.splitlines()
    assert "there is no such screen" in first
    assert second.endswith("a line")


def test_when_the_last_one_breaks_nothing_is_shown_and_nothing_raised() -> None:
    shown = Guarded([Breaking, Breaking])
    shown.status(Status("fit", 1.0))
    shown.event(Event("fit", "unseen", 1.0))
    shown.close()


def test_lines_to_a_closed_stream_go_to_the_logger(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with caplog.at_level("INFO", "tabular_automl"), open_display(True, lambda: Status("fit", 0.0)) as sink:
        sink(Event("fit", "written", 1.0))
        assert stream.getvalue() == "[   1.0 s] written\n"
        stream.close()
        sink(Event("fit", "100% logged", 2.0))
    assert caplog.messages[-1] == "100% logged"
    assert "closed file" in caplog.messages[0]
