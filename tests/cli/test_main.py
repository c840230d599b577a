import os
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
        (BrokenPipeError("a worker's pipe, not that of our reader"), 1),
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


def test_a_pipe_that_nobody_reads_is_no_error(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stdout, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stdout)
        assert main(["report", str(model)]) == 0
    assert capsys.readouterr().err == ""


def shown(command: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run the program in a shell, with the redirections that follow its arguments."""
    arguments = " ".join(f"'{word}'" for word in words)
    shell = f"'{sys.executable}' -m tabular_automl.cli {arguments} {command}"
    return subprocess.run(["bash", "-c", shell], capture_output=True, text=True)  # noqa: S603, S607, PLW1510 (ourselves)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
@pytest.mark.parametrize(("where", "why"), [(">&-", "it is closed"), (">/dev/full", "No space left")])
def test_a_result_that_cannot_be_printed_is_an_error(model: Path, where: str, why: str) -> None:
    done = shown(where, "report", model)
    assert done.returncode == 1
    assert why in done.stderr
    assert "--out" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
@pytest.mark.parametrize("where", [">&-", ">/dev/full"])
def test_a_fit_is_done_although_it_cannot_be_told(train: Path, tmp_path: Path, where: str) -> None:
    told = ["--families", "linear", "--max-candidates", "1", "--n-jobs", "1", "--quiet"]
    done = shown(where, "fit", train, "--target", "price", "--out", tmp_path / "m", *told)
    assert done.returncode == 0
    assert f"'{tmp_path / 'm'}' is written" in done.stderr
    assert done.stderr.count("\n") == 1
    assert (tmp_path / "m").is_dir()


def test_without_stderr_an_error_is_told_by_the_exit_code_alone(tmp_path: Path) -> None:
    done = shown("2>&-", "report", tmp_path / "nothing")
    assert (done.returncode, done.stdout) == (2, "")


WHERE_NATIVE_CODE_PRINTS = """
import sys
from pathlib import Path
from tabular_automl.cli import main
code = main(sys.argv[1:])
print(code, Path("/proc/self/fd/1").readlink(), file=sys.stderr)
"""


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system does not say what is open")
def test_no_file_of_predictions_gets_the_number_of_a_closed_stdout(
    model: Path, train: Path, tmp_path: Path
) -> None:
    told = f"score '{model}' '{train}' --out '{tmp_path / 'p.csv'}' --quiet"
    shell = f"'{sys.executable}' -c '{WHERE_NATIVE_CODE_PRINTS}' {told} >&-"
    done = subprocess.run(["bash", "-c", shell], check=True, capture_output=True, text=True)  # noqa: S603, S607 (ourselves)
    assert done.stderr.split() == ["0", os.devnull]
    assert (tmp_path / "p.csv").is_file()
