"""The copy of the studies for optuna-dashboard: opened by the real one, lost without harm."""

import json
import logging
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import optuna
import pytest

from tabular_automl.core.candidate import Candidate, Origin
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.search import Search
from tabular_automl.core.task import TaskKind
from tabular_automl.search.family_space import FamilySpace
from tabular_automl.search.study import FamilyStudy
from tabular_automl.search.study_mirror import FILE_NAME, StudyMirror

SHAPE = ProblemShape(TaskKind.BINARY, 5_000, 10, 4, 1)
LOSSES = dict.fromkeys(range(8), 1.0)
# Far beyond what anything here takes, so that a test that hangs ends.
PATIENCE = 120.0


def default(family: str) -> Candidate:
    space = FamilySpace.of(family, SHAPE, Search())
    return space.candidate(space.drawn({}), Origin.DEFAULT, label="default")


def run(mirror: StudyMirror, family: str = "lightgbm", n_asked: int = 3) -> FamilyStudy:
    """A small run: what is known, one that is left, one that failed, and others that finished."""
    study = FamilyStudy(family, SHAPE, Search(sampler="random"), 0, mirror=mirror)
    study.know(default(family), LOSSES, seconds=2.5)
    for number in range(n_asked):
        candidate = study.ask()
        assert candidate is not None
        if number == 0:
            study.report(candidate, {0: 3.0, 1: 3.0, 2: 3.0})
            study.prune(candidate)
        elif number == 1:
            study.fail(candidate)
        else:
            study.finish(candidate, dict.fromkeys(range(8), 0.9))
    return study


