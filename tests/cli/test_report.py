import subprocess
import sys
from pathlib import Path

import pytest

import tabular_automl as ta
from tabular_automl.cli import main


def test_the_report_is_the_models(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(model)]) == 0
    assert capsys.readouterr().out.strip() == str(ta.load(model).report()).strip()


def test_the_report_goes_to_a_file(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(model), "--out", str(tmp_path / "report.txt")]) == 0
    assert (tmp_path / "report.txt").read_text(encoding="utf-8").strip() == str(
        ta.load(model).report()
    ).strip()
    assert "Report written to" in capsys.readouterr().out


def test_a_report_that_cannot_be_written_ends_with_2(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(model), "--out", str(tmp_path / "nowhere" / "r.txt")]) == 2
    assert "does not exist. Create it first." in capsys.readouterr().err
    assert main(["report", str(model), "--out", str(tmp_path)]) == 1
    assert "Is a directory. Choose another path." in capsys.readouterr().err


def test_it_runs_as_a_program(model: Path) -> None:
    arguments = [sys.executable, "-m", "tabular_automl.cli", "report", str(model)]
    done = subprocess.run(arguments, check=True, capture_output=True, text=True)  # noqa: S603 (ourselves)
    assert "price" in done.stdout
    assert done.stderr == ""
