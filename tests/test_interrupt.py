"""Ctrl-C as it really comes: to the whole foreground process group, through a terminal, from a notebook."""

import os
import queue
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
from jupyter_client.manager import KernelManager

import tabular_automl as ta
from tabular_automl.cli import main

posix_only = pytest.mark.skipif(os.name == "nt", reason="process groups and terminals as POSIX has them")
PATIENCE_SECONDS = 120
# Says "now" once the stage is reached and goes on when it is told to.
DRIVER = """
import sys
import numpy as np
import pandas as pd
import tabular_automl

table, out, run_dir, stage, count = sys.argv[1:]
said = False

def wait(found):
    global said
    if found == stage and not said:
        said = True
        print("now", flush=True)
        sys.stdin.readline()

def heard(event):
    wait("prior" if event.message.startswith("prior") else event.stage)

class Splitter:
    def split(self, X, y, groups=None):
        wait("reading")
        return [(np.arange(0, 40), np.arange(40, 80)), (np.arange(40, 80), np.arange(0, 40))]

try:
    model = tabular_automl.fit(
        pd.read_csv(table), "y", splitter=Splitter(), families=["lightgbm", "linear"], n_jobs=2,
        max_candidates=int(count), run_dir=run_dir, progress=heard,
    )
except KeyboardInterrupt:
    sys.exit(130)
model.save(out)
"""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(2, 80)).round(2)
    path = tmp_path_factory.mktemp("table") / "table.csv"
    pd.DataFrame({"x": x, "z": z, "y": np.where(x + 0.5 * rng.normal(size=80) > 0, "yes", "no")}).to_csv(
        path, index=False
    )
    return path


