import io
import json
import sys
from pathlib import Path

import pandas as pd
import pytest

import tabular_automl as ta
from tabular_automl.cli import main
from tabular_automl.core.candidate import Candidate, Recipe
from tabular_automl.crossfit import Request, RunFacts, RunStore
from tabular_automl.crossfit.request_outcome import RequestOutcome


@pytest.fixture(scope="session")
def run_dir(train: Path) -> Path:
    """A run folder with one linear model, and one that failed."""
    folder = train.with_name("price run")
    arguments = ["fit", str(train), "--target", "price", "--out", str(train.with_name("short_model"))]
    small = ["--families", "linear", "--max-candidates", "1", "--n-jobs", "1", "--quiet"]
    assert main([*arguments, *small, "--run-dir", str(folder)]) == 0
    return folder


def test_the_overview_tells_runs_and_candidates(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["history", str(run_dir)]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "Runs (UTC):" in printed.out
    assert "finished" in printed.out
    assert "linear/default" in printed.out
    assert max(map(len, printed.out.splitlines())) < 120


@pytest.mark.parametrize(
    "show", ["runs", "candidates", "folds", "curves", "failures", "events", "environment"]
)
def test_each_table_is_the_historys(run_dir: Path, show: str, capsys: pytest.CaptureFixture[str]) -> None:
    expected = getattr(ta.history(run_dir), show)()
    arguments = ["history", str(run_dir), "--show", show, "--format"]
    assert main([*arguments, "csv"]) == 0
    found = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert found.columns.tolist() == expected.columns.tolist()
    assert len(found) == len(expected)
    assert main([*arguments, "json"]) == 0
    records = json.loads(capsys.readouterr().out)
    assert [set(record) for record in records] == [set(expected.columns)] * len(expected)
    assert main([*arguments, "text"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == len(expected) + 1 if len(expected) else shown == ["(none)"]


def test_numbers_and_hyperparameters_survive_csv_and_json(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = ta.history(run_dir).candidates()
    assert main(["history", str(run_dir), "--format", "csv"]) == 0
    found = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert found["loss"].tolist() == pytest.approx(expected["loss"].tolist(), rel=1e-15)
    assert [json.loads(params) for params in found["params"]] == expected["params"].tolist()
    assert main(["history", str(run_dir), "--format", "json"]) == 0
    records = json.loads(capsys.readouterr().out)
    assert [record["params"] for record in records] == expected["params"].tolist()
    assert [record["state"] for record in records] == expected["state"].tolist()


def test_the_overview_shows_a_candidate_once_by_its_longest_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with RunStore.open(tmp_path / "run") as store:
        store.begin(RunFacts("p", "d", "f", "log_loss", "roc_auc", 0, {}, {}))
        recipes = (Recipe("linear", (("hinges", n),)) for n in (1, 2))
        long, short = (Candidate("linear", (), one, label=f"r{n}") for n, one in enumerate(recipes, start=1))
        for one, n_folds in ((long, 1), (short, 1), (long, 8)):
            number = store.put_request(Request(one, n_folds))
            store.put_result(number, RequestOutcome("fitted", 1.0, "", n_folds, 1, 0.5, 0.5))
        store.end("finished")
    assert main(["history", str(tmp_path / "run")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "candidates requests fitted" in " ".join(lines[1].split())
    assert " 2 3 3 " in " ".join(lines[2].split())
    shown = [line.split() for line in lines if "linear/" in line]
    assert [line[1] for line in shown] == ["linear/r2", "linear/r1"]
    assert [line[5] for line in shown] == ["1", "8"]
    assert main(["history", str(tmp_path / "run"), "--show", "candidates"]) == 0
    assert sum("linear/" in line for line in capsys.readouterr().out.splitlines()) == 3


def test_the_history_goes_to_a_file(
    run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "folds.csv"
    assert main(["history", str(run_dir), "--show", "folds", "--format", "csv", "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"History written to {out}.\n"
    assert len(pd.read_csv(out)) == len(ta.history(run_dir).folds())


def test_a_history_that_cannot_be_written_is_one_clean_message(
    run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["history", str(run_dir), "--out", str(tmp_path / "nowhere" / "h.txt")]) == 2
    assert "does not exist. Create it first." in capsys.readouterr().err
    assert main(["history", str(run_dir), "--out", str(tmp_path)]) == 1
    assert "Is a directory. Choose another path." in capsys.readouterr().err


def test_what_is_no_run_folder_ends_with_2_and_a_damaged_one_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["history", str(tmp_path)]) == 2
    assert "is no run folder: it has no run.sqlite. Give the run_dir of a fit." in capsys.readouterr().err
    (tmp_path / "run.sqlite").write_text("not a database at all" * 100)
    assert main(["history", str(tmp_path)]) == 1
    assert "cannot be read" in capsys.readouterr().err


def test_names_that_stdout_cannot_hold_are_for_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with RunStore.open(tmp_path / "run") as store:
        store.begin(RunFacts("p", "d", "f", "log_loss", "roc_auc", 0, {}, {}))
        store.put_request(Request(Candidate("linear", (), Recipe("linear"), label="größe"), 1))
    arguments = ["history", str(tmp_path / "run"), "--format", "csv"]
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
        assert main(arguments) == 1
    said = capsys.readouterr().err
    assert "Cannot print to standard output: 'ascii' codec can't encode character" in said
    assert said.endswith("Write to a file instead: --out FILE.\n")
    assert main([*arguments, "--out", str(tmp_path / "h.csv")]) == 0
    assert "größe" in (tmp_path / "h.csv").read_text(encoding="utf-8")
