import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import pytest
from odd_learners import candidate  # type: ignore[import-not-found]
from open_runtime import make_problem, open_runtime  # type: ignore[import-not-found]

from tabular_automl.core.candidate import Candidate, Recipe
from tabular_automl.core.crossfit import FoldFit
from tabular_automl.core.errors import StoreError
from tabular_automl.core.progress import Event
from tabular_automl.crossfit import Request, RunStore, cross_fit, given_up_key, run_folder
from tabular_automl.crossfit import store as store_module
from tabular_automl.crossfit.folder_lock import is_held
from tabular_automl.crossfit.model_files import model_digest
from tabular_automl.testing import FAKE_FAMILY


def stored_fit(store, key="k" * 64, *, complete=True, given_up=False):
    folder = store.fits / (key if complete else f"{key}.partial-1") / "model"
    folder.mkdir(parents=True)
    curve = np.array([3.0, 2.0])
    np.save(folder.parent / "curve.npy", curve)
    (folder / "state.json").write_text("{}")
    fit = FoldFit(key, 0, folder, curve, 1.5, 80.0, complete, given_up)
    store.put(fit, candidate())
    return fit


def found_in(store, key, bar=None):
    """The fit that is there."""
    found = store.lookup(key, bar)
    assert found is not None
    return found


def test_a_complete_fit_is_found_again_by_a_later_run(tmp_path):
    with RunStore.open(tmp_path / "run") as store:
        fit = stored_fit(store)
    with RunStore.open(tmp_path / "run") as store:
        found = store.lookup(fit.key)
    assert found is not None
    assert (found.seconds, found.memory_mb, found.folder, found.complete) == (1.5, 80.0, fit.folder, True)
    np.testing.assert_array_equal(found.curve, fit.curve)


def test_a_partial_fit_answers_no_lookup_and_is_gone_in_the_next_run(tmp_path):
    with RunStore.open(tmp_path) as store:
        fit = stored_fit(store, complete=False)
        assert store.lookup(fit.key) is None
        assert fit.folder.exists()
    with RunStore.open(tmp_path) as store:
        assert store.lookup(fit.key) is None
        assert not fit.folder.exists()


def test_files_without_a_row_are_removed(tmp_path):
    with RunStore.open(tmp_path) as store:
        (store.fits / "orphan").mkdir()
        (store.scratch / "half").mkdir()
    with RunStore.open(tmp_path) as store:
        assert list(store.fits.iterdir()) == []
        assert list(store.scratch.iterdir()) == []


def test_a_row_without_files_answers_no_lookup(tmp_path):
    with RunStore.open(tmp_path) as store:
        fit = stored_fit(store)
        shutil.rmtree(fit.folder.parent)
        assert store.lookup(fit.key) is None


HARMS = [
    "no model folder", "empty model folder", "short model", "other model", "short curve", "strange curve",
]  # fmt: skip


@pytest.mark.parametrize("harm", HARMS)
def test_a_fit_whose_files_came_to_harm_answers_no_lookup(tmp_path, harm):
    with RunStore.open(tmp_path) as store:
        fit = stored_fit(store)
        assert store.lookup(fit.key) is not None
    with RunStore.open(tmp_path) as store:
        curve = fit.folder.parent / "curve.npy"
        if "model folder" in harm:
            shutil.rmtree(fit.folder)
        if harm == "empty model folder":
            fit.folder.mkdir()
        if harm == "short model":
            (fit.folder / "state.json").write_text("{")
        if harm == "other model":
            (fit.folder / "state.json").write_text("[]")
        if harm == "short curve":
            curve.write_bytes(curve.read_bytes()[:-3])
        if harm == "strange curve":
            np.save(curve, np.zeros((2, 2)))
        assert store.lookup(fit.key) is None


@pytest.mark.parametrize("durable", [True, False])
def test_a_store_that_cannot_be_opened_leaves_neither_lock_nor_folder(tmp_path, durable, monkeypatch):
    run_dir = tmp_path / "run" if durable else None
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    iterdir = Path.iterdir
    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", lambda path: _refuse_fits(path, iterdir))
        with pytest.raises(StoreError, match=r"cannot be written: no entry.*Choose another run_dir"):
            RunStore.open(run_dir)
    assert list((tmp_path / "temporary").iterdir()) == []
    RunStore.open(run_dir).close()


def _refuse_fits(path, iterdir):
    if path.name == "fits":
        raise PermissionError("no entry")
    return iterdir(path)


@pytest.mark.parametrize("harm", ["file", "link", "dangling link"])
def test_what_is_no_folder_makes_room_for_one(tmp_path, harm):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "x").touch()
    run_dir = tmp_path / "run"
    RunStore.open(run_dir).close()
    for path in (run_dir / "scratch", run_dir / "fits" / "orphan"):
        if harm == "file":
            path.write_text("file")
        else:
            path.symlink_to(tmp_path / ("kept" if harm == "link" else "nowhere"))
    with RunStore.open(run_dir) as store:
        assert list(store.fits.iterdir()) == list(store.scratch.iterdir()) == []
        assert not store.scratch.is_symlink()
    assert (tmp_path / "kept" / "x").exists()


