import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from odd_learners import candidate  # type: ignore[import-not-found]

from tabular_automl.core.crossfit import FoldFit
from tabular_automl.core.errors import StoreError
from tabular_automl.crossfit import RunStore


def stored_fit(store, key="k" * 64, *, complete=True):
    folder = store.fits / (key if complete else f"{key}.partial-1") / "model"
    folder.mkdir(parents=True)
    curve = np.array([3.0, 2.0])
    np.save(folder.parent / "curve.npy", curve)
    (folder / "state.json").write_text("{}")
    fit = FoldFit(key, 0, folder, curve, 1.5, 80.0, complete)
    store.put(fit, candidate())
    return fit


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


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot be written.*Choose another run_dir"):
        RunStore.open(tmp_path / "file" / "run")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="cannot be written"):
        RunStore.open(tmp_path)


def test_a_full_disk_is_refused(tmp_path):
    with pytest.raises(StoreError, match=r"MB free, but this run needs about .* MB"):
        RunStore.open(tmp_path, needed_bytes=10**18)


def test_a_folder_with_other_things_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(StoreError, match=r"no run folder: it holds 'thesis.tex'"):
        RunStore.open(tmp_path)


def test_a_strange_database_is_refused(tmp_path):
    (tmp_path / "run.sqlite").write_text("not a database at all" * 100)
    with pytest.raises(StoreError, match="not the database of a run folder"):
        RunStore.open(tmp_path)


def test_an_unknown_format_is_refused(tmp_path):
    with RunStore.open(tmp_path) as store:
        store._connection.execute("UPDATE facts SET value = '999' WHERE name = 'format'")
    with pytest.raises(StoreError, match="format '999'"):
        RunStore.open(tmp_path)