class Session:
    """A run in a session of its own, held at a stage."""

    def __init__(self, table: Path, folder: Path, stage: str, count: int = 4) -> None:
        self.out = folder / "model"
        arguments = [str(table), str(self.out), str(folder / "run"), stage, str(count)]
        self._driver = subprocess.Popen(
            [sys.executable, "-c", DRIVER, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )
        assert self._driver.stdout is not None
        self.held = self._driver.stdout.readline() == "now\n"
        self._children = psutil.Process(self._driver.pid).children(recursive=True) if self.held else []

    def ctrl_c(self) -> None:
        """Do what a terminal does."""
        os.killpg(self._driver.pid, signal.SIGINT)

    def go_on(self) -> int:
        """Let it go on, and return its exit code once all its processes are gone."""
        self._driver.communicate("\n", timeout=PATIENCE_SECONDS)
        _, alive = psutil.wait_procs(self._children, timeout=PATIENCE_SECONDS)
        assert alive == []
        return self._driver.returncode

    def workers(self) -> list[psutil.Process]:
        return self._children


@posix_only
@pytest.mark.parametrize("stage", ["prior", "fit", "weigh"])
def test_once_leaves_the_best_so_far(stage: str, table: Path, tmp_path: Path) -> None:
    session = Session(table, tmp_path, stage, count=3 if stage == "weigh" else 40)
    assert len(session.workers()) >= 2
    session.ctrl_c()
    assert session.go_on() == 0
    model = ta.load(session.out)
    assert model.run.settings["interrupted"]
    assert len(model.run.crossfits) < 40
    assert len(model.predict(pd.read_csv(table))) == 80


@posix_only
def test_twice_stops_at_once_and_the_run_can_go_on(table: Path, tmp_path: Path) -> None:
    session = Session(table, tmp_path, "fit", count=3)
    session.ctrl_c()
    time.sleep(0.3)  # two at the same moment would be one
    session.ctrl_c()
    assert session.go_on() == 130
    assert not session.out.exists()
    again = Session(table, tmp_path, "no such stage", count=3)
    assert again.go_on() == 0
    whole = Session(table, tmp_path / "whole", "no such stage", count=3)
    assert whole.go_on() == 0
    assert files(again.out) == files(whole.out)
    assert not ta.load(again.out).run.settings["interrupted"]


@posix_only
def test_while_data_is_read_once_is_enough(table: Path, tmp_path: Path) -> None:
    session = Session(table, tmp_path, "reading")
    session.ctrl_c()
    assert session.go_on() == 130
    assert not session.out.exists()


def files(model: Path) -> dict[str, bytes]:
    paths = (path for path in model.rglob("*") if path.is_file() and path.name != "circumstances.json")
    return {path.relative_to(model).as_posix(): path.read_bytes() for path in paths}


@posix_only
@pytest.mark.parametrize(("presses", "code"), [(1, 0), (2, 130)])
def test_the_command_line_in_a_terminal(presses: int, code: int, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    arguments = ["fit", str(table), "--target", "y", "--out", str(out), "--max-candidates", "400"]
    options = ["--families", "linear,lightgbm", "--n-jobs", "2"]
    process_id, terminal = os.forkpty()
    if process_id == 0:  # the child: replaced by the program at once
        os.execv(sys.executable, [sys.executable, "-m", "tabular_automl.cli", *arguments, *options])  # noqa: S606
    read_until(terminal, b"linear/default")
    children = psutil.Process(process_id).children(recursive=True)
    os.write(terminal, b"\x03")
    if presses == 2:  # two at the same moment would be one
        read_until(terminal, b"topping as asked")
        os.write(terminal, b"\x03")
    read_until(terminal, None)
    assert os.waitstatus_to_exitcode(os.waitpid(process_id, 0)[1]) == code
    _, alive = psutil.wait_procs(children, timeout=PATIENCE_SECONDS)
    assert alive == []
    assert out.exists() == (code == 0)
    if code == 0:
        assert ta.load(out).run.settings["interrupted"]


@pytest.mark.parametrize(("presses", "code"), [(1, 0), (2, 130)])
def test_one_while_a_model_is_being_saved_does_not_cost_it(
    presses: int, code: int, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = ta.Model.save

    def interrupted(model: ta.Model, path: Path, *, overwrite: bool = False) -> Path:
        for _ in range(presses):
            signal.raise_signal(signal.SIGINT)
        return save(model, path, overwrite=overwrite)

    monkeypatch.setattr(ta.Model, "save", interrupted)
    out = tmp_path / "model"
    arguments = ["fit", str(table), "--target", "y", "--out", str(out), "--max-candidates", "1"]
    assert main([*arguments, "--families", "linear", "--n-jobs", "1", "--quiet"]) == code
    assert out.exists() == (code == 0)


def read_until(terminal: int, text: bytes | None) -> None:
    """Read what a terminal shows until a text is there, or all of it."""
    seen, end = b"", time.monotonic() + PATIENCE_SECONDS
    while text is None or text not in seen:
        ready, _, _ = select.select([terminal], [], [], max(0.0, end - time.monotonic()))
        assert ready, f"nothing more for {PATIENCE_SECONDS} s after {seen.decode(errors='replace')}"
        try:
            new = os.read(terminal, 4096)
        except OSError:  # as Linux says that the other side is gone
            new = b""
        if not new:
            assert text is None, seen.decode(errors="replace")
            return
        seen += new


def test_outside_the_main_thread_a_fit_works(table: Path) -> None:
    models: queue.Queue[ta.Model] = queue.Queue()

    def run() -> None:
        models.put(
            ta.fit(pd.read_csv(table), "y", families=["linear"], max_candidates=1, n_jobs=2, progress=False)
        )

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(PATIENCE_SECONDS)
    assert len(models.get_nowait().run.crossfits) == 2


@posix_only
def test_where_ctrl_c_is_ignored_it_stays_ignored(table: Path, tmp_path: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell does for what runs in the background
    try:
        session = Session(table, tmp_path, "fit", count=2)
    finally:
        signal.signal(signal.SIGINT, before)
    session.ctrl_c()
    assert session.go_on() == 0
    assert not ta.load(session.out).run.settings["interrupted"]


CELL = """
import pandas as pd, psutil, tabular_automl as ta
from pathlib import Path
from time import sleep

def hold(event):
    if event.stage == "fit" and not event.message.startswith("prior") and not Path({go!r}).exists():
        print("now", flush=True)
        while not Path({go!r}).exists():
            sleep(0.05)

model = None
families = ["lightgbm", "linear"]
frame = pd.read_csv({table!r})
model = ta.fit(frame, "y", families=families, max_candidates={count}, n_jobs=2, progress=hold)
"""
AFTERWARDS = """
workers = [one for one in psutil.Process().children() if any("popen_loky" in part for part in one.cmdline())]
print(model and (model.run.settings["interrupted"], len(model.run.crossfits) < 40), workers)
"""


@pytest.fixture
def kernel() -> Iterator[KernelManager]:
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel()
    yield manager
    manager.shutdown_kernel(now=True)


@posix_only
def test_a_notebooks_stop_button(kernel: KernelManager, table: Path, tmp_path: Path) -> None:
    notebook = Notebook(kernel, tmp_path / "go")
    cell = CELL.format(go=str(notebook.go), table=str(table), count=40)
    assert notebook.run(cell, presses=1)["status"] == "ok"
    assert notebook.printed(AFTERWARDS) == "(True, True) []"
    notebook.go.unlink()
    assert notebook.run(cell, presses=2)["ename"] == "KeyboardInterrupt"
    assert notebook.printed(AFTERWARDS) == "None []"
    notebook.go.touch()
    assert notebook.run(cell.replace("=40", "=1"), presses=0)["status"] == "ok"
    assert notebook.printed(AFTERWARDS) == "(False, True) []"


class Notebook:
    """A kernel with a stop button, which is pressed when a cell says "now"; then the cell may go on."""

    def __init__(self, kernel: KernelManager, go: Path) -> None:
        self.go = go
        self._kernel = kernel
        self._client = kernel.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=PATIENCE_SECONDS)

    def run(self, code: str, presses: int) -> dict[str, Any]:
        def heard(message: dict[str, Any]) -> None:
            if "now" in message["content"].get("text", ""):
                for _ in range(presses):
                    self._kernel.interrupt_kernel()
                    time.sleep(0.3)
                self.go.touch()

        reply = self._client.execute_interactive(code, output_hook=heard, timeout=PATIENCE_SECONDS)
        return dict(reply["content"])

    def printed(self, code: str) -> str:
        texts: list[str] = []
        self._client.execute_interactive(
            code,
            output_hook=lambda message: texts.append(message["content"].get("text", "")),
            timeout=PATIENCE_SECONDS,
        )
        return "".join(texts).strip()
