"""A run whose driver is killed, and the one that goes on in its folder."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

import tabular_automl

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")

# The driver kills itself where it is told to, while its workers go on. It says who they are; they hold its
# stderr open, so that this is read to its end only when they are gone.
RUN = """
import os, signal, sys
import pandas as pd
import psutil
import tabular_automl

table, run_dir, out, moment = sys.argv[1:]

def die():
    print(*(child.pid for child in psutil.Process().children(recursive=True)), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

def heard(event):
    if moment == event.stage and not event.message.startswith("prior"):
        die()

def opened(event, arguments):
    if event == "open" and moment == "saving" and str(arguments[0]).endswith("manifest.json"):
        die()

sys.addaudithook(opened)
tabular_automl.fit(
    pd.read_csv(table), "y", families=["linear", "lightgbm"], splitter=3, max_candidates=3, n_jobs=2,
    run_dir=run_dir, progress=heard,
).save(out)
"""


def test_a_run_killed_again_and_again_goes_on_to_the_same_files(tmp_path):
    table, run_dir, out = tmp_path / "table.csv", tmp_path / "run", tmp_path / "model"
    make_table().to_csv(table, index=False)
    stored: dict[str, int] = {}
    for moment in ("fit", "weigh", "saving"):
        killed = run(table, run_dir, out, moment)
        assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
        assert len(killed.stdout.split()) >= 2
        _, left = psutil.wait_procs(alive(killed.stdout.split()), timeout=60)
        assert left == []
        assert not out.exists()
        # What a killed run had stored is not fitted again.
        before, stored = stored, stored_fits(run_dir)
        assert before.items() <= stored.items()
        assert len(stored) > len(before)
    resumed = run(table, run_dir, out, "")
    assert resumed.returncode == 0, resumed.stderr.decode()
    whole = tabular_automl.fit(
        pd.read_csv(table), "y", families=["linear", "lightgbm"], splitter=3, max_candidates=3, n_jobs=1
    )
    assert files(out) == files(whole.save(tmp_path / "whole"))


def run(table: Path, run_dir: Path, out: Path, moment: str) -> "subprocess.CompletedProcess[bytes]":
    arguments = [sys.executable, "-c", RUN, str(table), str(run_dir), str(out), moment]
    return subprocess.run(arguments, check=False, capture_output=True)  # noqa: S603 - our own code


def alive(process_ids: list[bytes]) -> list[psutil.Process]:
    found = [int(text) for text in process_ids if psutil.pid_exists(int(text))]
    return [psutil.Process(process_id) for process_id in found]


def files(model: Path) -> dict[str, bytes]:
    """All files of a saved model but its circumstances."""
    paths = (path for path in model.rglob("*") if path.is_file() and path.name != "circumstances.json")
    return {path.relative_to(model).as_posix(): path.read_bytes() for path in paths}


def make_table():
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(2, 160)).round(2)
    color = rng.choice(["red", "green", "blue"], 160)
    y = np.where(x + (color == "red") + 0.5 * rng.normal(size=160) > 0.3, "yes", "no")
    return pd.DataFrame({"x": x, "z": z, "color": color, "y": y})


def stored_fits(run_dir):
    """Complete fits of a run folder: key and time at which their curve was written."""
    connection = sqlite3.connect(run_dir / "run.sqlite")
    rows = connection.execute("SELECT key, folder FROM fold_fits WHERE complete = 1").fetchall()
    connection.close()
    return {key: (run_dir / folder).parent.joinpath("curve.npy").stat().st_mtime_ns for key, folder in rows}
