"""What a clock measured, or the machine decided, is in one file of a saved model and in no other."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tabular_automl.artifact import load_run, save_run
from tabular_automl.artifact.circumstances import CIRCUMSTANCES_FILE, read_circumstances, write_circumstances
from tabular_automl.artifact.manifest import read_manifest
from tabular_automl.core.crossfit import CrossFit
from tabular_automl.core.errors import ArtifactError
from tabular_automl.core.run import Run


@pytest.fixture(scope="module")
def saved(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_run(run, tmp_path_factory.mktemp("saved") / "model")


@pytest.fixture
def model(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "model"))


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a model but its circumstances."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    assert found.pop(CIRCUMSTANCES_FILE)
    return found


def on_another_machine(run: Run) -> Run:
    """The same run as another machine would have gone through it."""

    def slower(fit: CrossFit) -> CrossFit:
        folds = tuple(replace(fold, seconds=9.75, memory_mb=float("nan")) for fold in fit.folds)
        return replace(fit, folds=folds, seconds=99.5)

    return replace(
        run,
        seconds={"ingest": 7.5, "weigh": 1.0, "total": 8.5},
        settings={**run.settings, "n_jobs": 64, "interrupted": True},
        baselines=tuple(map(slower, run.baselines)),
        crossfits=tuple(map(slower, run.crossfits)),
        failures=tuple(replace(one, reason="at 0x7f81", seconds=3.5) for one in run.failures),
        utilisation=None,
    )


def test_other_circumstances_change_no_other_file(run: Run, saved: Path, tmp_path: Path) -> None:
    elsewhere = save_run(on_another_machine(run), tmp_path / "elsewhere")
    assert contents(elsewhere) == contents(saved)
    assert (elsewhere / CIRCUMSTANCES_FILE).read_bytes() != (saved / CIRCUMSTANCES_FILE).read_bytes()


def test_circumstances_come_back(run: Run, tmp_path: Path) -> None:
    back = load_run(save_run(on_another_machine(run), tmp_path / "model"))
    assert back.seconds == {"ingest": 7.5, "weigh": 1.0, "total": 8.5}
    assert (back.settings["n_jobs"], back.settings["interrupted"]) == (64, True)
    assert [fit.seconds for fit in (*back.baselines, *back.crossfits)] == [99.5] * 3
    assert {fold.seconds for fit in back.crossfits for fold in fit.folds} == {9.75}
    assert all(fold.memory_mb != fold.memory_mb for fit in back.crossfits for fold in fit.folds)
    assert back.utilisation is None
    assert {(failure.reason, failure.seconds) for failure in back.failures} == {("at 0x7f81", 3.5)}


def test_every_byte_counts(model: Path) -> None:
    path, manifest = model / CIRCUMSTANCES_FILE, read_manifest(model)
    whole = path.read_bytes()
    for place in range(len(whole)):
        mask = (0x01, 0x20, 0x80)[place % 3]
        path.write_bytes(whole[:place] + bytes([whole[place] ^ mask]) + whole[place + 1 :])
        with pytest.raises(ArtifactError, match=r"circumstances\.json"):
            read_circumstances(model, manifest)


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '{"manifest": 1}'])
def test_something_else_in_its_place_is_refused(model: Path, text: str) -> None:
    (model / CIRCUMSTANCES_FILE).write_text(text, encoding="utf-8")
    with pytest.raises(ArtifactError, match=r"circumstances\.json"):
        load_run(model)


def test_those_of_another_model_are_refused(run: Run, model: Path, tmp_path: Path) -> None:
    other = save_run(replace(run, scheme="grouped"), tmp_path / "other")
    shutil.copy(other / CIRCUMSTANCES_FILE, model / CIRCUMSTANCES_FILE)
    with pytest.raises(ArtifactError, match=r"circumstances\.json' belongs to another model"):
        load_run(model)


def test_circumstances_that_do_not_fit_the_records_are_refused(model: Path) -> None:
    write_circumstances(model, read_manifest(model), {"seconds": {}, "settings": {}, "crossfits": []})
    with pytest.raises(ArtifactError, match="this version of tabular_automl cannot read it"):
        load_run(model)
