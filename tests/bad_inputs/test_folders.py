"""Places that cannot be written, fill up, or are somebody else's."""

import errno
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bad_input_rows import FIT, SCORE, covers  # type: ignore[import-not-found]
from front_door import ONE_FIT, command, small_table  # type: ignore[import-not-found]
from small_disk import files_no_larger_than  # type: ignore[import-not-found]

import tabular_automl as ta
from tabular_automl.cli import fit as fit_room
from tabular_automl.core.errors import InputError, StoreError, WriteError
from tabular_automl.crossfit import RunStore
from tabular_automl.scoring import ScoreOptions, score_file


class SpentError(Exception):
    """Time would be spent now."""


@pytest.fixture
def spends_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the command line's `fit` fail a test that reaches it."""

    def fit(*args: object, **options: object) -> None:
        raise SpentError

    monkeypatch.setattr(fit_room, "fit", fit)


@pytest.fixture
def train(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    small_table().to_csv(path, index=False)
    return path


def fit_arguments(train: Path, out: Path) -> list[str]:
    return [
        "fit",
        str(train),
        "--target",
        "label",
        "--out",
        str(out),
        "--max-candidates",
        "1",
        "--n-jobs",
        "1",
    ]


@covers("folders", FIT, SCORE)
def test_a_read_only_folder_is_named_before_time_is_spent(
    plain, train: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spends_no_time: None
) -> None:
    """Whether it is read-only is asked, not tried: tests may run as root, who may write everywhere."""
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    code, said = command(fit_arguments(train, tmp_path / "model"))
    assert (code, "is read-only. Choose another one" in said) == (2, True), said
    with pytest.raises(InputError, match="is read-only"):
        plain.save(tmp_path / "model")
    with pytest.raises(InputError, match="is read-only"):
        score_file(plain.run, tmp_path / "no such rows.csv", tmp_path / "out.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


@covers("folders", FIT, SCORE)
def test_a_folder_that_is_none_is_named_before_time_is_spent(
    plain, train: Path, tmp_path: Path, spends_no_time: None
) -> None:
    for place, match in (
        (tmp_path / "nowhere" / "model", "the folder '.*nowhere' does not exist. Create it first"),
        (train, "a file of that name exists"),
        (tmp_path, "the folder exists and is not a saved model"),
    ):
        code, said = command(fit_arguments(train, place))
        assert code == 2, said
        with pytest.raises(InputError, match=match):
            raise InputError(said)
    with pytest.raises(InputError, match=r"does not exist\. Create it first"):
        score_file(plain.run, train, tmp_path / "nowhere" / "out.csv")


@covers("folders", FIT)
@pytest.mark.parametrize("argument", ["--out", "--run-dir"])
def test_links_in_a_circle_are_no_path(
    train: Path, tmp_path: Path, spends_no_time: None, argument: str
) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    code, said = command([*fit_arguments(train, tmp_path / "model"), argument, str(tmp_path / "loop")])
    assert (code, "which is no path: " in said) == (2, True), said


@covers("folders", FIT)
def test_a_run_folder_that_cannot_be_written_is_named_before_time_is_spent(
    train: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fit_folds(*args: object, **options: object) -> None:
        raise SpentError

    monkeypatch.setattr("tabular_automl.automl.first_wave", fit_folds)
    for run_dir in (train, train / "run"):
        with pytest.raises(StoreError, match=r"cannot be written.*Choose another run_dir"):
            ta.fit(small_table(), "label", run_dir=run_dir, **ONE_FIT)
        code, said = command([*fit_arguments(train, tmp_path / "model"), "--run-dir", str(run_dir)])
        assert (code, "Choose another run_dir" in said) == (1, True), said


@covers("folders", FIT)
def test_a_full_disk_while_saving_leaves_nothing(plain, tmp_path: Path) -> None:
    """A "full disk" is said, and what was there before stays whole."""
    with (
        files_no_larger_than(500),
        pytest.raises(WriteError, match=r"Cannot save the model to .*Nothing was left"),
    ):
        plain.save(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []
    plain.save(tmp_path / "model")
    with files_no_larger_than(500), pytest.raises(WriteError, match="Nothing was left behind"):
        plain.save(tmp_path / "model", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert ta.load(tmp_path / "model").score_ == plain.score_


@covers("folders", FIT)
def test_a_full_disk_while_fitting_is_no_silent_failure(tmp_path: Path) -> None:
    with (
        files_no_larger_than(500),
        pytest.raises(StoreError, match=r"cannot be written.*Choose another run_dir"),
    ):
        ta.fit(small_table(), "label", run_dir=tmp_path / "run", **ONE_FIT)


@covers("folders", SCORE)
@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz", "out.parquet"])
def test_a_full_disk_while_scoring_leaves_nothing(plain, tmp_path: Path, name: str) -> None:
    source = tmp_path / "rows.parquet"
    pd.concat([small_table()] * 10).to_parquet(source)
    (tmp_path / name).write_text("yesterday", encoding="utf-8")
    told = ScoreOptions(chunk_rows=50, proba=True)
    with (
        files_no_larger_than(2_000),
        pytest.raises(WriteError, match="No partial file was left behind") as caught,
    ):
        score_file(plain.run, source, tmp_path / name, told)
    assert os.strerror(errno.EFBIG) in str(caught.value)
    assert (tmp_path / name).read_text(encoding="utf-8") == "yesterday"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["rows.parquet", name])


@covers("folders", FIT, SCORE)
@pytest.mark.parametrize(
    ("folder", "family"),
    [
        pytest.param("Größe 日本 😀", "linear", id="unicode path"),
        pytest.param("my models é (new)", "lightgbm", id="path with spaces"),
    ],
)
def test_every_name_of_a_folder_will_do(tmp_path: Path, folder: str, family: str) -> None:
    place = tmp_path / folder
    place.mkdir()
    train, out = place / "zeilen é.csv", place / "vorhersagen ü.csv"
    small_table().to_csv(train, index=False)
    model = place / "modell ß"
    arguments = [*fit_arguments(train, model), "--families", family, "--run-dir", str(place / "läufe")]
    assert command(arguments)[0] == 0
    assert command(["score", str(model), str(train), "--out", str(out), "--proba"])[0] == 0
    probabilities = ta.load(model).predict_proba(small_table())
    np.testing.assert_allclose(pd.read_csv(out)["probability_dear"], probabilities["dear"], rtol=1e-9)


@covers("folders", FIT)
def test_two_runs_in_one_folder_are_refused(train: Path, tmp_path: Path) -> None:
    """At a time, two runs in one folder would mix their fits; one after the other may."""
    with RunStore.open(tmp_path / "run"):
        with pytest.raises(StoreError, match="in use by another run"):
            ta.fit(small_table(), "label", run_dir=tmp_path / "run", **ONE_FIT)
        code, said = command([*fit_arguments(train, tmp_path / "model"), "--run-dir", str(tmp_path / "run")])
        assert (code, "in use by another run" in said) == (1, True), said
    first = ta.fit(small_table(), "label", run_dir=tmp_path / "run", **ONE_FIT)
    second = ta.fit(small_table(), "label", run_dir=tmp_path / "run", **ONE_FIT)
    assert first.score_ == second.score_


@covers("folders", FIT)
def test_a_model_is_not_replaced_unasked(plain, train: Path, tmp_path: Path, spends_no_time: None) -> None:
    plain.save(tmp_path / "model")
    code, said = command(fit_arguments(train, tmp_path / "model"))
    assert (code, "Pass overwrite=True (--overwrite) to replace it" in said) == (2, True), said
    assert ta.load(tmp_path / "model").score_ == plain.score_
