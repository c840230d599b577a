"""The README's two commands are single lines, name files that exist, and are what CI runs."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from tabular_automl.cli.parser import build_parser

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BASH = "\n".join(re.findall(r"```bash\n(.*?)```", README, re.DOTALL)).replace(" && ", "\n")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
CALLS = re.findall(r"^(?:\S*/)?tabular-automl (.*)$", BASH, re.MULTILINE)


def command(name: str) -> str:
    """Return the one line of the code block behind the marker `<!-- name -->`."""
    block = re.search(rf"<!-- {name} -->\n```bash\n(.*?)```", README, re.DOTALL)
    assert block is not None, f"README.md has no code block marked {name!r}"
    lines = block.group(1).splitlines()
    assert len(lines) == 1, f"the command {name!r} is not a single line"
    return lines[0]


def test_main_command_makes_its_own_environment_and_uses_bundled_tables() -> None:
    words = shlex.split(command("main-command"))
    assert words[:3] == ["python3", "-m", "venv"]
    tables = [word for word in words if word.startswith("datasets/")]
    assert len(tables) == 2
    assert all((ROOT / table).is_file() for table in tables)


def test_test_command_installs_what_the_tests_need_and_runs_them() -> None:
    words = shlex.split(command("test-command"))
    assert words[:3] == ["python3", "-m", "venv"]
    assert ".[test]" in words
    assert words[-3:] == [".venv/bin/python", "-m", "pytest"]


def test_calls_of_the_program_are_found() -> None:
    assert len(CALLS) == 7


@pytest.mark.parametrize("call", CALLS)
def test_every_call_of_the_program_is_understood(call: str) -> None:
    command = build_parser().parse_args(shlex.split(call, comments=True)).command
    assert command in {"fit", "score", "report", "history"}


@pytest.mark.parametrize("marker", ["run_dir=", "ta.Search("])
def test_examples_bounded_by_counts_run(
    marker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [example] = [block for block in EXAMPLES if marker in block]
    (tmp_path / "datasets").symlink_to(ROOT / "datasets")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(example, "README.md", "exec"), names)  # noqa: S102 - our own README
    families = {fit.candidate.family for fit in names["model"].run.crossfits}
    assert {"lightgbm", "linear"} <= families
    assert "catboost" not in families
    assert ("lightgbm/default" in capsys.readouterr().out) == (marker == "run_dir=")


def test_ci_runs_the_test_command_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "test-command" in script
    assert "README.md" in script
    assert "pytest" not in script  # nothing but the README's own command runs the tests


def test_changelog_and_package_agree_on_the_version() -> None:
    from tabular_automl import __version__

    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
