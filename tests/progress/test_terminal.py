"""What a person sees in a terminal, by runs in a real pseudo-terminal."""

import io
import re
import sys

import pytest

if sys.platform == "win32":
    pytest.skip("needs a pseudo-terminal, which Windows has no standard module for", allow_module_level=True)

from in_terminal import HIDE_CURSOR, SHOW_CURSOR, InTerminal, screen  # type: ignore[import-not-found]

from tabular_automl.core.progress import Event, Status
from tabular_automl.progress.terminal import Terminal

# A constant column gives a warning; the name of the decisive one would be red, were it taken for markup.
FIT = """
import numpy as np, pandas as pd, tabular_automl as ta
from tabular_automl.testing import FAKE_FAMILY
if __name__ == "__main__":
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(60, 2)), columns=["[red]x[/red]", "z"]).assign(same=1)
    noisy = frame["[red]x[/red]"] + rng.normal(size=60)
    frame["y"] = (noisy > 0).map({True: "[b]yes[/b]", False: "no\\x1b[2J"})
    stalls = (FAKE_FAMILY, {"behaviour": "stall", "stall_seconds": STALL})
    ta.fit(
        frame, "y", candidates=[stalls], families=["linear"], max_candidates=2, n_jobs=2, time_limit=300,
        splitter=2,
    )
    print("after the fit")
"""


def fit(stall: float) -> str:
    return FIT.replace("STALL", str(stall))


def test_a_run_is_shown_while_it_works_and_leaves_the_terminal_in_order() -> None:
    with InTerminal(fit(stall=1.5)) as terminal:
        written = terminal.read_all()
        assert terminal.process.returncode == 0
    assert re.search(r"[34]:\d\d left of 5:00", written)
    assert re.search(r"2 done, 0 of 2 left", written)
    assert re.search(r"best so far.+roc_auc [01]\.\d+ on the rows that chose it \(\S+/[\w ]+\)", written)
    assert re.search(r"\d+% closer to perfect than one rule \(\[red\]x\[/red\]\)", written)
    assert re.search(r"2 fits: \S+FakeLearner/user 1 fold 0 \(\d+ s\), ", written)
    assert "Ctrl-C" in written
    assert written.rfind(SHOW_CURSOR) > written.rfind(HIDE_CURSOR)

    left = screen(written)
    assert [line for line in left if "left of" in line or "Ctrl-C" in line] == []
    assert any("same" in line and "warning:" in line for line in left)
    *_, closing, after = "\n".join(left).rpartition("after the fit")[0].partition("Done in ")
    assert closing
    assert "2 candidates; expected on new rows: roc_auc" in after
    assert "expected on new rows: roc_auc" in after


def test_ctrl_c_is_answered_and_leaves_the_terminal_in_order() -> None:
    with InTerminal(fit(stall=100.0)) as terminal:
        terminal.read_until(lambda written: "FakeLearner" in written)
        terminal.press_ctrl_c()
        written = terminal.read_all()
        assert terminal.process.returncode == 0
    assert "stopping as asked" in written
    assert written.rfind(SHOW_CURSOR) > written.rfind(HIDE_CURSOR)
    left = screen(written)
    assert any(line.startswith("Done in ") for line in left)
    assert left[-1] == "after the fit"


def test_a_killed_run_leaves_the_cursor_visible() -> None:
    with InTerminal(fit(stall=100.0)) as terminal:
        terminal.read_until(lambda written: "left of" in written)
        terminal.process.kill()
        written = terminal.read_all()
    assert written.rfind(SHOW_CURSOR) > written.rfind(HIDE_CURSOR)


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"NO_COLOR": "1"}], ids=["dumb", "no colour"])
def test_a_terminal_that_cannot_or_should_not_gets_lines(environment: dict[str, str]) -> None:
    code = """
from tabular_automl.core.progress import Event, Status
from tabular_automl.progress import open_display, watched_live
with open_display(None, lambda: Status("fit", 1.0)) as sink:
    sink(Event("fit", "a line\\x1b[2J", 1.0))
print(watched_live())
"""
    with InTerminal(code, **environment) as terminal:
        assert terminal.read_all().split("\r\n") == ["[   1.0 s] a line\\x1b[2J", "False", ""]


def test_what_other_code_writes_stands_above() -> None:
    code = """
import sys, time
from tabular_automl.core.progress import Event, Status
from tabular_automl.progress import open_display
with open_display(True, lambda: Status("fit", time.monotonic())) as sink:
    time.sleep(0.6)
    print("to stdout")
    print("to stderr", file=sys.stderr)
    time.sleep(0.6)
"""
    with InTerminal(code) as terminal:
        written = terminal.read_all()
    left = screen(written)
    assert left[:2] == ["to stdout", "to stderr"]
    assert left[2].startswith("Ended early, after")
    assert len(left) == 3


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("rows", [3, 4, 5])
def test_few_rows_are_left_as_they_were(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setenv("LINES", str(rows))
    stream = io.StringIO()
    terminal = Terminal(stream)
    for number in range(3):
        terminal.event(Event("fit", f"event {number}", 1.0))
    terminal.status(Status("fit", 1.0))
    shown = stream.getvalue()
    terminal.close()
    assert shown.count("\n") < rows
    # What is written last is above all the closing line: there is no more to erase than there is room.
    assert stream.getvalue()[len(shown) :].count("\n") <= 2


@pytest.mark.parametrize("stdout", [None, closed()], ids=["none", "closed"])
def test_a_run_is_shown_without_a_stdout(monkeypatch: pytest.MonkeyPatch, stdout: io.StringIO | None) -> None:
    monkeypatch.setattr(sys, "stdout", stdout)
    stream = io.StringIO()
    terminal = Terminal(stream)
    terminal.status(Status("fit", 1.0))
    terminal.close()
    assert "tabular_automl" in stream.getvalue()


def test_a_terminal_that_is_gone_does_not_end_the_run() -> None:
    """The run goes on with lines, which have nowhere to go either, and then with the logger."""
    code = """
import logging, os, sys, time
from tabular_automl.core.progress import Event, Status
from tabular_automl.progress import open_display
logging.basicConfig(filename=sys.argv[1] if len(sys.argv) > 1 else os.environ["LOG"])
with open_display(True, lambda: Status("fit", time.monotonic())) as sink:
    time.sleep(0.6)
    os.close(2)
    for number in range(8):
        sink(Event("fit", f"event {number}", 1.0, is_warning=True))
        time.sleep(0.2)
os._exit(7)
"""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with InTerminal(code, LOG=str(log)) as terminal:
            terminal.read_all()
            assert terminal.process.returncode == 7
        logged = log.read_text()
    assert "The progress display broke (OSError" in logged
    assert logged.count("event 7") == 1
