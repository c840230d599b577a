"""What may be a run folder, and what of it is refused."""

import os
import sqlite3
import tempfile

import pytest

from tabular_automl.core.errors import StoreError
from tabular_automl.core.progress import Event
from tabular_automl.crossfit import RunHistory, RunStore
from tabular_automl.crossfit.folder_lock import lock_folder


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot be written.*Choose another run_dir"):
        RunStore.open(tmp_path / "file" / "run")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="cannot be written"):
        RunStore.open(tmp_path)


@pytest.mark.parametrize("name", ["fits/sub/x", "scratch/thesis.tex", "studies.sqlite", "run.lock"])
def test_names_of_a_run_folder_alone_make_none(tmp_path, name):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("years of work")
    with pytest.raises(
        StoreError, match=r"no run folder: it holds '.*'\. Give run_dir an empty or new folder"
    ):
        RunStore.open(tmp_path)
    assert (tmp_path / name).read_text() == "years of work"
    assert len(list(tmp_path.iterdir())) == 1


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


def test_the_top_folder_of_a_disk_is_a_run_folder_as_any(tmp_path):
    (tmp_path / "lost+found").mkdir()
    with RunStore.open(tmp_path):
        pass
    assert (tmp_path / "lost+found").is_dir()


def test_a_damaged_database_is_refused(tmp_path):
    with RunStore.open(tmp_path) as store:
        for number in range(200):
            store.put_event(Event("fit", "x" * 500, number))
    path = tmp_path / "run.sqlite"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StoreError, match=r"run.sqlite is not the database of a run folder, or damaged"):
        RunStore.open(tmp_path)
    path.write_bytes(whole[:9_000] + b"\xff" * 20_000 + whole[29_000:])
    with pytest.raises(StoreError, match=r"run.sqlite is not the database of a run folder, or damaged"):
        RunStore.open(tmp_path)
    path.write_bytes(whole.replace(b"xxx", b"x\xfex"))
    with pytest.raises(StoreError, match=r"or damaged: Could not decode to UTF-8 column 'message'"):
        RunStore.open(tmp_path)
    path.write_bytes(whole.replace(b"CREATE TABLE failures", b"CRE\xfeTE TABLE failures"))
    with pytest.raises(StoreError, match=r"run.sqlite is not the database of a run folder, or damaged"):
        RunStore.open(tmp_path)
    with pytest.raises(StoreError, match=r"run.sqlite cannot be read: .*Restore the folder from a copy"):
        RunHistory(tmp_path)
    path.write_bytes(whole)
    RunStore.open(tmp_path).close()


def test_somebody_elses_database_is_refused_untouched(tmp_path):
    connection = sqlite3.connect(tmp_path / "run.sqlite")
    connection.execute("CREATE TABLE songs (title TEXT)")
    connection.close()
    before = (tmp_path / "run.sqlite").read_bytes()
    with pytest.raises(StoreError, match=r"it has other tables, as 'songs'"):
        RunStore.open(tmp_path)
    assert (tmp_path / "run.sqlite").read_bytes() == before


def test_a_folder_of_an_earlier_format_is_refused_untouched(tmp_path):
    connection = sqlite3.connect(tmp_path / "run.sqlite")
    connection.execute("CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
    connection.execute("INSERT INTO facts VALUES ('format', '2')")
    connection.commit()
    connection.close()
    before = (tmp_path / "run.sqlite").read_bytes()
    with pytest.raises(StoreError, match=r"has format '2', but this version reads '3'. Choose another"):
        RunStore.open(tmp_path)
    assert (tmp_path / "run.sqlite").read_bytes() == before


def test_what_killed_runs_left_among_temporary_folders_is_removed_after_a_while(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    names = ["left", "held", "young", "strange"]
    folders = {name: tmp_path / f"tabular_automl-{name}" for name in names}
    with RunStore.open(folders["held"]):
        for folder in folders.values():
            folder.mkdir(exist_ok=True)
        for name in ("left", "young"):
            RunStore.open(folders[name]).close()
        (folders["strange"] / "thesis.tex").write_text("years of work")
        (tmp_path / "tabular_automl-link").symlink_to(folders["left"])
        for name in ("left", "held", "strange"):
            for path in (*folders[name].iterdir(), folders[name]):
                os.utime(path, (0, 0))
        RunStore.open(None).close()
        left = {path.name.removeprefix("tabular_automl-") for path in tmp_path.iterdir()}
        assert left == {"held", "young", "strange", "link"}


@pytest.mark.parametrize("stranger", ["thesis.tex", "studies.sqlite", "run.sqlite-wal"])
def test_a_lock_without_a_database_is_taken_up_where_there_is_nothing_else(tmp_path, stranger):
    """As a run leaves it that was killed at its very beginning."""
    for folder in ("fits", "scratch"):
        (tmp_path / folder).mkdir()
    lock_folder(tmp_path).close()
    (tmp_path / stranger).write_text("years of work")
    with pytest.raises(StoreError, match=rf"but '{stranger}' is there\. .*, empty the folder to begin anew"):
        RunStore.open(tmp_path)
    assert (tmp_path / stranger).read_text() == "years of work"
    (tmp_path / stranger).unlink()
    (tmp_path / "run.sqlite").touch()
    RunStore.open(tmp_path).close()
