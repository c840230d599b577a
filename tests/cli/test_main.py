import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from tabular_automl.cli import main
from tabular_automl.core.errors import (
    ArtifactError,
    InputError,
    SchemaError,
    StoreError,
    TabularAutoMLError,
    WriteError,
)

# The package offers the function of that name; the module is wanted here.
room = import_module("tabular_automl.cli.main")

HELP_IS_LIGHT = """
import sys
from tabular_automl.cli import main
try:
    main(["fit", "--help"])
except SystemExit as end:
    assert end.code == 0
heavy = {"pandas", "sklearn", "lightgbm", "pyarrow", "scipy"} & set(sys.modules)
assert not heavy, heavy
"""


def failing(error: BaseException) -> object:
    def command(options: object) -> None:
        raise error

    return lambda name: command


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("no such column"), 2),
        (SchemaError("columns are missing"), 2),
        (StoreError("in use by another run"), 1),
        (WriteError("the disk is full"), 1),
        (TabularAutoMLError("every candidate failed"), 1),
        (ArtifactError("damaged"), 3),
        (KeyboardInterrupt(), 130),
        (RuntimeError("a bug of ours"), 1),
        (MemoryError("too much"), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_errors_become_exit_codes_and_one_message(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(room, "_command", failing(error))
    assert main(["report", "model"]) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("tabular-automl: error: ")
    assert str(error) in printed.err
    assert printed.err.count("\n") == 1


def test_a_traceback_is_shown_on_request(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(room, "_command", failing(RuntimeError("a bug of ours")))
    assert main(["report", "model"]) == 1
    assert "--traceback" in capsys.readouterr().err
    assert main(["report", "model", "--traceback"]) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "a first walk:" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["fot"],
        ["fit"],
        ["fit", "train.csv", "--target", "y"],
        ["fit", "train.csv", "--target", "y", "--out", "m", "--time-limit", "-1"],
        ["fit", "train.csv", "--target", "y", "--out", "m", "--time-limit", "nan"],
        ["fit", "train.csv", "--target", "y", "--out", "m", "--max-candidates", "0"],
        ["fit", "train.csv", "--target", "y", "--out", "m", "--task", "clustering"],
        ["score", "model", "rows.csv"],
    ],
    ids=" ".join,
)
def test_bad_usage_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert "error:" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["fit", "score", "report", "history"])
def test_the_help_teaches_by_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    text = capsys.readouterr().out
    assert "examples:" in text
    assert f"tabular-automl {command} " in text.partition("examples:")[2]


def test_importing_the_program_does_not_run_it() -> None:
    arguments = [sys.executable, "-c", "import tabular_automl.cli.__main__; print('imported')", "report"]
    done = subprocess.run(arguments, check=True, capture_output=True, text=True)  # noqa: S603 (ourselves)
    assert done.stdout == "imported\n"


def test_the_help_loads_no_heavy_library() -> None:
    subprocess.run([sys.executable, "-c", HELP_IS_LIGHT], check=True, capture_output=True)  # noqa: S603 (ourselves)


def test_a_reader_that_leaves_is_no_error(model: Path) -> None:
    shell = f"'{sys.executable}' -m tabular_automl.cli report '{model}' | head -c 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", shell], check=True, capture_output=True)  # noqa: S603, S607 (ourselves)
    assert done.stderr == b""
