"""Run folders on disks that are full, fill up, or cannot be written."""

import errno
import os
import shutil
import sqlite3
from contextlib import ExitStack

import numpy as np
import pytest
from odd_learners import candidate  # type: ignore[import-not-found]
from open_runtime import make_problem, open_runtime  # type: ignore[import-not-found]
from small_disk import (  # type: ignore[import-not-found]
    files_no_larger_than,
    fill,
    read_only,
    small_disk,
)

from tabular_automl.core.candidate import Candidate, Recipe
from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.core.errors import StoreError
from tabular_automl.core.progress import Event
from tabular_automl.crossfit import Request, RunHistory, RunStore, cross_fit, run_folder

LINEAR = Candidate("linear", (), Recipe("linear"))
WANTED = [LINEAR, candidate(rounds=3), candidate(rounds=4)]


def fit_all(run_dir, workers, after_first=lambda runtime: None):
    problem = make_problem()
    with open_runtime(problem, workers, run_dir=run_dir) as runtime:
        results = []
        for result in cross_fit(iter([Request(one, 4) for one in WANTED]), problem, runtime):
            results.append(result)
            if len(results) == 1:
                after_first(runtime)
        return results


def assert_same(one, two):
    assert [fit.candidate for fit in one] == [fit.candidate for fit in two]
    for fit, other in zip(one, two, strict=True):
        np.testing.assert_array_equal(fit.predictions, other.predictions)


def test_a_full_disk_is_told_before_time_is_spent(tmp_path, one_worker):
    with small_disk(tmp_path / "disk", 8) as disk, pytest.raises(StoreError, match=r"has \d+ MB free, but"):
        fit_all(disk / "run", one_worker)


def test_a_disk_without_a_byte_is_told_before_time_is_spent(tmp_path, one_worker, monkeypatch):
    monkeypatch.setattr(run_folder, "SPARE_BYTES", -(10**9))
    with small_disk(tmp_path / "disk", 1) as disk:
        fill(disk)
        with pytest.raises(StoreError, match=r"cannot be written.*Choose another run_dir"):
            fit_all(disk / "run", one_worker)


def test_a_disk_that_fills_up_costs_what_finds_no_room(tmp_path, one_worker, monkeypatch):
    monkeypatch.setattr(run_folder, "SPARE_BYTES", 0)
    expected = fit_all(tmp_path / "elsewhere", one_worker)
    with small_disk(tmp_path / "disk", 4) as disk:
        results = fit_all(disk / "run", one_worker, after_first=lambda runtime: fill(disk))
        # What was there before is as good as ever; the rest says what happened to it.
        first, *others = results
        assert_same([first], expected[:1])
        assert all(isinstance(other, Failure) for other in others)
        assert all(os.strerror(errno.ENOSPC) in other.reason for other in others)
        assert len(others) == len(WANTED) - 1

        # The folder is whole: it tells of this run, and a later one goes on from what it holds.
        told = RunHistory(disk / "run")
        assert told.runs()["state"].tolist() == ["finished"]
        assert told.candidates()["state"].tolist() == ["fitted", "failed", "failed"]
        assert told.failures()["traceback"].str.contains(os.strerror(errno.ENOSPC)).all()
        (warning,) = told.events().query("is_warning")["message"]
        assert f"The disk of {disk / 'run'} is full, so that fits are lost. Free some space" in warning
        (disk / "filler").unlink()
        assert_same(fit_all(disk / "run", one_worker), expected)
        made_by = told.folds().groupby("key")["run"].unique().map(list).to_dict()
        assert made_by == {LINEAR.key: [1], WANTED[1].key: [2], WANTED[2].key: [2]}


@pytest.mark.parametrize(
    ("run_dir", "way_out"), [("run", "again with the same run_dir, which goes on"), (None, "or set TMPDIR")]
)
def test_that_the_disk_is_full_is_said_once(tmp_path, one_worker, run_dir, way_out, monkeypatch):
    monkeypatch.setattr(run_folder, "FULL_BYTES", 10**18)
    reason = f"OSError: [Errno {errno.ENOSPC}] {os.strerror(errno.ENOSPC)}"
    problem = make_problem()
    with open_runtime(problem, one_worker, run_dir=run_dir and tmp_path / run_dir) as runtime:
        runtime.failed(Failure(LINEAR, 0, "ValueError: told to raise", 0.1))
        told = RunHistory(runtime.store.root)
        assert not told.events()["is_warning"].any()
        runtime.failed(Failure(LINEAR, 0, reason, 0.1))
        runtime.failed(Failure(LINEAR, None, "RuntimeError: cannot save", 0.1), reason, stage="weigh")
        (warning,) = told.events().query("is_warning")["message"]
    assert "is full, so that fits are lost. Free some space and start again" in warning
    assert f"The disk of {runtime.store.root} is" in warning
    assert way_out in warning


