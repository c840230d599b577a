"""Where a run is shown."""

import subprocess
import sys
import threading

import pytest

from tabular_automl.core.progress import Event, Status
from tabular_automl.progress import open_display, watched_live

WARNING = Event("ingest", "warning: look here", 0.5, is_warning=True)
NEWS = Event("fit", "news", 1.0)


def status() -> Status:
    raise AssertionError("only a live display asks for the status")


def test_a_callable_receives_each_event() -> None:
    seen: list[Event] = []
    with open_display(seen.append, status) as sink:
        sink(WARNING)
        sink(NEWS)
    assert seen == [WARNING, NEWS]


def test_what_a_callable_raises_ends_the_run() -> None:
    def refuse(event: Event) -> None:
        raise KeyError(event.message)

    with pytest.raises(KeyError, match="news"), open_display(refuse, status) as sink:
        sink(NEWS)


def test_true_writes_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with open_display(True, status) as sink:
        sink(WARNING)
        sink(NEWS)
    captured = capsys.readouterr()
    assert captured.err == "[   0.5 s] warning: look here\n[   1.0 s] news\n"
    assert captured.out == ""


def test_false_is_silent(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"), open_display(False, status) as sink:
        sink(WARNING)
    assert capsys.readouterr() == ("", "")
    assert caplog.messages == []


def test_none_logs_where_nobody_watches(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert not watched_live()
    with caplog.at_level("INFO", "tabular_automl"), open_display(None, status) as sink:
        sink(WARNING)
        sink(NEWS)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "warning: look here"),
        ("INFO", "news"),
    ]
    assert capsys.readouterr().out == ""


def test_without_a_stderr_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in programs without a console, where Python sets it to None."""
    monkeypatch.setattr(sys, "stderr", None)
    for progress in (True, None):
        with open_display(progress, status) as sink:
            sink(NEWS)


class WritesAlone:
    """What is put in place of stderr to catch it, such as a writer into a logger."""

    def __init__(self) -> None:
        self.written = ""

    def write(self, text: str) -> None:
        self.written += text

    def flush(self) -> None:
        pass


def test_a_stderr_that_can_only_write_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = WritesAlone()
    monkeypatch.setattr(sys, "stderr", stream)
    assert not watched_live()
    for progress in (None, True):
        with open_display(progress, status) as sink:
            sink(NEWS)
    assert stream.written == "[   1.0 s] news\n"


def test_a_watched_terminal_is_for_the_main_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    found = [watched_live()]
    thread = threading.Thread(target=lambda: found.append(watched_live()))
    thread.start()
    thread.join()
    assert found == [True, False]


def test_what_is_not_shown_live_loads_no_rich() -> None:
    code = """
import sys
from tabular_automl.core.progress import Event, Status
from tabular_automl.progress import open_display
for progress in (True, False, None, print):
    with open_display(progress, lambda: Status("fit", 0.0)) as sink:
        sink(Event("fit", "news", 0.0))
print("rich" in sys.modules, "IPython" in sys.modules)
"""
    done = subprocess.run(  # noqa: S603 - this interpreter, on the code above
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "False False"
