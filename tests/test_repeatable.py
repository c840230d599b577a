"""A run bounded by counts: one seed gives the same files, whatever the machine does meanwhile."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tabular_automl as ta

FIT = """
import os, signal, sys
import pandas as pd
import tabular_automl

table, families, n_jobs, out, run_dir, deadly = sys.argv[1:]

def kill(event):
    if deadly and event.message.startswith(deadly):
        os.kill(os.getpid(), signal.SIGKILL)

tabular_automl.fit(
    pd.read_csv(table), "y", families=families.split(), max_candidates=3, splitter=2, n_jobs=int(n_jobs),
    run_dir=run_dir or None, progress=kill
).save(out)
"""
# Each family once.
FAMILIES = {"binary": "lightgbm catboost linear", "regression": "xgboost extra_trees random_forest"}
CIRCUMSTANCES = "circumstances.json"


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("tables")
    n_rows = 60
    numbers = {name: rng.normal(size=n_rows).round(2) for name in ("a", "b", "c")}
    color = rng.choice(["red", "green", "blue"], n_rows)
    signal = numbers["a"] + (color == "red") + 0.5 * rng.normal(size=n_rows)
    targets = {"binary": np.where(signal > 0.3, "yes", "no"), "regression": signal}
    for kind, y in targets.items():
        frame = pd.DataFrame({**numbers, "color": color, "y": y})
        frame.loc[::9, "b"] = np.nan
        frame.to_csv(folder / f"{kind}.csv", index=False)
    return {kind: folder / f"{kind}.csv" for kind in targets}


@pytest.fixture(scope="module")
def expected(
    tables: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, bytes]]:
    """What one worker in this process makes of each table."""
    folder = tmp_path_factory.mktemp("expected")
    found = {}
    for kind, table in tables.items():
        families = FAMILIES[kind].split()
        frame = pd.read_csv(table)
        model = ta.fit(frame, "y", families=families, max_candidates=3, splitter=2, n_jobs=1, progress=False)
        assert {fit.candidate.family for fit in model.run.crossfits} >= set(families)
        found[kind] = files(model.save(folder / kind))
    return found


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_two_workers_on_a_busy_machine(
    kind: str, tables: dict[str, Path], expected: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    with busy_machine():
        assert fit(tables[kind], tmp_path / "model", n_jobs=2) == 0
    assert_same_files(tmp_path / "model", expected[kind])


def test_more_workers_than_cores_other_threads_and_other_hashes(
    tables: dict[str, Path],
    expected: dict[str, dict[str, bytes]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert fit(tables["regression"], tmp_path / "model", n_jobs=4) == 0
    assert_same_files(tmp_path / "model", expected["regression"])


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_run_that_was_killed_and_went_on(
    tables: dict[str, Path], expected: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    model, run_dir = tmp_path / "model", tmp_path / "run"
    assert fit(tables["binary"], model, n_jobs=2, run_dir=run_dir, deadly="catboost") == -signal.SIGKILL
    assert not model.exists()
    assert fit(tables["binary"], model, n_jobs=4, run_dir=run_dir) == 0
    assert_same_files(model, expected["binary"])


def fit(table: Path, out: Path, *, n_jobs: int, run_dir: Path | str = "", deadly: str = "") -> int:
    """Fit and save in a process of its own, and return its exit code.

    It kills itself when it hears of a result of the ``deadly`` family.
    """
    settings = [str(table), FAMILIES[table.stem], str(n_jobs), str(out), str(run_dir), deadly]
    done = subprocess.run([sys.executable, "-c", FIT, *settings], check=False, stderr=subprocess.PIPE)
    assert deadly or done.returncode == 0, done.stderr.decode()
    return done.returncode


def files(model: Path) -> dict[str, bytes]:
    """All files of a saved model but the one that may differ."""
    paths = (path for path in model.rglob("*") if path.is_file())
    found = {path.relative_to(model).as_posix(): path.read_bytes() for path in paths}
    assert found.pop(CIRCUMSTANCES)
    return found


def assert_same_files(model: Path, expected: dict[str, bytes]) -> None:
    found = files(model)
    assert found.keys() == expected.keys()
    assert [name for name, content in found.items() if content != expected[name]] == []


@contextmanager
def busy_machine() -> Iterator[None]:
    """Keep three more processes busy."""
    spin = "import os\nwhile os.getppid() == int(os.environ['SPUN_BY']): sum(range(10_000))"
    variables = {**os.environ, "SPUN_BY": str(os.getpid())}
    spinning = [subprocess.Popen([sys.executable, "-c", spin], env=variables) for _ in range(3)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()