def test_a_disk_of_a_learners_own_is_not_taken_for_that_of_the_run_folder(tmp_path, one_worker, monkeypatch):
    monkeypatch.setattr(run_folder, "FULL_BYTES", 0)
    with open_runtime(make_problem(), one_worker, run_dir=tmp_path) as runtime:
        for name in ("a", "b"):
            reason = f"OSError: [Errno {errno.ENOSPC}] {os.strerror(errno.ENOSPC)}: '/dev/shm/{name}'"
            runtime.failed(Failure(LINEAR, 0, reason, 0.1), "its traceback")
        (warning,) = RunHistory(tmp_path).events().query("is_warning")["message"]
        assert warning.startswith("A disk is full, so that fits are lost (OSError")
        assert "'/dev/shm/a'). Free some space and start again" in warning
        runtime.failed(Failure(LINEAR, 0, "sqlite3.OperationalError: database or disk is full", 0.1))
        warnings = RunHistory(tmp_path).events().query("is_warning")["message"]
    assert f"The disk of {tmp_path} is full" in warnings.tolist()[-1]


def test_a_full_disk_costs_no_record(tmp_path, monkeypatch):
    """Also where nobody may mount a disk: a database that cannot grow is as good as a full one."""
    big = "x" * 10_000
    with RunStore.open(tmp_path) as store:
        store.put_event(Event("fit", "before", 0.5))
        with files_no_larger_than(1):
            for number in range(3):
                store.put_event(Event("fit", f"{number} {big}", 1.0 + number))
            assert RunHistory(tmp_path).events()["elapsed"].tolist() == [0.5]
        store.put_event(Event("fit", "after", 9.0))
        assert RunHistory(tmp_path).events()["elapsed"].tolist() == [0.5, 1.0, 2.0, 3.0, 9.0]
    assert run_folder_is_whole(tmp_path)


def test_a_run_whose_files_cannot_grow_keeps_what_it_has(tmp_path, one_worker):
    with ExitStack() as limits:
        shrink = files_no_larger_than(1)
        results = fit_all(tmp_path / "run", one_worker, lambda runtime: limits.enter_context(shrink))
    assert isinstance(results[0], CrossFit)
    assert all(isinstance(other, Failure) for other in results[1:])
    assert run_folder_is_whole(tmp_path / "run")
    assert_same(fit_all(tmp_path / "run", one_worker), fit_all(tmp_path / "other", one_worker))


def test_a_read_only_disk_is_refused(tmp_path, one_worker):
    with read_only(tmp_path), pytest.raises(StoreError, match=r"cannot be written.*Choose another run_dir"):
        fit_all(tmp_path / "run", one_worker)


def test_a_read_only_run_folder_can_be_looked_into(tmp_path, one_worker):
    fit_all(tmp_path / "run", one_worker)
    expected = RunHistory(tmp_path / "run").candidates()
    with read_only(tmp_path / "run"):
        told = RunHistory(tmp_path / "run")
        assert told.candidates().equals(expected)
        assert len(told.curves()) > 0


def test_what_a_killed_run_left_can_be_looked_into_where_nothing_can_be_written(tmp_path):
    store = RunStore.open(tmp_path / "run")
    store.put_event(Event("fit", "killed after this", 1.0))
    # What is on the disk while a run works is what is left when it is killed.
    shutil.copytree(tmp_path / "run", tmp_path / "left")
    store.close()
    assert (tmp_path / "left" / "run.sqlite-wal").stat().st_size > 0
    for name in ("run.sqlite-shm", "lock.sqlite", "run.lock"):
        (tmp_path / "left" / name).unlink(missing_ok=True)
    with read_only(tmp_path / "left"):
        assert RunHistory(tmp_path / "left").events()["message"].tolist() == ["killed after this"]
        assert sorted(path.name for path in (tmp_path / "left").iterdir()) == [
            "fits", "run.sqlite", "run.sqlite-wal", "scratch",
        ]  # fmt: skip


def run_folder_is_whole(root):
    connection = sqlite3.connect(root / "run.sqlite")
    (found,) = connection.execute("PRAGMA integrity_check").fetchone()
    connection.close()
    return found == "ok"
