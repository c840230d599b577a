"""The locks that keep a second run out of a folder."""

import multiprocessing
import shutil
import subprocess
import sys
import time

import pytest

from tabular_automl.core.errors import StoreError
from tabular_automl.crossfit import folder_lock
from tabular_automl.crossfit.folder_lock import GUARD, LOCK, is_held, lock_folder

fcntl = pytest.importorskip("fcntl", reason="this system has no such locks")
ANOTHER_PROCESS = """
import sys
from pathlib import Path
from tabular_automl.core.errors import StoreError
from tabular_automl.crossfit.folder_lock import is_held, lock_folder
print(is_held(Path(sys.argv[1])))
try:
    lock_folder(Path(sys.argv[1])).close()
    print("taken")
except StoreError as error:
    print(error)
"""


def in_another_process(root):
    """What another process finds: whether the folder is held, and what comes of taking it."""
    command = [sys.executable, "-c", ANOTHER_PROCESS, str(root)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()  # noqa: S603


def test_a_copy_of_the_folder_made_by_the_run_itself_lets_nobody_in(tmp_path):
    root = tmp_path / "run"
    root.mkdir()
    with lock_folder(root):
        shutil.copytree(root, tmp_path / "backup")
        held, said = in_another_process(root)
        assert held == "True"
        assert "is in use by another run. Wait for it to end" in said
        assert not is_held(tmp_path / "backup")
        with lock_folder(tmp_path / "backup"):
            pass
    assert in_another_process(root) == ["False", "taken"]


@pytest.mark.parametrize("name", [LOCK, GUARD])
def test_either_lock_is_enough(tmp_path, name, monkeypatch):
    monkeypatch.setattr(folder_lock, "PROBE_SECONDS", 0.0)
    other = tmp_path / "other"
    other.mkdir()
    with lock_folder(tmp_path):
        (other / name).hardlink_to(tmp_path / name)
        assert is_held(other)
        with pytest.raises(StoreError, match="in use by another run"):
            lock_folder(other)
    assert not is_held(other)
    lock_folder(other).close()


def test_where_such_locks_do_not_exist_sqlite_keeps_others_out(tmp_path, monkeypatch):
    def flock(descriptor, operation):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", flock)
    with lock_folder(tmp_path):
        assert is_held(tmp_path)
        with pytest.raises(StoreError, match="in use by another run"):
            lock_folder(tmp_path)
    assert not is_held(tmp_path)


def test_a_look_at_the_lock_does_not_keep_a_run_from_starting(tmp_path):
    lock_folder(tmp_path).close()
    with (tmp_path / GUARD).open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        looks = iter([lambda: None, looking.close])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(time, "sleep", lambda seconds: next(looks)())
            lock_folder(tmp_path).close()


def test_a_process_that_was_forked_meanwhile_does_not_keep_the_folder(tmp_path):
    context = multiprocessing.get_context("fork")
    lock, go_on = lock_folder(tmp_path), context.Event()
    child = context.Process(target=go_on.wait)
    child.start()
    lock.close()
    try:
        assert not is_held(tmp_path)
    finally:
        go_on.set()
        child.join()


def test_a_lock_that_cannot_be_taken_is_named(tmp_path):
    root = tmp_path / "blocked_cv"
    (root / GUARD).mkdir(parents=True)
    with pytest.raises(StoreError, match=r"cannot be locked: .*Choose another run_dir"):
        lock_folder(root)
    assert not is_held(root)