@pytest.mark.parametrize("harm", ["file", "link"])
def test_a_fit_is_made_again_where_something_else_has_its_place(tmp_path, one_worker, harm):
    problem, wanted = make_problem(), Request(Candidate(FAKE_FAMILY, (), Recipe("ordinal")), 2)

    def fit():
        with open_runtime(problem, one_worker, run_dir=tmp_path / "run") as runtime:
            return next(cross_fit(iter([wanted]), problem, runtime))

    whole = fit()
    for fold in whole.folds:
        shutil.rmtree(fold.folder.parent)
        if harm == "file":
            fold.folder.parent.write_text("")
        else:
            fold.folder.parent.symlink_to(tmp_path)
    np.testing.assert_array_equal(fit().predictions, whole.predictions)
    assert all(fold.folder.is_dir() for fold in whole.folds)
    assert (tmp_path / "run").is_dir()


def test_two_runs_in_one_folder_are_refused(tmp_path):
    with RunStore.open(tmp_path), pytest.raises(StoreError, match="in use by another run"):
        RunStore.open(tmp_path)
    RunStore.open(tmp_path).close()


def test_a_run_in_another_process_is_refused_until_it_ends(tmp_path):
    code = (
        "import sys; from pathlib import Path; from tabular_automl.crossfit import RunStore\n"
        "store = RunStore.open(Path(sys.argv[1])); print('open', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(StoreError, match="in use by another run"):
            RunStore.open(tmp_path)
        other.kill()
    # However a run ends, the folder is free again.
    RunStore.open(tmp_path).close()


def test_a_temporary_store_leaves_nothing():
    with RunStore.open(None) as store:
        root = store.root
        assert root.exists()
    assert not root.exists()


@pytest.mark.parametrize("harm", ["missing", "empty", "without its log"])
def test_a_run_folder_without_its_database_keeps_its_fits(tmp_path, harm):
    path, put_back = tmp_path / "run" / "run.sqlite", tmp_path / "whole"
    with RunStore.open(tmp_path / "run") as store:
        fit = stored_fit(store)
        header = path.read_bytes()  # all the rest is in the log by now
    shutil.copy(path, put_back)
    path.unlink()
    if harm != "missing":
        path.write_bytes(b"" if harm == "empty" else header)
    with pytest.raises(StoreError, match=r"run\.sqlite is missing or empty, but 'fits' is there\. Put the"):
        RunStore.open(tmp_path / "run")
    assert path.exists() == (harm != "missing")
    shutil.copy(put_back, path)
    with RunStore.open(tmp_path / "run") as store:
        assert store.lookup(fit.key) is not None


def test_a_run_can_be_read_while_it_works(tmp_path):
    with RunStore.open(tmp_path) as store:
        stored_fit(store)
        with reader(tmp_path) as other:
            other.execute("BEGIN")
            assert other.execute("SELECT count(*) FROM fold_fits").fetchone() == (1,)
            # A reader that takes its time keeps nothing from being written.
            stored_fit(store, "l" * 64)
            assert other.execute("SELECT count(*) FROM fold_fits").fetchone() == (1,)
            other.execute("COMMIT")
            assert other.execute("SELECT count(*) FROM fold_fits").fetchone() == (2,)
    # A folder at rest is a single database, without a log beside it.
    assert {path.name for path in tmp_path.iterdir()} == {"run.sqlite", "lock.sqlite", "run.lock", "fits"}


def test_a_reader_at_the_end_costs_nothing(tmp_path):
    with RunStore.open(tmp_path) as store:
        fit = stored_fit(store)
        with reader(tmp_path) as other:
            other.execute("BEGIN")
            other.execute("SELECT count(*) FROM fold_fits").fetchone()
            store.close()
    with RunStore.open(tmp_path) as store:
        assert store.lookup(fit.key) is not None


@contextmanager
def reader(root):
    uri = f"{(root / 'run.sqlite').as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


WRITES_UNTIL_KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tabular_automl.core.progress import Event
from tabular_automl.crossfit import RunStore
from test_store import stored_fit
store = RunStore.open(Path(sys.argv[1]))
for number in range(10_000):
    store.put_event(Event("fit", "x" * 3_000, number))
    stored_fit(store, f"{number:064}")
    print(number, flush=True)
"""


@pytest.mark.parametrize("lines", [1, 7, 40])
def test_a_kill_costs_nothing_that_was_put(tmp_path, lines):
    arguments = [sys.executable, "-c", WRITES_UNTIL_KILLED, str(tmp_path), str(Path(__file__).parent)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as writer:  # noqa: S603 - our own code
        assert writer.stdout is not None
        for number in range(lines):
            assert writer.stdout.readline() == f"{number}\n".encode()
        writer.kill()
    with RunStore.open(tmp_path) as store:
        assert all(store.lookup(f"{number:064}") is not None for number in range(lines))
        with reader(tmp_path) as other:
            assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert other.execute("SELECT count(*) FROM events").fetchone()[0] >= lines


def test_a_fit_that_was_given_up_answers_for_its_own_bar_only(tmp_path):
    bar, other = np.array([3.0, 1.5]), np.array([3.0, 1.0])
    key = "k" * 64
    with RunStore.open(tmp_path) as store:
        behind = stored_fit(store, given_up_key(key, bar), given_up=True)
        assert store.lookup(key) is None
        assert store.lookup(key, other) is None
        found = store.lookup(key, bar)
        assert found is not None
        assert (found.given_up, found.complete, found.key) == (True, True, behind.key)
        whole = stored_fit(store, key)
    with RunStore.open(tmp_path) as store:
        assert found_in(store, key).folder == whole.folder
        assert found_in(store, key, bar).folder == behind.folder
        assert found_in(store, key, np.array([3.0, 2.0, 2.0])).folder == whole.folder


def test_a_whole_fit_that_would_be_given_up_now_is_none(tmp_path):
    key, bar = "k" * 64, np.array([3.0, 1.5])
    with RunStore.open(tmp_path) as store:
        stored_fit(store, key)  # its losses are 3 and 2
    with RunStore.open(tmp_path) as store:
        assert store.lookup(key, bar) is None
        assert store.lookup(key, np.array([2.5])) is None
        assert store.lookup(key, np.array([3.0, 2.0, 1.9])) is None  # the round after its last one
        shutil.rmtree(store.fits / key)
        whole = stored_fit(store, key)
        # The learner, asked again, did not give it up: it is not asked a third time.
        assert found_in(store, key, bar).folder == whole.folder


def test_what_the_folder_holds_of_other_runs_changes_no_result(tmp_path, one_worker):
    problem = make_problem()
    fake = Candidate(FAKE_FAMILY, (), Recipe("ordinal"))

    def fit(run_dir, bar=None):
        with open_runtime(problem, one_worker, run_dir=run_dir) as runtime:
            return next(cross_fit(iter([Request(fake, 2, bar=bar)]), problem, runtime))

    whole = fit(tmp_path / "used")
    bar = np.append(whole.folds[0].curve[:2], 0.0)  # it falls behind on its third round
    for again in (fit(tmp_path / "used", bar), fit(tmp_path / "used", bar)):
        fresh = fit(tmp_path / "fresh", bar)
        assert (again.pruned, again.joint_round) == (fresh.pruned, fresh.joint_round)
        assert again.pruned.startswith("fell behind after 3 rounds on fold 0")
        np.testing.assert_array_equal(again.predictions, fresh.predictions)


def test_a_fit_is_read_once_in_a_run_and_not_at_all_where_it_was_made(tmp_path, monkeypatch):
    digested = []

    def digest(folder):
        digested.append(folder)
        return model_digest(folder)

    monkeypatch.setattr(store_module, "model_digest", digest)
    with RunStore.open(tmp_path) as store:
        fit: FoldFit = stored_fit(store)
        digested.clear()
        store.put(fit, candidate(), model_digest(fit.folder) or "")
        assert found_in(store, fit.key) is fit
        assert store.made(fit)
        assert digested == []
    with RunStore.open(tmp_path) as store:
        first = found_in(store, fit.key)
        assert found_in(store, fit.key) is first
        assert not store.made(first)
        assert digested == [fit.folder]


@pytest.mark.parametrize("durable", [True, False])
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_a_store_lets_go_of_its_folder_whatever_happens(tmp_path, durable, error, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    store = RunStore.open(tmp_path / "run" if durable else None)
    fit = stored_fit(store)
    removed = []

    def remove(path, **_):
        removed.append(Path(path))
        raise error("in the middle")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", remove)
        # Nobody hears of Ctrl-C: the run is over, and its result on its way.
        with pytest.raises(error, match="in the middle") if error is RuntimeError else nullcontext():
            store.close()
    assert removed == ([store.scratch] if durable else [store.scratch, store.root])
    assert not is_held(store.root)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        store._connection.execute("SELECT 1")
    with RunStore.open(store.root) as again:
        assert again.lookup(fit.key) is not None


def test_a_curve_of_other_numbers_answers_no_lookup(tmp_path):
    with RunStore.open(tmp_path) as store:
        fit = stored_fit(store)
    with RunStore.open(tmp_path) as store:
        np.save(fit.folder.parent / "curve.npy", fit.curve + 1)
        assert store.lookup(fit.key) is None


def test_a_database_that_another_program_reads_is_not_taken_for_one_of_a_run(tmp_path, monkeypatch):
    monkeypatch.setattr(run_folder, "BUSY_SECONDS", 0.0)
    RunStore.open(tmp_path).close()
    with reader(tmp_path) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM fold_fits").fetchone()
        with pytest.raises(StoreError, match=r"Another program has .*run\.sqlite open\. Close it there, or"):
            RunStore.open(tmp_path)
    RunStore.open(tmp_path).close()


def test_what_is_no_unicode_can_be_recorded(tmp_path):
    with RunStore.open(tmp_path) as store:
        store.put_event(Event("fit", "torn \ud800 text", 1.0))
        with reader(tmp_path) as other:
            assert other.execute("SELECT message FROM events").fetchone() == ("torn \\ud800 text",)