@contextmanager
def dashboard(folder: Path) -> Iterator[str]:
    """The address of a dashboard that was started as the documentation says."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(sys.executable).parent / "optuna-dashboard"
    storage = f"sqlite:///{folder / FILE_NAME}"
    command = [str(program), storage, "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:  # noqa: S603
        try:
            wait_until(lambda: answers(port, server))
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def answers(port: int, server: "subprocess.Popen[bytes]") -> bool:
    assert server.poll() is None, "it ended"
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def n_written(folder: Path) -> int:
    """How many trials are in the file."""
    if not (folder / FILE_NAME).exists():
        return 0
    with closing(sqlite3.connect(folder / FILE_NAME)) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM trials").fetchone()[0])
        except sqlite3.Error:  # its tables are being made, or it is being written
            return 0


def answer(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=PATIENCE) as response:  # noqa: S310 - our own server
        return json.load(response)


def test_the_dashboard_shows_studies_and_trials_also_while_the_run_goes_on(tmp_path: Path) -> None:
    pytest.importorskip("optuna_dashboard", reason="optuna-dashboard is not installed")
    warnings: list[str] = []
    with StudyMirror(tmp_path, warnings.append) as mirror:
        run(mirror)
        wait_until(lambda: n_written(tmp_path) == 4)
        with dashboard(tmp_path) as address:
            (study,) = answer(f"{address}/api/studies")["study_summaries"]
            shown = answer(f"{address}/api/studies/{study['study_id']}?after=0")["trials"]
            run(mirror, "linear", n_asked=1)
            wait_until(lambda: n_written(tmp_path) == 6)
            studies = answer(f"{address}/api/studies")["study_summaries"]
    assert [study["study_name"] for study in studies] == ["lightgbm", "linear"]
    assert {tuple(study["directions"]) for study in studies} == {("minimize",)}
    assert [trial["state"] for trial in shown] == ["Complete", "Pruned", "Fail", "Complete"]
    assert [trial.get("values") for trial in shown] == [[1.0], [3.0], None, [0.9]]
    assert shown[1]["intermediate_values"] == [{"step": fold, "value": 3.0} for fold in range(3)]
    attributes = {entry["key"]: entry["value"] for entry in shown[0]["user_attrs"]}
    wanted = default("lightgbm")
    assert attributes == {"candidate": wanted.name, "key": wanted.key, "seconds": "2.5"}
    shown_params = {entry["name"]: entry["param_external_value"] for entry in shown[0]["params"]}
    assert shown_params == {name: str(value) for name, value in wanted.params}
    assert warnings == []


def stored(folder: Path, family: str = "lightgbm") -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name=family, storage=f"sqlite:///{folder / FILE_NAME}").get_trials()


def test_the_copy_is_what_the_study_was_told(tmp_path: Path) -> None:
    with StudyMirror(tmp_path, pytest.fail) as mirror:
        study = run(mirror, n_asked=5)
    for copy, trial in zip(stored(tmp_path), study._study.get_trials(), strict=True):
        for name in ("state", "value", "params", "distributions", "intermediate_values", "user_attrs"):
            assert getattr(copy, name) == getattr(trial, name), name
    first = stored(tmp_path)[0]
    assert first.duration is not None
    assert first.duration.total_seconds() == pytest.approx(2.5)


@pytest.mark.parametrize("name", ["a?timeout=x", "a#b%41{c}", "größe 日本"])
def test_every_name_of_a_folder_will_do(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with StudyMirror(tmp_path / name, pytest.fail) as mirror:
        run(mirror)
    assert n_written(tmp_path / name) == 4


def test_every_run_begins_anew(tmp_path: Path) -> None:
    for _ in range(2):
        with StudyMirror(tmp_path, pytest.fail) as mirror:
            run(mirror)
        assert len(stored(tmp_path)) == 4


def test_what_was_no_database_is_replaced(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("torn", encoding="ascii")
    with StudyMirror(tmp_path, pytest.fail) as mirror:
        run(mirror)
    assert len(stored(tmp_path)) == 4


@pytest.mark.parametrize("limit", [4_096, 100_000], ids=["at the start", "later"])
def test_a_full_disk_is_one_warning_and_the_run_goes_on(tmp_path: Path, limit: int) -> None:
    """Files that may not grow: SQLite meets the same errors as on a full disk."""
    resource = pytest.importorskip("resource", reason="this system cannot limit how files grow")
    warnings: list[str] = []
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with StudyMirror(tmp_path, warnings.append) as mirror:
            for _ in range(8):
                run(mirror, n_asked=3)
            study = run(mirror, n_asked=3)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert len(study._study.get_trials()) == 4
    (warning,) = warnings
    assert str(tmp_path / FILE_NAME) in warning
    assert "optuna-dashboard will not show all of this run. Nothing else depends on it." in warning


def test_a_folder_in_its_place_is_one_warning(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    warnings: list[str] = []
    with StudyMirror(tmp_path, warnings.append) as mirror:
        run(mirror)
        run(mirror)
    assert len(warnings) == 1


def test_nothing_is_loaded_before_there_is_something_to_write(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "import test_study_mirror as module\n"
        "mirror = module.StudyMirror(Path(sys.argv[2]), print)\n"
        "study = module.FamilyStudy('linear', module.SHAPE, module.Search(), 0)\n"
        "study.know(module.default('linear'), module.LOSSES); study.ask(); mirror.close()\n"
        "print([name for name in ('sqlalchemy', 'alembic') if name in sys.modules])\n"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own code
    assert done.stdout == "[]\n"
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_killed_leaves_a_whole_file(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "import test_study_mirror as module\n"
        "mirror = module.StudyMirror(Path(sys.argv[2]), print)\n"
        "while True:\n    module.run(mirror)\n"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path)]
    with subprocess.Popen(command) as child:  # noqa: S603 - our own code
        wait_until(lambda: n_written(tmp_path) > 5 or child.poll() is not None)
        child.kill()
    assert len(stored(tmp_path)) > 5
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_the_rest_of_the_process_is_left_alone(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def world() -> list[object]:
        names = ("", "optuna", "alembic", "sqlalchemy", "tabular_automl")
        loggers = [logging.getLogger(name) for name in names]
        return [(one.level, one.disabled, list(one.handlers)) for one in loggers]

    before, n_threads = world(), threading.active_count()
    with StudyMirror(tmp_path, pytest.fail) as mirror:
        run(mirror)
    assert world() == before
    assert threading.active_count() == n_threads
    assert capfd.readouterr().err == ""
