import os
import subprocess
import sys
from pathlib import Path

import pytest

from tabular_automl.artifact import check_destination, load_run, save_run
from tabular_automl.artifact import destination as room
from tabular_automl.artifact.destination import staged_folder
from tabular_automl.core.errors import InputError, WriteError
from tabular_automl.core.run import Run
from tabular_automl.crossfit import RunStore

KILLED_WHILE_SAVING = """
import os, sys
from pathlib import Path
from tabular_automl.artifact.destination import staged_folder
with staged_folder(Path(sys.argv[1])) as folder:
    (folder / "half.txt").write_text("half")
    os._exit(9)
"""


@pytest.fixture(params=["one exchange", "two renames"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Replace a folder both as Linux does it and as other systems have to."""
    if request.param == "two renames":
        monkeypatch.setattr(room, "_exchange", lambda left, right: False)
    return str(request.param)


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    with staged_folder(tmp_path / "model") as folder:
        (folder / "file").write_text("x")
        assert not (tmp_path / "model").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert (tmp_path / "model" / "file").read_text() == "x"


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_a_failure_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    def fail() -> None:
        with staged_folder(tmp_path / "model") as folder:
            (folder / "half").write_text("x")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing_and_says_so(tmp_path: Path) -> None:
    def fail() -> None:
        with staged_folder(tmp_path / "model"):
            raise OSError(28, "No space left on device")

    with pytest.raises(WriteError, match=r"No space left on device. Nothing was left behind"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_failed_replacement_keeps_the_old_model(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save_run(run, tmp_path / "model")
    monkeypatch.setattr("tabular_automl.artifact.save.write_manifest", _no_space)
    with pytest.raises(WriteError, match="No space left"):
        save_run(run, folder, overwrite=True)
    load_run(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def _no_space(folder: Path, versions: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_killed_process_leaves_no_half_model(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", KILLED_WHILE_SAVING, str(tmp_path / "model")]
    assert subprocess.run(arguments, check=False).returncode == 9  # noqa: S603 (ourselves)
    assert not (tmp_path / "model").exists()


def test_what_killed_processes_left_is_removed_after_an_hour(tmp_path: Path) -> None:
    names = {
        "old": ".model.0123abcd.partial",
        "young": ".model.89abcdef.partial",
        "another's": ".model.v2.0123abcd.partial",
        "the user's": ".model.notes.partial",
    }
    for name in names.values():
        (tmp_path / name / "members").mkdir(parents=True)
        (tmp_path / name / "members" / "half").touch()
        for path in (tmp_path / name / "members" / "half", tmp_path / name / "members", tmp_path / name):
            os.utime(path, (0, 0))
    os.utime(tmp_path / names["young"] / "members" / "half")
    with staged_folder(tmp_path / "model"):
        pass
    del names["old"]
    assert {path.name for path in tmp_path.iterdir()} == {"model", *names.values()}


def test_replacing_takes_the_new_files_and_drops_the_old(run: Run, tmp_path: Path, way: str) -> None:
    folder = save_run(run, tmp_path / "model")
    before = (folder / "manifest.json").stat().st_ino
    save_run(run, folder, overwrite=True)
    load_run(folder)
    assert (folder / "manifest.json").stat().st_ino != before
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_an_existing_model_is_kept_by_default(run: Run, tmp_path: Path) -> None:
    folder = save_run(run, tmp_path / "model")
    with pytest.raises(InputError, match=r"saved at .* already. Pass overwrite=True \(--overwrite\)"):
        save_run(run, folder)


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_not_a_model_is_never_replaced(tmp_path: Path, *, overwrite: bool) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    with pytest.raises(InputError, match=r"exists and is not a saved model"):
        check_destination(tmp_path / "thesis", overwrite=overwrite)
    with pytest.raises(InputError, match=r"a file of that name exists"):
        check_destination(tmp_path / "thesis" / "chapter.tex", overwrite=overwrite)


def test_notes_in_a_model_folder_are_not_lost(run: Run, tmp_path: Path) -> None:
    folder = save_run(run, tmp_path / "model")
    (folder / "notes.md").write_text("mine")
    with pytest.raises(InputError, match=r"'notes.md' is not part of it and would be lost"):
        save_run(run, folder, overwrite=True)


def test_an_empty_folder_is_filled(run: Run, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    load_run(save_run(run, tmp_path / "model"))


@pytest.mark.parametrize("place", ["fits/model", "scratch", "scratch/deep/model"])
def test_where_runs_remove_what_they_do_not_know_nothing_is_saved(
    run: Run, tmp_path: Path, place: str
) -> None:
    root = tmp_path / "run"
    RunStore.open(root).close()
    (root / place).parent.mkdir(parents=True, exist_ok=True)
    with pytest.raises(InputError, match=r"runs in the run folder '.*run' need that place for themselves"):
        save_run(run, root / place)
    assert not (root / place).exists()
    save_run(run, root / "model")
    RunStore.open(root).close()
    load_run(root / "model")


@pytest.mark.parametrize("place", ["~nosuchuser/model", "a\0b", "", "loop"])
def test_what_is_no_path_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    with pytest.raises(InputError, match=r"^The path to write to is .*, which is no path: .*\. Give one"):
        check_destination(place)
    with pytest.raises(InputError, match=r"^run_dir is .*, which is no path: .*\. Give one such as"):
        check_destination("model", run_dir=place)
    with pytest.raises(InputError, match=r"^The path of the model is .*, which is no path"):
        load_run(place)


def test_a_missing_parent_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the folder '.*nowhere' does not exist. Create it first"):
        check_destination(tmp_path / "nowhere" / "model")


def test_a_read_only_parent_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Asked, not tried: tests may run as root, who may write everywhere.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InputError, match="is read-only"):
        check_destination(tmp_path / "model")


def test_paths_with_spaces_and_umlauts_work(run: Run, tmp_path: Path) -> None:
    load_run(save_run(run, str(tmp_path / "mein Modell für Köln 日本")))


def test_a_link_to_a_model_is_followed(run: Run, tmp_path: Path, way: str) -> None:
    folder = save_run(run, tmp_path / "v1")
    (tmp_path / "current").symlink_to(folder)
    save_run(run, tmp_path / "current", overwrite=True)
    assert (tmp_path / "current").is_symlink()
    load_run(tmp_path / "current")
